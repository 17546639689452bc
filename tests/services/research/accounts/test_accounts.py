"""Registration, access keys, acceptance and suspension of researchers."""

from datetime import timedelta

import pytest

from esante.core import clock
from esante.core.clock import use_clock
from esante.services.research.accounts.model import AccountChange, AccountStatus
from esante.services.research.applications.model import Content
from tests.support.consent import problem_of
from tests.support.research import ORIGIN, accepted, submitted

RITA = ("Rita Researcher", "University of Example", "rita@uni.example", ORIGIN)


async def test_registered_account_waits_and_cannot_submit_until_it_is_accepted(accounts, applications, operator):
    account, key = await accounts.register(*RITA)
    assert account.status is AccountStatus.REGISTERED and len(key) > 40
    assert await accounts.count_waiting() == 1
    requester = account.requester(ORIGIN)
    assert (await problem_of(submitted(applications, requester))).status == 409
    await accounts.change(operator, account.account_id, AccountChange.ACCEPTANCE)
    assert await submitted(applications, requester) and await accounts.count_waiting() == 0


async def test_only_operators_accept_list_and_see_accounts(accounts, researcher):
    for refused in (
        accounts.change(researcher, researcher.id, AccountChange.RESUMPTION),
        accounts.search(researcher),
        accounts.find(researcher, researcher.id),
    ):
        assert (await problem_of(refused)).status == 403


async def test_second_account_with_the_same_address_is_refused(accounts):
    await accounts.register(*RITA)
    problem = await problem_of(accounts.register("Rob", "Other", "RITA@uni.example", ORIGIN))
    assert problem.status == 409 and problem.place == "email"


@pytest.mark.parametrize(
    ("place", "values"),
    [
        ("name", ("", "Uni", "a@b.lu")),
        ("email", ("Rita", "Uni", "no address")),
        ("organization", ("Rita", " ", "a@b.lu")),
    ],
)
async def test_wrong_text_is_refused_at_its_field(accounts, place, values):
    problem = await problem_of(accounts.register(*values, ORIGIN))
    assert problem.status == 400 and problem.place == place


async def test_too_many_registrations_from_a_network_are_refused(accounts):
    for number in range(20):
        await accounts.register("Rita", "University", f"r{number}@uni.example", "198.51.100.7")
    problem = await problem_of(accounts.register("Rita", "University", "last@uni.example", "198.51.100.7"))
    assert problem.status == 429


async def test_suspension_needs_a_reason_and_ends_the_account_for_its_holder(accounts, operator, researcher):
    assert (await problem_of(accounts.change(operator, researcher.id, AccountChange.SUSPENSION))).place == "reason"
    await accounts.change(operator, researcher.id, AccountChange.SUSPENSION, "The contract with them has ended.")
    assert (await problem_of(accounts.current(researcher))).status == 303
    assert (await problem_of(accounts.change(operator, researcher.id, AccountChange.ACCEPTANCE))).status == 409
    await accounts.change(operator, researcher.id, AccountChange.RESUMPTION)
    assert (await accounts.current(researcher)).status is AccountStatus.ACCEPTED


async def test_registration_that_nobody_accepts_is_deleted_in_time_with_its_drafts(accounts, applications, operator):
    kept = await accepted(accounts, operator, "Kim Kept", "kim@uni.example")
    account, _ = await accounts.register(*RITA)
    await applications.save(account.requester(), None, Content())
    await accounts.tidy()
    assert await accounts.find(operator, account.account_id)
    later = clock.now() + timedelta(days=91)
    with use_clock(lambda: later):
        await accounts.tidy()
    assert (await problem_of(accounts.find(operator, account.account_id))).status == 404
    assert await accounts.find(operator, kept.id)


async def test_search_finds_by_words_and_state(accounts, operator, researcher):
    await accounts.register("Max Muster", "Institut", "max@inst.example", ORIGIN)
    assert [one.name for one in (await accounts.search(operator, "uni rita")).items] == ["Rita Researcher"]
    assert [one.name for one in (await accounts.search(operator, status="registered")).items] == ["Max Muster"]
    assert (await accounts.search(operator, "xyzzy")).items == []

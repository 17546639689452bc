"""The check of a use, withdrawal, expiry, and the public list."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core import clock
from esante.core.clock import use_clock
from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.services.research import Permit, PermitKind, check_use
from tests.support.consent import problem_of
from tests.support.research import COLUMNS, accepted, count_entries, granted

HOLDER, MEMBER = uuid7(), uuid7()
PERMIT = Permit(
    permit_id=uuid7(),
    application_id=uuid7(),
    holder_id=HOLDER,
    members=frozenset({HOLDER, MEMBER}),
    columns=COLUMNS,
    valid_from=date(2026, 12, 1),
    valid_to=date(2027, 11, 30),
)
DURING = datetime(2027, 3, 1, 12, tzinfo=UTC)
WANTED = {"laboratory.result": {"code"}}


def test_member_uses_covered_columns_from_the_first_to_the_last_day():
    for now in (datetime(2026, 12, 1, 0, 0, tzinfo=UTC), DURING, datetime(2027, 11, 30, 22, 59, tzinfo=UTC)):
        assert check_use(PERMIT, MEMBER, WANTED, now) is None
        assert check_use(PERMIT, HOLDER, COLUMNS, now) is None


@pytest.mark.parametrize(
    ("code", "permit", "account", "columns", "now"),
    [
        ("not-a-member", None, MEMBER, WANTED, DURING),
        ("not-a-member", PERMIT, uuid7(), WANTED, DURING),
        ("not-yet", PERMIT, MEMBER, WANTED, datetime(2026, 11, 30, 22, 59, tzinfo=UTC)),
        ("expired", PERMIT, MEMBER, WANTED, datetime(2027, 11, 30, 23, 1, tzinfo=UTC)),
        ("withdrawn", replace(PERMIT, withdrawn_at=DURING), MEMBER, WANTED, DURING),
        ("statistics-only", replace(PERMIT, kind=PermitKind.REQUEST), MEMBER, WANTED, DURING),
        ("not-covered", PERMIT, MEMBER, {"laboratory.result": {"code", "status"}}, DURING),
        ("not-covered", PERMIT, MEMBER, {"diagnoses.condition": {"code"}}, DURING),
        ("not-covered", PERMIT, MEMBER, {"diagnoses.condition": set()}, DURING),
    ],
)
def test_use_that_is_not_permitted_is_refused_with_article_and_remedy(code, permit, account, columns, now):
    fault = check_use(permit, account, columns, now)
    assert fault is not None and fault.code == code
    assert fault.article.startswith("Art. ") and fault.title and fault.remedy


NAMES = st.sets(st.sampled_from(["code", "value", "unit", "status", "sex", "birth_decade", "canton"]))


@given(NAMES, NAMES)
def test_exactly_the_columns_beyond_the_permit_are_told(results, persons):
    wanted = {"laboratory.result": results, "population.person": persons}
    fault = check_use(PERMIT, MEMBER, wanted, DURING)
    beyond = sorted(
        f"{table}.{name}" for table, names in wanted.items() for name in names if name not in COLUMNS[table]
    )
    assert (list(fault.columns) if fault else []) == beyond


async def test_permit_is_found_by_its_members_only(
    accounts, applications, decisions, permits, operator, second_operator, researcher
):
    permit = await granted(applications, decisions, researcher, (operator, second_operator))
    other = await accepted(accounts, operator, "Otto Other", "otto@uni.example")
    assert await permits.permit_for(researcher.id, permit.permit_id) == permit
    assert await permits.permit_for(other.id, permit.permit_id) is None
    assert [one.permit_id for one in (await permits.own(researcher)).items] == [permit.permit_id]
    assert (await permits.own(other)).items == []
    assert (await problem_of(permits.own(operator))).status == 403


async def test_withdrawal_needs_a_reason_works_at_once_and_only_once(
    journal, applications, decisions, permits, operator, second_operator, researcher
):
    permit = await granted(applications, decisions, researcher, (operator, second_operator))
    assert (await problem_of(permits.withdraw(researcher, permit.permit_id, "For no reason"))).status == 403
    assert (await problem_of(permits.withdraw(operator, permit.permit_id, "short"))).place == "reason"
    await permits.withdraw(operator, permit.permit_id, "Results were published by person.")
    found = await permits.permit_for(researcher.id, permit.permit_id)
    fault = check_use(found, researcher.id, WANTED, clock.now())
    assert fault is not None and fault.code == "withdrawn" and found.reason == "Results were published by person."
    assert (await problem_of(permits.withdraw(operator, permit.permit_id, "Once more withdrawn"))).status == 409
    assert (await permits.published(state="valid")).items == []
    assert len((await permits.published(state="withdrawn")).items) == 1


async def test_expiry_is_journalled_once(
    journal, applications, decisions, permits, operator, second_operator, researcher
):
    permit = await granted(applications, decisions, researcher, (operator, second_operator))
    before = await count_entries(journal, "research.permit_expired")
    await permits.tend()
    assert await count_entries(journal, "research.permit_expired") == before
    later = clock.now() + timedelta(days=370)
    with use_clock(lambda: later):
        await permits.tend()
        await permits.tend()
        assert [one.permit_id for one in (await permits.published(state="expired")).items] == [permit.permit_id]
        assert (await problem_of(permits.withdraw(operator, permit.permit_id, "It is too late now"))).status == 409
    assert await count_entries(journal, "research.permit_expired") == before + 1


async def test_public_list_is_searched_by_words_state_and_dataset(
    applications, decisions, permits, operator, second_operator, researcher
):
    permit = await granted(applications, decisions, researcher, (operator, second_operator))
    for found in (
        permits.published("glucose university"),
        permits.published(state="valid"),
        permits.published(datasets=["laboratory"]),
    ):
        assert [one.permit_id for one in (await found).items] == [permit.permit_id]
    for missing in (
        permits.published("riddle"),
        permits.published(state="expired"),
        permits.published(datasets=["vaccination"]),
    ):
        assert (await missing).items == []
    assert permit.valid_from == today()

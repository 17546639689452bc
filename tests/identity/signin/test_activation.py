"""Codes of letters: what they open, and how guessing is limited."""

import pytest

from esante.core import clock
from esante.core.storage import NIL
from esante.core.web import Problem
from esante.identity.access import RecordState, SignInRefused, StateChanged
from esante.identity.signin import CodePurpose, SignInCodeIssued
from esante.identity.signin.model import Holder
from tests.support.portal_browser import page_text
from tests.support.soft_authenticator import PRESENT


async def last_refusal(journal):
    (entry,) = await journal.entries_of(NIL, [SignInRefused], limit=1)
    return entry.event.reason


async def enter(browser, code, number, status=303):
    answer = await browser.http.post("/activate", data={"code": code, "number": number})
    assert answer.status_code == status, answer.text
    return answer


async def test_code_opens_account_and_record_once(signin, house, db, journal):
    patient = await house.patient()
    code = await signin.activation.issue_first(house.operator, signin.holder(patient))
    assert (await signin.access.lifecycle.find_record(patient.id)).state is RecordState.ANNOUNCED
    kept = await db.fetchval("SELECT string_agg(t::text, '') FROM signin_code t")
    assert code not in kept and code.replace("-", "") not in kept
    browser = await signin.browser()
    await signin.enrol(browser, code.lower().replace("-", " "), await signin.number(house, patient))
    assert (await signin.access.lifecycle.find_record(patient.id)).state is RecordState.OPEN
    (entry, _) = await journal.entries_of(patient.id, [StateChanged])
    assert entry.actor.id == patient.id
    assert "My phone" in page_text(await browser.get("/account"))
    await enter(await signin.browser(), code, await signin.number(house, patient), 400)
    assert await last_refusal(journal) == "ended_code"


async def test_every_refusal_of_a_code_looks_the_same(signin, house, journal):
    patient, other = await house.patient(), await house.patient()
    code = await signin.activation.issue_first(house.operator, signin.holder(patient))
    number = await signin.number(house, patient)
    pages = []
    for given, with_number, reason in (
        ("AAAA-AAAA-AAAA-AAAA", number, "unknown_code"),
        ("", number, "unknown_code"),
        ("A" * 10_000, number, "unknown_code"),
        (code, "", "number"),
        (code, await signin.number(house, other), "number"),
    ):
        browser = await signin.browser()
        answer = await enter(browser, given, with_number, 400)
        assert await last_refusal(journal) == reason
        pages.append(answer.text.replace(with_number, "") if with_number else answer.text)
        assert "__Host-esante_signin" not in answer.headers.get("set-cookie", "")
    assert len({page.replace('value=""', "") for page in pages}) == 1


async def test_code_ends_after_too_many_wrong_numbers(signin, house, journal):
    patient = await house.patient()
    code = await signin.activation.issue_first(house.operator, signin.holder(patient))
    for _ in range(5):
        await enter(await signin.browser(), code, "1", 400)
    await enter(await signin.browser(), code, await signin.number(house, patient), 400)
    assert await last_refusal(journal) == "ended_code"


async def test_code_expires(signin, house, db):
    patient = await house.patient()
    code = await signin.activation.issue_first(house.operator, signin.holder(patient))
    await db.fetch("UPDATE signin_code SET expires_at = $2 WHERE holder_id = $1", patient.id, clock.now())
    await enter(await signin.browser(), code, await signin.number(house, patient), 400)


async def test_code_that_ended_between_entry_and_passkey_adds_none(signin, house):
    patient = await house.patient()
    code = await signin.activation.issue_first(house.operator, signin.holder(patient))
    number = await signin.number(house, patient)
    first, second = await signin.browser(), await signin.browser()
    await enter(first, code, number)
    await signin.enrol(second, code, number)
    page = await first.get("/activate/passkey")
    from tests.identity.signin.conftest import BASE, RP_ID, SoftAuthenticator

    (form,) = page.xpath("//form[@data-passkey='create']")
    passkey = SoftAuthenticator(BASE, RP_ID).create(form.get("data-options"))
    answer = await first.http.post("/activate/passkey", data={"passkey": passkey, "name": "x"})
    assert answer.status_code == 400
    assert len(await signin.passkeys.list_of(patient.id)) == 1


async def test_new_code_ends_the_earlier_one(signin, house):
    patient = await house.patient()
    holder, number = signin.holder(patient), await signin.number(house, patient)
    first = await signin.activation.issue_first(house.operator, holder)
    second = await signin.activation.issue_first(house.operator, holder)
    await enter(await signin.browser(), first, number, 400)
    await enter(await signin.browser(), second, number)


async def test_passkey_without_verified_user_or_code_is_not_added(signin, house):
    patient = await house.patient()
    code = await signin.activation.issue_first(house.operator, signin.holder(patient))
    browser = await signin.browser()
    await signin.enrol(browser, code, await signin.number(house, patient), status=400, flags=PRESENT)
    stranger = await signin.browser()
    assert (await stranger.http.get("/activate/passkey")).headers["location"] == "/activate"
    answer = await stranger.http.post("/activate/passkey", data={"passkey": "{}", "name": "x"})
    assert answer.status_code == 400 and await signin.passkeys.list_of(patient.id) == []


async def test_guessing_codes_is_limited_and_journalled_once(signin, house, journal):
    browser = await signin.browser()
    statuses = []
    for _ in range(200):
        answer = await browser.http.post("/activate", data={"code": "BBBB-BBBB-BBBB-BBBB", "number": "1"})
        statuses.append(answer.status_code)
        if answer.status_code == 429:
            break
    assert statuses[-1] == 429 and "retry-after" in answer.headers
    refusals = await journal.entries_of(NIL, [SignInRefused], limit=300)
    for _ in range(3):
        assert (await browser.http.post("/activate", data={"code": "x", "number": "1"})).status_code == 429
    assert await journal.entries_of(NIL, [SignInRefused], limit=300) == refusals


async def test_account_that_is_active_gets_no_first_code(signin, house):
    patient, _, _ = await signin.enrolled(house)
    with pytest.raises(Problem) as refused:
        await signin.activation.issue_first(house.operator, signin.holder(patient))
    assert refused.value.status == 409


async def test_recovery_takes_two_operators_and_ends_what_was(signin, house, journal):
    patient, device, browser = await signin.enrolled(house)
    operator = house.operator
    another = await signin.accounts.invite(operator, "Zweite Person")
    second = (await signin.holders.find("operator", another[0].operator_id)) or operator
    recovery = await signin.accounts.ask_recovery(operator, "patient", patient.id, "Ausweis am Schalter")
    with pytest.raises(Problem) as refused:
        await signin.accounts.confirm_recovery(operator, recovery.recovery_id)
    assert refused.value.status == 403
    with pytest.raises(Problem) as refused:
        await signin.accounts.ask_recovery(second, "patient", patient.id, "Ausweis am Schalter")
    assert refused.value.status == 409
    _, holder, code = await signin.accounts.confirm_recovery(second, recovery.recovery_id)
    assert holder == Holder("patient", patient.id, patient.name)
    assert (await browser.http.get("/account")).status_code == 200, "a code alone ends nothing"
    new = await signin.enrol(await signin.browser(), code, await signin.number(house, patient))
    assert (await browser.http.get("/account")).status_code == 303
    assert (await signin.sign_in(await signin.browser(), device)).status_code == 403
    assert (await signin.sign_in(await signin.browser(), new)).status_code == 303
    with pytest.raises(Problem) as refused:
        await signin.accounts.confirm_recovery(second, recovery.recovery_id)
    assert refused.value.status == 409
    issued = await journal.entries_of(patient.id, [SignInCodeIssued])
    assert [entry.event.purpose for entry in issued] == [CodePurpose.RECOVERY, CodePurpose.ACTIVATION]


async def test_ended_operator_is_signed_out_and_cannot_sign_in(signin, house):
    operator, code = await signin.accounts.invite(house.operator, "Olga Weber")
    browser = await signin.browser()
    device = await signin.enrol(browser, code, "")
    await signin.accounts.end(house.operator, operator.operator_id)
    assert (await browser.http.get("/account")).status_code == 303
    assert (await signin.sign_in(await signin.browser(), device)).status_code == 403


@pytest.mark.parametrize("kind", ["patient", "practitioner", "organization"])
async def test_accounts_are_for_operators_only(signin, house, kind):
    patient = await house.patient()
    requester = {"patient": patient, "practitioner": house.doctor, "organization": house.software}[kind]
    for call in (
        signin.accounts.operators(requester),
        signin.accounts.invite(requester, "Olga Weber"),
        signin.accounts.end(requester, patient.id),
        signin.accounts.ask_recovery(requester, "patient", patient.id, "a reason of some length"),
        signin.accounts.confirm_recovery(requester, patient.id),
        signin.accounts.withdraw_recovery(requester, patient.id),
        signin.accounts.recoveries(requester),
        signin.accounts.holder(requester, "patient", patient.id),
    ):
        with pytest.raises(Problem) as refused:
            await call
        assert refused.value.status == 403
    browser = await signin.browser(requester)
    for path in ("", "/register", "/staff", "/recoveries", f"/patient/{patient.id}"):
        assert (await browser.http.get(f"/operator/accounts{path}")).status_code == 404

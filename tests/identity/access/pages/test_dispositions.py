"""The page of operators about what is planned for the end of a period, and the person's own page about it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from esante.core import clock
from esante.core.storage import uuid7
from esante.identity.access import Act, Disposition, DispositionState, lifecycle_terms
from esante.identity.access.disposition import store
from esante.identity.access.pages.dispositions import monthly_series
from esante.identity.directory import PersonSearched
from tests.support.portal_browser import page_text

PLACE = "/operator/dispositions"


async def plan(house, db, persons, **changes) -> list[Disposition]:
    now = clock.now()
    rule = {"act": Act.EXPIRE, "rule": "retention", "due_at": now, "upto": now, "notified_at": now} | changes
    async with db.transaction() as conn:
        planned = [Disposition(person_id=person.id, id=uuid7(), **rule) for person in persons]
        return await house.access.dispositions.plan(conn, planned)


async def test_empty_plan_is_said_and_others_than_operators_find_nothing(browse, house, db):
    await db.fetch("DELETE FROM access_disposition")
    operator = await browse(house.operator)
    for status, text in (
        ("open", "Nothing is planned"),
        ("held", "Nothing is held"),
        ("done", "Nothing has been done yet"),
        ("cancelled", "Nothing was cancelled"),
    ):
        assert text in page_text(await operator.get(f"{PLACE}?status={status}"))
    await operator.get(f"{PLACE}?status=x", 404)
    await operator.get(f"{PLACE}?act=x", 404)
    await (await browse(house.doctor)).get(PLACE, 404)
    await (await browse(await house.open_patient())).get(PLACE, 404)


async def test_operator_finds_holds_and_resumes_the_disposition_of_a_person(browse, house, db, journal):
    patient, other = await house.open_patient(), await house.open_patient()
    (one, _) = await plan(house, db, [patient, other])
    operator = await browse(house.operator)
    identifier = await house.identifier(patient)
    asked = (await operator.http.get(f"{PLACE}?q={identifier}")).headers["location"]
    assert identifier not in asked
    question = await operator.get(asked)
    back = await operator.submit(question, "/motive", purpose="HOPERAT", reference="ticket 12")
    assert "ticket 12" in page_text(await operator.get(back.headers["location"]))
    page = await operator.get(f"{PLACE}?q={identifier}")
    (entry,) = await journal.entries_of(patient.id, [PersonSearched], limit=5)
    assert (entry.event.motive, entry.event.file_reference) == ("HOPERAT", "ticket 12")
    assert patient.name in page_text(page) and other.name not in page_text(page)
    assert "Nothing found" in page_text(await operator.get(f"{PLACE}?q=MRN-none"))
    action = f"{PLACE}/{patient.id}/{one.id}/hold"
    refused = await operator.submit(page, action, 400, note=" ")
    assert "too short" in refused.text
    await operator.submit(page, action, note="A court asked for it")
    held = await operator.get(f"{PLACE}?status=held&q={identifier}")
    assert "A court asked for it" in page_text(held)
    await operator.submit(held, action.replace("/hold", "/resume"))
    assert "Nothing found" in page_text(await operator.get(f"{PLACE}?status=held&q={identifier}"))


async def test_many_deletions_ask_two_operators(browse, house, db):
    most = lifecycle_terms(datetime.now(UTC).date()).unattended_per_day
    await plan(house, db, [await house.open_patient() for _ in range(most + 1)])
    first, second = await browse(house.operator), await browse(replace(house.operator, id=uuid7(), name="Ada"))
    page = await first.get(PLACE)
    assert "Two people must approve" in page_text(page)
    await first.submit(page, f"{PLACE}/approve")
    again = await first.submit(await first.get(PLACE), f"{PLACE}/approve", 409)
    assert "Ask a second person" in again.text
    await second.submit(await second.get(PLACE), f"{PLACE}/approve")
    assert "Two people must approve" not in page_text(await first.get(PLACE))
    following = (await first.get(PLACE)).xpath("//a[@rel = 'next']/@href")
    assert len(following) == 1
    assert page_text(await first.get(following[0]))


async def test_what_was_done_is_shown_by_month(browse, house, db):
    (one,) = await plan(house, db, [await house.open_patient()])
    async with db.transaction() as conn:
        ended = replace(one, state=DispositionState.DONE, ended_at=clock.now(), done=1234)
        await store.save(conn, ended)
    page = await (await browse(house.operator)).get(f"{PLACE}?status=done")
    assert "1 234" in page_text(page)
    (plot,) = page.xpath("//section[.//h2[text() = 'Delete documents']]//*[@role = 'img']")
    assert len(plot.xpath(".//*[local-name() = 'rect']")) == 24


def test_series_has_every_month_of_the_last_two_years():
    now = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)  # February in Luxembourg
    series = monthly_series([{"month": "2025-12", "act": "expire", "items": 7}], now)
    assert [month for month, _, _ in series["expire"]][::23] == [date(2024, 3, 1), date(2026, 2, 1)]
    assert [mark for mark in series["expire"] if mark[1]] == [(date(2025, 12, 1), 7, "7")]


async def test_person_sees_when_the_record_is_deleted_and_can_open_it_again(browse, house):
    patient = await house.open_patient()
    user = await browse(patient)
    page = await user.get("/sharing")
    await user.submit(page, "/sharing/close")
    closed = await user.get("/sharing")
    assert "will be deleted on" in page_text(closed)
    await user.submit(closed, "/sharing/reopen")
    assert "will be deleted on" not in page_text(await user.get("/sharing"))


async def test_announced_person_opens_their_record_at_once(browse, house):
    patient = await house.patient()
    await house.access.lifecycle.announce([patient.id], at=datetime.now(UTC) - timedelta(days=1))
    user = await browse(patient)
    await user.submit(await user.get("/sharing"), "/sharing/activate")
    assert "Only people you give access to can read it." in page_text(await user.get("/sharing"))

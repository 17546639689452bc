"""Reports to the helpdesk: sending, following, answering, deletion."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.journal import EVENTS
from esante.core.storage import NIL, uuid7
from esante.core.web import Problem
from esante.services.helpdesk import ReportAnswered, Reported, store
from esante.services.helpdesk.model import Draft
from esante.services.helpdesk.policy import policy_on
from esante.services.helpdesk.service import new_reference, normalize_reference

DRAFT = Draft(kind="misuse", text="Somebody read my record.", contact="anna@person.example", page="/log")
_serial = iter(range(1, 250))


def origin():
    """A network from which nothing was sent yet."""
    return f"198.51.{next(_serial)}.1"


async def test_report_of_a_patient_is_stored_and_journalled_without_its_text(helpdesk, journal, patient):
    report = await helpdesk.send(DRAFT, patient, origin())
    (entry,) = await journal.entries_of(patient.id, [Reported])
    assert (entry.event.report_id, entry.event.kind) == (report.report_id, "misuse")
    assert entry.actor.id == patient.id
    (own,) = (await helpdesk.list_own(patient)).items
    assert own == report and own.text == DRAFT.text


async def test_report_without_sign_in_names_nobody(helpdesk, journal, operator):
    report = await helpdesk.send(DRAFT, None, origin())
    found = await helpdesk.find(operator, report.report_id)
    assert (found.reporter_id, found.reporter, found.reporter_kind) == (None, "", "")
    entries = await journal.entries_of(NIL, [Reported])
    assert entries[0].event.report_id == report.report_id and entries[0].actor.id is None


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"kind": "gossip"}, "kind"),
        ({"text": "short"}, "text"),
        ({"text": "x" * 4_001}, "text"),
        ({"contact": "x" * 201}, "contact"),
        ({"page": "x" * 201}, "page"),
    ],
)
async def test_report_with_a_wrong_field_is_refused_and_nothing_stored(helpdesk, operator, changes, place):
    before = await helpdesk.search(operator)
    with pytest.raises(Problem) as refused:
        await helpdesk.send(replace(DRAFT, **changes), None, origin())
    assert (refused.value.status, refused.value.place) == (400, place)
    assert await helpdesk.search(operator) == before


async def test_control_characters_are_removed_and_lines_kept(helpdesk):
    report = await helpdesk.send(replace(DRAFT, text="First line\x1b[31m\r\nsecond\x00 line"), None, origin())
    assert report.text == "First line [31m\nsecond  line"


async def test_reports_of_one_network_are_limited_and_those_of_another_not(helpdesk):
    source, most = origin(), policy_on(datetime.now(UTC).date()).per_origin
    for _ in range(most):
        await helpdesk.send(DRAFT, None, source)
    with pytest.raises(Problem) as refused:
        await helpdesk.send(DRAFT, None, source)
    assert refused.value.status == 429
    await helpdesk.send(DRAFT, None, origin())


async def test_references_tried_from_one_network_are_limited(helpdesk):
    source, statuses = origin(), []
    for _ in range(policy_on(datetime.now(UTC).date()).per_origin + 1):
        with pytest.raises(Problem) as refused:
            await helpdesk.follow(new_reference(), None, source)
        statuses.append(refused.value.status)
    assert statuses == [404] * (len(statuses) - 1) + [429]


async def test_answer_is_found_by_the_reference_and_journalled_for_the_patient(helpdesk, journal, patient, operator):
    report = await helpdesk.send(DRAFT, patient, origin())
    assert await helpdesk.count_open() >= 1
    await helpdesk.answer(operator, report.report_id, "We looked into it.")
    found = await helpdesk.follow(report.reference.lower().replace("-", " "), None, origin())
    assert (found.answer, found.answered_by) == ("We looked into it.", operator.name)
    (entry,) = await journal.entries_of(patient.id, [ReportAnswered])
    assert entry.actor.id == operator.id
    with pytest.raises(Problem) as again:
        await helpdesk.answer(operator, report.report_id, "Once more.")
    assert again.value.status == 409
    assert report.report_id in [one.report_id for one in (await helpdesk.search(operator, answered=True)).items]


async def test_unknown_report_is_not_found(helpdesk, operator):
    for act in (helpdesk.find(operator, uuid7()), helpdesk.answer(operator, uuid7(), "An answer")):
        with pytest.raises(Problem) as refused:
            await act
        assert refused.value.status == 404


async def test_only_operators_read_and_answer(helpdesk, patient, operator):
    report = await helpdesk.send(DRAFT, None, origin())
    for act in (
        helpdesk.search(patient),
        helpdesk.find(patient, report.report_id),
        helpdesk.answer(patient, report.report_id, "An answer"),
    ):
        with pytest.raises(Problem) as refused:
            await act
        assert refused.value.status == 403


async def test_search_finds_every_word_and_pages_lose_nothing(helpdesk, operator):
    sent = [
        (await helpdesk.send(replace(DRAFT, kind="other", text=f"Needle Number{n} 100% _x"), None, origin())).report_id
        for n in range(5)
    ]
    assert len((await helpdesk.search(operator, "needle number3", "other")).items) == 1
    assert (await helpdesk.search(operator, "needle 1%0")).items == []
    assert (await helpdesk.search(operator, "needle", "problem")).items == []
    found, cursor = [], None
    while True:
        page = await helpdesk.search(operator, "NEEDLE", cursor=cursor, limit=2)
        found += [report.report_id for report in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert found == sorted(sent, reverse=True)


async def test_reports_are_deleted_when_their_time_is_over(helpdesk, db, operator):
    terms, now = policy_on(datetime.now(UTC).date()), datetime.now(UTC)
    reports = [await helpdesk.send(DRAFT, None, origin()) for _ in range(3)]
    async with db.transaction() as conn:
        old = now - terms.keep_answered - timedelta(days=1)
        await store.write_answer(conn, reports[0].report_id, "Long ago", old, operator.name)
        await store.write_answer(conn, reports[1].report_id, "Today", now, operator.name)
    await helpdesk.tidy()
    with pytest.raises(Problem):
        await helpdesk.find(operator, reports[0].report_id)
    assert (await helpdesk.find(operator, reports[1].report_id)).answer == "Today"
    async with db.transaction() as conn:
        await store.delete_old(conn, now - terms.keep_answered, now + timedelta(days=1))
    with pytest.raises(Problem):
        await helpdesk.find(operator, reports[2].report_id)


@given(st.text(max_size=60))
def test_reference_is_recognized_however_it_is_written(noise):
    reference = new_reference()
    assert normalize_reference(reference.lower().replace("-", " ")) == reference
    assert normalize_reference(noise) == normalize_reference(normalize_reference(noise))


def test_events_have_the_names_that_are_stored():
    assert EVENTS["helpdesk.reported"] is Reported and EVENTS["helpdesk.answered"] is ReportAnswered

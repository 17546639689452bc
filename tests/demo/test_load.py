"""Loading of the country into a real platform: records, documents, history, notices."""

import hashlib
from datetime import UTC, date, datetime, timedelta

import pytest

from esante.app import open_platform
from esante.core.journal import EVENTS
from esante.core.storage import NIL, TABLES
from esante.core.time_zone import day_of, today
from esante.demo import (
    build_world,
    find_account,
    find_requester,
    load,
    render_documents,
)
from esante.demo import store as demo_store
from esante.identity.access import (
    Access,
    AccessEvent,
    Confidentiality,
    EmergencyDeclared,
    Granted,
    StateChanged,
)
from esante.services.billing.note.model import NoteKept
from esante.services.conformance.labels.model import LabelGranted
from esante.services.incentives.decisions.service import Decisions
from esante.services.incentives.evidence.reader import EvidenceReader
from esante.services.incentives.schemes.quarter import Quarter
from esante.services.notices import Notices
from esante.services.record import Deposit, DepositedEvent, Read, Record
from esante.settings import Settings
from tests.demo.conftest import PERSONS


async def _counts(platform) -> dict[str, int]:
    return {name: await platform.db.fetchval(f"SELECT count(*) FROM {name}") for name in TABLES}


async def test_load_stores_every_person_and_document(platform, country):
    rendered = [document for citizen in country.citizens for document in render_documents(country, citizen)]
    counts = await _counts(platform)
    assert counts["person"] == PERSONS
    assert counts["practitioner"] == len(country.practitioners)
    assert counts["organization"] == len(country.organizations)
    assert counts["document"] == counts["document_content"] == len(rendered)


async def test_second_load_changes_nothing(platform):
    before = await _counts(platform)
    await load(platform, persons=PERSONS)
    assert await _counts(platform) == before


async def test_load_of_another_country_is_refused(platform):
    with pytest.raises(RuntimeError, match="another country"):
        await load(platform, persons=PERSONS + 1)


async def test_interrupted_load_continues(tmp_path):
    async with open_platform(Settings(data=tmp_path, demo=True)) as platform:

        def stop(done: int, total: int, step: str) -> None:
            if step == "documents":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            await load(platform, persons=60, progress=stop)
        assert (await _counts(platform))["document"] > 0
        steps = []
        await load(platform, persons=60, progress=lambda done, total, step: steps.append((done, total, step)))
        seed, persons, day = await demo_store.find_world(platform.db)
        citizens = build_world(day, seed=seed, persons=persons).citizens
        rendered = [
            document
            for citizen in citizens
            for document in render_documents(build_world(day, seed=seed, persons=60), citizen)
        ]
        assert (await _counts(platform))["document"] == len(rendered)
        assert {step for _, _, step in steps} >= {"documents"}
        assert "people" not in {step for _, _, step in steps}


async def test_journal_is_sealed_and_verifies(platform):
    report = await platform.journal.verify(platform.dsn)
    assert report.problems == []
    assert report.ok


async def test_loaded_documents_equal_the_rendered_ones(platform, country):
    anna = country.citizens[0]
    requester = await find_requester(platform, anna.person.name)
    rendered = {document.id: document for document in render_documents(country, anna)}
    timeline = await platform[Record].timeline(requester, anna.person.id, limit=500)
    assert {document.id for document in timeline.documents} == set(rendered)
    for document in timeline.documents:
        _, content = await platform[Record].content(requester, anna.person.id, document.id)
        assert content == rendered[document.id].content
        assert hashlib.sha256(content).digest() == document.sha256
        assert document.deposited_at == rendered[document.id].deposited_at


async def test_deposit_of_every_kind_and_format_is_accepted_as_a_duplicate(platform, country):
    chosen = {}
    for citizen in country.citizens:
        if citizen.state == "open" and not citizen.person.deceased_at:
            for document in render_documents(country, citizen):
                chosen.setdefault((document.draft.kind, document.draft.format), document)
    assert len(chosen) > 25
    for document in chosen.values():
        draft = document.draft
        requester = await find_account(platform, str((draft.author or draft.subject.person).id))
        meta = Deposit(type=draft.type, title=draft.title, media_type=document.media_type, language=draft.language)
        result = await platform[Record].deposit(requester, draft.subject.person.id, document.content, meta)
        assert (result.document.id, result.created, result.findings) == (document.id, False, ())


async def test_history_entries_have_historical_times(platform, country):
    anna = country.citizens[0].person
    deposits = await platform.journal.entries_of(anna.id, [DepositedEvent], limit=500)
    rendered = sorted(document.deposited_at for document in render_documents(country, country.citizens[0]))
    assert all(
        abs(entry.at - at) < timedelta(seconds=1) for entry, at in zip(reversed(deposits), rendered, strict=True)
    )
    states = await platform.journal.entries_of(anna.id, [StateChanged])
    assert [entry.event.after for entry in reversed(states)] == ["announced", "open"]
    assert states[0].at < deposits[-1].at
    granted = await platform.journal.entries_of(anna.id, [Granted])
    assert granted
    assert all(entry.at <= datetime.now(UTC) for entry in granted)


async def test_records_have_the_states_of_their_citizens(platform, country):
    for citizen in country.citizens:
        record = await platform[Access].lifecycle.find_record(citizen.person.id)
        state = "closed" if citizen.person.deceased_at else citizen.state
        assert (record.state if record else "none") == state
        if citizen.person.deceased_at:
            assert record.deceased_at == citizen.person.deceased_at


async def test_records_of_personas_have_recent_accesses(platform, country):
    for citizen in country.citizens[:5]:
        reads = await platform.journal.entries_of(citizen.person.id, [Read], limit=500)
        others = [entry for entry in reads if entry.actor.id != citizen.person.id]
        assert len(others) >= 5
        assert all(entry.event.allowed for entry in others)
        assert all(entry.event.grant_id or entry.event.rule.startswith("author.") for entry in others)
        assert all(entry.at > datetime.now(UTC) - timedelta(days=43) for entry in others)


async def test_one_emergency_awaits_review(platform, country):
    queue = await platform[Access].emergencies.list_reviews(await find_requester(platform, "Olivia Opérateur"))
    [(review, person)] = queue.items
    assert person.name == "Jane Sample"
    assert review.practitioner != "Dr Tom Notfall"
    [entry] = await platform.journal.entries_of(person.id, [EmergencyDeclared])
    assert entry.event.allowed


async def test_incentives_are_decided_from_fee_notes_in_the_journal(platform, country):
    entries = [
        entry
        for citizen in country.citizens
        for entry in await platform.journal.entries_of(citizen.person.id, [NoteKept], limit=500)
    ]
    kept = {
        (entry.event.note_ids[0], entry.event.provider_code, entry.actor.client_id, day_of(entry.at))
        for entry in entries
    }
    codes = {code for _, code, _, _ in kept}
    documents = [
        one
        for code in codes
        async for one, gone in platform[EvidenceReader].documents(code, None)
        if one.kind == "fee_note" and gone is None
    ]
    assert {(one.document_id, one.provider_code, one.client_id, one.on_day) for one in documents} == kept
    labelled = {entry.event.clients for entry in await platform.journal.entries_of(NIL, [LabelGranted], limit=500)}
    assert {(client,) for _, _, client, _ in kept} <= labelled
    quarter = Quarter.of(today()).before.before
    operator = await find_requester(platform, "Olivia Opérateur")
    lines = (await platform[Decisions].lines(operator, str(quarter), "", None)).items
    notes = [one.line for one in lines if one.line.scheme[0] == "digital-fee-notes"]
    assert sum(one.documents for one in notes) == sum(quarter.first <= day <= quarter.last for *_, day in kept) > 0


async def test_old_notices_are_marked_read_and_new_ones_are_unread(platform, country):
    jane = country.citizens[3].person
    unread = await platform[Notices].unread(jane.id, limit=500)
    assert any(notice.kind.name == "emergency" for notice in unread)
    month = datetime.now(UTC) - timedelta(days=31)
    assert all(notice.at > month for notice in unread)
    assert (await platform[Notices].page(jane.id)).items


async def test_emergency_doctor_sees_nothing(platform, country):
    doctor = await find_requester(platform, "Dr Tom Notfall")
    for citizen in country.citizens[:5]:
        timeline = await platform[Record].timeline(doctor, citizen.person.id, limit=500)
        assert timeline.documents == ()
        assert timeline.grant is None


async def test_general_practitioner_sees_all_but_hidden_documents(platform, country):
    doctor = await find_requester(platform, "Dr Paul Exempel")
    for citizen in country.citizens[:5]:
        rendered = render_documents(country, citizen)
        timeline = await platform[Record].timeline(doctor, citizen.person.id, limit=500)
        visible = {document.id for document in timeline.documents}
        own = {d.id for d in rendered if d.draft.author and d.draft.author.id == doctor.id}
        place = {d.id for d in rendered if d.draft.organization and d.draft.organization.id == doctor.organization_id}
        open_ = {d.id for d in rendered if d.confidentiality != Confidentiality.HIDDEN}
        assert visible == open_ | own | place


async def test_journal_entries_name_no_condition(platform, country):
    """Titles of documents and names of conditions stay out of the journal."""
    anna = country.citizens[0]
    titles = {document.draft.title.partition(": ")[2] for document in render_documents(country, anna)} - {""}
    entries = await platform.journal.entries_of(anna.person.id, list(EVENTS.values()), limit=1_000)
    events = " ".join(repr(entry.event) for entry in entries if isinstance(entry.event, AccessEvent))
    assert titles
    assert not [title for title in titles if title in events]


def test_day_of_the_country_is_stored(country):
    assert isinstance(country.day, date)
    assert country.day <= datetime.now(UTC).date()

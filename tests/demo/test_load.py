"""Loading the country into a real platform, and its people as scripts and the sign-in page know them."""

import hashlib
import json
from datetime import UTC, date, datetime, timedelta

import pytest
from starlette.requests import Request

from esante.app import open_platform
from esante.core.journal import EVENTS
from esante.core.storage import NIL, TABLES
from esante.demo import (
    CLINIC_APP_ID,
    SAMPLE_APP_ID,
    build_world,
    find_account,
    find_requester,
    issue_token,
    list_accounts,
    list_people,
    list_personas,
    load,
    private_key_path,
    register_apps,
    render_documents,
)
from esante.demo import store as demo_store
from esante.identity.access import (
    Access,
    AccessEvent,
    ClientRegistered,
    Confidentiality,
    EmergencyDeclared,
    Granted,
    StateChanged,
)
from esante.identity.directory import Directory
from esante.services.notices import Notices
from esante.services.record import Deposit, DepositedEvent, Read, Record
from esante.settings import Settings

PERSONS = 50


@pytest.fixture(scope="module")
async def platform(tmp_path_factory):
    """A platform of its own, with a small country in it."""
    async with open_platform(Settings(data=tmp_path_factory.mktemp("demo"), demo=True)) as platform:
        await load(platform, persons=PERSONS)
        yield platform


@pytest.fixture(scope="module")
async def country(platform):
    seed, persons, day = await demo_store.find_world(platform.db)
    return build_world(day, seed=seed, persons=persons)


async def _counts(platform) -> dict[str, int]:
    return {name: await platform.db.fetchval(f"SELECT count(*) FROM {name}") for name in TABLES}


async def test_everything_that_was_made_is_there(platform, country):
    made = [document for citizen in country.citizens for document in render_documents(country, citizen)]
    counts = await _counts(platform)
    assert counts["person"] == PERSONS
    assert counts["practitioner"] == len(country.practitioners)
    assert counts["organization"] == len(country.organizations)
    assert counts["document"] == counts["document_content"] == len(made)


async def test_a_second_load_does_nothing(platform):
    before = await _counts(platform)
    await load(platform, persons=PERSONS)
    assert await _counts(platform) == before


async def test_another_country_is_not_put_on_top(platform):
    with pytest.raises(RuntimeError, match="another country"):
        await load(platform, persons=PERSONS + 1)


async def test_a_load_that_was_broken_off_goes_on(tmp_path):
    async with open_platform(Settings(data=tmp_path, demo=True)) as platform:

        def stop(done: int, total: int, what: str) -> None:
            if what == "documents":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            await load(platform, persons=60, progress=stop)
        assert (await _counts(platform))["document"] > 0
        told = []
        await load(platform, persons=60, progress=lambda done, total, what: told.append((done, total, what)))
        seed, persons, day = await demo_store.find_world(platform.db)
        citizens = build_world(day, seed=seed, persons=persons).citizens
        made = [
            document
            for citizen in citizens
            for document in render_documents(build_world(day, seed=seed, persons=60), citizen)
        ]
        assert (await _counts(platform))["document"] == len(made)
        assert {what for _, _, what in told} >= {"documents"}
        assert "people" not in {what for _, _, what in told}


async def test_the_journal_is_sealed_and_verifies(platform):
    report = await platform.journal.verify(platform.dsn)
    assert report.problems == []
    assert report.ok


async def test_documents_come_back_as_they_were_made(platform, country):
    anna = country.citizens[0]
    requester = await find_requester(platform, anna.person.name)
    made = {document.id: document for document in render_documents(country, anna)}
    timeline = await platform[Record].timeline(requester, anna.person.id, limit=500)
    assert {document.id for document in timeline.documents} == set(made)
    for document in timeline.documents:
        _, content = await platform[Record].content(requester, anna.person.id, document.id)
        assert content == made[document.id].content
        assert hashlib.sha256(content).digest() == document.sha256
        assert document.deposited_at == made[document.id].deposited_at


async def test_a_real_deposit_of_every_kind_and_format_passes_its_checks_and_finds_itself(platform, country):
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
        answer = await platform[Record].deposit(requester, draft.subject.person.id, document.content, meta)
        assert (answer.document.id, answer.created, answer.findings) == (document.id, False, ())


async def test_the_past_is_told_in_its_time(platform, country):
    anna = country.citizens[0].person
    deposits = await platform.journal.entries_of(anna.id, [DepositedEvent], limit=500)
    made = sorted(document.deposited_at for document in render_documents(country, country.citizens[0]))
    assert all(abs(entry.at - at) < timedelta(seconds=1) for entry, at in zip(reversed(deposits), made, strict=True))
    states = await platform.journal.entries_of(anna.id, [StateChanged])
    assert [entry.event.after for entry in reversed(states)] == ["announced", "open"]
    assert states[0].at < deposits[-1].at
    granted = await platform.journal.entries_of(anna.id, [Granted])
    assert granted
    assert all(entry.at <= datetime.now(UTC) for entry in granted)


async def test_records_have_the_states_they_were_given(platform, country):
    for citizen in country.citizens:
        found = await platform[Access].lifecycle.of(citizen.person.id)
        assert (found.state if found else "none") == citizen.state
        if citizen.person.deceased_at:
            assert found.deceased_at == citizen.person.deceased_at


async def test_somebody_looked_at_the_records_of_those_to_show(platform, country):
    for citizen in country.citizens[:5]:
        reads = await platform.journal.entries_of(citizen.person.id, [Read], limit=500)
        others = [entry for entry in reads if entry.actor.id != citizen.person.id]
        assert len(others) >= 5
        assert all(entry.event.allowed for entry in others)
        assert all(entry.event.grant_id or entry.event.rule.startswith("author.") for entry in others)
        assert all(entry.at > datetime.now(UTC) - timedelta(days=43) for entry in others)


async def test_one_emergency_waits_for_the_operator(platform, country):
    queue = await platform[Access].emergencies.queue(await find_requester(platform, "Olivia Opérateur"))
    [(review, person)] = queue.items
    assert person.name == "Jane Sample"
    assert review.practitioner != "Dr Tom Notfall"
    [entry] = await platform.journal.entries_of(person.id, [EmergencyDeclared])
    assert entry.event.allowed


async def test_old_notices_are_read_and_new_ones_are_not_lost(platform, country):
    jane = country.citizens[3].person
    unread = await platform[Notices].unread(jane.id, limit=500)
    assert any(notice.kind.name == "emergency" for notice in unread)
    month = datetime.now(UTC) - timedelta(days=31)
    assert all(notice.at > month for notice in unread)
    assert (await platform[Notices].page(jane.id)).items


async def test_the_emergency_doctor_sees_nothing(platform, country):
    doctor = await find_requester(platform, "Dr Tom Notfall")
    for citizen in country.citizens[:5]:
        timeline = await platform[Record].timeline(doctor, citizen.person.id, limit=500)
        assert timeline.documents == ()
        assert timeline.grant is None


async def test_the_general_practitioner_sees_all_but_what_is_hidden(platform, country):
    doctor = await find_requester(platform, "Dr Paul Exempel")
    for citizen in country.citizens[:5]:
        made = render_documents(country, citizen)
        timeline = await platform[Record].timeline(doctor, citizen.person.id, limit=500)
        shown = {document.id for document in timeline.documents}
        own = {d.id for d in made if d.draft.author and d.draft.author.id == doctor.id}
        place = {d.id for d in made if d.draft.organization and d.draft.organization.id == doctor.organization_id}
        open_ = {d.id for d in made if d.confidentiality != Confidentiality.HIDDEN}
        assert shown == open_ | own | place


async def test_people_json_lists_who_may_see_whom(platform, country):
    people = await list_people(platform)
    names = [entry["name"] for entry in people]
    assert len(names) == len(set(names))
    assert json.loads(json.dumps(people)) == people
    assert {entry["role"] for entry in people} == {"patient", "practitioner", "organization", "operator"}
    roles = [entry["role"] for entry in people]
    assert roles.count("practitioner") == len(country.practitioners)
    assert roles.count("organization") == len(country.organizations)
    by_name = {entry["name"]: entry for entry in people}
    assert set(names[:10]) == {entry["name"] for entry in await list_personas(platform)}
    for entry in people:
        assert set(entry) == {"name", "role", "identifiers"} | (
            {"patients"} if entry["role"] in ("practitioner", "organization") else set()
        )
        assert all(set(identifier) == {"system", "value"} for identifier in entry["identifiers"])
        assert entry["identifiers"]
    assert by_name["Anna Musterfra"]["identifiers"][0] in by_name["Dr Paul Exempel"]["patients"]
    assert by_name["Dr Tom Notfall"]["patients"] == []
    assert by_name["Hôpital Fictif du Kirchberg"]["patients"]


async def test_listed_patients_can_be_read_and_only_they(platform):
    doctor = await find_requester(platform, "Dr Hélène Spécimen")
    listed = next(e for e in await list_people(platform) if e["name"] == doctor.name)["patients"]
    for identifier in listed:
        person = await platform[Directory].find_person(identifier["system"], identifier["value"])
        assert (await platform[Record].timeline(doctor, person.id)).grant is not None


async def test_one_can_become_everybody_who_is_listed(platform):
    for entry in await list_accounts(platform):
        requester = await find_account(platform, entry["id"])
        assert (str(requester.id), requester.name, requester.kind) == (entry["id"], entry["name"], entry["role"])
    assert await find_account(platform, "not-an-id") is None
    assert await find_account(platform, "00000000-0000-7000-8000-000000000000") is None


@pytest.mark.parametrize(
    "name", ["Anna Musterfra", "Dr Paul Exempel", "Hôpital Fictif du Kirchberg", "Olivia Opérateur"]
)
async def test_a_token_stands_for_its_name(platform, name):
    token = await issue_token(platform, name, timedelta(hours=1))
    scope = {"type": "http", "method": "GET", "path": "/", "client": ("127.0.0.1", 1), "query_string": b""}
    request = Request({**scope, "headers": [(b"authorization", f"Bearer {token}".encode())]})
    assert (await platform[Access].requester(request)).name == name


async def test_nobody_of_that_name(platform):
    with pytest.raises(LookupError, match="esante people"):
        await issue_token(platform, "Nemo Nobody", timedelta(hours=1))


async def test_the_hospital_s_software_has_a_key_only_its_owner_can_read(platform):
    path = private_key_path(platform.settings.data)
    key = json.loads(path.read_text())
    assert path.stat().st_mode & 0o077 == 0
    assert (key["kty"], key["crv"]) == ("EC", "P-384")
    assert "d" in key


async def test_the_apps_are_registered_once_at_the_address_of_the_platform(platform):
    async def registered():
        entries = await platform.journal.entries_of(NIL, [ClientRegistered], limit=50)
        return [entry.event.client_id for entry in entries if entry.event.client_id in (SAMPLE_APP_ID, CLINIC_APP_ID)]

    for _ in range(2):
        await register_apps(platform)
    assert sorted(await registered()) == [SAMPLE_APP_ID, CLINIC_APP_ID]
    sample, clinic = [await platform[Access].clients.find(id_) for id_ in (SAMPLE_APP_ID, CLINIC_APP_ID)]
    assert sample.launch_url == f"{platform.settings.base_url}/demo/app"
    assert sample.launch_url in sample.redirect_uris
    assert (sample.public, clinic.public) == (True, False)
    assert private_key_path(platform.settings.data, CLINIC_APP_ID).stat().st_mode & 0o077 == 0


async def test_no_entry_of_the_journal_names_a_condition(platform, country):
    """Titles of documents and names of conditions stay out of the journal."""
    anna = country.citizens[0]
    titles = {document.draft.title.partition(": ")[2] for document in render_documents(country, anna)} - {""}
    entries = await platform.journal.entries_of(anna.person.id, list(EVENTS.values()), limit=1_000)
    told = " ".join(repr(entry.event) for entry in entries if isinstance(entry.event, AccessEvent))
    assert titles
    assert not [title for title in titles if title in told]


def test_the_day_of_the_country_is_kept(country):
    assert isinstance(country.day, date)
    assert country.day <= datetime.now(UTC).date()

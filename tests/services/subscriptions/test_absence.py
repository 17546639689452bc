"""What a subscriber may not see leaves no trace: no event, no gap in the numbers, no connection, no count."""

import re
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from esante.core.storage import Objects, uuid7
from esante.identity.access import Access, Confidentiality, requester_of
from esante.identity.directory import Directory
from esante.services.subscriptions import (
    EventsNotified,
)
from tests.conftest import create_database, open_journal
from tests.support.record import open_world
from tests.support.rest_hook_receiver import receiving
from tests.support.subscriptions import BASE, LETTER, SubscriptionPlatform, fast_policy, make_subscriptions

HIDDEN, NORMAL = Confidentiality.HIDDEN, Confidentiality.NORMAL

_KEYS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}")

_TIMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")


@pytest.fixture
async def trusted(platform):
    """A person whose circle of care has the doctor."""
    person = await platform.world.person()
    await platform.world.into_circle(person, platform.people["doctor_entry"])
    return person


async def set_level(platform, person, document, level=HIDDEN):
    await platform.world.record.set_confidentiality(requester_of(person), person.id, document.id, level)


async def grant_of(platform, person):
    [grant] = await platform.world.access.grants.list_active(person.id)
    return grant.id


async def test_hidden_document_is_notified_to_author_and_patient_only(platform, trusted):
    patient = requester_of(trusted)
    people = {"doctor": platform.people["doctor"], "hospital": platform.people["hospital"], "patient": patient}
    taken = {}
    for name, requester in people.items():
        async with receiving() as receiver:
            await platform.subscribe(requester, receiver.url, f"patient={trusted.id}")
            hidden = await platform.deposit(trusted)
            await set_level(platform, trusted, hidden)
            await platform.deposit(trusted)
            await platform.deliver()
            taken[name] = receiver.event_numbers
    assert taken == {"doctor": [1], "hospital": [1, 2, 3], "patient": [1, 2, 3]}


async def test_document_hidden_while_its_event_waits_is_never_notified(platform, trusted, receiver):
    doctor = platform.people["doctor"]
    created = await platform.subscribe(doctor, receiver.url, f"patient={trusted.id}")
    await platform.deliver()
    first, second, third = [await platform.deposit(trusted) for _ in range(3)]
    await platform.match_events()
    await set_level(platform, trusted, second)
    await platform.subscriptions.worker.run_until_idle()
    assert receiver.event_numbers == [1, 2]
    assert [reference[-64:] for one in receiver.events for reference in one.foci] == [first.key, third.key]
    answer = await platform.events(doctor, created)
    assert [entry["request"]["url"][-64:] for entry in answer["entry"][1:]] == [first.key, third.key]
    notified = {key for _, event in await platform.world.events(trusted, EventsNotified) for key in event.documents}
    assert notified == {first.id, third.id}


async def test_no_connection_when_all_waiting_events_are_hidden(platform, trusted, receiver):
    await platform.subscribe(platform.people["doctor"], receiver.url, f"patient={trusted.id}")
    await platform.deliver()
    document = await platform.deposit(trusted)
    await platform.match_events()
    await set_level(platform, trusted, document)
    before = receiver.connections
    await platform.deliver()
    assert receiver.connections == before


async def test_document_shown_again_is_notified_as_a_change(platform, trusted, receiver):
    await platform.subscribe(platform.people["doctor"], receiver.url, f"patient={trusted.id}")
    document = await platform.deposit(trusted)
    await set_level(platform, trusted, document)
    await platform.deliver()
    assert receiver.events == []
    await set_level(platform, trusted, document, NORMAL)
    await platform.deliver()
    assert [request.foci[0][-64:] for request in receiver.events] == [document.key]


@pytest.mark.parametrize("end", ["revoked", "blocked", "opted out", "closed"])
async def test_ended_grant_ends_events_including_waiting_ones(platform, trusted, receiver, end):
    patient, access = requester_of(trusted), platform.world.access
    created = await platform.subscribe(platform.people["doctor"], receiver.url, f"patient={trusted.id}")
    await platform.deposit(trusted)
    await platform.deliver()
    await platform.deposit(trusted)
    await platform.match_events()
    match end:
        case "revoked":
            await access.grants.revoke(patient, await grant_of(platform, trusted))
        case "blocked":
            await access.restrictions.block(patient, "practitioner", platform.people["doctor"].id)
        case "opted out":
            await access.restrictions.set_sharing(patient, False)
        case "closed":
            await access.lifecycle.change(patient, "close")
    connections = receiver.connections
    await platform.deliver()
    if end != "closed":
        await platform.deposit(trusted)
    await platform.deliver()
    assert (receiver.event_numbers, receiver.connections) == ([1], connections)
    answer = await platform.events(platform.people["doctor"], created)
    assert len(answer["entry"]) == 1  # not even events that were notified before


async def test_later_grant_brings_no_earlier_events(platform, receiver):
    person = await platform.world.person()
    doctor = platform.people["doctor"]
    await platform.subscribe(doctor, receiver.url, f"patient={person.id}")
    await platform.deliver()
    await platform.deposit(person)
    await platform.world.journal.sealer.seal_all()  # sealed, and not matched yet
    await platform.world.into_circle(person, platform.people["doctor_entry"])
    await platform.deliver()
    assert receiver.events == []
    await platform.deposit(person)
    await platform.deliver()
    assert receiver.event_numbers == [1]


async def test_expired_grant_ends_waiting_events(platform, receiver):
    person = await platform.world.person()
    doctor, access = platform.people["doctor"], platform.world.access
    code = await access.codes.issue(requester_of(person), timedelta(hours=1))
    await access.codes.redeem(replace(doctor, origin=f"192.0.2.{uuid7().int % 250}"), code)
    await platform.subscribe(doctor, receiver.url, f"patient={person.id}")
    await platform.deposit(person)
    await platform.deliver()
    await platform.deposit(person)
    await platform.match_events()
    await platform.world.db.fetchval(
        "UPDATE access_grant SET until = now() WHERE person_id = $1 RETURNING 1", person.id
    )
    await platform.deliver()
    assert receiver.event_numbers == [1]


async def test_subscriber_without_access_gets_no_events(platform, receiver):
    """The responses are the same for an unknown person."""
    person, unknown_id = await platform.world.person(), uuid7()
    other = platform.people["other"]
    created = [await platform.subscribe(other, receiver.url, f"patient={key}") for key in (person.id, unknown_id)]
    await platform.deposit(person)
    await platform.deliver()
    answers = [_TIMES.sub("", _KEYS.sub("", str(await platform.read(other, one)))) for one in created]
    assert answers[0] == answers[1]
    assert receiver.events == []


async def test_disabled_software_gets_no_events_and_is_turned_off(platform, receiver):
    person = await platform.world.person()
    clinic = await platform.world.organization("hospital", "Clinique")
    software = await platform.register_software(f"kis-{uuid7().hex[-8:]}", clinic.id)
    platform.people["clinic"] = software
    created = await platform.subscribe(software, receiver.url)
    await platform.deposit(person, by="clinic")
    await platform.deliver()
    await platform.deposit(person, by="clinic")
    await platform.disable_software(software.client_id)
    await platform.deliver()
    assert receiver.event_numbers == [1]
    async with platform.client(software) as http:  # a token from before
        assert (await http.get(f"/fhir/Subscription/{created['id']}")).status_code == 401
    status = "SELECT status FROM subscription WHERE subscription_id = $1"
    assert await platform.world.db.fetchval(status, UUID(created["id"])) == "off"


async def test_professional_who_left_hospital_gets_no_events_of_it(platform, receiver):
    person, world = await platform.world.person(), platform.world
    surgeon = platform.people["surgeon"]
    await platform.subscribe(surgeon, receiver.url, f"patient={person.id}")
    await platform.deposit(person)
    await platform.deliver()
    assert receiver.event_numbers == [1]
    await platform.deposit(person)
    await platform.match_events()
    await world.db.fetchval(
        "UPDATE practitioner_role SET until = current_date - 1 WHERE practitioner_id = $1 RETURNING 1", surgeon.id
    )
    directory = Directory(world.db, world.journal)  # one that remembers nothing
    later = replace(world, access=Access(world.db, world.journal, directory, base_url=BASE))
    await SubscriptionPlatform(later, make_subscriptions(later, fast_policy())).deliver()
    assert receiver.event_numbers == [1]


async def _story(server, folder, kind: str, *, with_it: bool) -> list[str]:
    """All that a doctor's software hears and is answered, in a platform of its own."""
    observed: list[str] = []
    async with (
        open_journal(await create_database(server), folder) as journal,
        open_world(journal.db, journal, Objects.open("", folder)) as world,
        receiving() as receiver,
    ):
        platform = SubscriptionPlatform(world, make_subscriptions(world, fast_policy()))
        person, doctor = await world.person(), platform.people["doctor"]
        await world.into_circle(person, platform.people["doctor_entry"])
        created = await platform.subscribe(doctor, receiver.url, f"patient={person.id}", f"type={LETTER}")
        await platform.deliver()
        for number in range(4):
            if with_it and number == 2:
                document = await platform.deposit(person)
                if kind == "while waiting":
                    await platform.match_events()
                if kind == "misfiled":
                    right = await world.person("Reuter")
                    await world.record.correct_person(
                        platform.people["hospital"], person.id, document.id, right.id, "mixed up"
                    )
                else:
                    await set_level(platform, person, document)
            await platform.deposit(person)
            if number != 2:
                await platform.deliver()
        await platform.deliver()
        observed += [f"{one.target} {sorted(one.headers.items())} {one.body.decode()}" for one in receiver.requests]
        observed.append(f"{receiver.connections}")
        async with platform.client(doctor) as http:
            for path in ("", "/$status", f"/{created['id']}", f"/{created['id']}/$status", f"/{created['id']}/$events",
                         f"/{created['id']}/$events?eventsSinceNumber=3&content=empty"):  # fmt: skip
                answer = await http.get(f"/fhir/Subscription{path}")
                observed.append(f"{answer.status_code} {sorted(answer.headers.items())} {answer.text}")
    return _normal(observed, receiver.port)


def _normal(observed: list[str], port: int) -> list[str]:
    names: dict[str, str] = {}

    def name(match: re.Match[str]) -> str:
        return names.setdefault(match[0].replace("-", ""), f"<key {len(names)}>")

    return [_KEYS.sub(name, _TIMES.sub("<time>", text.replace(str(port), "<port>"))) for text in observed]


@pytest.mark.parametrize("kind", ["while waiting", "misfiled"])
async def test_hidden_document_is_unobservable_to_subscriber(server, tmp_path, kind):
    stories = []
    for with_it in (True, False):
        folder = tmp_path / str(with_it)
        folder.mkdir()
        stories.append(await _story(server, folder, kind, with_it=with_it))
    assert stories[0] == stories[1]
    assert "event-notification" in stories[0][-3 - 5]

"""What a subscriber may not see does not exist for him: no event, no gap in the numbers, no connection, no count."""

import re
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from esante.core.storage import Objects, uuid7
from esante.identity.access import Access, Confidentiality, requester_of
from esante.identity.directory import Directory
from esante.services.subscriptions import Told
from tests.conftest import create_database, open_journal
from tests.services.record.conftest import BASE, open_world

from .conftest import LETTER, Country, fast, subscriptions_of
from .receivers import receiving

HIDDEN, NORMAL = Confidentiality.HIDDEN, Confidentiality.NORMAL
_KEYS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}")
_TIMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")


@pytest.fixture
async def trusted(country):
    """A person with the doctor in her circle."""
    person = await country.world.person()
    await country.world.into_circle(person, country.people["doctor_entry"])
    return person


async def hide(country, person, document, level=HIDDEN):
    await country.world.record.set_confidentiality(requester_of(person), person.id, document.id, level)


async def grant_of(country, person):
    [grant] = await country.world.access.grants.list_active(person.id)
    return grant.id


async def test_a_hidden_document_is_told_to_its_author_and_the_patient_alone(country, trusted):
    me = requester_of(trusted)
    people = {"doctor": country.people["doctor"], "hospital": country.people["hospital"], "patient": me}
    taken = {}
    for name, requester in people.items():
        async with receiving() as receiver:
            await country.subscribe(requester, receiver.url, f"patient={trusted.id}")
            hidden = await country.deposit(trusted)
            await hide(country, trusted, hidden)
            await country.deposit(trusted)
            await country.delivered()
            taken[name] = receiver.taken
    assert taken == {"doctor": [1], "hospital": [1, 2, 3], "patient": [1, 2, 3]}


async def test_what_is_hidden_while_it_waits_is_never_told(country, trusted, receiver):
    doctor = country.people["doctor"]
    made = await country.subscribe(doctor, receiver.url, f"patient={trusted.id}")
    await country.delivered()
    first, second, third = [await country.deposit(trusted) for _ in range(3)]
    await country.matched()
    await hide(country, trusted, second)
    await country.subscriptions.deliveries.until_idle()
    assert receiver.taken == [1, 2]
    assert [reference[-64:] for one in receiver.events for reference in one.foci] == [first.key, third.key]
    asked = await country.events(doctor, made)
    assert [entry["request"]["url"][-64:] for entry in asked["entry"][1:]] == [first.key, third.key]
    told = {key for _, event in await country.world.events(trusted, Told) for key in event.documents}
    assert told == {first.id, third.id}


async def test_nothing_is_connected_to_when_all_that_waits_is_hidden(country, trusted, receiver):
    await country.subscribe(country.people["doctor"], receiver.url, f"patient={trusted.id}")
    await country.delivered()
    document = await country.deposit(trusted)
    await country.matched()
    await hide(country, trusted, document)
    before = receiver.connections
    await country.delivered()
    assert receiver.connections == before


async def test_what_is_shown_again_is_told_as_any_change(country, trusted, receiver):
    await country.subscribe(country.people["doctor"], receiver.url, f"patient={trusted.id}")
    document = await country.deposit(trusted)
    await hide(country, trusted, document)
    await country.delivered()
    assert receiver.events == []
    await hide(country, trusted, document, NORMAL)
    await country.delivered()
    assert [request.foci[0][-64:] for request in receiver.events] == [document.key]


@pytest.mark.parametrize("end", ["revoked", "blocked", "opted out", "closed"])
async def test_a_grant_that_ended_ends_events_those_that_wait_too(country, trusted, receiver, end):
    me, access = requester_of(trusted), country.world.access
    made = await country.subscribe(country.people["doctor"], receiver.url, f"patient={trusted.id}")
    await country.deposit(trusted)
    await country.delivered()
    await country.deposit(trusted)
    await country.matched()
    match end:
        case "revoked":
            await access.grants.revoke(me, await grant_of(country, trusted))
        case "blocked":
            await access.restrictions.block(me, "practitioner", country.people["doctor"].id)
        case "opted out":
            await access.restrictions.set_sharing(me, False)
        case "closed":
            await access.lifecycle.change(me, "close")
    connections = receiver.connections
    await country.delivered()
    if end != "closed":
        await country.deposit(trusted)
    await country.delivered()
    assert (receiver.taken, receiver.connections) == ([1], connections)
    asked = await country.events(country.people["doctor"], made)
    assert len(asked["entry"]) == 1  # not even what he was told before


async def test_access_that_comes_later_brings_nothing_of_before(country, receiver):
    person = await country.world.person()
    doctor = country.people["doctor"]
    await country.subscribe(doctor, receiver.url, f"patient={person.id}")
    await country.delivered()
    await country.deposit(person)
    await country.world.journal.sealer.seal_all()  # sealed, and not matched yet
    await country.world.into_circle(person, country.people["doctor_entry"])
    await country.delivered()
    assert receiver.events == []
    await country.deposit(person)
    await country.delivered()
    assert receiver.taken == [1]


async def test_an_expired_grant(country, receiver):
    person = await country.world.person()
    doctor, access = country.people["doctor"], country.world.access
    code = await access.codes.issue(requester_of(person), timedelta(hours=1))
    await access.codes.redeem(replace(doctor, origin=f"192.0.2.{uuid7().int % 250}"), code)
    await country.subscribe(doctor, receiver.url, f"patient={person.id}")
    await country.deposit(person)
    await country.delivered()
    await country.deposit(person)
    await country.matched()
    await country.world.db.fetchval(
        "UPDATE access_grant SET until = now() WHERE person_id = $1 RETURNING 1", person.id
    )
    await country.delivered()
    assert receiver.taken == [1]


async def test_somebody_without_any_access_subscribes_and_hears_nothing(country, receiver):
    """Like everybody: for a person who is not there the answer is the same."""
    person, nobody = await country.world.person(), uuid7()
    other = country.people["other"]
    made = [await country.subscribe(other, receiver.url, f"patient={key}") for key in (person.id, nobody)]
    await country.deposit(person)
    await country.delivered()
    answers = [_TIMES.sub("", _KEYS.sub("", str(await country.read(other, one)))) for one in made]
    assert answers[0] == answers[1]
    assert receiver.events == []


async def test_software_that_is_disabled_is_told_nothing_more(country, receiver):
    person = await country.world.person()
    clinic = await country.world.organization("hospital", "Clinique")
    software = await country.software(f"kis-{uuid7().hex[-8:]}", clinic.id)
    country.people["clinic"] = software
    made = await country.subscribe(software, receiver.url)
    await country.deposit(person, by="clinic")
    await country.delivered()
    await country.deposit(person, by="clinic")
    await country.disable(software.client_id, clinic.id)
    await country.delivered()
    assert receiver.taken == [1]
    async with country.client(software) as http:  # a token from before
        assert (await http.get(f"/fhir/Subscription/{made['id']}")).status_code == 401
    status = "SELECT status FROM subscription WHERE subscription_id = $1"
    assert await country.world.db.fetchval(status, UUID(made["id"])) == "off"


async def test_a_surgeon_who_left_the_hospital_is_not_told_of_its_documents(country, receiver):
    person, world = await country.world.person(), country.world
    surgeon = country.people["surgeon"]
    await country.subscribe(surgeon, receiver.url, f"patient={person.id}")
    await country.deposit(person)
    await country.delivered()
    assert receiver.taken == [1]
    await country.deposit(person)
    await country.matched()
    await world.db.fetchval(
        "UPDATE practitioner_role SET until = current_date - 1 WHERE practitioner_id = $1 RETURNING 1", surgeon.id
    )
    directory = Directory(world.db, world.journal)  # one that remembers nothing
    later = replace(world, access=Access(world.db, world.journal, directory, base_url=BASE))
    await Country(later, subscriptions_of(later, fast())).delivered()
    assert receiver.taken == [1]


async def _story(server, folder, kind: str, *, with_it: bool) -> list[str]:
    """All that a doctor's software hears and is answered, in a country of its own."""
    heard: list[str] = []
    async with (
        open_journal(await create_database(server), folder) as journal,
        open_world(journal.db, journal, Objects.open("", folder)) as world,
        receiving() as receiver,
    ):
        country = Country(world, subscriptions_of(world, fast()))
        person, doctor = await world.person(), country.people["doctor"]
        await world.into_circle(person, country.people["doctor_entry"])
        made = await country.subscribe(doctor, receiver.url, f"patient={person.id}", f"type={LETTER}")
        await country.delivered()
        for number in range(4):
            if with_it and number == 2:
                document = await country.deposit(person)
                if kind == "while waiting":
                    await country.matched()
                if kind == "misfiled":
                    right = await world.person("Reuter")
                    await world.record.correct_person(
                        country.people["hospital"], person.id, document.id, right.id, "mixed up"
                    )
                else:
                    await hide(country, person, document)
            await country.deposit(person)
            if number != 2:
                await country.delivered()
        await country.delivered()
        heard += [f"{one.target} {sorted(one.headers.items())} {one.body.decode()}" for one in receiver.requests]
        heard.append(f"{receiver.connections}")
        async with country.client(doctor) as http:
            for path in ("", "/$status", f"/{made['id']}", f"/{made['id']}/$status", f"/{made['id']}/$events",
                         f"/{made['id']}/$events?eventsSinceNumber=3&content=empty"):  # fmt: skip
                answer = await http.get(f"/fhir/Subscription{path}")
                heard.append(f"{answer.status_code} {sorted(answer.headers.items())} {answer.text}")
    return _normal(heard, receiver.port)


def _normal(heard: list[str], port: int) -> list[str]:
    names: dict[str, str] = {}

    def name(match: re.Match[str]) -> str:
        return names.setdefault(match[0].replace("-", ""), f"<key {len(names)}>")

    return [_KEYS.sub(name, _TIMES.sub("<time>", text.replace(str(port), "<port>"))) for text in heard]


@pytest.mark.parametrize("kind", ["while waiting", "misfiled"])
async def test_all_that_is_heard_is_the_same_with_and_without_a_hidden_document(server, tmp_path, kind):
    stories = []
    for with_it in (True, False):
        folder = tmp_path / str(with_it)
        folder.mkdir()
        stories.append(await _story(server, folder, kind, with_it=with_it))
    assert stories[0] == stories[1]
    assert "event-notification" in stories[0][-3 - 5]

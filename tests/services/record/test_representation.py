"""Who acts for whom, through the API: a table of cases by article of the law of 24 July 2014, and what each one sees."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

import pytest

from esante.core.journal import EVENTS
from esante.core.time_zone import today
from esante.core.web import Problem
from esante.identity.access import AccessEvent, CapacityChanged, RepresentationChanged, requester_of
from esante.services.record import Listed
from esante.services.record.rules import item_of
from tests.support.clinical_requests import create, search
from tests.support.clinical_resources import observation
from tests.support.record import acting_for, letter

TODAY = today()
TOMORROW, YESTERDAY = TODAY + timedelta(days=1), TODAY - timedelta(days=1)


@dataclass
class Family:
    """A child with an open record, a parent, a stranger, and a doctor of the child's circle."""

    child: object
    parent: object
    stranger: object


@pytest.fixture
async def family(world):
    child = await world.person("Muster", birth_date=date(2012, 1, 1))
    await world.into_circle(child, world.people["doctor_entry"])
    return Family(child, await world.person("Muster"), await world.person("Fremd"))


async def post(world, who, person, path, **body):
    """Send an act of somebody about a person; days become text."""
    sent = {key: value.isoformat() if isinstance(value, date) else value for key, value in body.items()}
    async with world.client(who) as client:
        return await client.post(f"/api/persons/{person.id}/{path}", json=sent)


async def record_parent(world, family, **body):
    """Let the agency record that the parent acts for the child; return its key."""
    act = {"kind": "parent", "representative": str(family.parent.id), "act": "Birth certificate", "until": TOMORROW}
    answer = await post(world, world.people["operator"], family.child, "representations", **act | body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def admit(world, family, **body):
    """Let the doctor admit the child to act alone; return the key of the statement."""
    act = {"kind": "discernment", "reason": "Understands the treatment"}
    answer = await post(world, world.people["doctor"], family.child, "capacity", **act | body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def titles(world, who, person) -> set[str] | int:
    """Return the titles of the documents that somebody finds in a person's record; the status where refused."""
    async with world.client(who) as client:
        answer = await client.get(f"/fhir/DocumentReference?patient={person.id}")
    if answer.status_code != 200:
        return answer.status_code
    entries = answer.json().get("entry", ())
    return {
        entry["resource"]["content"][0]["attachment"]["title"]
        for entry in entries
        if entry["search"]["mode"] == "match"
    }


async def deposit(world, who, person, title, **meta):
    content, about = letter(**meta)
    deposited = await world.record.deposit(world.people[who], person.id, content, replace(about, title=title))
    return deposited.document


def acting(family, who=None):
    """Return the parent (or another) as a requester who acts for the child."""
    return acting_for(who or family.parent, family.child)


async def test_article_13_parents_exercise_the_rights_of_a_minor(world, family):
    await deposit(world, "hospital", family.child, "Report")
    assert await titles(world, acting(family), family.child) == set()
    await record_parent(world, family)
    assert await titles(world, acting(family), family.child) == {"Report"}
    assert await titles(world, acting(family, family.stranger), family.child) == set()
    assert await titles(world, requester_of(family.parent), family.child) == set()
    assert await titles(world, acting(family), family.parent) == set()


async def test_article_13_a_minor_does_not_act_alone_until_admitted_and_no_more_when_revoked(world, family):
    await deposit(world, "hospital", family.child, "Report")
    await record_parent(world, family)
    child = requester_of(family.child)
    assert await titles(world, child, family.child) == 403
    admission = await admit(world, family)
    assert await titles(world, child, family.child) == {"Report"}
    async with world.client(world.people["doctor"]) as client:
        revoked = await client.delete(f"/api/persons/{family.child.id}/capacity/{admission}")
        assert revoked.status_code == 204
        again = await client.delete(f"/api/persons/{family.child.id}/capacity/{admission}")
        assert again.status_code == 404
    assert await titles(world, child, family.child) == 403


async def test_article_13_an_admission_for_some_classes_shows_only_those(world, family):
    await deposit(world, "hospital", family.child, "Letter")
    async with world.client(world.people["laboratory"]) as client:
        assert (await create(client, observation(family.child))).status_code == 201
    await record_parent(world, family)
    await admit(world, family, classes=["letter"])
    async with world.client(requester_of(family.child)) as client:
        assert await search(client, f"Observation?patient={family.child.id}") == []
    assert await titles(world, requester_of(family.child), family.child) == {"Letter"}
    async with world.client(requester_of(family.child)) as client:
        refused = await client.post(
            f"/api/persons/{family.child.id}/oppositions", json={"against": "deposit", "risk_confirmed": True}
        )
    assert refused.status_code in (400, 403)


async def test_article_13_what_a_minor_objects_to_is_absent_for_parents(world, family):
    """Of given care and of a given document: search, read, content and versions answer as for what is not there."""
    care = await deposit(world, "hospital", family.child, "Of the hospital")
    one = await deposit(world, "other", family.child, "Of another doctor")
    await deposit(world, "doctor", family.child, "Of the doctor")
    await record_parent(world, family)
    await admit(world, family)
    child, days = requester_of(family.child), {"care_from": TODAY, "care_until": TODAY}
    hospital = str(world.people["hospital"].id)
    made = await post(world, child, family.child, "oppositions", against="representatives", depositor=hospital, **days)
    assert made.status_code == 201, made.text
    made = await post(world, world.people["doctor"], family.child, "oppositions", against="representatives",
                      series=str(one.series_id))  # fmt: skip
    assert made.status_code == 201, made.text
    parent = acting(family)
    assert await titles(world, parent, family.child) == {"Of the doctor"}
    assert await titles(world, child, family.child) == {"Of the hospital", "Of another doctor", "Of the doctor"}
    assert "Of the hospital" in await titles(world, world.people["doctor"], family.child)
    async with world.client(parent) as client:
        absent = await client.get(f"/fhir/DocumentReference/{family.child.id.hex}{family.parent.id.hex}")
        for document in (care, one):
            for path in (f"DocumentReference/{document.key}", f"Binary/{document.key}"):
                answer = await client.get(f"/fhir/{path}")
                assert (answer.status_code, answer.json()) == (404, absent.json())


async def test_article_13_an_objection_that_is_lifted_shows_the_document_again(world, family):
    document = await deposit(world, "hospital", family.child, "Report")
    await record_parent(world, family)
    await admit(world, family)
    child = requester_of(family.child)
    made = await post(
        world, child, family.child, "oppositions", against="representatives", series=str(document.series_id)
    )
    assert await titles(world, acting(family), family.child) == set()
    async with world.client(child) as client:
        path = f"/api/persons/{family.child.id}/oppositions/{made.json()['id']}"
        assert (await client.delete(path)).status_code == 204
        assert (await client.delete(path)).status_code == 404
    assert await titles(world, acting(family), family.child) == {"Report"}


async def test_article_13_parents_end_with_their_last_day(world, family):
    await deposit(world, "hospital", family.child, "Report")
    await record_parent(world, family, since=YESTERDAY - timedelta(days=5), until=YESTERDAY)
    assert await titles(world, acting(family), family.child) == set()
    assert await titles(world, requester_of(family.child), family.child) == {"Report"}


async def test_article_12_a_trusted_person_reads_only_while_the_patient_cannot_act(world, family):
    patient, friend = family.stranger, family.parent
    await world.into_circle(patient, world.people["doctor_entry"])
    await deposit(world, "hospital", patient, "Report")
    trusted = {"kind": "trusted_person", "representative": str(friend.id), "act": "Signed designation of 1 March"}
    made = await post(world, requester_of(patient), patient, "representations", **trusted)
    assert made.status_code == 201, made.text
    acting_friend = acting_for(friend, patient)
    assert await titles(world, acting_friend, patient) == set()
    assert await titles(world, requester_of(patient), patient) == {"Report"}
    unable = {"kind": "incapacity", "reason": "Unconscious"}
    assert (await post(world, world.people["doctor"], patient, "capacity", **unable)).status_code == 400
    too_long = {"since": TODAY, "until": TODAY + timedelta(days=91)}
    assert (await post(world, world.people["doctor"], patient, "capacity", **unable, **too_long)).status_code == 400
    stated = await post(world, world.people["doctor"], patient, "capacity", **unable, since=TODAY, until=TOMORROW)
    assert stated.status_code == 201
    assert await titles(world, acting_friend, patient) == {"Report"}
    async with world.client(acting_friend) as client:
        assert (await create(client, observation(patient))).status_code == 403
    async with world.client(world.people["doctor"]) as client:
        await client.delete(f"/api/persons/{patient.id}/capacity/{stated.json()['id']}")
    assert await titles(world, acting_friend, patient) == set()


async def test_article_14_a_guardian_exercises_the_rights_of_a_protected_adult(world, family):
    await deposit(world, "hospital", family.stranger, "Report")
    act = {"kind": "guardian", "representative": str(family.parent.id), "act": "Judgment of the guardianship court"}
    made = await post(world, world.people["operator"], family.stranger, "representations", **act)
    assert made.status_code == 201
    assert await titles(world, acting_for(family.parent, family.stranger), family.stranger) == {"Report"}
    assert await titles(world, requester_of(family.stranger), family.stranger) == 403
    async with world.client(world.people["operator"]) as client:
        path = f"/api/persons/{family.stranger.id}/representations/{made.json()['id']}"
        assert (await client.delete(path)).status_code == 204
    assert await titles(world, acting_for(family.parent, family.stranger), family.stranger) == set()


WHO_RECORDS = [
    ("representations", "operator", 201),
    ("representations", "doctor", 403),
    ("representations", "hospital", 403),
    ("representations", "parent", 403),
    ("representations", "child", 403),
    ("capacity", "doctor", 201),
    ("capacity", "other", 404),
    ("capacity", "operator", 403),
    ("capacity", "hospital", 403),
    ("capacity", "parent", 403),
    ("capacity", "child", 403),
    ("oppositions", "doctor", 201),
    ("oppositions", "other", 404),
    ("oppositions", "operator", 403),
    ("oppositions", "parent", 403),
]


@pytest.mark.parametrize(("path", "who", "status"), WHO_RECORDS)
async def test_act_is_recorded_by_whom_the_law_names_only(world, family, path, who, status):
    people = world.people | {"parent": requester_of(family.parent), "child": requester_of(family.child)}
    bodies = {
        "representations": {"kind": "parent", "representative": str(family.parent.id), "act": "Birth certificate"}
        | {"until": TOMORROW},
        "capacity": {"kind": "discernment", "reason": "Understands"},
        "oppositions": {"against": "representatives", "care_from": TODAY, "care_until": TODAY},
    }
    assert (await post(world, people[who], family.child, path, **bodies[path])).status_code == status


MALFORMED = [
    ("representations", {"kind": "uncle"}),
    ("representations", {"kind": "parent", "representative": "x", "act": "Birth certificate"}),
    (
        "representations",
        {"kind": "parent", "representative": "{child}", "act": "Birth certificate", "until": TOMORROW},
    ),
    ("representations", {"kind": "parent", "representative": "{nobody}", "act": "Certificate", "until": TOMORROW}),
    ("representations", {"kind": "parent", "representative": "{parent}", "act": "Birth certificate"}),
    ("representations", {"kind": "parent", "representative": "{parent}", "act": "x", "until": TOMORROW}),
    ("representations", {"kind": "parent", "representative": "{parent}", "act": "Certificate", "until": YESTERDAY}),
    ("representations", {"kind": "parent", "representative": "{parent}", "act": "Certificate", "extra": 1}),
]


@pytest.mark.parametrize(("path", "body"), MALFORMED)
async def test_malformed_act_changes_nothing(world, family, path, body):
    names = {"{child}": family.child.id, "{parent}": family.parent.id, "{nobody}": world.people["doctor"].id}
    sent = {key: str(names[value]) if value in names else value for key, value in body.items()}
    answer = await post(world, world.people["operator"], family.child, path, **sent)
    assert answer.status_code == 400, answer.text
    assert not (await world.access.consent(family.child.id)).representations


async def test_journal_names_representative_and_whom_they_act_for(world, family):
    await deposit(world, "hospital", family.child, "Report")
    await record_parent(world, family)
    await titles(world, acting(family), family.child)
    [(entry, event)] = [one for one in await world.events(family.child, Listed) if one[0].actor.kind == "patient"]
    assert (entry.person_id, entry.actor.id, entry.actor.name) == (
        family.child.id,
        family.parent.id,
        family.parent.name,
    )
    assert (event.rule, event.context) == ("representative.parent", "representation")
    [(entry, act)] = await world.events(family.child, RepresentationChanged)
    assert (entry.actor.kind, act.representative, act.act) == ("operator", family.parent.name, "Birth certificate")


async def test_representatives_do_not_see_the_access_log(world, family):
    await record_parent(world, family)
    async with world.client(acting(family)) as client:
        answer = await client.get(f"/fhir/AuditEvent?patient={family.child.id}")
    assert answer.json().get("entry", []) == []


async def test_who_can_see_includes_representatives(world, family):
    document = await deposit(world, "hospital", family.child, "Report")
    await record_parent(world, family)

    async def seen(item=None):
        found = await world.access.who_can_see(family.child.id, item)
        return [(one.name, one.reads, one.reason) for one in found if one.representation]

    assert await seen() == await seen(item_of(document)) == [(family.parent.name, True, "parent")]
    await post(world, world.people["doctor"], family.child, "oppositions", against="representatives",
               series=str(document.series_id))  # fmt: skip
    assert await seen(item_of(document)) == [(family.parent.name, False, "opposed-representatives")]


async def test_every_statement_and_refusal_is_journalled(world, family):
    await record_parent(world, family)
    await admit(world, family)
    [(entry, stated)] = await world.events(family.child, CapacityChanged)
    assert (entry.actor.name, stated.kind, stated.ended) == (world.people["doctor"].name, "discernment", False)
    await deposit(world, "hospital", family.child, "Report")
    async with world.client(acting_for(family.stranger, family.child)) as client:
        await client.get(f"/fhir/DocumentReference?patient={family.child.id}")
    refused = [event for _, event in await world.events(family.child, *all_accesses()) if not event.allowed]
    assert [event.rule for event in refused] == ["patient.other"]


def all_accesses():
    return [type_ for type_ in EVENTS.values() if issubclass(type_, AccessEvent)]


async def test_who_acts_for_somebody_makes_no_choices_meanwhile(world, family):
    """Choices are of the holder: neither the child's nor the parent's own record changes by such a requester."""
    await record_parent(world, family)
    restrictions, parent = world.access.restrictions, acting(family)
    for act in (
        restrictions.block(parent, "practitioner", world.people["other"].id),
        restrictions.set_sharing(parent, False),
        world.access.lifecycle.change(parent, "close"),
    ):
        with pytest.raises(Problem) as caught:
            await act
        assert caught.value.status == 403
    for person in (family.child, family.parent):
        consent = await world.access.consent(person.id)
        assert (consent.blocked, consent.sharing, consent.state) == (frozenset(), True, "open")

"""Absence and refusal look the same: two databases that differ in one hidden document give the same responses."""

from uuid import UUID

import orjson
import pytest

from esante.core.storage import Objects, uuid7
from esante.core.web import Problem
from esante.identity.access import Confidentiality, requester_of
from esante.services.record import Deposit, Filters
from tests.conftest import create_database, open_journal
from tests.support.record import FHIR, Normalised, open_world, reference

HIDDEN = b"A finding that the patient hides."
SHOWN = [f"Consultation number {number}.".encode() for number in range(5)]
TYPE = "11488-4"


async def collect_responses(world, *, with_hidden: bool, kind: str) -> list[tuple[str, object]]:
    """Return every response about a record that a doctor gets, over HTTP and from the service."""
    person = await world.person()
    patient, hospital, doctor = requester_of(person), world.people["hospital"], world.people["doctor"]
    await world.into_circle(person, world.people["doctor_entry"])
    hidden = person.id.hex + uuid7().hex
    deposits = [Deposit(type=TYPE, title=f"Report {number}", media_type="text/plain") for number in range(5)]
    for number, content in enumerate(SHOWN):
        if number == 2 and with_hidden:
            meta = Deposit(type=TYPE, title="Hidden", media_type="text/plain")
            document = (await world.record.deposit(hospital, person.id, HIDDEN, meta)).document
            hidden = document.key
            await hide(world, kind, patient, hospital, document)
        await world.record.deposit(hospital, person.id, content, deposits[number])
    responses = Normalised()
    async with world.client(doctor) as client:
        await request_all(client, responses, person, hidden)
        # Requests that follow: the same bytes, a replacement, a withdrawal.
        for name, body in (
            ("the same bytes", reference(person, HIDDEN, "text/plain", type_=TYPE)),
            ("the same bytes again", reference(person, HIDDEN, "text/plain", type_=TYPE)),
            ("a replacement", replacement_of(person, hidden)),
        ):
            answer = await client.post("/fhir/DocumentReference", content=orjson.dumps(body), headers=FHIR)
            add_response(responses, name, answer)
        gone = reference(person, HIDDEN, "text/plain") | {
            "id": hidden,
            "status": "entered-in-error",
            "description": "no",
        }
        answer = await client.put(f"/fhir/DocumentReference/{hidden}", content=orjson.dumps(gone), headers=FHIR)
        add_response(responses, "withdraw", answer)
        await request_all(client, responses, person, hidden)
    await request_from_service(world, responses, doctor, person, hidden)
    return responses.answers


async def hide(world, kind, patient, hospital, document) -> None:
    match kind:
        case "hidden":
            await world.record.set_confidentiality(patient, document.person_id, document.id, Confidentiality.HIDDEN)
        case "misfiled":
            right = await world.person("Reuter")
            await world.record.correct_person(hospital, document.person_id, document.id, right.id, "names mixed up")


async def request_all(client, responses: Normalised, person, hidden: str) -> None:
    patient = f"patient=Patient/{person.id}"
    for path in (
        f"DocumentReference?{patient}",
        f"DocumentReference?{patient}&type={TYPE}&status=current",
        f"DocumentReference?{patient}&status=entered-in-error",
        f"DocumentReference?{patient}&security-label=V",
        f"DocumentReference?{patient}&_count=0",
        f"DocumentReference?{patient}&_id={hidden}",
        f"DocumentReference?_id={hidden}",
        f"DocumentReference/{hidden}",
        f"Binary/{hidden}",
        f"Bundle/{hidden}",
        f"List?{patient}&code=submissionset&status=current",
        f"List/{hidden}",
    ):
        add_response(responses, path.partition("?")[0].partition("/")[0], await client.get(f"/fhir/{path}"))
    for path in (f"DocumentReference?{patient}&_count=2", f"List?{patient}&_count=2"):
        url = f"/fhir/{path}"
        while url:
            answer = await client.get(url)
            add_response(responses, "page", answer)
            links = {link["relation"]: link["url"] for link in answer.json().get("link", ())}
            url = links.get("next")


async def request_from_service(world, responses: Normalised, doctor, person, hidden: str) -> None:
    document_id = hidden[32:]
    for name, act in (
        ("read", world.record.content),
        ("look", world.record.document),
        ("versions", world.record.versions),
        ("hide", lambda *keys: world.record.set_confidentiality(*keys, Confidentiality.NORMAL)),
        ("withdraw", lambda *keys: world.record.withdraw(*keys, "no")),
        ("correct", lambda *keys: world.record.correct_person(*keys, world.people["right"], "no")),
    ):
        with pytest.raises(Problem) as refused:
            await act(doctor, person.id, UUID(hex=document_id))
        problem = refused.value
        responses.add(name, problem.status, problem.code, problem.title, problem.detail, problem.place, problem.remedy)
    for filters in (Filters(status=()), Filters(text="hidden"), Filters(category=("consultation_report",))):
        timeline = await world.record.timeline(doctor, person.id, filters, limit=3)
        responses.add("timeline", [(d.title, d.version, d.status) for d in timeline.documents], timeline.next is None)


def replacement_of(person, hidden: str) -> dict:
    relation = [{"code": "replaces", "target": {"reference": f"DocumentReference/{hidden}"}}]
    return reference(person, b"Something new.", "text/plain", type_=TYPE, relatesTo=relation)


def add_response(responses: Normalised, name: str, answer) -> None:
    responses.add(name, answer.status_code, sorted(answer.headers.items()), answer.text)


@pytest.mark.parametrize("kind", ["hidden", "misfiled"])
async def test_responses_are_same_with_and_without_hidden_document(server, tmp_path, kind):
    answers = []
    for with_hidden in (True, False):
        folder = tmp_path / str(with_hidden)
        folder.mkdir()
        async with (
            open_journal(await create_database(server), folder) as journal,
            open_world(journal.db, journal, Objects.open("", folder)) as world,
        ):
            world.people["right"] = (await world.person("Reuter")).id
            answers.append(await collect_responses(world, with_hidden=with_hidden, kind=kind))
    with_it, without_it = answers
    assert len(with_it) == len(without_it)
    for one, other in zip(with_it, without_it, strict=True):
        assert one == other
    assert any(name == "page" and "Report 4" in str(text) for name, text in with_it)
    assert "Hidden" not in str(with_it)

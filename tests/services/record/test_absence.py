"""Absence and refusal look the same: two databases that differ in one hidden document give the same answers."""

import re

import orjson
import pytest

from esante.core.storage import Objects, uuid7
from esante.core.web import Problem
from esante.identity.access import Confidentiality, requester_of
from esante.services.record import Deposit, Filters
from tests.conftest import create_database, open_journal

from .conftest import FHIR, open_world, reference

HIDDEN = b"A finding that she keeps to herself."
SHOWN = [f"Consultation number {number}.".encode() for number in range(5)]
TYPE = "11488-4"
_IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}")
_TIMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")
_CURSORS = re.compile(r"_cursor=[A-Za-z0-9_%-]+")


class Normalised:
    """Answers with their keys numbered in the order in which they appear, and without times."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self.answers: list[tuple[str, object]] = []

    def add(self, what: str, *parts: object) -> None:
        """Note an answer."""
        text = "\n".join(str(part) for part in parts)
        text = _TIMES.sub("<time>", _CURSORS.sub("_cursor=<cursor>", text))
        text = _IDS.sub(lambda match: self._name(match[0].replace("-", "")), text)
        self.answers.append((what, text))

    def _name(self, key: str) -> str:
        return self._names.setdefault(key, f"<key {len(self._names)}>")


async def _answers(world, *, with_hidden: bool, kind: str) -> list[tuple[str, object]]:
    """Everything that a doctor is answered about a record, over HTTP and by the service."""
    person = await world.person()
    me, hospital, doctor = requester_of(person), world.people["hospital"], world.people["doctor"]
    await world.into_circle(person, world.people["doctor_entry"])
    hidden = person.id.hex + uuid7().hex
    deposits = [Deposit(type=TYPE, title=f"Report {number}", media_type="text/plain") for number in range(5)]
    for number, content in enumerate(SHOWN):
        if number == 2 and with_hidden:
            meta = Deposit(type=TYPE, title="Hidden", media_type="text/plain")
            made = (await world.record.deposit(hospital, person.id, HIDDEN, meta)).document
            hidden = made.key
            await _hide(world, kind, me, hospital, made)
        await world.record.deposit(hospital, person.id, content, deposits[number])
    found = Normalised()
    async with world.client(doctor) as client:
        await _ask(client, found, person, hidden)
        # What he sends afterwards: the same bytes, a replacement, a withdrawal.
        for name, body in (
            ("the same bytes", reference(person, HIDDEN, "text/plain", type_=TYPE)),
            ("the same bytes again", reference(person, HIDDEN, "text/plain", type_=TYPE)),
            ("a replacement", _replacing(person, hidden)),
        ):
            answer = await client.post("/fhir/DocumentReference", content=orjson.dumps(body), headers=FHIR)
            _add(found, name, answer)
        gone = reference(person, HIDDEN, "text/plain") | {
            "id": hidden,
            "status": "entered-in-error",
            "description": "no",
        }
        answer = await client.put(f"/fhir/DocumentReference/{hidden}", content=orjson.dumps(gone), headers=FHIR)
        _add(found, "withdraw", answer)
        await _ask(client, found, person, hidden)
    await _ask_service(world, found, doctor, person, hidden)
    return found.answers


async def _hide(world, kind, me, hospital, made) -> None:
    match kind:
        case "hidden":
            await world.record.set_confidentiality(me, made.person_id, made.id, Confidentiality.HIDDEN)
        case "misfiled":
            right = await world.person("Reuter")
            await world.record.correct_person(hospital, made.person_id, made.id, right.id, "names mixed up")


async def _ask(client, found: Normalised, person, hidden: str) -> None:
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
        _add(found, path.partition("?")[0].partition("/")[0], await client.get(f"/fhir/{path}"))
    for path in (f"DocumentReference?{patient}&_count=2", f"List?{patient}&_count=2"):
        url = f"/fhir/{path}"
        while url:
            answer = await client.get(url)
            _add(found, "page", answer)
            links = {link["relation"]: link["url"] for link in answer.json().get("link", ())}
            url = links.get("next")


async def _ask_service(world, found: Normalised, doctor, person, hidden: str) -> None:
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
            await act(doctor, person.id, _uuid(document_id))
        problem = refused.value
        found.add(name, problem.status, problem.code, problem.title, problem.detail, problem.place, problem.remedy)
    for filters in (Filters(status=()), Filters(text="hidden"), Filters(category=("consultation_report",))):
        timeline = await world.record.timeline(doctor, person.id, filters, limit=3)
        found.add("timeline", [(d.title, d.version, d.status) for d in timeline.documents], timeline.next is None)


def _replacing(person, hidden: str) -> dict:
    relation = [{"code": "replaces", "target": {"reference": f"DocumentReference/{hidden}"}}]
    return reference(person, b"Something new.", "text/plain", type_=TYPE, relatesTo=relation)


def _add(found: Normalised, name: str, answer) -> None:
    found.add(name, answer.status_code, sorted(answer.headers.items()), answer.text)


def _uuid(text: str):
    from uuid import UUID

    return UUID(hex=text)


@pytest.mark.parametrize("kind", ["hidden", "misfiled"])
async def test_whole_answers_are_the_same_with_and_without_a_hidden_document(server, tmp_path, kind):
    answers = []
    for with_hidden in (True, False):
        folder = tmp_path / str(with_hidden)
        folder.mkdir()
        async with (
            open_journal(await create_database(server), folder) as journal,
            open_world(journal.db, journal, Objects.open("", folder)) as world,
        ):
            world.people["right"] = (await world.person("Reuter")).id
            answers.append(await _answers(world, with_hidden=with_hidden, kind=kind))
    with_it, without_it = answers
    assert len(with_it) == len(without_it)
    for one, other in zip(with_it, without_it, strict=True):
        assert one == other
    assert any(name == "page" and "Report 4" in str(text) for name, text in with_it)
    assert "Hidden" not in str(with_it)

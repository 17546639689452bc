"""Two databases that differ in one hidden document: no answer to a professional tells which one he asks."""

import asyncio
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest

from esante.core.web import COOKIE
from esante.identity.access import Access, Confidentiality
from esante.services.record import Deposit, Document, Record
from tests.e2e.conftest import copy_of
from tests.e2e.papers import CONSULTATION, LABORATORY, LETTER, discharge_letter, pdf, png, provided, published
from tests.e2e.processes import Server
from tests.e2e.worlds import LOCAL, World, opened

ADDRESS = "http://records.example"
DOCTOR, COLLEAGUE = "doctor", "surgeon"
OWN_NUMBER = ("urn:example:lab", "4711")


@dataclass
class Pair:
    """The two worlds, each served under one name; `hidden` is the document that only the second one holds."""

    world: World
    servers: tuple[Server, Server]
    hidden: Document
    content: bytes
    csrf: dict[str, str]

    @property
    def person(self) -> UUID:
        """Whose record it is."""
        return self.world.persons[0].id

    async def ask(self, method: str, path: str, *, by: str = DOCTOR, page: bool = False, **more: Any) -> "Answers":
        """Ask both servers the same."""
        answers = []
        for server in self.servers:
            cookies = {COOKIE: self.world.cookies[by]} if page else {}
            headers = {} if page else {**self.world.bearer(by), "Content-Type": "application/fhir+json"}
            async with httpx.AsyncClient(base_url=server.base, headers=headers, cookies=cookies, timeout=60) as http:
                answers.append(await http.request(method, path, **more))
        return Answers(*answers)


@dataclass
class Answers:
    """What the two servers said to one request."""

    without: httpx.Response
    beside: httpx.Response

    @property
    def alike(self) -> bool:
        """Whether status, headers and body are the same, byte for byte (but for the clock in `Date`)."""
        return _whole(self.without) == _whole(self.beside)

    @property
    def alike_but_for_news(self) -> bool:
        """The same but for the ids, times and sizes of what was made just now."""
        return _masked(self.without) == _masked(self.beside)


def _whole(answer: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    headers = {name: value for name, value in answer.headers.items() if name != "date"}
    return answer.status_code, headers, answer.content


_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{64}|[0-9a-f]{32}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)|\d\d:\d\d(?=</time>)")


def _masked(answer: httpx.Response) -> tuple[int, dict[str, str], str]:
    status, headers, content = _whole(answer)
    numbers: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        return numbers.setdefault(found[0], f"<id {len(numbers)}>")

    def mask(text: str) -> str:
        return _TIME.sub("<time>", _ID.sub(number, text))

    kept = {name: mask(value) for name, value in headers.items() if name != "content-length"}
    return status, kept, mask(content.decode("utf-8"))


@pytest.fixture(scope="module")
async def pair(template: World, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One world, copied; into the copy the laboratory puts a report that the patient hides."""
    folder = tmp_path_factory.mktemp("pair")
    world = copy_of(template, folder / "without")
    await furnish(world)
    second = copy_of(world, folder / "beside")
    content = orjson.dumps(report(world, "Positif."))
    hidden, csrf = await hide_one(second, content)
    servers = [Server(one.data, ESANTE_PUBLIC_URL=ADDRESS).start() for one in (world, second)]
    yield Pair(world, (servers[0], servers[1]), hidden, content, csrf)
    for server in servers:
        server.stop()
    shutil.rmtree(folder, ignore_errors=True)


def report(world: World, text: str) -> dict[str, Any]:
    """A laboratory report about the patient."""
    person = world.persons[0]
    about = {
        "identifier": [{"system": LOCAL, "value": person.identifiers[0].value}],
        "name": [{"family": person.family}],
    }
    found = discharge_letter(about, text, title="Analyse sérologique", family="Biologist")
    found["entry"][0]["resource"]["type"]["coding"][0]["code"] = LABORATORY
    return found


async def furnish(world: World) -> None:
    """Documents that the doctor of the circle may see, some of them versions; some by himself."""
    async with opened(world.data) as platform:
        patient, hospital = world.holders["patient"], world.holders["hospital"]
        laboratory, doctor = world.holders["laboratory"], world.holders[DOCTOR]
        await platform[Access].grants.add_to_circle(patient, doctor.id)
        for number in range(4):
            meta = Deposit(type=LETTER, title=f"Courrier {number}", event_date=date(2024, 3, 10 + number))
            await platform[Record].deposit(hospital, patient.id, b"Courrier %d" % number, meta)
        scan = Deposit(type=CONSULTATION, title="Consultation", event_date=date(2024, 3, 11))
        first = await platform[Record].deposit(hospital, patient.id, pdf("Une"), scan)
        await platform[Record].deposit(hospital, patient.id, pdf("Deux"), scan, first.document.id)
        await platform[Record].deposit(hospital, patient.id, png(), Deposit(type=CONSULTATION, title="Cliché"))
        shown = orjson.dumps(report(world, "Négatif."))
        await platform[Record].deposit(laboratory, patient.id, shown, Deposit(event_date=date(2024, 3, 12)))
        await platform[Record].deposit(doctor, patient.id, b"Ma note", Deposit(type=LETTER, title="De moi"))
        await platform.journal.sealer.seal_all()


async def hide_one(world: World, content: bytes) -> tuple[Document, dict[str, str]]:
    """The one difference; also gives the tokens of the forms of every session."""
    async with opened(world.data) as platform:
        patient, laboratory = world.holders["patient"], world.holders["laboratory"]
        meta = Deposit(event_date=date(2024, 3, 12), language="fr", identifiers=(OWN_NUMBER,))
        made = await platform[Record].deposit(laboratory, patient.id, content, meta)
        hidden = await platform[Record].set_confidentiality(
            patient, patient.id, made.document.id, Confidentiality.HIDDEN
        )
        tokens = await platform.db.fetch("SELECT principal->>'id' AS id, csrf FROM web_session")
    by_id = {row["id"]: row["csrf"] for row in tokens}
    return hidden, {name: by_id[str(holder.id)] for name, holder in world.holders.items()}


def searches(pair: Pair) -> Iterator[str]:
    """Every parameter of ITI-67 and ITI-66, with values that the hidden document has and others lack."""
    hidden, laboratory = pair.hidden, pair.world.holders["laboratory"]
    subject = f"patient=Patient/{pair.person}"
    parameters = [
        "",
        "&_count=0",
        "&_count=200",
        "&status=current",
        "&status=superseded,entered-in-error",
        f"&type=http://loinc.org|{hidden.type}",
        f"&category={hidden.category}",
        f"&period={hidden.event_date}",
        f"&creation=ge{hidden.event_date}",
        f"&date=ge{hidden.deposited_at:%Y-%m-%dT%H:%M:%SZ}",
        f"&_lastUpdated=ge{hidden.changed_at:%Y-%m-%dT%H:%M:%SZ}",
        f"&author=Organization/{laboratory.id}",
        f"&author.identifier={LOCAL}|laboratory",
        "&author.family=Labo",
        "&author.given=Labo",
        f"&identifier={OWN_NUMBER[0]}|{OWN_NUMBER[1]}",
        f"&identifier=urn:ietf:rfc:3986|{hidden.id.urn}",
        "&security-label=V",
        f"&format={hidden.format}",
    ]
    for parameter in parameters:
        yield f"DocumentReference?{subject}{parameter}"
    yield f"DocumentReference?patient.identifier={LOCAL}|person-0"
    yield f"DocumentReference?_id={hidden.key}"
    for parameter in ("", "&code=submissionset", "&source.family=Labo", "&status=current", "&_count=2"):
        yield f"List?{subject}{parameter}"
    yield f"List?{subject}&identifier=urn:ietf:rfc:3986|{hidden.submission_id.urn}"
    yield f"List?{subject}&date=ge{hidden.deposited_at:%Y-%m-%dT%H:%M:%SZ}"
    yield f"List?_id={pair.person.hex}{hidden.submission_id.hex}"


@pytest.mark.parametrize("by", [DOCTOR, COLLEAGUE])
async def test_searches_tell_nothing(pair: Pair, by: str) -> None:
    sizes = []
    for search in searches(pair):
        answers = await pair.ask("GET", f"/fhir/{search}", by=by)
        assert answers.without.status_code == 200, answers.without.text
        assert answers.alike, search
        sizes.append(len(answers.without.json().get("entry", [])))
    assert max(sizes) > 5  # there was something to see
    body = f"patient=Patient/{pair.person}&security-label=V"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await pair.ask("POST", "/fhir/DocumentReference/_search", by=by, content=body, headers=form)).alike


@pytest.mark.parametrize("resource", ["DocumentReference", "List"])
async def test_paging_one_by_one_tells_nothing(pair: Pair, resource: str) -> None:
    path, pages = f"/fhir/{resource}?patient=Patient/{pair.person}&_count=1", 0
    while path:
        answers = await pair.ask("GET", path)
        assert answers.alike, path
        links = {link["relation"]: link["url"] for link in answers.without.json()["link"]}
        path = links.get("next", "").removeprefix(ADDRESS)
        pages += 1
    assert pages > 5


@pytest.mark.parametrize("by", [DOCTOR, COLLEAGUE])
async def test_reading_it_is_like_reading_nothing(pair: Pair, by: str) -> None:
    key, submission = pair.hidden.key, f"{pair.person.hex}{pair.hidden.submission_id.hex}"
    tag = {"If-None-Match": f'"{pair.hidden.sha256.hex()}"', "Accept": "application/fhir+json"}
    for path in (f"DocumentReference/{key}", f"Bundle/{key}", f"Binary/{key}", f"List/{submission}"):
        for method in ("GET", "HEAD"):
            answers = await pair.ask(method, f"/fhir/{path}", by=by, headers=tag)
            assert answers.without.status_code == 404
            assert answers.alike, path
    withdrawn = {
        "resourceType": "DocumentReference",
        "id": key,
        "status": "entered-in-error",
        "description": "Erreur",
        "content": [{"attachment": {"contentType": "text/plain", "title": "x"}}],
    }
    answers = await pair.ask("PUT", f"/fhir/DocumentReference/{key}", by=by, json=withdrawn)
    assert answers.without.status_code == 404, answers.without.text
    assert answers.alike
    assert (await pair.ask("GET", f"/fhir/AuditEvent?patient=Patient/{pair.person}", by=by)).alike


async def test_pages_tell_nothing(pair: Pair) -> None:
    home, document = f"/patients/{pair.person}", f"/patients/{pair.person}/documents/{pair.hidden.id}"
    pages = ["/", "/patients", home, f"{home}?view=type", f"{home}?q=Analyse", f"{home}?withdrawn=yes"]
    pages += [f"{home}?category={pair.hidden.category}", f"{home}/deposit"]
    for path in pages:
        answers = await pair.ask("GET", path, page=True)
        assert answers.without.status_code == 200
        assert answers.alike, path
    absent = [document, f"{document}/original", f"{document}/picture", f"{document}/pages/1.png"]
    for path in [*absent, f"{home}/deposit?replaces={pair.hidden.id}"]:
        answers = await pair.ask("GET", path, page=True)
        assert answers.without.status_code == 404
        assert answers.alike, path
    for act in ("withdraw", "correct"):
        form = {"_csrf": pair.csrf[DOCTOR], "reason": "Erreur", "identifier": "person-1"}
        answers = await pair.ask("POST", f"{document}/{act}", page=True, data=form)
        assert answers.without.status_code == 404
        assert answers.alike, act


async def test_a_page_for_who_has_no_access_is_the_same(pair: Pair) -> None:
    stranger = f"/patients/{pair.world.persons[1].id}"
    home = f"/patients/{pair.person}"
    for path in (stranger, f"{home}/documents/{pair.hidden.id}"):
        answers = await pair.ask("GET", path, by=COLLEAGUE, page=True)
        assert answers.without.status_code == 404
        assert answers.alike


async def exported(server: Server, headers: dict[str, str], path: str) -> list[tuple[str, int, bytes]]:
    """The files of an export from one of the servers, as soon as it is finished."""
    async with httpx.AsyncClient(base_url=server.base, headers=headers, timeout=60) as http:
        begun = await http.get(path, headers={"Prefer": "respond-async"})
        assert begun.status_code == 202, begun.text
        place = begun.headers["content-location"].removeprefix(ADDRESS)
        while (answer := await http.get(place)).status_code != 200:
            assert answer.status_code == 202, answer.text
            await asyncio.sleep(int(answer.headers["retry-after"]))
        manifest = answer.json()
        assert (manifest["deleted"], manifest["error"]) == ([], [])
        files = []
        for file in manifest["output"]:
            content = (await http.get(file["url"].removeprefix(ADDRESS))).content
            files.append((file["type"], file["count"], content))
        assert (await http.delete(place)).status_code == 202
    return files


async def test_exports_tell_nothing(pair: Pair) -> None:
    """Compared byte by byte, and so before anything is deposited on both: that has ids and times of its own on each."""

    async def both(by: str, path: str) -> list[list[tuple[str, int, bytes]]]:
        return [await exported(server, pair.world.bearer(by), path) for server in pair.servers]

    for path in ("/fhir/$export", f"/fhir/Patient/{pair.person}/$export"):
        without, beside = await both(DOCTOR, path)
        assert without == beside, path
        assert {type_ for type_, _, _ in without} >= {"Patient", "DocumentReference", "Composition", "Provenance"}
    assert await both(COLLEAGUE, "/fhir/$export") == [[], []]
    hers = await both("patient", "/fhir/$export")
    assert hers[0] != hers[1]


async def test_depositing_the_same_bytes_or_a_new_version_of_it_tells_nothing(pair: Pair) -> None:
    subject = {"reference": f"Patient/{pair.person}"}
    target = {"relatesTo": [{"code": "replaces", "target": {"reference": f"DocumentReference/{pair.hidden.key}"}}]}
    fhir = {"title": "Analyse sérologique", "type_": LABORATORY, "media_type": "application/fhir+json"}
    other = orjson.dumps(report(pair.world, "Douteux."))
    for by in (DOCTOR, COLLEAGUE):
        for content, relation, status in (
            (other, target, 404),
            (pair.content, target, 404),
            (pair.content, {}, 201),
            (pair.content, {}, 200),
        ):
            given = published(subject, content, **fhir, **relation)
            answers = await pair.ask("POST", "/fhir/DocumentReference", by=by, json=given)
            assert answers.without.status_code == status, answers.without.text
            assert answers.alike_but_for_news
    transaction = provided(subject, orjson.loads(pair.content))
    answers = await pair.ask("POST", "/fhir", json=transaction)
    assert answers.without.status_code == 200
    assert answers.alike_but_for_news
    search = f"/fhir/DocumentReference?patient=Patient/{pair.person}&_count=200"
    answers = await pair.ask("GET", search)
    assert answers.alike_but_for_news
    home = f"/patients/{pair.person}"
    form = {"_csrf": pair.csrf[DOCTOR], "title": "Analyse"}
    files = {"file": ("report.json", pair.content, "application/json")}
    answers = await pair.ask("POST", f"{home}/deposit", page=True, data=form, files=files)
    assert answers.without.status_code in (200, 201)
    assert answers.alike_but_for_news
    assert (await pair.ask("GET", home, page=True)).alike_but_for_news


async def test_the_worlds_do_differ(pair: Pair) -> None:
    """Her own list, and the laboratory's, show what the others above do not."""
    for by in ("patient", "laboratory"):
        answers = await pair.ask("GET", f"/fhir/DocumentReference/{pair.hidden.key}", by=by)
        assert (answers.without.status_code, answers.beside.status_code) == (404, 200)

"""Two servers that differ in one hidden document give professionals identical responses."""

import asyncio
import re
import shutil
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
from tests.e2e.conftest import copy_world
from tests.support.hidden_calls import OWN_NUMBER, document_searches
from tests.support.processes import Server
from tests.support.small_world import LOCAL_SYSTEM, SmallWorld, open_test_platform
from tests.support.submissions import (
    CONSULTATION,
    LABORATORY,
    LETTER,
    build_discharge_letter,
    build_document_reference,
    build_iti65_transaction,
    build_pdf,
    build_png,
)

PUBLIC_URL = "http://records.example"
DOCTOR, COLLEAGUE = "doctor", "surgeon"


@dataclass
class Pair:
    """Two servers with one public URL; only the second one has the document `hidden`."""

    world: SmallWorld
    servers: tuple[Server, Server]
    hidden: Document
    content: bytes
    csrf: dict[str, str]

    @property
    def person(self) -> UUID:
        """The person of the record."""
        return self.world.persons[0].id

    async def request_both(
        self, method: str, path: str, *, by: str = DOCTOR, page: bool = False, **more: Any
    ) -> "PairedResponses":
        """Send a request to both servers."""
        responses = []
        for server in self.servers:
            cookies = {COOKIE: self.world.cookies[by]} if page else {}
            headers = {} if page else {**self.world.bearer(by), "Content-Type": "application/fhir+json"}
            async with httpx.AsyncClient(base_url=server.base, headers=headers, cookies=cookies, timeout=60) as http:
                responses.append(await http.request(method, path, **more))
        return PairedResponses(*responses)


@dataclass
class PairedResponses:
    """The responses of both servers to a request."""

    without: httpx.Response
    with_hidden: httpx.Response

    @property
    def identical(self) -> bool:
        """Whether status, headers (except `Date`) and body are identical, byte for byte."""
        return _full_response(self.without) == _full_response(self.with_hidden)

    @property
    def identical_apart_from_new_ids(self) -> bool:
        """Whether they are identical apart from ids, times and sizes of what was just created."""
        return _masked_response(self.without) == _masked_response(self.with_hidden)


def _full_response(response: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    headers = {name: value for name, value in response.headers.items() if name != "date"}
    return response.status_code, headers, response.content


_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{64}|[0-9a-f]{32}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)|\d\d:\d\d(?=</time>)")


def _masked_response(response: httpx.Response) -> tuple[int, dict[str, str], str]:
    status, headers, content = _full_response(response)
    numbers: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        return numbers.setdefault(found[0], f"<id {len(numbers)}>")

    def mask(text: str) -> str:
        return _TIME.sub("<time>", _ID.sub(number, text))

    kept = {name: mask(value) for name, value in headers.items() if name != "content-length"}
    return status, kept, mask(content.decode("utf-8"))


@pytest.fixture(scope="module")
async def pair(template: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A world and a copy of it, in which the laboratory deposits a report that the patient hides."""
    folder = tmp_path_factory.mktemp("pair")
    world = copy_world(template, folder / "without")
    await deposit_visible_documents(world)
    second = copy_world(world, folder / "beside")
    content = orjson.dumps(build_laboratory_report(world, "Positif."))
    hidden, csrf = await deposit_hidden_document(second, content)
    servers = [Server(one.data, ESANTE_PUBLIC_URL=PUBLIC_URL).start() for one in (world, second)]
    yield Pair(world, (servers[0], servers[1]), hidden, content, csrf)
    for server in servers:
        server.stop()
    shutil.rmtree(folder, ignore_errors=True)


def build_laboratory_report(world: SmallWorld, text: str) -> dict[str, Any]:
    """Return a laboratory report about the patient."""
    person = world.persons[0]
    patient = {
        "identifier": [{"system": LOCAL_SYSTEM, "value": person.identifiers[0].value}],
        "name": [{"family": person.family}],
    }
    found = build_discharge_letter(patient, text, title="Analyse sérologique", family="Biologist")
    found["entry"][0]["resource"]["type"]["coding"][0]["code"] = LABORATORY
    return found


async def deposit_visible_documents(world: SmallWorld) -> None:
    """Deposit documents that the doctor in the circle may see, some with versions, some of their own."""
    async with open_test_platform(world.data) as platform:
        patient, hospital = world.holders["patient"], world.holders["hospital"]
        laboratory, doctor = world.holders["laboratory"], world.holders[DOCTOR]
        await platform[Access].grants.add_to_circle(patient, doctor.id)
        for number in range(4):
            meta = Deposit(type=LETTER, title=f"Courrier {number}", event_date=date(2024, 3, 10 + number))
            await platform[Record].deposit(hospital, patient.id, b"Courrier %d" % number, meta)
        scan = Deposit(type=CONSULTATION, title="Consultation", event_date=date(2024, 3, 11))
        first = await platform[Record].deposit(hospital, patient.id, build_pdf("Une"), scan)
        await platform[Record].deposit(hospital, patient.id, build_pdf("Deux"), scan, first.document.id)
        await platform[Record].deposit(hospital, patient.id, build_png(), Deposit(type=CONSULTATION, title="Cliché"))
        shown = orjson.dumps(build_laboratory_report(world, "Négatif."))
        await platform[Record].deposit(laboratory, patient.id, shown, Deposit(event_date=date(2024, 3, 12)))
        await platform[Record].deposit(doctor, patient.id, b"Ma note", Deposit(type=LETTER, title="De moi"))
        await platform.journal.sealer.seal_all()


async def deposit_hidden_document(world: SmallWorld, content: bytes) -> tuple[Document, dict[str, str]]:
    """Deposit the hidden document; return it and the CSRF tokens of all sessions."""
    async with open_test_platform(world.data) as platform:
        patient, laboratory = world.holders["patient"], world.holders["laboratory"]
        meta = Deposit(event_date=date(2024, 3, 12), language="fr", identifiers=(OWN_NUMBER,))
        deposited = await platform[Record].deposit(laboratory, patient.id, content, meta)
        hidden = await platform[Record].set_confidentiality(
            patient, patient.id, deposited.document.id, Confidentiality.HIDDEN
        )
        tokens = await platform.db.fetch("SELECT principal->>'id' AS id, csrf FROM web_session")
    by_id = {row["id"]: row["csrf"] for row in tokens}
    return hidden, {name: by_id[str(holder.id)] for name, holder in world.holders.items()}


@pytest.mark.parametrize("by", [DOCTOR, COLLEAGUE])
async def test_searches_do_not_reveal_the_hidden_document(pair: Pair, by: str) -> None:
    sizes = []
    laboratory = pair.world.holders["laboratory"].id
    for search in document_searches(pair.hidden, laboratory, LOCAL_SYSTEM):
        responses = await pair.request_both("GET", f"/fhir/{search}", by=by)
        assert responses.without.status_code == 200, responses.without.text
        assert responses.identical, search
        sizes.append(len(responses.without.json().get("entry", [])))
    assert max(sizes) > 5  # there was something to see
    body = f"patient=Patient/{pair.person}&security-label=V"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (
        await pair.request_both("POST", "/fhir/DocumentReference/_search", by=by, content=body, headers=form)
    ).identical


@pytest.mark.parametrize("resource", ["DocumentReference", "List"])
async def test_paging_does_not_reveal_the_hidden_document(pair: Pair, resource: str) -> None:
    path, pages = f"/fhir/{resource}?patient=Patient/{pair.person}&_count=1", 0
    while path:
        responses = await pair.request_both("GET", path)
        assert responses.identical, path
        links = {link["relation"]: link["url"] for link in responses.without.json()["link"]}
        path = links.get("next", "").removeprefix(PUBLIC_URL)
        pages += 1
    assert pages > 5


@pytest.mark.parametrize("by", [DOCTOR, COLLEAGUE])
async def test_reading_the_hidden_document_is_like_reading_none(pair: Pair, by: str) -> None:
    key, submission = pair.hidden.key, f"{pair.person.hex}{pair.hidden.submission_id.hex}"
    tag = {"If-None-Match": f'"{pair.hidden.sha256.hex()}"', "Accept": "application/fhir+json"}
    for path in (f"DocumentReference/{key}", f"Bundle/{key}", f"Binary/{key}", f"List/{submission}"):
        for method in ("GET", "HEAD"):
            responses = await pair.request_both(method, f"/fhir/{path}", by=by, headers=tag)
            assert responses.without.status_code == 404
            assert responses.identical, path
    withdrawn = {
        "resourceType": "DocumentReference",
        "id": key,
        "status": "entered-in-error",
        "description": "Erreur",
        "content": [{"attachment": {"contentType": "text/plain", "title": "x"}}],
    }
    responses = await pair.request_both("PUT", f"/fhir/DocumentReference/{key}", by=by, json=withdrawn)
    assert responses.without.status_code == 404, responses.without.text
    assert responses.identical
    assert (await pair.request_both("GET", f"/fhir/AuditEvent?patient=Patient/{pair.person}", by=by)).identical


async def test_pages_do_not_reveal_the_hidden_document(pair: Pair) -> None:
    home, document = f"/patients/{pair.person}", f"/patients/{pair.person}/documents/{pair.hidden.id}"
    pages = ["/", "/patients", home, f"{home}?view=type", f"{home}?q=Analyse", f"{home}?withdrawn=yes"]
    pages += [f"{home}?category={pair.hidden.category}", f"{home}/deposit"]
    for path in pages:
        responses = await pair.request_both("GET", path, page=True)
        assert responses.without.status_code == 200
        assert responses.identical, path
    absent = [document, f"{document}/original", f"{document}/picture", f"{document}/pages/1.png"]
    for path in [*absent, f"{home}/deposit?replaces={pair.hidden.id}"]:
        responses = await pair.request_both("GET", path, page=True)
        assert responses.without.status_code == 404
        assert responses.identical, path
    for act in ("withdraw", "correct"):
        form = {"_csrf": pair.csrf[DOCTOR], "reason": "Erreur", "identifier": "person-1"}
        responses = await pair.request_both("POST", f"{document}/{act}", page=True, data=form)
        assert responses.without.status_code == 404
        assert responses.identical, act


async def test_pages_without_access_are_identical(pair: Pair) -> None:
    stranger = f"/patients/{pair.world.persons[1].id}"
    home = f"/patients/{pair.person}"
    for path in (stranger, f"{home}/documents/{pair.hidden.id}"):
        responses = await pair.request_both("GET", path, by=COLLEAGUE, page=True)
        assert responses.without.status_code == 404
        assert responses.identical


async def export_files(server: Server, headers: dict[str, str], path: str) -> list[tuple[str, int, bytes]]:
    """Run an export on a server and return its files (type, count, content)."""
    async with httpx.AsyncClient(base_url=server.base, headers=headers, timeout=60) as http:
        kickoff = await http.get(path, headers={"Prefer": "respond-async"})
        assert kickoff.status_code == 202, kickoff.text
        place = kickoff.headers["content-location"].removeprefix(PUBLIC_URL)
        while (response := await http.get(place)).status_code != 200:
            assert response.status_code == 202, response.text
            await asyncio.sleep(int(response.headers["retry-after"]))
        manifest = response.json()
        assert (manifest["deleted"], manifest["error"]) == ([], [])
        files = []
        for file in manifest["output"]:
            content = (await http.get(file["url"].removeprefix(PUBLIC_URL))).content
            files.append((file["type"], file["count"], content))
        assert (await http.delete(place)).status_code == 202
    return files


async def test_exports_do_not_reveal_the_hidden_document(pair: Pair) -> None:
    """Before anything is deposited on both servers, which would have other ids and times on each."""

    async def both(by: str, path: str) -> list[list[tuple[str, int, bytes]]]:
        return [await export_files(server, pair.world.bearer(by), path) for server in pair.servers]

    for path in ("/fhir/$export", f"/fhir/Patient/{pair.person}/$export"):
        without, with_hidden = await both(DOCTOR, path)
        assert without == with_hidden, path
        assert {type_ for type_, _, _ in without} >= {"Patient", "DocumentReference", "Composition", "Provenance"}
    assert await both(COLLEAGUE, "/fhir/$export") == [[], []]
    by_patient = await both("patient", "/fhir/$export")
    assert by_patient[0] != by_patient[1]


async def test_deposits_of_the_same_bytes_or_a_new_version_do_not_reveal_the_hidden_document(pair: Pair) -> None:
    subject = {"reference": f"Patient/{pair.person}"}
    target = {"relatesTo": [{"code": "replaces", "target": {"reference": f"DocumentReference/{pair.hidden.key}"}}]}
    fhir = {"title": "Analyse sérologique", "type_": LABORATORY, "media_type": "application/fhir+json"}
    other = orjson.dumps(build_laboratory_report(pair.world, "Douteux."))
    for by in (DOCTOR, COLLEAGUE):
        for content, relation, status in (
            (other, target, 404),
            (pair.content, target, 404),
            (pair.content, {}, 201),
            (pair.content, {}, 200),
        ):
            reference = build_document_reference(subject, content, **fhir, **relation)
            responses = await pair.request_both("POST", "/fhir/DocumentReference", by=by, json=reference)
            assert responses.without.status_code == status, responses.without.text
            assert responses.identical_apart_from_new_ids
    transaction = build_iti65_transaction(subject, orjson.loads(pair.content))
    responses = await pair.request_both("POST", "/fhir", json=transaction)
    assert responses.without.status_code == 200
    assert responses.identical_apart_from_new_ids
    search = f"/fhir/DocumentReference?patient=Patient/{pair.person}&_count=200"
    responses = await pair.request_both("GET", search)
    assert responses.identical_apart_from_new_ids
    home = f"/patients/{pair.person}"
    form = {"_csrf": pair.csrf[DOCTOR], "title": "Analyse", "step": "add"}
    files = {"file": ("report.json", pair.content, "application/json")}
    responses = await pair.request_both("POST", f"{home}/deposit", page=True, data=form, files=files)
    assert responses.without.status_code in (200, 201)
    assert responses.identical_apart_from_new_ids
    assert (await pair.request_both("GET", home, page=True)).identical_apart_from_new_ids


async def test_patient_and_author_see_the_hidden_document(pair: Pair) -> None:
    """The hidden document is visible to the patient and to its author."""
    for by in ("patient", "laboratory"):
        responses = await pair.request_both("GET", f"/fhir/DocumentReference/{pair.hidden.key}", by=by)
        assert (responses.without.status_code, responses.with_hidden.status_code) == (404, 200)

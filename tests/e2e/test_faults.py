"""Invalid requests over HTTP: each gets a clear response with place and remedy, and changes nothing."""

import asyncio
import base64
import contextlib
import json
import re
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from lxml import html

from esante.core.web import COOKIE
from esante.core.web.requests import DRAIN_LIMIT
from esante.services.record.documents.mhd_api import MAX_BODY
from esante.services.record.identification.confirmation import CONFIRMATION_EXTENSION
from tests.e2e import malicious_documents
from tests.e2e.conftest import copy_world
from tests.support.processes import Server
from tests.support.small_world import LOCAL_SYSTEM, SmallWorld, open_test_platform
from tests.support.submissions import (
    CONSULTATION,
    LETTER,
    build_cda,
    build_discharge_letter,
    build_document_reference,
    build_pdf,
)

FHIR = {"Content-Type": "application/fhir+json"}
HOSTILE_TEXT = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&lt;{{7*7}}%(x)s"
SOCKET_BUFFERS = 48 * 1024 * 1024
"""Bytes that the two ends of a connection hold at most by Linux's defaults (`tcp_rmem`, `tcp_wmem`), generously."""
CONFIRMED = {"url": CONFIRMATION_EXTENSION, "valueString": "The person was there"}
"""That it is the right person although the document names another."""


@dataclass
class ServedWorld:
    """A small world on a server."""

    world: SmallWorld
    server: Server

    @property
    def subject(self) -> dict[str, str]:
        """A reference to the person whose record is used."""
        return {"reference": f"Patient/{self.world.persons[0].id}"}

    def http(self, name: str = "hospital") -> httpx.AsyncClient:
        """Return a client of the API with the token of a holder."""
        headers = {**self.world.bearer(name), **FHIR}
        return httpx.AsyncClient(base_url=self.server.base, headers=headers, timeout=120)

    def browser(self, name: str) -> httpx.AsyncClient:
        """Return a client with the session of a holder, like a browser."""
        cookies = {COOKIE: self.world.cookies[name], "esante_lang": "en"}
        return httpx.AsyncClient(base_url=self.server.base, cookies=cookies, timeout=120)

    def letter(self, text: str = "", **more: Any) -> dict[str, Any]:
        """Return a valid deposit of a text."""
        return build_document_reference(self.subject, (text or uuid4().hex).encode(), **more)

    async def documents(self, person: int = 0) -> list[dict[str, Any]]:
        """Return the documents of a record, as the hospital sees them."""
        url = f"/fhir/DocumentReference?patient=Patient/{self.world.persons[person].id}&_count=200"
        async with self.http() as http:
            page = (await http.get(url)).raise_for_status().json()
        return [entry["resource"] for entry in page.get("entry", [])]


@pytest.fixture(scope="module")
def served(template: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedWorld]:
    """A served small world, whose server must still run after all tests."""
    world = copy_world(template, tmp_path_factory.mktemp("faults") / "data")
    server = Server(world.data).start()
    yield ServedWorld(world, server)
    assert httpx.get(f"{server.base}/health", timeout=60).status_code == 200
    assert server.stop() in (0, -signal.SIGTERM)


def assert_clear_outcome(response: httpx.Response, status: int, *, place: bool = True) -> None:
    """Assert an OperationOutcome that says what is wrong, where, and the remedy, and reveals nothing else."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/fhir+json"
    outcome = response.json()
    assert outcome["resourceType"] == "OperationOutcome"
    for issue in outcome["issue"]:
        assert issue["severity"] in ("error", "fatal", "warning")
        assert issue["code"]
        assert re.fullmatch(r"\S+( \S+){3,}[.:)]", issue["diagnostics"]), issue  # in words
        if place and issue["severity"] != "warning":
            assert issue.get("expression") or issue.get("extension"), issue  # the element, or line and column
    assert_reveals_nothing(response)


def assert_reveals_nothing(response: httpx.Response) -> None:
    """Assert that there is no trace of the program, the machine, or another person."""
    for inside in ("Traceback", 'File "', "asyncpg", "/src/", "site-packages", "SELECT ", "Weber1", "root:x:"):
        assert inside not in response.text


def with_changes(reference: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**reference, **changes}


def with_attachment(reference: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the DocumentReference with changes of the attachment."""
    attachment = {**reference["content"][0]["attachment"], **changes}
    return {**reference, "content": [{"attachment": attachment}]}


def document_type(code: str, system: str = "http://loinc.org") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


WRONG_FIELDS: dict[str, tuple[int, dict[str, Any]]] = {
    "a type that LOINC has not": (422, {"type": document_type("99999-9")}),
    "a type of another system": (422, {"type": document_type("18842-5", "http://snomed.info/sct")}),
    "a date in the future": (422, {"context": {"period": {"start": "2199-01-01"}}}),
    "a date that is none": (422, {"context": {"period": {"start": "2024-02-31"}}}),
    "a number for a status": (422, {"status": 5}),
    "a list for a subject": (422, {"subject": []}),
    "a content that is none": (422, {"content": "x"}),
    "no content": (422, {"content": []}),
    "no subject": (422, {"subject": None}),
    "an unknown element": (422, {"colour": "red"}),
    "an unknown person": (422, {"subject": {"reference": "Patient/018f0000-0000-7000-8000-000000000000"}}),
    "a reference that is none": (422, {"subject": {"reference": "Patient/../../etc"}}),
    "a wrong matricule": (
        422,
        {"subject": {"identifier": {"system": "urn:oid:1.3.182.4.4", "value": "1980051700000"}}},
    ),
    "a document that is not there": (404, {"relatesTo": [{"code": "replaces", "target": {"reference": "X/1"}}]}),
    "hidden by its author": (
        422,
        {
            "securityLabel": [
                {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "V"}]}
            ]
        },
    ),
    "withdrawn at birth": (422, {"status": "entered-in-error"}),
}


@pytest.mark.parametrize("fault", WRONG_FIELDS)
async def test_invalid_field_is_reported_and_nothing_is_stored(served: ServedWorld, fault: str) -> None:
    status, changes = WRONG_FIELDS[fault]
    reference = {name: value for name, value in with_changes(served.letter(), **changes).items() if value is not None}
    before = len(await served.documents())
    async with served.http() as http:
        assert_clear_outcome(await http.post("/fhir/DocumentReference", json=reference), status, place=status != 404)
    assert len(await served.documents()) == before


WRONG_ATTACHMENTS: dict[str, dict[str, Any]] = {
    "no base64": {"data": "%%%"},
    "another size": {"size": 3},
    "another hash": {"hash": base64.b64encode(b"x" * 20).decode()},
    "an unknown media type": {"contentType": "application/x-msdownload"},
    "another media type": {"contentType": "application/pdf"},
    "nothing in it": {"data": ""},
    "a language that is none": {"language": "xx-!!"},
    "control characters in the title": {"title": "a\u0000b"},
    "a title without an end": {"title": "x" * 100_000},
    "a broken PDF": {"contentType": "application/pdf", "data": base64.b64encode(b"%PDF-1.7 broken").decode()},
    "a broken picture": {"contentType": "image/png", "data": base64.b64encode(b"\x89PNG\r\n\x1a\nx").decode()},
    "no CDA": {"contentType": "application/hl7-cda+xml", "data": base64.b64encode(b"<a/>").decode()},
    "no FHIR": {"contentType": "application/fhir+json", "data": base64.b64encode(b'{"a":1}').decode()},
    "text in Latin-1": {"data": base64.b64encode("é".encode("latin-1")).decode()},
}


@pytest.mark.parametrize("fault", WRONG_ATTACHMENTS)
async def test_invalid_attachment_is_reported_and_nothing_is_stored(served: ServedWorld, fault: str) -> None:
    reference = with_attachment(served.letter(), **WRONG_ATTACHMENTS[fault])
    before = len(await served.documents())
    async with served.http() as http:
        assert_clear_outcome(await http.post("/fhir/DocumentReference", json=reference), 422)
    assert len(await served.documents()) == before


def unreadable_bodies(valid: bytes) -> dict[str, bytes]:
    """Return unreadable bodies by the kind of fault."""
    return {
        "empty": b"",
        "half": valid[: len(valid) // 2],
        "no JSON": b"<xml/>",
        "a list": b"[]",
        "not UTF-8": b'{"resourceType":"\xff"}',
        "a lone surrogate": valid.replace(b'"Courrier"', b'"\\ud800"'),
        "10,000 deep": b'{"resourceType":"DocumentReference","a":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        "10,000 objects deep": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        "a key twice": valid.replace(b'"status"', b'"status":"current","status"', 1),
        "endless digits": b'{"resourceType":"DocumentReference","size":' + b"9" * 100_000 + b"}",
        "not a number": valid.replace(b'"current"', b"NaN", 1),
        "another resource": b'{"resourceType":"Patient"}',
    }


@pytest.mark.parametrize("fault", list(unreadable_bodies(b'"status""current""Courrier"')))
@pytest.mark.parametrize("path", ["/fhir/DocumentReference", "/fhir"])
async def test_unreadable_body_is_refused(served: ServedWorld, path: str, fault: str) -> None:
    body = unreadable_bodies(json.dumps(served.letter()).encode())[fault]
    async with served.http() as http:
        response = await http.post(path, content=body)
    assert response.status_code in (400, 422)
    assert_clear_outcome(response, response.status_code, place=False)


async def test_unsupported_media_types_and_methods_are_refused(served: ServedWorld) -> None:
    async with served.http() as http:
        text = {"Content-Type": "text/plain"}
        xml = {"Content-Type": "application/fhir+xml"}
        for path in ("/fhir", "/fhir/DocumentReference", "/fhir/Observation", "/fhir/$validate"):
            for other in (text, xml):
                assert_clear_outcome(await http.post(path, content=b"<x/>", headers=other), 415)
        for path in ("/fhir/metadata", "/fhir/Observation", "/fhir/Patient", "/fhir/DocumentReference/x"):
            assert_clear_outcome(await http.get(path, headers={"Accept": "application/fhir+xml"}), 406)
            assert_clear_outcome(await http.get(path, params={"_format": "xml"}), 406)
        for method, path in (("DELETE", "/fhir/DocumentReference/x"), ("PATCH", "/fhir/Patient"), ("TRACE", "/fhir")):
            response = await http.request(method, path)
            assert response.status_code in (404, 405)
            assert_reveals_nothing(response)


async def test_interrupted_body_stores_nothing(served: ServedWorld) -> None:
    before = len(await served.documents())
    body = json.dumps(served.letter()).encode()
    head = (
        f"POST /fhir/DocumentReference HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.world.tokens['hospital']}"
    )
    head += f"\r\nContent-Type: application/fhir+json\r\nContent-Length: {len(body)}\r\n\r\n"
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", served.server.port)) as connection:
            connection.sendall(head.encode() + body[:-10])
    await asyncio.sleep(0.3)
    assert len(await served.documents()) == before
    assert "Traceback" not in served.server.log


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("path", ["/fhir/DocumentReference", "/fhir", "/oauth/token", "/patients/{}/deposit"])
async def test_200_megabytes_are_refused_while_being_sent(served: ServedWorld, path: str, *, declared: bool) -> None:
    if path.startswith("/patients"):
        await open_record(served)
    before = served.server.peak_memory()
    path = path.format(served.world.persons[0].id)
    kind = "application/x-www-form-urlencoded" if path in ("/oauth/token",) else "application/fhir+json"
    kind = "multipart/form-data; boundary=x" if path.startswith("/patients") else kind
    length = "Content-Length: 209715200" if declared else "Transfer-Encoding: chunked"
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.world.tokens['hospital']}\r\n"
        f"Cookie: {COOKIE}={served.world.cookies['doctor']}\r\nContent-Type: {kind}\r\n{length}\r\n\r\n"
    )
    response, sent = await asyncio.to_thread(
        send_until_answered, served.server.port, head.encode(), chunked=not declared
    )
    assert response.startswith(b"HTTP/1.1 413"), response
    assert sent <= MAX_BODY + DRAIN_LIMIT + SOCKET_BUFFERS < 200 * 1024 * 1024
    assert served.server.peak_memory() - before < 250_000_000


async def open_record(served: ServedWorld) -> None:
    """Let the doctor open the record of the patient with a presence code."""
    async with served.browser("patient") as patient, served.browser("doctor") as doctor:
        code = await issue_code(patient, await form_token(patient, "/sharing"))
        form = {"_csrf": await form_token(doctor, "/patients"), "code": code}
        assert (await doctor.post("/patients/code", data=form)).status_code == 303


def send_until_answered(port: int, head: bytes, *, chunked: bool) -> tuple[bytes, int]:
    """Send up to 200 MB until the server responds; return its response and the bytes sent."""
    block = b" " * 65_536
    piece = b"10000\r\n" + block + b"\r\n" if chunked else block
    sent = 0
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(head)
        connection.setblocking(False)
        deadline = time.monotonic() + 60
        while sent < 200 * 1024 * 1024 and time.monotonic() < deadline:
            with contextlib.suppress(BlockingIOError):
                response = connection.recv(1_000)
                return response, sent
            try:
                sent += connection.send(piece[sent % len(piece) :])
            except BlockingIOError:
                time.sleep(0.001)
            except OSError:
                break
        connection.settimeout(10)
        return connection.recv(1_000), sent


MALICIOUS_DOCUMENTS = {
    "billion laughs": (
        "application/hl7-cda+xml",
        lambda: build_cda("&a9;", doctype=malicious_documents.BILLION_LAUGHS),
        422,
    ),
    "a local file": (
        "application/hl7-cda+xml",
        lambda: build_cda("&file;", doctype=malicious_documents.LOCAL_FILE),
        422,
    ),
    "a PDF of 200 megabytes": ("application/pdf", lambda: malicious_documents.flate_bomb(200_000_000), 201),
    "a page of a million inches": ("application/pdf", malicious_documents.huge_page, 201),
    "endless pages": ("application/pdf", malicious_documents.endless_pages, None),
    "a PDF with programs": ("application/pdf", malicious_documents.active_content, 201),
    "a picture of ten gigapixels": ("image/png", malicious_documents.huge_image, 422),
    "XML 100,000 deep": ("application/hl7-cda+xml", lambda: build_cda("<list><item>" * 50_000), 422),
}


@pytest.mark.parametrize("name", MALICIOUS_DOCUMENTS)
async def test_malicious_document_is_refused_or_shown_safely(served: ServedWorld, name: str) -> None:
    media_type, make, status = MALICIOUS_DOCUMENTS[name]
    before = served.server.peak_memory()
    reference = build_document_reference(served.subject, make(), title=name, type_=CONSULTATION, media_type=media_type)
    async with served.http() as http, served.browser("patient") as browser:
        response = await http.post("/fhir/DocumentReference", json=reference)
        assert_reveals_nothing(response)
        assert response.status_code in ((status,) if status else (201, 422)), response.text
        if response.status_code == 422:
            assert_clear_outcome(response, 422)
        else:
            page = f"/record/{response.json()['id'][32:]}"
            for path in (page, f"{page}/pages/1.png", f"{page}/original"):
                page_response = await browser.get(path)
                assert page_response.status_code in (200, 404, 422)
                assert_reveals_nothing(page_response)
    assert served.server.peak_memory() - before < 400_000_000


async def test_html_in_any_field_is_shown_as_text(served: ServedWorld) -> None:
    patient_resource = {
        "identifier": [{"system": LOCAL_SYSTEM, "value": "person-0"}],
        "name": [{"family": HOSTILE_TEXT, "given": [HOSTILE_TEXT]}],
    }
    letter = build_discharge_letter(patient_resource, HOSTILE_TEXT, title=HOSTILE_TEXT, family=HOSTILE_TEXT)
    section = letter["entry"][0]["resource"]["section"][0]
    section["title"] = HOSTILE_TEXT
    section["text"]["div"] = '<div xmlns="http://www.w3.org/1999/xhtml"><p title="x">&lt;script&gt;alert(3)</p></div>'
    references = [
        build_document_reference(
            served.subject,
            json.dumps(letter).encode(),
            title=HOSTILE_TEXT,
            type_="18842-5",
            media_type="application/fhir+json",
        ),
        build_document_reference(served.subject, HOSTILE_TEXT.encode(), title=HOSTILE_TEXT, type_=LETTER),
        build_document_reference(
            served.subject,
            build_cda("&lt;script&gt;", title="&lt;script&gt;alert(4)"),
            title=HOSTILE_TEXT,
            type_="34133-9",
            media_type="application/hl7-cda+xml",
        ),
        build_document_reference(
            served.subject,
            build_pdf(HOSTILE_TEXT),
            title=HOSTILE_TEXT,
            type_=CONSULTATION,
            media_type="application/pdf",
        ),
    ]
    paths = [
        "/record",
        "/record?q=" + HOSTILE_TEXT,
        "/notices",
        "/",
        "/log?q=" + HOSTILE_TEXT,
        "/sharing/people?for=circle&q=" + HOSTILE_TEXT,
    ]
    async with served.http() as http:
        for reference in references:
            response = await http.post("/fhir/DocumentReference", json=reference | {"extension": [CONFIRMED]})
            assert response.status_code == 201, response.text
            paths.append(f"/record/{response.json()['id'][32:]}")
    async with served.browser("patient") as browser:
        token = await form_token(browser, "/record/note")
        note = {"_csrf": token, "title": HOSTILE_TEXT, "text": HOSTILE_TEXT, "level": "normal"}
        response = await browser.post("/record/note", data=note)
        assert response.status_code == 303
        paths.append(response.headers["location"])
        for path in paths:
            response = await browser.get(path)
            assert response.status_code == 200, path
            assert_inert(response)
            if path.startswith("/record"):
                assert "<script>alert(1)</script>" in "".join(html.fromstring(response.text).itertext()), path


def assert_inert(response: httpx.Response) -> None:
    """Assert that a page has no active content but the scripts of its layout."""
    page = html.fromstring(response.text)
    assert {script.get("src") for script in page.iter("script")} == {
        "/static/vendor/htmx.min.js",
        "/static/app.js",
        "/static/signin/passkeys.js",
    }
    assert not [script for script in page.iter("script") if (script.text or "").strip()]
    for element in page.iter():
        if isinstance(element.tag, str):
            assert element.tag not in ("iframe", "object", "embed", "base", "style")
            assert not [name for name in element.attrib if name.startswith("on") or name == "style"], element.attrib
            assert not str(element.get("href", "")).lower().startswith(("javascript:", "data:"))
            if element.tag == "img":
                assert element.get("src", "").startswith(("/record/", "/patients/", "/static/"))


async def form_token(browser: httpx.AsyncClient, path: str) -> str:
    """Return the CSRF token of the forms on a page."""
    found = re.search(r'name="_csrf" value="([^"]+)"', (await browser.get(path)).text)
    assert found
    return found[1]


async def test_concurrent_deposits_of_the_same_bytes_are_one_document(served: ServedWorld) -> None:
    reference = served.letter()
    before = len(await served.documents())
    async with served.http() as http:
        responses = await asyncio.gather(*(http.post("/fhir/DocumentReference", json=reference) for _ in range(24)))
    assert sorted(response.status_code for response in responses) == [200] * 23 + [201]
    assert len({response.json()["id"] for response in responses}) == 1
    assert len(await served.documents()) == before + 1


async def test_closed_record_accepts_and_shows_nothing(template: SmallWorld, tmp_path: Path) -> None:
    world = copy_world(template, tmp_path / "data")
    with Server(world.data) as server:
        served = ServedWorld(world, server)
        async with served.http() as http, served.http("doctor") as doctor, served.browser("patient") as browser:
            assert (await http.post("/fhir/DocumentReference", json=served.letter())).status_code == 201
            token = await form_token(browser, "/sharing")
            assert (await browser.post("/sharing/close", data={"_csrf": token})).status_code == 303
            assert_clear_outcome(await http.post("/fhir/DocumentReference", json=served.letter()), 403, place=False)
            url = f"/fhir/DocumentReference?patient=Patient/{world.persons[0].id}"
            assert "entry" not in (await doctor.get(url)).json()
            assert (await browser.post("/sharing/code", data={"_csrf": token, "hours": "24"})).status_code == 409
            token = await form_token(browser, "/sharing")
            assert (await browser.post("/sharing/reopen", data={"_csrf": token})).status_code == 303
            assert (await http.post("/fhir/DocumentReference", json=served.letter())).status_code == 201


async def test_wrong_used_and_expired_codes_are_refused_alike_and_attempts_are_limited(
    template: SmallWorld, tmp_path: Path
) -> None:
    world = copy_world(template, tmp_path / "data")
    with Server(world.data) as server:
        served = ServedWorld(world, server)
        async with (
            served.browser("patient") as patient,
            served.browser("doctor") as doctor,
            served.browser("surgeon") as other,
        ):
            token = await form_token(patient, "/sharing")
            used, expired = [await issue_code(patient, token) for _ in range(2)]
            doctor_token, surgeon_token = await form_token(doctor, "/patients"), await form_token(other, "/patients")
            opened_record = await doctor.post("/patients/code", data={"_csrf": doctor_token, "code": used})
            assert opened_record.status_code == 303
            assert opened_record.headers["location"] == f"/patients/{world.persons[0].id}"
            async with open_test_platform(world.data) as platform:
                await platform.db.fetch(
                    "UPDATE access_code SET expires_at = $1 WHERE used_at IS NULL RETURNING 1",
                    await past_moment(platform),
                )
            refusals = [
                await other.post("/patients/code", data={"_csrf": surgeon_token, "code": code})
                for code in (
                    used,
                    expired,
                    "AAAA-AAAA",
                    "",
                    "x" * 5_000,
                    "'; DROP TABLE access_code; --",
                    HOSTILE_TEXT,
                )
            ]
            assert {response.status_code for response in refusals} == {404}
            assert len({response.text for response in refusals}) == 1
            assert "This code is not valid. It may be wrong, already used or expired." in refusals[0].text
            assert used not in refusals[0].text
            for _ in range(10):
                limited = await other.post("/patients/code", data={"_csrf": surgeon_token, "code": "AAAA-AAAA"})
            assert limited.status_code == 429
            assert limited.headers["retry-after"].isdigit()
            for secret in (used, expired):
                assert secret not in server.log
                assert secret.replace("-", "") not in server.log


async def past_moment(platform: Any) -> Any:
    """Return a moment that has passed."""
    return await platform.db.fetchval("SELECT now()") - timedelta(seconds=1)


async def issue_code(patient: httpx.AsyncClient, token: str) -> str:
    """Issue a presence code; return it as the page shows it."""
    response = await patient.post("/sharing/code", data={"_csrf": token, "hours": "24"})
    found = re.search(r'class="code"[^>]*>([A-Z0-9]{4}-[A-Z0-9]{4})<', response.text)
    assert found
    return found[1]


async def test_emergency_with_wrong_data_opens_nothing(served: ServedWorld) -> None:
    async with served.browser("surgeon") as surgeon:
        token = await form_token(surgeon, "/emergency")
        valid = {
            "identifier": "person-3",
            "birth_date": "1980-05-17",
            "reason": "Unconscious after a fall",
            "confirmed": "yes",
        }
        faults = [
            {"identifier": "1980051700000"},
            {"birth_date": "1980-05-18"},
            {"birth_date": "yesterday"},
            {"reason": "short"},
            {"reason": "x" * 5_000},
            {"confirmed": ""},
            {"identifier": "a\u0000b"},
        ]
        for wrong in faults:
            response = await surgeon.post("/emergency", data={"_csrf": token, **valid, **wrong})
            assert response.status_code in (400, 404), wrong
            assert "error" in response.text or "callout" in response.text
            assert_reveals_nothing(response)
        assert (await surgeon.get(f"/patients/{served.world.persons[3].id}")).status_code == 404


ODD_SEGMENTS = [
    "%00",
    "..%2f..%2fetc%2fpasswd",
    "x" * 3_000,
    "%ff%fe",
    "1' OR '1'='1",
    "0" * 64,
    "%F0%9F%98%80",
    "-1",
    "{{7*7}}",
]
ODD_QUERIES = [
    "_count=-1",
    "_count=x",
    "_count=99999999999",
    "_cursor=x",
    "_cursor=W10",
    "date=x",
    "date=gt",
    "period=2024-13-45",
]
ODD_QUERIES += [
    "status=x",
    "type=%00",
    "identifier=%00|%00",
    "author=%00",
    "author.family=%00",
    "_lastUpdated=9999-12-31T23:59:60Z",
]
ODD_QUERIES += [
    "patient:missing=true",
    "_sort=x",
    "date=0000",
    "type=|",
    "identifier=|",
    "_id=%00",
    "format=%ff",
    "_count=0&_cursor=bnVsbA",
]


async def test_odd_addresses_cause_no_internal_error(served: ServedWorld) -> None:
    person = served.world.persons[0].id
    read = [
        f"/fhir/{name}"
        for name in (
            "DocumentReference",
            "List",
            "Bundle",
            "Binary",
            "Patient",
            "Practitioner",
            "Organization",
            "AuditEvent",
        )
    ]
    pages = [
        "/record",
        f"/patients/{person}",
        f"/patients/{person}/documents",
        "/patients",
        "/operator/reviews",
        "/static",
        "/lang",
    ]
    requests = [(name, f"{path}/{strange}") for path in read for strange in ODD_SEGMENTS for name in ("hospital",)]
    requests += [
        ("hospital", f"{path}?patient=Patient/{person}&{query}") for path in read[:2] for query in ODD_QUERIES
    ]
    requests += [("patient", f"/fhir/AuditEvent?patient=Patient/{person}&{query}") for query in ODD_QUERIES]
    requests += [
        ("hospital", f"/fhir/{name}?{query}")
        for name in ("Patient", "Practitioner", "Organization")
        for query in (*ODD_QUERIES, "name=%00", "family=%00", "identifier=x")
    ]
    async with served.http("hospital") as hospital, served.http("patient") as patient:
        for name, path in requests:
            response = await (hospital if name == "hospital" else patient).get(path)
            assert response.status_code < 500, f"{path}: {response.text}"
            assert_reveals_nothing(response)
    parameters = [
        "q=%00",
        "cursor=x",
        "cursor=W10",
        "cursor=bnVsbA",
        "category=x",
        "view=x",
        "for=circle&q=%00&cursor=x",
        "kind=%00",
        "done=x&cursor=x",
        "replaces=x",
        "next=//evil.example",
        "withdrawn=%ff",
    ]
    homes = [
        "/",
        "/record",
        "/sharing",
        "/sharing/people",
        "/log",
        "/notices",
        "/patients",
        f"/patients/{person}",
        f"/patients/{person}/deposit",
        "/emergency",
        "/operator/reviews",
        "/operator/journal",
        "/signin",
    ]
    for user in ("patient", "surgeon", "operator"):
        async with served.browser(user) as browser:
            for path in [f"{page}/{strange}" for page in pages for strange in ODD_SEGMENTS] + [
                f"{home}?{one}" for home in homes for one in parameters
            ]:
                response = await browser.get(path)
                assert response.status_code < 500, f"{user} {path}: {response.text[:500]}"
                assert_reveals_nothing(response)
                assert "evil.example" not in response.headers.get("location", "")


FORMS = [
    ("patient", "/sharing/code", {"hours": "24"}),
    ("patient", "/sharing/close", {}),
    ("patient", "/sharing/stop", {}),
    ("patient", "/sharing/block", {"kind": "practitioner"}),
    ("patient", "/notices/read", {"notice": str(uuid4())}),
    ("patient", "/record/note", {"title": "x", "text": "x"}),
    ("patient", "/signout", {}),
    ("surgeon", "/patients/code", {"code": "AAAA-AAAA"}),
    (
        "surgeon",
        "/emergency",
        {"identifier": "person-2", "birth_date": "1980-05-17", "reason": "x" * 20, "confirmed": "yes"},
    ),
    ("operator", f"/operator/reviews/{UUID(int=1)}", {"verdict": "justified"}),
]


@pytest.mark.parametrize(("user", "path", "form"), FORMS)
async def test_form_without_the_csrf_token_of_the_session_is_refused(
    served: ServedWorld, user: str, path: str, form: dict[str, str]
) -> None:
    async with served.browser(user) as browser, served.browser("doctor") as stranger:
        foreign_token = await form_token(stranger, "/patients")
        for token in ({}, {"_csrf": ""}, {"_csrf": "x"}, {"_csrf": foreign_token}):
            response = await browser.post(path, data={**form, **token})
            assert response.status_code == 403, path
            assert_reveals_nothing(response)
    async with httpx.AsyncClient(base_url=served.server.base, timeout=60) as nobody:
        response = await nobody.post(path, data=form)
        assert response.status_code == 303
        assert response.headers["location"] == "/signin"


async def test_api_change_by_session_without_csrf_token_is_refused(served: ServedWorld) -> None:
    async with served.browser("surgeon") as browser:
        response = await browser.post("/fhir/DocumentReference", json=served.letter(), headers=FHIR)
        assert_clear_outcome(response, 403, place=False)


async def test_cookies_are_httponly_and_samesite(served: ServedWorld) -> None:
    async with httpx.AsyncClient(base_url=served.server.base, timeout=60) as http:
        for secure in (False, True):
            headers = {"X-Forwarded-Proto": "https"} if secure else {}
            response = await http.get("/lang/de?next=/signin", headers=headers)
            assert_cookie(response.headers["set-cookie"], secure=secure)
    async with served.browser("operator") as browser:
        token = await form_token(browser, "/")
        response = await browser.post("/signout", data={"_csrf": token})
        assert "Max-Age=0" in response.headers["set-cookie"]
        assert (await browser.get("/operator/journal")).status_code == 303


def assert_cookie(cookie: str, *, secure: bool) -> None:
    parts = {part.strip().lower() for part in cookie.split(";")}
    assert {"httponly", "samesite=lax", "path=/"} <= parts
    assert ("secure" in parts) == secure


async def test_every_response_has_security_headers(served: ServedWorld) -> None:
    person = served.world.persons[0].id
    for user, paths in {
        "patient": [
            "/",
            "/record",
            "/sharing",
            "/log",
            "/notices",
            "/nothing",
            "/static/app.css",
            "/fhir/metadata",
            "/health",
        ],
        "surgeon": ["/patients", f"/patients/{person}", "/emergency", "/fhir/nothing", f"/fhir/Patient/{person}"],
    }.items():
        async with served.browser(user) as browser:
            for path in paths:
                response = await browser.get(path)
                policy = response.headers["content-security-policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy
                assert "frame-ancestors 'none'" in policy
                assert response.headers["x-content-type-options"] == "nosniff"
                assert response.headers["referrer-policy"] == "same-origin"
                if not path.startswith("/static"):
                    assert "no-store" in response.headers["cache-control"]
                assert "server" not in response.headers


async def test_invalid_tokens_are_refused(served: ServedWorld) -> None:
    good = served.world.tokens["hospital"]
    async with httpx.AsyncClient(base_url=served.server.base, timeout=60) as http:
        for value in ("", "Bearer", "Bearer x", f"Basic {good}", f"Bearer {good[:-1]}", f"Bearer {good}x"):
            response = await http.get("/fhir/Patient?identifier=x", headers={"Authorization": value})
            assert_clear_outcome(response, 401, place=False)
            assert "Bearer" in response.headers["www-authenticate"]
        assert (await http.get(f"/fhir/Patient?identifier=x&access_token={good}")).status_code == 401


async def test_log_of_the_server_has_no_secrets_or_personal_data(served: ServedWorld) -> None:
    """The last test of the file: it reads the log of all tests above."""
    log = served.server.log
    for name in served.world.tokens:
        assert served.world.tokens[name] not in log
        assert served.world.cookies[name] not in log
    for text in ("Traceback", "fault ", "Weber", "person-", "Kieffer", "alert(", "csrf"):
        assert text not in log, log[-3_000:]

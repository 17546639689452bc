"""Bad input over HTTP: each wrong request gets a clear answer with place and remedy, and changes nothing."""

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
from tests.e2e import bombs
from tests.e2e.conftest import copy_of
from tests.e2e.papers import CONSULTATION, LETTER, cda, discharge_letter, pdf, published
from tests.e2e.processes import Server
from tests.e2e.worlds import LOCAL, World, opened

FHIR = {"Content-Type": "application/fhir+json"}
NASTY = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&lt;{{7*7}}%(x)s"


@dataclass
class Site:
    """A served world."""

    world: World
    server: Server

    @property
    def subject(self) -> dict[str, str]:
        """The person whose record is in use."""
        return {"reference": f"Patient/{self.world.persons[0].id}"}

    def http(self, name: str = "hospital") -> httpx.AsyncClient:
        """A client of the API."""
        headers = {**self.world.bearer(name), **FHIR}
        return httpx.AsyncClient(base_url=self.server.base, headers=headers, timeout=120)

    def browser(self, name: str) -> httpx.AsyncClient:
        """A client that carries somebody's session, as a browser would."""
        cookies = {COOKIE: self.world.cookies[name], "esante_lang": "en"}
        return httpx.AsyncClient(base_url=self.server.base, cookies=cookies, timeout=120)

    def letter(self, text: str = "", **more: Any) -> dict[str, Any]:
        """A right deposit of a text."""
        return published(self.subject, (text or uuid4().hex).encode(), **more)

    async def documents(self, person: int = 0) -> list[dict[str, Any]]:
        """What is in a record, as the patient or the hospital sees it."""
        url = f"/fhir/DocumentReference?patient=Patient/{self.world.persons[person].id}&_count=200"
        async with self.http() as http:
            page = (await http.get(url)).raise_for_status().json()
        return [entry["resource"] for entry in page.get("entry", [])]


@pytest.fixture(scope="module")
def site(template: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A small world that is served, and whose server has not ended when all is over."""
    world = copy_of(template, tmp_path_factory.mktemp("faults") / "data")
    server = Server(world.data, ESANTE_DEMO="1").start()
    yield Site(world, server)
    assert httpx.get(f"{server.base}/health", timeout=60).status_code == 200
    assert server.stop() in (0, -signal.SIGTERM)


def assert_clear(answer: httpx.Response, status: int, *, place: bool = True) -> None:
    """An OperationOutcome that says what is wrong, where, and what to do, and nothing of the inside or of others."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/fhir+json"
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    for issue in outcome["issue"]:
        assert issue["severity"] in ("error", "fatal", "warning")
        assert issue["code"]
        assert re.fullmatch(r"\S+( \S+){3,}[.:)]", issue["diagnostics"]), issue  # in words
        if place and issue["severity"] != "warning":
            assert issue.get("expression") or issue.get("extension"), issue  # the element, or line and column
    assert_discreet(answer)


def assert_discreet(answer: httpx.Response) -> None:
    """No trace of the program, of the machine, or of another person."""
    for inside in ("Traceback", 'File "', "asyncpg", "/src/", "site-packages", "SELECT ", "Weber1", "root:x:"):
        assert inside not in answer.text


def edited(reference: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**reference, **changes}


def attached(reference: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The DocumentReference with another attachment."""
    attachment = {**reference["content"][0]["attachment"], **changes}
    return {**reference, "content": [{"attachment": attachment}]}


def typed(code: str, system: str = "http://loinc.org") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


WRONG_FIELDS: dict[str, tuple[int, dict[str, Any]]] = {
    "a type that LOINC has not": (422, {"type": typed("99999-9")}),
    "a type of another system": (422, {"type": typed("18842-5", "http://snomed.info/sct")}),
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
async def test_a_wrong_field_is_named_and_nothing_is_kept(site: Site, fault: str) -> None:
    status, changes = WRONG_FIELDS[fault]
    given = {name: value for name, value in edited(site.letter(), **changes).items() if value is not None}
    before = len(await site.documents())
    async with site.http() as http:
        assert_clear(await http.post("/fhir/DocumentReference", json=given), status, place=status != 404)
    assert len(await site.documents()) == before


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
async def test_a_wrong_attachment_is_named_and_nothing_is_kept(site: Site, fault: str) -> None:
    given = attached(site.letter(), **WRONG_ATTACHMENTS[fault])
    before = len(await site.documents())
    async with site.http() as http:
        assert_clear(await http.post("/fhir/DocumentReference", json=given), 422)
    assert len(await site.documents()) == before


def wrong_bodies(right: bytes) -> dict[str, bytes]:
    """Bodies that cannot be read, each in a way of its own."""
    return {
        "empty": b"",
        "half": right[: len(right) // 2],
        "no JSON": b"<xml/>",
        "a list": b"[]",
        "not UTF-8": b'{"resourceType":"\xff"}',
        "a lone surrogate": right.replace(b'"Courrier"', b'"\\ud800"'),
        "10,000 deep": b'{"resourceType":"DocumentReference","a":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        "10,000 objects deep": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        "a key twice": right.replace(b'"status"', b'"status":"current","status"', 1),
        "endless digits": b'{"resourceType":"DocumentReference","size":' + b"9" * 100_000 + b"}",
        "not a number": right.replace(b'"current"', b"NaN", 1),
        "another resource": b'{"resourceType":"Patient"}',
    }


@pytest.mark.parametrize("fault", list(wrong_bodies(b'"status""current""Courrier"')))
@pytest.mark.parametrize("path", ["/fhir/DocumentReference", "/fhir"])
async def test_a_body_that_cannot_be_read_is_refused(site: Site, path: str, fault: str) -> None:
    body = wrong_bodies(json.dumps(site.letter()).encode())[fault]
    async with site.http() as http:
        answer = await http.post(path, content=body)
    assert answer.status_code in (400, 422)
    assert_clear(answer, answer.status_code, place=False)


async def test_other_media_types_and_methods_are_refused(site: Site) -> None:
    async with site.http() as http:
        text = {"Content-Type": "text/plain"}
        xml = {"Content-Type": "application/fhir+xml"}
        for path in ("/fhir", "/fhir/DocumentReference", "/fhir/Observation", "/fhir/$validate"):
            for other in (text, xml):
                assert_clear(await http.post(path, content=b"<x/>", headers=other), 415)
        for path in ("/fhir/metadata", "/fhir/Observation", "/fhir/Patient", "/fhir/DocumentReference/x"):
            assert_clear(await http.get(path, headers={"Accept": "application/fhir+xml"}), 406)
            assert_clear(await http.get(path, params={"_format": "xml"}), 406)
        for method, path in (("DELETE", "/fhir/DocumentReference/x"), ("PATCH", "/fhir/Patient"), ("TRACE", "/fhir")):
            answer = await http.request(method, path)
            assert answer.status_code in (404, 405)
            assert_discreet(answer)


async def test_a_body_that_breaks_off_leaves_nothing_behind(site: Site) -> None:
    before = len(await site.documents())
    body = json.dumps(site.letter()).encode()
    head = f"POST /fhir/DocumentReference HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {site.world.tokens['hospital']}"
    head += f"\r\nContent-Type: application/fhir+json\r\nContent-Length: {len(body)}\r\n\r\n"
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", site.server.port)) as connection:
            connection.sendall(head.encode() + body[:-10])
    await asyncio.sleep(0.3)
    assert len(await site.documents()) == before
    assert "Traceback" not in site.server.log


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("path", ["/fhir/DocumentReference", "/fhir", "/oauth/token", "/patients/{}/deposit"])
async def test_200_megabytes_are_refused_while_they_are_being_sent(site: Site, path: str, *, declared: bool) -> None:
    before = site.server.memory()
    path = path.format(site.world.persons[0].id)
    kind = "application/x-www-form-urlencoded" if path in ("/oauth/token",) else "application/fhir+json"
    kind = "multipart/form-data; boundary=x" if path.startswith("/patients") else kind
    length = "Content-Length: 209715200" if declared else "Transfer-Encoding: chunked"
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {site.world.tokens['hospital']}\r\n"
        f"Cookie: {COOKIE}={site.world.cookies['doctor']}\r\nContent-Type: {kind}\r\n{length}\r\n\r\n"
    )
    answer, sent = await asyncio.to_thread(pour, site.server.port, head.encode(), chunked=not declared)
    assert answer.startswith(b"HTTP/1.1 413"), answer
    assert sent < 100_000_000
    assert site.server.memory() - before < 250_000_000


def pour(port: int, head: bytes, *, chunked: bool) -> tuple[bytes, int]:
    """Send up to 200 MB until the server answers; gives its answer and how much was sent."""
    block = b" " * 65_536
    piece = b"10000\r\n" + block + b"\r\n" if chunked else block
    sent = 0
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(head)
        connection.setblocking(False)
        deadline = time.monotonic() + 60
        while sent < 200 * 1024 * 1024 and time.monotonic() < deadline:
            with contextlib.suppress(BlockingIOError):
                answer = connection.recv(1_000)
                return answer, sent
            try:
                sent += connection.send(piece[sent % len(piece) :])
            except BlockingIOError:
                time.sleep(0.001)
            except OSError:
                break
        connection.settimeout(10)
        return connection.recv(1_000), sent


BOMBS = {
    "billion laughs": ("application/hl7-cda+xml", lambda: cda("&a9;", doctype=bombs.BILLION_LAUGHS), 422),
    "a local file": ("application/hl7-cda+xml", lambda: cda("&file;", doctype=bombs.LOCAL_FILE), 422),
    "a PDF of 200 megabytes": ("application/pdf", lambda: bombs.flate_bomb(200_000_000), 201),
    "a page of a million inches": ("application/pdf", bombs.huge_page, 201),
    "endless pages": ("application/pdf", bombs.endless_pages, None),
    "a PDF with programs": ("application/pdf", bombs.programs, 201),
    "a picture of ten gigapixels": ("image/png", bombs.huge_picture, 422),
    "XML 100,000 deep": ("application/hl7-cda+xml", lambda: cda("<list><item>" * 50_000), 422),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_a_document_that_would_burst_is_refused_or_shown_without_harm(site: Site, name: str) -> None:
    media_type, make, status = BOMBS[name]
    before = site.server.memory()
    given = published(site.subject, make(), title=name, type_=CONSULTATION, media_type=media_type)
    async with site.http() as http, site.browser("patient") as browser:
        answer = await http.post("/fhir/DocumentReference", json=given)
        assert_discreet(answer)
        assert answer.status_code in ((status,) if status else (201, 422)), answer.text
        if answer.status_code == 422:
            assert_clear(answer, 422)
        else:
            page = f"/record/{answer.json()['id'][32:]}"
            for path in (page, f"{page}/pages/1.png", f"{page}/original"):
                shown = await browser.get(path)
                assert shown.status_code in (200, 404, 422)
                assert_discreet(shown)
    assert site.server.memory() - before < 400_000_000


async def test_html_in_any_field_is_shown_as_text(site: Site) -> None:
    about = {"identifier": [{"system": LOCAL, "value": "person-0"}], "name": [{"family": NASTY, "given": [NASTY]}]}
    letter = discharge_letter(about, NASTY, title=NASTY, family=NASTY)
    section = letter["entry"][0]["resource"]["section"][0]
    section["title"] = NASTY
    section["text"]["div"] = '<div xmlns="http://www.w3.org/1999/xhtml"><p title="x">&lt;script&gt;alert(3)</p></div>'
    given = [
        published(
            site.subject, json.dumps(letter).encode(), title=NASTY, type_="18842-5", media_type="application/fhir+json"
        ),
        published(site.subject, NASTY.encode(), title=NASTY, type_=LETTER),
        published(
            site.subject,
            cda("&lt;script&gt;", title="&lt;script&gt;alert(4)"),
            title=NASTY,
            type_="34133-9",
            media_type="application/hl7-cda+xml",
        ),
        published(site.subject, pdf(NASTY), title=NASTY, type_=CONSULTATION, media_type="application/pdf"),
    ]
    paths = [
        "/record",
        "/record?q=" + NASTY,
        "/notices",
        "/",
        "/log?q=" + NASTY,
        "/sharing/people?for=circle&q=" + NASTY,
    ]
    async with site.http() as http:
        for reference in given:
            answer = await http.post("/fhir/DocumentReference", json=reference)
            assert answer.status_code == 201, answer.text
            paths.append(f"/record/{answer.json()['id'][32:]}")
    async with site.browser("patient") as browser:
        token = await form_token(browser, "/record/note")
        note = {"_csrf": token, "title": NASTY, "text": NASTY, "level": "normal"}
        answer = await browser.post("/record/note", data=note)
        assert answer.status_code == 303
        paths.append(answer.headers["location"])
        for path in paths:
            answer = await browser.get(path)
            assert answer.status_code == 200, path
            assert_inert(answer)
            if path.startswith("/record"):
                assert "<script>alert(1)</script>" in "".join(html.fromstring(answer.text).itertext()), path


def assert_inert(answer: httpx.Response) -> None:
    """Nothing in the page acts but our own two scripts."""
    page = html.fromstring(answer.text)
    assert {script.get("src") for script in page.iter("script")} == {"/static/vendor/htmx.min.js", "/static/app.js"}
    assert not [script for script in page.iter("script") if (script.text or "").strip()]
    for element in page.iter():
        if isinstance(element.tag, str):
            assert element.tag not in ("iframe", "object", "embed", "base", "style")
            assert not [name for name in element.attrib if name.startswith("on") or name == "style"], element.attrib
            assert not str(element.get("href", "")).lower().startswith(("javascript:", "data:"))
            if element.tag == "img":
                assert element.get("src", "").startswith(("/record/", "/patients/", "/static/"))


async def form_token(browser: httpx.AsyncClient, path: str) -> str:
    """The token of the forms on a page."""
    found = re.search(r'name="_csrf" value="([^"]+)"', (await browser.get(path)).text)
    assert found
    return found[1]


async def test_the_same_bytes_at_once_are_one_document(site: Site) -> None:
    given = site.letter()
    before = len(await site.documents())
    async with site.http() as http:
        answers = await asyncio.gather(*(http.post("/fhir/DocumentReference", json=given) for _ in range(24)))
    assert sorted(answer.status_code for answer in answers) == [200] * 23 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(await site.documents()) == before + 1


async def test_a_closed_record_takes_nothing_in_and_shows_nothing(template: World, tmp_path: Path) -> None:
    world = copy_of(template, tmp_path / "data")
    with Server(world.data) as server:
        site = Site(world, server)
        async with site.http() as http, site.http("doctor") as doctor, site.browser("patient") as browser:
            assert (await http.post("/fhir/DocumentReference", json=site.letter())).status_code == 201
            token = await form_token(browser, "/sharing")
            assert (await browser.post("/sharing/close", data={"_csrf": token})).status_code == 303
            assert_clear(await http.post("/fhir/DocumentReference", json=site.letter()), 403, place=False)
            url = f"/fhir/DocumentReference?patient=Patient/{world.persons[0].id}"
            assert "entry" not in (await doctor.get(url)).json()
            assert (await browser.post("/sharing/code", data={"_csrf": token, "hours": "24"})).status_code == 409
            token = await form_token(browser, "/sharing")
            assert (await browser.post("/sharing/reopen", data={"_csrf": token})).status_code == 303
            assert (await http.post("/fhir/DocumentReference", json=site.letter())).status_code == 201


async def test_codes_that_are_wrong_used_or_expired_are_refused_alike_and_guessing_is_slowed(
    template: World, tmp_path: Path
) -> None:
    world = copy_of(template, tmp_path / "data")
    with Server(world.data) as server:
        site = Site(world, server)
        async with site.browser("patient") as she, site.browser("doctor") as doctor, site.browser("surgeon") as other:
            token = await form_token(she, "/sharing")
            used, expired = [await code_of(she, token) for _ in range(2)]
            mine, his = await form_token(doctor, "/patients"), await form_token(other, "/patients")
            opened_record = await doctor.post("/patients/code", data={"_csrf": mine, "code": used})
            assert opened_record.status_code == 303
            assert opened_record.headers["location"] == f"/patients/{world.persons[0].id}"
            async with opened(world.data) as platform:
                await platform.db.fetch(
                    "UPDATE access_code SET expires_at = $1 WHERE used_at IS NULL RETURNING 1", await past(platform)
                )
            refusals = [
                await other.post("/patients/code", data={"_csrf": his, "code": code})
                for code in (used, expired, "AAAA-AAAA", "", "x" * 5_000, "'; DROP TABLE access_code; --", NASTY)
            ]
            assert {answer.status_code for answer in refusals} == {404}
            assert len({answer.text for answer in refusals}) == 1
            assert "This code does not serve." in refusals[0].text
            assert used not in refusals[0].text
            for _ in range(10):
                slowed = await other.post("/patients/code", data={"_csrf": his, "code": "AAAA-AAAA"})
            assert slowed.status_code == 429
            assert slowed.headers["retry-after"].isdigit()
            for secret in (used, expired):
                assert secret not in server.log
                assert secret.replace("-", "") not in server.log


async def past(platform: Any) -> Any:
    """A moment that has passed."""
    return await platform.db.fetchval("SELECT now()") - timedelta(seconds=1)


async def code_of(she: httpx.AsyncClient, token: str) -> str:
    """A new presence code, as her page shows it."""
    answer = await she.post("/sharing/code", data={"_csrf": token, "hours": "24"})
    found = re.search(r'class="code"[^>]*>([A-Z0-9]{4}-[A-Z0-9]{4})<', answer.text)
    assert found
    return found[1]


async def test_an_emergency_with_wrong_data_opens_nothing(site: Site) -> None:
    async with site.browser("surgeon") as surgeon:
        token = await form_token(surgeon, "/emergency")
        right = {
            "identifier": "person-3",
            "birth_date": "1980-05-17",
            "reason": "Unconscious after a fall",
            "confirmed": "yes",
        }
        wrongs = [
            {"identifier": "1980051700000"},
            {"birth_date": "1980-05-18"},
            {"birth_date": "yesterday"},
            {"reason": "short"},
            {"reason": "x" * 5_000},
            {"confirmed": ""},
            {"identifier": "a\u0000b"},
        ]
        for wrong in wrongs:
            answer = await surgeon.post("/emergency", data={"_csrf": token, **right, **wrong})
            assert answer.status_code in (400, 404), wrong
            assert "error" in answer.text or "callout" in answer.text
            assert_discreet(answer)
        assert (await surgeon.get(f"/patients/{site.world.persons[3].id}")).status_code == 404


STRANGE = [
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
QUERIES = [
    "_count=-1",
    "_count=x",
    "_count=99999999999",
    "_cursor=x",
    "_cursor=W10",
    "date=x",
    "date=gt",
    "period=2024-13-45",
]
QUERIES += [
    "status=x",
    "type=%00",
    "identifier=%00|%00",
    "author=%00",
    "author.family=%00",
    "_lastUpdated=9999-12-31T23:59:60Z",
]
QUERIES += [
    "patient:missing=true",
    "_sort=x",
    "date=0000",
    "type=|",
    "identifier=|",
    "_id=%00",
    "format=%ff",
    "_count=0&_cursor=bnVsbA",
]


async def test_strange_addresses_are_answered_in_order(site: Site) -> None:
    person = site.world.persons[0].id
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
    asked = [(name, f"{path}/{strange}") for path in read for strange in STRANGE for name in ("hospital",)]
    asked += [("hospital", f"{path}?patient=Patient/{person}&{query}") for path in read[:2] for query in QUERIES]
    asked += [("patient", f"/fhir/AuditEvent?patient=Patient/{person}&{query}") for query in QUERIES]
    asked += [
        ("hospital", f"/fhir/{name}?{query}")
        for name in ("Patient", "Practitioner", "Organization")
        for query in (*QUERIES, "name=%00", "family=%00", "identifier=x")
    ]
    async with site.http("hospital") as hospital, site.http("patient") as patient:
        for name, path in asked:
            answer = await (hospital if name == "hospital" else patient).get(path)
            assert answer.status_code < 500, f"{path}: {answer.text}"
            assert_discreet(answer)
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
    for who in ("patient", "surgeon", "operator"):
        async with site.browser(who) as browser:
            for path in [f"{page}/{strange}" for page in pages for strange in STRANGE] + [
                f"{home}?{one}" for home in homes for one in parameters
            ]:
                answer = await browser.get(path)
                assert answer.status_code < 500, f"{who} {path}: {answer.text[:500]}"
                assert_discreet(answer)
                assert "evil.example" not in answer.headers.get("location", "")


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


@pytest.mark.parametrize(("who", "path", "form"), FORMS)
async def test_a_form_without_the_sessions_token_is_refused(
    site: Site, who: str, path: str, form: dict[str, str]
) -> None:
    async with site.browser(who) as browser, site.browser("doctor") as stranger:
        theirs = await form_token(stranger, "/patients")
        for token in ({}, {"_csrf": ""}, {"_csrf": "x"}, {"_csrf": theirs}):
            answer = await browser.post(path, data={**form, **token})
            assert answer.status_code == 403, path
            assert_discreet(answer)
    async with httpx.AsyncClient(base_url=site.server.base, timeout=60) as nobody:
        answer = await nobody.post(path, data=form)
        assert answer.status_code == 303
        assert answer.headers["location"] == "/signin"


async def test_a_session_changes_nothing_over_the_api_without_its_token(site: Site) -> None:
    async with site.browser("surgeon") as browser:
        answer = await browser.post("/fhir/DocumentReference", json=site.letter(), headers=FHIR)
        assert_clear(answer, 403, place=False)


async def test_the_session_cookie_is_kept_from_scripts_and_other_sites(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.server.base, timeout=60) as http:
        for secure in (False, True):
            headers = {"X-Forwarded-Proto": "https"} if secure else {}
            answer = await http.get("/lang/de?next=/signin", headers=headers)
            assert_cookie(answer.headers["set-cookie"], secure=secure)
    async with site.browser("operator") as browser:
        token = await form_token(browser, "/")
        answer = await browser.post("/signout", data={"_csrf": token})
        assert "Max-Age=0" in answer.headers["set-cookie"]
        assert (await browser.get("/operator/journal")).status_code == 303


def assert_cookie(cookie: str, *, secure: bool) -> None:
    parts = {part.strip().lower() for part in cookie.split(";")}
    assert {"httponly", "samesite=lax", "path=/"} <= parts
    assert ("secure" in parts) == secure


async def test_every_answer_tells_the_browser_what_not_to_do(site: Site) -> None:
    person = site.world.persons[0].id
    for who, paths in {
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
        async with site.browser(who) as browser:
            for path in paths:
                answer = await browser.get(path)
                policy = answer.headers["content-security-policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy
                assert "frame-ancestors 'none'" in policy
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["referrer-policy"] == "same-origin"
                if not path.startswith("/static"):
                    assert "no-store" in answer.headers["cache-control"]
                assert "server" not in answer.headers


async def test_tokens_that_are_none_open_nothing(site: Site) -> None:
    good = site.world.tokens["hospital"]
    async with httpx.AsyncClient(base_url=site.server.base, timeout=60) as http:
        for value in ("", "Bearer", "Bearer x", f"Basic {good}", f"Bearer {good[:-1]}", f"Bearer {good}x"):
            answer = await http.get("/fhir/Patient?identifier=x", headers={"Authorization": value})
            assert_clear(answer, 401, place=False)
            assert "Bearer" in answer.headers["www-authenticate"]
        assert (await http.get(f"/fhir/Patient?identifier=x&access_token={good}")).status_code == 401


async def test_nothing_secret_or_personal_stands_in_the_servers_log(site: Site) -> None:
    """The last test of the file: what all of the above left in the log."""
    log = site.server.log
    for name in site.world.tokens:
        assert site.world.tokens[name] not in log
        assert site.world.cookies[name] not in log
    for text in ("Traceback", "fault ", "Weber", "person-", "Kieffer", "alert(", "csrf"):
        assert text not in log, log[-3_000:]

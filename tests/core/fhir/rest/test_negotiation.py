"""Negotiation of the response format: JSON for clients that accept it, 406 for others."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from esante.core.fhir import check, decode
from esante.core.fhir.rest import FORMATS, ContentNegotiation, convert_posted_search
from esante.core.fhir.rest.negotiation import parse_accept
from esante.core.web import FHIR_JSON, HANDLERS, Problem

BODY = b'{"resourceType":"Basic","code":{"text":"a"},"extension":[{"url":"urn:x","valueDecimal":1.500}]}'
ACTS: list[str] = []


async def act(request: Request) -> Response:
    ACTS.append(request.method)
    if request.url.path.endswith("_search"):
        await convert_posted_search(request)
    name = request.path_params.get("name", "")
    headers = {"Content-Digest": "x"} if name == "document" else {}
    if name == "stream":
        return StreamingResponse(iter([BODY[:9], BODY[9:]]), media_type=FHIR_JSON)
    if name == "Binary":
        return Response(b"%PDF", media_type="application/pdf")
    return Response(b"" if name == "nothing" else BODY, 204 if name == "nothing" else 200, headers, FHIR_JSON)


@pytest.fixture
async def http():
    routes = [
        Route("/fhir", act, methods=["POST"]),
        Route("/fhir/{name}", act, methods=["GET", "POST"]),
        Route("/fhir/{name}/{id}", act, methods=["GET", "POST"]),
        Route("/page", act),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(ContentNegotiation)], exception_handlers=HANDLERS)
    ACTS.clear()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x.test") as client:
        yield client


FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", FHIR_JSON),
        ("*/*", FHIR_JSON),
        (FIREFOX, FHIR_JSON),
        ("application/fhir+json", FHIR_JSON),
        ("Application/FHIR+JSON; charset=utf-8", FHIR_JSON),
        ("application/fhir+json; fhirVersion=4.0", FHIR_JSON),
        ("application/json", "application/json"),
        ("text/json", "text/json"),
        ("application/*", FHIR_JSON),
        ("application/fhir+xml, application/fhir+json;q=0.1", FHIR_JSON),
        ("application/json;q=0.5, application/fhir+json", FHIR_JSON),
        ("application/json, text/plain, */*", "application/json"),
        ("application/json, application/fhir+json", "application/json"),
        ("application/fhir+xml;q=0.9, */*;q=0.1", FHIR_JSON),
    ],
)
async def test_accepted_json_has_the_requested_media_type(http, accept, media_type):
    answer = await http.get("/fhir/Basic", headers={"Accept": accept})
    assert (answer.status_code, answer.content) == (200, BODY)
    assert answer.headers["content-type"].partition(";")[0] == media_type


@pytest.mark.parametrize(
    "accept",
    [
        "application/fhir+xml",
        "application/xml",
        "text/html",
        "text/turtle",
        "application/fhir+json;q=0",
        "*/*;q=0.000",
        "application/fhir+json;q=x",
        "application/fhir+json; fhirVersion=5.0",
        "json",
        "x",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_unsupported_accept_gets_406_before_the_endpoint_runs(http, accept, method):
    answer = await http.request(method, "/fhir/Basic", headers={"Accept": accept})
    assert_refused(answer, "Accept")


def assert_refused(answer: httpx.Response, place: str) -> None:
    assert answer.status_code == 406
    assert check(answer.content, expect="OperationOutcome").ok
    [issue] = answer.json()["issue"]
    assert issue["expression"] == [place]
    assert "application/fhir+json" in issue["diagnostics"]
    assert ACTS == []


@pytest.mark.parametrize("name", [*FORMATS, "application/fhir json", "JSON", "application/fhir+json;charset=utf-8"])
async def test_format_parameter_overrides_accept(http, name):
    answer = await http.get("/fhir/Basic", params={"_format": name}, headers={"Accept": "application/fhir+xml"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] in FORMATS.values()


@pytest.mark.parametrize("name", ["xml", "application/fhir+xml", "ttl", "text/html", "html", "x", "\n", "é"])
async def test_unsupported_format_parameter_gets_406(http, name):
    assert_refused(await http.get("/fhir/Basic", params={"_format": name}), "_format")


async def test_posted_search_may_have_its_format_in_the_form(http):
    assert (await http.post("/fhir/Basic/_search", data={"_format": "json"})).status_code == 200
    answer = await http.post("/fhir/Basic/_search", data={"_format": "xml"})
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (406, ["_format"])


async def test_paths_with_other_formats_are_not_negotiated(http):
    for address in ("/fhir/Binary/1?_format=application/pdf", "/fhir/.well-known/smart-configuration", "/page"):
        assert (await http.get(address, headers={"Accept": "text/html"})).status_code == 200


@pytest.mark.parametrize("name", ["Basic", "stream"])
async def test_pretty_response_is_indented(http, name):
    answer = await http.get(f"/fhir/{name}?_pretty=true")
    assert b'\n  "code": {\n' in answer.content
    assert b"1.500" in answer.content
    assert decode(answer.content) == decode(BODY)
    assert int(answer.headers.get("content-length", len(answer.content))) == len(answer.content)
    assert (await http.get(f"/fhir/{name}?_pretty=false")).content == BODY


async def test_empty_response_and_document_are_not_indented(http):
    assert (await http.get("/fhir/nothing?_pretty=true")).content == b""
    document = await http.get("/fhir/document?_pretty=true&_format=application/json")
    assert (document.content, document.headers["content-type"]) == (BODY, FHIR_JSON)


@given(st.text(st.characters(codec="latin-1", exclude_characters="\0\r\n"), max_size=60))
def test_any_accept_header_is_supported_or_gets_406(accept):
    try:
        assert parse_accept(accept) in FORMATS.values()
    except Problem as problem:
        assert problem.status == 406

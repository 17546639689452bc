"""Cross-origin access: registered apps to the API, any site to the metadata, none to pages."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from esante.core.storage import Unavailable
from esante.core.web import HANDLERS, Cors, Problem, SecurityHeaders

OWN, OTHER = "https://app.example", "https://other.example"
API = ("/fhir", "/fhir/Patient", "/oauth/token", "/oauth/revoke", "/oauth/introspect")
METADATA = ("/fhir/metadata", "/.well-known/smart-configuration", "/fhir/.well-known/smart-configuration")
PAGES = ("/", "/oauth/authorize", "/oauth/authorize/decision", "/sharing", "/fhirx", "/well-known/x")


@pytest.fixture
async def http():
    async def answer(request):
        if "refuse" in request.query_params:
            raise Problem(401, "login", "You are not signed in.")
        return PlainTextResponse("x", headers={"ETag": '"1"'})

    async def knows(origin):
        if origin == "https://down.example":
            raise Unavailable("gone")
        return origin == OWN

    app = Starlette(
        routes=[Route("/{path:path}", answer, methods=["GET", "POST", "PUT"])],
        middleware=[Middleware(SecurityHeaders), Middleware(Cors)],
        exception_handlers=HANDLERS,
    )
    app.state.knows_origin = knows
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://esante.example") as found:
        yield found


def preflight(http, path, origin, method="POST"):
    headers = {"Origin": origin, "Access-Control-Request-Method": method}
    return http.request("OPTIONS", path, headers=headers)


@pytest.mark.parametrize("path", API)
async def test_registered_app_may_read_the_api(http, path):
    for query in ("", "?refuse"):
        answer = await http.get(path + query, headers={"Origin": OWN})
        assert answer.headers["access-control-allow-origin"] == OWN
        assert "ETag" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers
        assert "Origin" in answer.headers["vary"]
    preflighted = await preflight(http, path, OWN)
    assert (preflighted.status_code, preflighted.headers["access-control-allow-origin"]) == (204, OWN)
    assert "Authorization" in preflighted.headers["access-control-allow-headers"]
    assert "frame-ancestors" in preflighted.headers["content-security-policy"]


@pytest.mark.parametrize("path", API)
@pytest.mark.parametrize(
    "origin", [OTHER, "null", "https://app.example.evil.example", "https://down.example", "*", ""]
)
async def test_other_origins_may_not_read_the_api(http, path, origin):
    answer = await http.get(path, headers={"Origin": origin})
    assert "access-control-allow-origin" not in answer.headers
    assert "Origin" in answer.headers["vary"]
    preflighted = await preflight(http, path, origin)
    assert preflighted.status_code == 403
    assert "access-control-allow-origin" not in preflighted.headers


@pytest.mark.parametrize("path", METADATA)
async def test_any_origin_may_read_the_metadata(http, path):
    assert (await http.get(path, headers={"Origin": OTHER})).headers["access-control-allow-origin"] == "*"
    assert (await preflight(http, path, OTHER, "GET")).headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("path", PAGES)
async def test_pages_have_no_cors_headers(http, path):
    for answer in (await http.get(path, headers={"Origin": OWN}), await preflight(http, path, OWN)):
        assert not [name for name in answer.headers if name.startswith("access-control")]

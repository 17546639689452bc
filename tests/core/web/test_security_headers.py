"""Headers of every response, also of internal errors."""

import logging

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from esante.core.web import HANDLERS, SecurityHeaders, redirect


async def personal(request: Request) -> Response:
    return JSONResponse({"family": "Weber"})


async def failing(request: Request) -> Response:
    raise LookupError("Weber, born 1980-05-17")


async def redirecting(request: Request) -> Response:
    return redirect("/")


async def framed(request: Request) -> Response:
    return Response(headers={"Content-Security-Policy": "frame-ancestors 'self'", "Cache-Control": "max-age=60"})


@pytest.fixture
def app(tmp_path):
    (tmp_path / "app.css").write_text("p {}", encoding="utf-8")
    app = Starlette(
        routes=[
            Route("/fhir/Patient", personal),
            Route("/fhir/failing", failing),
            Route("/enter", redirecting),
            Route("/framed", framed),
            Mount("/static", StaticFiles(directory=tmp_path)),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers=HANDLERS,
    )
    app.state.secure = False
    return app


@pytest.fixture
async def client(app):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://esante.test") as client:
        yield client


@pytest.mark.parametrize("path", ["/fhir/Patient", "/fhir/failing", "/enter", "/fhir/nothing"])
async def test_responses_must_not_be_cached(client, path):
    assert (await client.get(path)).headers["cache-control"] == "no-store"


async def test_static_files_may_be_cached(client):
    assert "cache-control" not in (await client.get("/static/app.css")).headers


async def test_internal_error_has_all_headers_and_is_logged_once(client, caplog):
    with caplog.at_level(logging.ERROR):
        answer = await client.get("/fhir/failing")
    assert answer.status_code == 500
    assert "Weber" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert len(caplog.records) == 1


async def test_headers_that_a_response_sets_are_kept(client):
    headers = (await client.get("/framed")).headers
    assert headers.get_list("content-security-policy") == ["frame-ancestors 'self'"]
    assert headers.get_list("cache-control") == ["max-age=60"]
    assert headers["x-content-type-options"] == "nosniff"


async def test_strict_transport_security_only_where_the_platform_has_an_https_address(app, client):
    assert "strict-transport-security" not in (await client.get("/enter")).headers
    app.state.secure = True
    assert (await client.get("/enter")).headers["strict-transport-security"].startswith("max-age=")

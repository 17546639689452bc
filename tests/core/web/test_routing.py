"""Grouped routes answer as the same routes without groups."""

from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient

from esante.core.web import group_routes

PATHS = (
    "/",
    "/health",
    "/fhir",
    "/fhir/metadata",
    "/fhir/List",
    "/fhir/List/{id}",
    "/fhir/List/{id}/$check",
    "/fhir/{type}",
    "/fhir/{type}/{id}",
    "/record/{id}",
    "/records",
)


def all_routes() -> list[BaseRoute]:
    """Routes of which some answer GET and others POST, and a mount."""
    both = [(path, method) for path in PATHS for method in ("GET", "POST")[: 1 + len(path) % 2]]
    routes = [Route(path, _answer(path, method), methods=[method]) for path, method in both]
    return [*routes, Mount("/static", routes=[Route("/{name}", _answer("static", "GET"))])]


def _answer(path: str, method: str):  # type: ignore[no-untyped-def]
    async def answer(request: Request) -> Response:
        return PlainTextResponse(f"{method} {path} {dict(request.path_params)}")

    return answer


ungrouped = TestClient(Starlette(routes=all_routes()))
grouped = TestClient(Starlette(routes=group_routes(all_routes())))
segments = st.sampled_from(["fhir", "List", "metadata", "record", "records", "health", "static", "$check", "x", ""])


@given(st.lists(segments, max_size=5), st.sampled_from(["GET", "POST", "PUT", "HEAD"]))
def test_grouped_routes_answer_as_ungrouped_ones(path: list[str], method: str) -> None:
    url = "http://test/" + "/".join(path)
    one, other = (client.request(method, url, follow_redirects=False) for client in (ungrouped, grouped))
    assert (one.status_code, one.text, one.headers.get("allow")) == (
        other.status_code,
        other.text,
        other.headers.get("allow"),
    )

"""Errors as responses: an OperationOutcome, an OAuth error, a redirect; nothing else leaks."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from esante.core.storage import Overloaded, Unavailable
from esante.core.web import HANDLERS, Problem, bad_request, on_problem, problem_outcome, readable


async def respond(error, path):
    """The response of an application that raises an error."""

    async def fail(request):
        raise error

    routes = [Route("/only-get", PlainTextResponse("")), Route("/{path:path}", fail, methods=["GET"])]
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://esante.test") as client:
        return await client.get(path)


async def test_problem_of_fhir_is_an_operation_outcome_with_its_place():
    answer = await respond(bad_request("Patient.name", "This is wrong.", "Change it.", status=422), "/fhir/Patient")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/fhir+json")
    assert answer.json() == {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "error",
                "code": "invalid",
                "diagnostics": "This is wrong. Change it.",
                "expression": ["Patient.name"],
            }
        ],
    }


@pytest.mark.parametrize("path", ["/oauth/token", "/api/x", "/.well-known/x"])
async def test_problem_of_software_endpoints_is_an_oauth_error(path):
    answer = await respond(Problem(400, "invalid_grant", "This is wrong.", detail="x"), path)
    assert answer.json() == {"error": "invalid_grant", "error_description": "This is wrong. x"}


async def test_problem_of_a_page_with_a_location_is_a_redirect():
    answer = await respond(Problem(303, "login", "Sign in.", headers={"Location": "/signin"}), "/record")
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin")


@pytest.mark.parametrize(("error", "code"), [(Unavailable("gone"), "transient"), (Overloaded("full"), "throttled")])
async def test_unavailable_database_is_503_with_retry_after(error, code):
    answer = await respond(error, "/fhir/Patient")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["issue"][0]["code"] == code


async def test_internal_error_has_its_number_only():
    answer = await respond(LookupError("Weber"), "/fhir/Patient")
    assert answer.status_code == 500
    assert "Weber" not in answer.text


async def test_handler_raises_errors_of_other_kinds():
    with pytest.raises(ZeroDivisionError):
        await on_problem(None, ZeroDivisionError())


@pytest.mark.parametrize(
    ("text", "shown"), [("plain é", "plain é"), ("a\x1b[31mb", "a\ufffd[31mb"), ("a\nb", "a\ufffdb"), ("", "")]
)
def test_readable_replaces_control_characters(text, shown):
    assert readable(text) == shown
    assert shown in problem_outcome(Problem(400, "invalid", "T.", detail=text))["issue"][0]["diagnostics"]

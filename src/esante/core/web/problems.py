"""Errors of every HTTP endpoint: what is wrong, where, and the remedy.

Problem                 expected: the request is refused or invalid
storage.Unavailable     the database is not available: 503, retry
storage.Overloaded      too many writes wait: 503, retry
any other exception     an internal error: 500, logged with a number; the response has the number only
"""

import logging
import secrets
from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from esante.core.storage import Overloaded, Unavailable
from esante.core.types import Json
from esante.core.web.i18n import N_, translator
from esante.core.web.rendering import render

log = logging.getLogger(__name__)
FHIR_JSON = "application/fhir+json"


class Problem(Exception):
    """A request that is refused or invalid.

    `code` is a FHIR issue-type; `title` and `remedy` are msgids; `place` says where (a FHIRPath expression, a field,
    a parameter), `detail` what was found there, both passed through `readable`. It must not have data of other persons
    than the one of the request.
    """

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        *,
        detail: str = "",
        place: str = "",
        remedy: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(title)
        self.status, self.code, self.title = status, code, title
        self.detail, self.place, self.remedy = readable(detail), readable(place), remedy
        self.headers = dict(headers or {})


def bad_request(
    place: str, title: str, remedy: str = "", *, status: int = 400, code: str = "invalid", detail: str = ""
) -> Problem:
    """Return the refusal of a request for what is wrong at `place` (a parameter, a field, a FHIRPath expression).

    `title` and `remedy` are msgids; `status` is 400, or 422 for a resource that breaks a rule; `code` is a FHIR
    issue-type.
    """
    return Problem(status, code, title, place=place, remedy=remedy, detail=detail)


def readable(text: str) -> str:
    """Return the text with U+FFFD for characters that FHIR does not allow, or that control a terminal."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "\ufffd" for char in text)


NOT_FOUND = N_("We could not find what you are looking for.")
_OAUTH_PAGES = "/oauth/authorize"
"""The prefix of the OAuth pages; its other endpoints are for software."""
_FOR_SOFTWARE = ("/oauth/", "/api/", "/.well-known/", "/dicomweb")
_TITLES = {404: NOT_FOUND, 405: N_("You cannot do this here."), 413: N_("This file or request is too large.")}


async def on_problem(request: Request, error: Exception) -> Response:
    """Return the response for a `Problem`: an OperationOutcome, an OAuth error, a redirect or a page, by the path.

    Raises: `error` itself when it is no `Problem`.
    """
    if not isinstance(error, Problem):
        raise error
    if request.url.path.startswith("/fhir"):
        return JSONResponse(problem_outcome(error), error.status, headers=error.headers, media_type=FHIR_JSON)
    if request.url.path.startswith(_FOR_SOFTWARE) and not request.url.path.startswith(_OAUTH_PAGES):
        body = {"error": error.code, "error_description": _english_text(error)}
        return JSONResponse(body, error.status, headers=error.headers)
    if "Location" in error.headers:
        return RedirectResponse(error.headers["Location"], error.status)
    return await render(request, "problem.html", error.status, headers=error.headers, problem=error)


def problem_outcome(problem: Problem) -> Json:
    """Return the problem as a FHIR OperationOutcome."""
    issue: Json = {"severity": "error", "code": problem.code, "diagnostics": _english_text(problem)}
    if problem.place:
        issue["expression"] = [problem.place]
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _english_text(problem: Problem) -> str:
    _ = translator("en").gettext
    return " ".join(part for part in (_(problem.title), problem.detail, problem.remedy and _(problem.remedy)) if part)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Return the response for an error of the router (404, 405). Raises: `error` itself when it is of another kind."""
    if not isinstance(error, HTTPException):
        raise error
    title = _TITLES.get(error.status_code, HTTPStatus(error.status_code).phrase)
    code = {404: "not-found", 405: "not-supported"}.get(error.status_code, "invalid")
    return await on_problem(request, Problem(error.status_code, code, title, headers=error.headers))


async def on_unavailable(request: Request, error: Exception) -> Response:
    """Return the response 503 when the database is not available or overloaded: nothing was done, retry."""
    log.warning("%s %s: %s", request.method, request.url.path, error)
    code = "throttled" if isinstance(error, Overloaded) else "transient"
    title = N_("The service is not available at the moment.")
    remedy = N_("Nothing has been changed. Try again in a moment.")
    return await on_problem(request, Problem(503, code, title, remedy=remedy, headers={"Retry-After": "2"}))


async def on_fault(request: Request, error: Exception) -> Response:
    """Return the response 500 for an internal error: the log has the traceback, the response its number only."""
    if isinstance(error, ClientDisconnect):
        return Response(status_code=400)
    number = secrets.token_hex(4)
    log.error("internal error %s at %s %s", number, request.method, request.url.path, exc_info=error)
    title = N_("Something went wrong. The problem is on our side.")
    remedy = N_("Contact the helpdesk and give this number.")
    return await on_problem(request, Problem(500, "exception", title, detail=number, remedy=remedy))


HANDLERS = {
    Problem: on_problem,
    HTTPException: on_http_error,
    Unavailable: on_unavailable,
    Overloaded: on_unavailable,
    Exception: on_fault,
}

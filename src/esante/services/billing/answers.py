"""Answers of the interfaces for billing software: JSON, and refusals with place, remedy and every fault."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from esante.core.web import Problem, language_of, translator
from esante.services.billing.note.faults import BadNote, NoteFault
from esante.services.billing.pid.model import PidUnavailable

Endpoint = Callable[[Request], Awaitable[Response]]
NO_STORE = {"Cache-Control": "no-store"}


def answering(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint that answers a refusal in JSON, in the language of the request."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Problem as problem:
            return refusal(problem, language_of(request))

    return answer


def refusal(problem: Problem, language: str) -> Response:
    """Return a refusal: `error`, `error_description`, `place`, `remedy`, `detail`, and all `faults` of a note.

    `fallback`: the way that is left where immediate payment cannot be had.
    """
    text = translator(language).gettext
    body: dict[str, Any] = {
        "error": problem.code,
        "error_description": text(problem.title),
        "place": problem.place,
        "remedy": text(problem.remedy) if problem.remedy else "",
        "detail": problem.detail,
    }
    if isinstance(problem, PidUnavailable):
        body["fallback"] = dict(problem.hint)
    if isinstance(problem, BadNote):
        body["faults"] = [fault_json(one, language) for one in problem.faults]
    return JSONResponse(body, problem.status, headers={**NO_STORE, **problem.headers})


def fault_json(fault: NoteFault, language: str) -> dict[str, Any]:
    """Return a fault or remark in a language."""
    text = translator(language).gettext
    return {
        "place": fault.place,
        "line": fault.line,
        "text": text(fault.title),
        "remedy": text(fault.remedy) if fault.remedy else "",
        "detail": fault.detail,
    }

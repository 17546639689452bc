"""The parameters and bodies of requests of the REST service."""

import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

import orjson
from starlette.requests import Request

from esante.core import clock
from esante.core.storage import parse_uuid
from esante.core.web import N_, NOT_FOUND, Problem, bad_request
from esante.services.billing.ra.model import ConsentType

_SSN = re.compile(r"[0-9]{13}")
_MAX_SIZE = 100


def ssn_of(request: Request) -> str:
    """Return the matricule in the path. Raises: Problem 404 for what is none."""
    ssn: str = request.path_params["ssn"]
    if not _SSN.fullmatch(ssn):
        raise Problem(404, "not-found", NOT_FOUND)
    return ssn


def document_id_of(request: Request) -> UUID:
    """Return the UUID of the note in the path. Raises: Problem 404 for what is none."""
    try:
        return parse_uuid(request.path_params["idDocument"])
    except ValueError as error:
        raise Problem(404, "not-found", NOT_FOUND) from error


def day_of_query(request: Request, name: str) -> date | None:
    """Return the day of a parameter, None without it. Raises: Problem 400."""
    text = request.query_params.get(name)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise bad_request(name, N_("This is no day."), N_("Write it as 2026-01-31."), code="value") from error


def page_of(request: Request) -> tuple[int, int]:
    """Return the place of the first item and the size of a page (pages count from 0)."""
    found = []
    for name, otherwise, most in (("page", "0", 1_000_000), ("size", "20", _MAX_SIZE)):
        text = request.query_params.get(name, otherwise)
        least = 1 if name == "size" else 0
        if not (text.isascii() and text.isdigit() and len(text) <= 7 and least <= int(text) <= most):
            title = N_("This number is not allowed here.")
            raise bad_request(name, title, N_("Correct the value."), code="value", detail=f"{least}-{most}")
        found.append(int(text))
    number, size = found
    return number * size, size


def consent_type_of(text: Any) -> ConsentType:
    """Return a type of consent. Raises: Problem 400."""
    try:
        return ConsentType(text)
    except ValueError as error:
        detail = ", ".join(ConsentType)
        raise bad_request("type", N_("There is no such consent."), detail=detail, code="value") from error


def consent_of(body: bytes) -> tuple[ConsentType, datetime]:
    """Return type and end of a consent. Raises: Problem 400."""
    found = _object(body)
    try:
        until = datetime.fromisoformat(str(found.get("endAt", "")))
    except ValueError as error:
        raise bad_request("endAt", N_("This is no moment."), detail="2026-12-31T00:00:00Z", code="value") from error
    return consent_type_of(found.get("type")), until if until.tzinfo else until.replace(tzinfo=clock.now().tzinfo)


def report_of(body: bytes) -> tuple[str, UUID, UUID, Decimal, date]:
    """Return matricule, UUIDs of the note and at the insurance, amount and day. Raises: Problem 400."""
    found = _object(body)
    try:
        amount = Decimal(str(found["amount"]))
        if not (amount.is_finite() and 0 <= amount < 1_000_000 and amount == amount.quantize(Decimal("0.01"))):
            raise ValueError("amount")
        ids = parse_uuid(str(found["uuidPrestataire"])), parse_uuid(str(found["uuidSecu"]))
        return str(found["ssn"]), *ids, amount, date.fromisoformat(str(found["on"]))
    except (KeyError, ValueError, InvalidOperation) as error:
        title = N_("The report is not of the agreed form.")
        detail = "ssn, uuidPrestataire, uuidSecu, amount, on"
        raise bad_request("", title, N_("Correct the value."), detail=detail, code="structure") from error


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request("", N_("This request is not valid JSON."), code="structure") from error
    if not isinstance(found, dict):
        raise bad_request("", N_("This request is not valid JSON."), code="structure")
    return found

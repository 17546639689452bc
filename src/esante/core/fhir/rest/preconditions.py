"""Headers of conditional requests, and of the preferred content of a response.

Source: FHIR R4, "RESTful API", http.html: conditional read, managing resource contention, Prefer; RFC 9110.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from typing import Literal

from starlette.datastructures import Headers

from esante.core.web import N_, Problem

ReturnPreference = Literal["minimal", "representation", "OperationOutcome"]
_PREFERENCES: tuple[ReturnPreference, ...] = ("minimal", "representation", "OperationOutcome")


def etag(tag: str) -> str:
    """Return the ETag of a FHIR version id."""
    return f'W/"{tag}"'


def http_date(at: datetime) -> str:
    """Return a time in the format of HTTP, in whole seconds."""
    return _format_seconds(int(at.timestamp()))


@lru_cache(1024)
def _format_seconds(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def parse_etags(value: str | None) -> frozenset[str] | None:
    """Return the version ids in If-Match or If-None-Match; None without the header. `*` is returned as it is."""
    if value is None:
        return None
    return frozenset(part.strip().removeprefix("W/").strip('"') for part in value.split(","))


def is_not_modified(headers: Mapping[str, str], tag: str, since: datetime) -> bool:
    """Return whether the client of a read has this version already.

    If-None-Match takes precedence over If-Modified-Since.
    """
    if (known := parse_etags(headers.get("if-none-match"))) is not None:
        return tag in known or "*" in known
    limit = _parse_http_date(headers.get("if-modified-since", ""))
    return limit is not None and since.replace(microsecond=0) <= limit


def _parse_http_date(text: str) -> datetime | None:
    """Return a time of HTTP, or None: a date that is not valid is ignored (RFC 9110, section 13.1.3)."""
    try:
        parsed = parsedate_to_datetime(text)
        return parsed.replace(tzinfo=parsed.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, ArithmeticError, LookupError):  # for malformed ones it raises any of these
        return None


def require_match(if_match: str | None, tag: str) -> None:
    """Raise Problem 412 when If-Match names another version than the current one, `tag`."""
    known = parse_etags(if_match)
    if known is not None and "*" not in known and tag not in known:
        raise Problem(
            412,
            "conflict",
            N_("The resource was changed in the meantime."),
            place="If-Match",
            detail=f"The current version is {tag}.",
            remedy=N_("Read the resource again and change its current version."),
        )


def return_preference(headers: Headers) -> ReturnPreference:
    """Return what the response to a change shall contain (Prefer: return=...); by default the resource."""
    wanted = _preferences(headers).get("return")
    return next((known for known in _PREFERENCES if known == wanted), "representation")


def handling_preference(headers: Headers) -> Literal["strict", "lenient"] | None:
    """Return how parameters that are not understood are to be treated (Prefer: handling=...); None: as is usual."""
    match _preferences(headers).get("handling", "").lower():
        case "strict":
            return "strict"
        case "lenient":
            return "lenient"
    return None


def _preferences(headers: Headers) -> dict[str, str]:
    """Return the preferences of all headers Prefer, of which the first of a name counts (RFC 7240, 2)."""
    found: dict[str, str] = {}
    for part in ",".join(headers.getlist("prefer")).replace(";", ",").split(","):
        name, _, value = part.partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"'))
    return found

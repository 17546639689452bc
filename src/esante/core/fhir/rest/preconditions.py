"""What a request says beside its resource: which version it means, what it wants back.

Source: FHIR R4, "RESTful API", http.html: conditional read, managing resource contention, Prefer; RFC 9110.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from typing import Literal

from esante.core.web import N_, Problem

Wanted = Literal["minimal", "representation", "OperationOutcome"]
_WANTED: tuple[Wanted, ...] = ("minimal", "representation", "OperationOutcome")


def etag(tag: str) -> str:
    """The ETag of a FHIR version id."""
    return f'W/"{tag}"'


def http_date(at: datetime) -> str:
    """A moment as HTTP writes it, in whole seconds."""
    return _written(int(at.timestamp()))


@lru_cache(1024)
def _written(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def tags(value: str | None) -> frozenset[str] | None:
    """The version ids that If-Match or If-None-Match name; None without the header. `*` stands for itself."""
    if value is None:
        return None
    return frozenset(part.strip().removeprefix("W/").strip('"') for part in value.split(","))


def not_modified(headers: Mapping[str, str], tag: str, since: datetime) -> bool:
    """Whether the client of a read has this version already; If-None-Match goes before If-Modified-Since."""
    if (known := tags(headers.get("if-none-match"))) is not None:
        return tag in known or "*" in known
    try:
        limit = parsedate_to_datetime(headers.get("if-modified-since", ""))
    except ValueError:
        return False
    return since.replace(microsecond=0) <= limit.replace(tzinfo=limit.tzinfo or UTC)


def must_match(wanted: str | None, tag: str) -> None:
    """Problem 412 when If-Match names another version than the current one."""
    known = tags(wanted)
    if known is not None and "*" not in known and tag not in known:
        raise Problem(
            412,
            "conflict",
            N_("The resource was changed in the meantime."),
            place="If-Match",
            detail=f"Its version is {tag}.",
            remedy=N_("Read it again, and change its current version."),
        )


def preference(headers: Mapping[str, str]) -> Wanted:
    """What the answer to a change shall hold; without a word: the resource."""
    for part in headers.get("prefer", "").replace(";", ",").split(","):
        name, _, value = part.strip().partition("=")
        if name == "return":
            return next((one for one in _WANTED if one == value.strip('"')), "representation")
    return "representation"

"""Media types of DICOMweb: what a request accepts, and what it sends (PS3.18, 8.7)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from starlette.requests import Request

from esante.core.web import N_, Problem

DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
JSON = "application/json"
OCTETS = "application/octet-stream"
ZIP = "application/zip"
RELATED = "multipart/related"
MAX_ACCEPT = 4_096
_PARAMETER = re.compile(r';\s*([\w!#$&^.+-]+)\s*=\s*(?:"([^"]*)"|([^\s;,"]*))\s*')
_ITEM = re.compile(r'(?:[^,"]|"[^"]*")+')


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type; `parts`: of a multipart one, that of its parts.

    `syntax`: the transfer syntax, "" where none is named.
    """

    name: str
    parts: str = ""
    syntax: str = ""
    quality: float = 1.0

    @property
    def is_related(self) -> bool:
        """Whether it is multipart/related."""
        return self.name == RELATED

    def covers(self, media_type: str) -> bool:
        """Return whether the (part) media type is, or is a range that has, another one."""
        named = self.parts if self.is_related else self.name
        return named in ("", "*/*", media_type) or (named.endswith("/*") and media_type.startswith(named[:-1]))


def parse_media_type(text: str) -> tuple[str, Mapping[str, str]]:
    """Return the name of a media type in lower case, and its parameters."""
    name, _, _ = text.partition(";")
    parameters = {found[1].lower(): found[2] or found[3] or "" for found in _PARAMETER.finditer(text[len(name) :])}
    return name.strip().lower(), parameters


def accepted(request: Request) -> Sequence[MediaType]:
    """Return what a request accepts, the most preferred first; the parameter `accept` comes before the header."""
    text = ",".join(request.query_params.getlist("accept")) or ",".join(request.headers.getlist("accept"))
    if len(text) > MAX_ACCEPT:
        raise not_acceptable()
    return _parse_accept(text)


def require_json(request: Request) -> str:
    """Return the media type of a JSON answer. Raises: Problem 406 when the request does not accept one."""
    for one in accepted(request):
        for name in (DICOM_JSON, JSON):
            if not one.is_related and one.covers(name):
                return name
    raise not_acceptable(f"{DICOM_JSON} is offered.")


def not_acceptable(detail: str = "") -> Problem:
    """Return the refusal of a request that accepts nothing that can be sent."""
    return Problem(
        406,
        "not-supported",
        N_("The images cannot be sent in the requested format."),
        place="Accept",
        detail=detail,
        remedy=N_("Accept the transfer syntax in which they are stored: transfer-syntax=*."),
    )


def unsupported(detail: str = "") -> Problem:
    """Return the refusal of a body in a media type that is not taken in."""
    return Problem(
        415,
        "not-supported",
        N_("Images must be sent as DICOM files."),
        place="Content-Type",
        detail=detail,
        remedy=N_('Send them as multipart/related; type="application/dicom".'),
    )


@lru_cache(maxsize=1_024)
def _parse_accept(text: str) -> Sequence[MediaType]:
    found = [_accepted(item.strip()) for item in _ITEM.findall(text) if item.strip()]
    return sorted(found, key=lambda one: -one.quality) or [MediaType("*/*")]


def _accepted(text: str) -> MediaType:
    name, parameters = parse_media_type(text)
    try:
        quality = float(parameters.get("q", "1"))
    except ValueError:
        quality = 0.0
    return MediaType(name, parameters.get("type", "").lower(), parameters.get("transfer-syntax", ""), quality)

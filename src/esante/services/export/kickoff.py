"""Parse the headers and parameters of a kick-off request.

Source: FHIR Bulk Data Access 2.0, "Bulk Data Kick-off Request"; RFC 7240 for Prefer.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from esante.core.fhir import check
from esante.core.web import N_, Problem, bad_request, readable

FORMATS = frozenset({"application/fhir+ndjson", "application/ndjson", "ndjson"})
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_VALUES = ("valueString", "valueCode", "valueInstant", "valueUri", "valueCanonical", "valueDateTime")
_MAX_NAME = 64
"""The most characters of an unknown name that are repeated in an answer."""
_MAX_IGNORED = 50
"""The most ignored parameters that are reported."""

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ExportParams:
    """The parameters of a kick-off: the resource types (None: all), the start in UTC, and what was ignored."""

    types: frozenset[str] | None
    since: datetime | None
    ignored: tuple[str, ...]


def prefers_lenient(prefer: Iterable[str]) -> bool:
    """Return whether the Prefer headers of a kick-off allow unknown parameters to be ignored (`handling=lenient`).

    Raises: `Problem` 400 unless they ask for an asynchronous answer, the only one there is.
    """
    preferences = {part.strip().lower() for header in prefer for part in re.split("[,;]", header)}
    if "respond-async" not in preferences:
        raise Problem(
            400,
            "required",
            N_("An export takes time to prepare, so the response is asynchronous."),
            place="Prefer",
            remedy=N_("Send the header Prefer: respond-async."),
        )
    return "handling=lenient" in preferences


def parse_parameters(body: bytes) -> Pairs:
    """Parse the body of a kick-off by POST. Raises: `Problem` 400 when it is not a Parameters resource."""
    found = check(body, expect="Parameters")
    if not found.ok:
        issue = next(issue for issue in found.issues if issue.severity in ("error", "fatal"))
        raise Problem(
            400,
            issue.code,
            N_("The parameters cannot be read."),
            detail=issue.diagnostics,
            place=issue.expression or "Parameters",
            remedy=N_("Send a Parameters resource."),
        )
    return [_parse_parameter(number, given) for number, given in enumerate(found.resource.get("parameter", ()))]


def _parse_parameter(number: int, given: Mapping[str, Any]) -> tuple[str, str]:
    value = next((given[name] for name in _VALUES if name in given), None)
    name = str(given["name"])
    if value is None and name in ("_type", "_since", "_outputFormat"):
        place = f"Parameters.parameter[{number}]"
        raise bad_request(place, N_("This parameter has no value."), N_("Send it with a valueString or valueInstant."))
    return name, str(value or "")


def parse_kickoff(pairs: Iterable[tuple[str, str]], *, lenient: bool, supported: Collection[str]) -> ExportParams:
    """Parse the parameters of a kick-off; `supported` are the resource types that the requester can export.

    Raises: `Problem` 400 for an invalid value; unless `lenient`, also for an unknown parameter or type.
    """
    types: list[str] = []
    since: list[str] = []
    ignored: list[str] = []
    for name, value in pairs:
        match name:
            case "_type":
                types += [part.strip() for part in value.split(",")]
            case "_since":
                since.append(value)
            case "_outputFormat":
                _check_format(value)
            case _:
                ignored.append(name[:_MAX_NAME])
    chosen = [type_ for type_ in types if type_ in supported]
    unknown = [type_[:_MAX_NAME] for type_ in types if type_ not in supported]
    if ignored and not lenient:
        remedy = N_("Leave it out, or send Prefer: handling=lenient to ignore it.")
        title = N_("This export parameter is not supported.")
        raise bad_request(ignored[0], title, remedy, code="not-supported")
    if unknown and not (lenient and chosen):
        raise bad_request(
            "_type",
            N_("Resources of this type cannot be exported."),
            N_("See /fhir/metadata for the available types."),
            code="not-supported",
            detail=", ".join(unknown[:10]),
        )
    # As they are shown, for they are stored with the export: PostgreSQL has no U+0000 and no lone surrogate.
    reported = dict.fromkeys(map(readable, [*ignored, *(f"_type={type_}" for type_ in unknown)]))
    return ExportParams(frozenset(chosen) if types else None, _parse_since(since), tuple(reported)[:_MAX_IGNORED])


def _check_format(value: str) -> None:
    if value.replace(" ", "+") not in FORMATS:  # a plus sign that was not encoded arrives as a space
        title, remedy = N_("This file format is not available."), N_("Request application/fhir+ndjson.")
        raise bad_request("_outputFormat", title, remedy, code="not-supported")


def _parse_since(values: list[str]) -> datetime | None:
    if len(values) > 1:
        raise bad_request("_since", N_("This parameter can only be used once."), N_("Send it only once."))
    if not values:
        return None
    text = values[0].replace(" ", "+")
    try:
        if not _INSTANT.fullmatch(text):
            raise ValueError(text)
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        remedy = N_("Use a date and time with its time zone: 2026-01-31T12:00:00Z.")
        raise bad_request("_since", N_("This is not a valid date and time."), remedy) from error

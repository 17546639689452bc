"""What a kick-off request asks for, from its headers and parameters.

Source: FHIR Bulk Data Access 2.0, "Bulk Data Kick-off Request"; RFC 7240 for Prefer.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from esante.core.fhir import check
from esante.core.web import N_, Problem

FORMATS = frozenset({"application/fhir+ndjson", "application/ndjson", "ndjson"})
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_VALUES = ("valueString", "valueCode", "valueInstant", "valueUri", "valueCanonical", "valueDateTime")
_SHOWN = 64
"""Characters of a name that was not understood, as it is told back."""

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Wish:
    """The types that are asked for (None: all there are), since when, and what was not understood."""

    types: frozenset[str] | None
    since: datetime | None
    ignored: tuple[str, ...]


def lenient(prefer: Iterable[str]) -> bool:
    """Whether what is not understood may be ignored, by the Prefer headers of a kick-off request.

    Problem 400 unless they ask for an asynchronous answer, the only one there is.
    """
    wanted = {part.strip().lower() for header in prefer for part in re.split("[,;]", header)}
    if "respond-async" not in wanted:
        raise Problem(
            400,
            "required",
            N_("An export is prepared while you wait: it cannot be answered at once."),
            place="Prefer",
            remedy=N_("Send the header Prefer: respond-async."),
        )
    return "handling=lenient" in wanted


def posted(body: bytes) -> Pairs:
    """The parameters in the body of a kick-off by POST; Problem 400 for what is no Parameters resource."""
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
    return [_pair(number, given) for number, given in enumerate(found.resource.get("parameter", ()))]


def _pair(number: int, given: Mapping[str, Any]) -> tuple[str, str]:
    value = next((given[name] for name in _VALUES if name in given), None)
    name = str(given["name"])
    if value is None and name in ("_type", "_since", "_outputFormat"):
        place = f"Parameters.parameter[{number}]"
        raise _bad(place, N_("This parameter has no value."), N_("Send it with a valueString or valueInstant."))
    return name, str(value or "")


def wish(pairs: Iterable[tuple[str, str]], *, lenient: bool, supported: Collection[str]) -> Wish:
    """What the parameters of a kick-off ask for; Problem 400 for what is wrong, and unless `lenient` for what is not
    understood or `supported`."""
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
                ignored.append(name[:_SHOWN])
    chosen = [type_ for type_ in types if type_ in supported]
    unknown = [type_[:_SHOWN] for type_ in types if type_ not in supported]
    if ignored and not lenient:
        remedy = N_("Leave it out, or send Prefer: handling=lenient to have it ignored.")
        raise _bad(ignored[0], N_("This parameter of an export is not supported."), remedy, "not-supported")
    if unknown and not (lenient and chosen):
        raise Problem(
            400,
            "not-supported",
            N_("Resources of this type are not exported."),
            place="_type",
            detail=", ".join(unknown[:10]),
            remedy=N_("See /fhir/metadata for the types there are."),
        )
    told = tuple(dict.fromkeys([*ignored, *(f"_type={type_}" for type_ in unknown)]))[:50]
    return Wish(frozenset(chosen) if types else None, _since(since), told)


def _check_format(value: str) -> None:
    if value.replace(" ", "+") not in FORMATS:  # a plus sign that was not encoded arrives as a space
        raise Problem(
            400,
            "not-supported",
            N_("Files of this format are not made."),
            place="_outputFormat",
            remedy=N_("Ask for application/fhir+ndjson."),
        )


def _since(values: list[str]) -> datetime | None:
    if len(values) > 1:
        raise _bad("_since", N_("This parameter may be given once."), N_("Give it once."))
    if not values:
        return None
    text = values[0].replace(" ", "+")
    try:
        if not _INSTANT.fullmatch(text):
            raise ValueError(text)
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        remedy = N_("Write it as a moment with its zone: 2026-01-31T12:00:00Z.")
        raise _bad("_since", N_("This is not a moment."), remedy) from error


def _bad(place: str, title: str, remedy: str, code: str = "invalid") -> Problem:
    return Problem(400, code, title, place=place, remedy=remedy)

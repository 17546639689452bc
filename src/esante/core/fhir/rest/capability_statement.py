"""The CapabilityStatement of the FHIR API (R4, capabilitystatement.html), merged from what each package declares."""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

from esante import __version__
from esante.core.fhir.rest.negotiation import FORMATS
from esante.core.fhir.rest.validate_operation import supported_profiles, validate_capability
from esante.core.types import Json

DATE = "2026-11-29"
"""The day on which the API last changed."""
_KEYS = ("code", "name", "url")
"""The keys that identify an entry of a list; an entry without any of them is identified by its whole content."""


def merge_capabilities(parts: Iterable[Json], url: str) -> Json:
    """Return the CapabilityStatement of the API at `url`.

    Each part may hold `resource`, `operation`, `interaction`, `security` and `compartment` (of `rest`),
    `instantiates`, `implementationGuide` and `patchFormat`. Resources of one type are merged: lists united, other
    values taken from the last part.
    """
    merged: Json = {}
    resources: dict[str, Json] = {}
    for part in parts:
        for resource in part.get("resource", ()):
            resources[resource["type"]] = _merged(resources.get(resource["type"], {}), resource)
        merged = _merged(merged, {key: value for key, value in part.items() if key != "resource"})
    rest = {key: merged.pop(key) for key in ("security", "interaction", "operation", "compartment") if key in merged}
    found = [_with_validation(resource) for resource in sorted(resources.values(), key=itemgetter("type"))]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": DATE,
        "kind": "instance",
        "fhirVersion": "4.0.1",
        "format": [*FORMATS],
        "software": {"name": "esante", "version": __version__},
        "implementation": {"description": "The shared care record of esante", "url": url},
        **merged,
        "rest": [{"mode": "server", **rest, "resource": found}],
    }


def _with_validation(resource: Json) -> Json:
    """Return a resource type with `$validate`, which every type has, and the profiles that are checked."""
    profiles = supported_profiles(resource["type"])
    known = {"supportedProfile": profiles} if profiles else {}
    return {**known, **resource, "operation": [*resource.get("operation", ()), validate_capability()]}


def _merged(first: Json, second: Json) -> Json:
    both = {**first, **second}
    for key in first.keys() & second.keys():
        if isinstance(first[key], list):
            both[key] = _united(first[key], second[key])
    return both


def _united(first: Sequence[Any], second: Sequence[Any]) -> list[Any]:
    found = {_identity(entry): entry for entry in first}
    return [*(found | {_identity(entry): entry for entry in second}).values()]


def _identity(entry: Any) -> object:
    if isinstance(entry, dict):
        return next((entry[key] for key in _KEYS if key in entry), repr(entry))
    return entry

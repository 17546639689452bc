"""What the checks of all kits share: their registration, and expectations that raise `Fault`."""

from collections.abc import Callable
from typing import Any

from esante.services.conformance.kits.model import Check, Fault
from esante.services.conformance.kits.session import Reply


class Checks(dict[str, Check]):
    """The checks of a kit by the id of their requirement; `of` registers one by a decorator."""

    def of(self, requirement: str) -> Callable[[Check], Check]:
        """Return a decorator that registers the check of a requirement."""

        def register(check: Check) -> Check:
            self[requirement] = check
            return check

        return register


def expect(condition: object, what: str, remedy: str) -> None:
    """Raise `Fault` unless a condition holds."""
    if not condition:
        raise Fault(what, remedy)


def expect_status(reply: Reply, *allowed: int, remedy: str) -> None:
    """Raise `Fault` unless an answer has one of the statuses."""
    wanted = " or ".join(map(str, allowed))
    expect(reply.status in allowed, f"The answer has the status {reply.status}, not {wanted}.", remedy)


def expect_resource(reply: Reply, *types: str) -> dict[str, Any]:
    """Return the FHIR resource of an answer. Raises: `Fault` for another type or media type."""
    media = reply.headers.get("content-type", "").partition(";")[0].strip()
    remedy = "Answer with application/fhir+json."
    expect(media in ("application/fhir+json", "application/json"), f"The answer has the media type {media!r}.", remedy)
    found = reply.json()
    kind = found.get("resourceType") if isinstance(found, dict) else None
    expect(kind in types, f"The answer is {kind!r}, not {' or '.join(types)}.", f"Answer with {' or '.join(types)}.")
    return dict(found)


def expect_outcome(reply: Reply) -> dict[str, Any]:
    """Return the OperationOutcome of a refusal. Raises: `Fault` when it says nothing."""
    outcome = expect_resource(reply, "OperationOutcome")
    issues = [one for one in outcome.get("issue", ()) if one.get("severity") in ("error", "fatal")]
    expect(issues, "The OperationOutcome has no issue of severity error.", "Say in an issue what is wrong.")
    return outcome


def entries(bundle: dict[str, Any], type_: str) -> list[dict[str, Any]]:
    """Return the resources of a type that match a search (Bundle.entry with search.mode match or none)."""
    found = []
    for entry in bundle.get("entry", ()):
        resource = entry.get("resource", {})
        if resource.get("resourceType") == type_ and entry.get("search", {}).get("mode", "match") == "match":
            found.append(resource)
    return found

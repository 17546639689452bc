"""The examples of the International Patient Summary, each checked against the profiles that it claims."""

import functools
from pathlib import Path
from typing import Any, NamedTuple

from esante.core.fhir import check, decode, encode
from esante.core.fhir.profiles import profile_headers

EXAMPLES = Path(__file__).parents[4] / "node_modules" / "hl7.fhir.uv.ips" / "example"

#: Examples that break what they claim, with the rule.
REJECTED: dict[str, str] = {}


class ProfileResults(NamedTuple):
    """The number of examples, the number of profiles that they claim, and the errors of those that do not fit."""

    files: int
    claims: int
    rejected: dict[str, str]


@functools.cache
def examples() -> dict[str, Any]:
    """Return the examples by file name."""
    return {file.stem: decode(file.read_bytes()) for file in sorted(EXAMPLES.glob("*.json"))}


@functools.cache
def check_examples() -> ProfileResults:
    """Check each example, and each resource in its entries, against the profiles that it claims."""
    known = {header.url for header in profile_headers()}
    claims, rejected = 0, {}
    for name, resource in examples().items():
        inner = [entry["resource"] for entry in resource.get("entry", ()) if "resource" in entry]
        for number, each in enumerate([resource, *inner]):
            claimed = [url for url in each.get("meta", {}).get("profile", ()) if url.partition("|")[0] in known]
            claims += len(claimed)
            for issue in check(encode(each), invariants=True, profile=claimed).issues:
                if issue.severity == "error":
                    where = f"{name} entry {number - 1}" if number else name
                    rejected[where] = f"{issue.expression}: {issue.diagnostics}"
    return ProfileResults(len(examples()), claims, rejected)

"""HL7's cases for validators (fhir-test-cases, folder `validator`), and those on which this one does not agree.

Compared is whether a resource is valid, not which errors it has: a case has one published outcome, that of HL7's own
validator with the options of the case. Each case that differs is listed here with the reason.
"""

import json
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from esante.core.fhir import check

VERSION = "1.7.64"
#: Cases for R4 in JSON that need no package, profile or supporting file, and have a published outcome.
COUNT = 230

_NEEDS_MORE = ("packages", "profiles", "logical", "package-map", "ips", "supporting")

TERMINOLOGY = "needs a terminology server"
DEFINITION = "needs the definition of an extension of others; R4 accepts extensions that are not known (2.4)"
OPTION = "needs an option of HL7's validator by which this is an error"
TOLERANCE = "needs an option of HL7's validator by which this is no error"

#: Cases that are invalid by the published outcome and valid here, and the other way round: the reason.
DIFFERENCES = {
    "sdoh-type-slice": f"{TERMINOLOGY}: a display of LOINC",
    "cvx": f"{TERMINOLOGY}: a display of CVX",
    "bundle-id-5": f"{TERMINOLOGY}: a display of CVX",
    "shc-cvx": f"{TERMINOLOGY}: codes of CVX",
    "uk-msg": f"{TERMINOLOGY}: displays and codes of the British edition of SNOMED CT",
    "vs-bad-ecl": f"{TERMINOLOGY}: an expression in the constraint language of SNOMED CT",
    "vs-bad-ecl-us": f"{TERMINOLOGY}: an expression in the constraint language of SNOMED CT",
    "obs-temp-bad": f"{TERMINOLOGY}: that a code of SNOMED CT is a body temperature, which has a profile",
    "obs-vs-1": f"{TERMINOLOGY}: that a code of LOINC is a blood pressure; the definition of an extension of others",
    "pat-dob-ext": DEFINITION,
    "target-ref-profile-empty": DEFINITION,
    "nested-questionnaire-nested-valueset": DEFINITION,
    "patient-with-turvakielto": DEFINITION,
    "pat-example-extensions": f"{OPTION}: addresses of examples",
    "dr-example-org": f"{OPTION}: addresses of examples",
    "pat-security-bad-string": f"{OPTION}: markup in a text (a warning here)",
    "bad-markdown-no-html": f"{OPTION}: markup in Markdown",
    "cs-narrative-status-pub": f"{OPTION}: publication by HL7",
    "parameters-reference-bad": f"{OPTION}: references that nothing resolves",
    "vs-params-2": "is about parameters of value sets, which R4 does not have (extension of HL7's tools)",
    "vs-params-4": "is about parameters of value sets, which R4 does not have (extension of HL7's tools)",
    "signatures-example-2": "needs the certificate of the signer; R4 leaves signatures to trial use",
    "encounter-period": "has a period from a day to a time on that day, which the text of per-1 allows; R5 corrected"
    " the expression",
    "contained-resource-bad-id-ignore": f"{TOLERANCE}: an id of 65 characters in an unused contained resource",
    "json-comments-1-yes": f"{TOLERANCE}: comments in JSON",
    "json-comments-2-yes": f"{TOLERANCE}: comments in JSON",
    "shc-bundle": "begins with a byte order mark, which RFC 8259 (8.1) forbids and lets a reader ignore; stored bytes"
    " must be JSON to every reader",
}


class ValidatorCase(NamedTuple):
    """One case: its name, its resource, and whether that is valid by the published outcome."""

    name: str
    data: bytes
    is_valid: bool


def validator_cases(folder: Path) -> Iterator[ValidatorCase]:
    """Yield the cases for R4 in JSON that need nothing else and have an outcome, from the folder `validator`."""
    for case in json.loads((folder / "manifest.json").read_bytes())["test-cases"]:
        is_ours = case.get("version") in ("4.0", "4.0.1") and case.get("use-test") is not False
        if not is_ours or not case["file"].endswith(".json") or any(case.get(name) for name in _NEEDS_MORE):
            continue
        is_valid = _is_valid(folder, case.get("java"))
        if is_valid is not None:
            yield ValidatorCase(case["name"], (folder / case["file"]).read_bytes(), is_valid)


def _is_valid(folder: Path, outcome: Any) -> bool | None:
    """Return whether the outcome has no error; None where none is published."""
    if isinstance(outcome, dict):
        return outcome["errorCount"] == 0 if "errorCount" in outcome else None
    file = folder / "outcomes" / str(outcome)
    if not file.is_file():
        return None
    issues = json.loads(file.read_bytes()).get("issue", [])
    return not any(issue["severity"] in ("fatal", "error") for issue in issues)


def compare(folder: Path) -> tuple[int, set[str]]:
    """Return the number of cases, and the names of those on which the check of everything does not agree."""
    cases = list(validator_cases(folder))
    return len(cases), {
        case.name for case in cases if check(case.data, invariants=True, seconds=inf).ok != case.is_valid
    }

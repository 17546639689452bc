"""The examples that HL7 publishes for R4 (npm `hl7.fhir.r4.examples`), and those of them that are not valid R4.

Every rejected file was reviewed; each is listed here with the rule of R4 4.0.1 that it breaks. A rejected file that is
not listed is a false rejection.
"""

import re
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import NamedTuple

from esante.core.fhir import CheckResult, check


class Fault(NamedTuple):
    """What is wrong with some files: the code of the issue, or key of the constraint; a pattern of the element; the rule,
    and its source."""

    files: tuple[str, ...]
    code: str
    element: str
    rule: str
    source: str


_EXTENSIONS = "SearchParameter-{}-extensions-{}-{}"
_OF = (("codesystem", "CodeSystem"), ("valueset", "ValueSet"))
_NAMES = ("author", "effective", "end", "keyword", "workflow")

FAULTS = (
    Fault(
        tuple(_EXTENSIONS.format(low, name, each) for low, name in _OF for each in _NAMES),
        "required",
        "SearchParameter.base",
        "base is 1..*, and absent",
        "SearchParameter",
    ),
    Fault(
        ("SearchParameter-questionnaireresponse-extensions-QuestionnaireResponse-item-subject",),
        "value",
        "SearchParameter.id",
        "an id has at most 64 characters, this one 68",
        "Datatypes, id",
    ),
    Fault(
        ("ImplementationGuide-fhir", "ig-r4"),
        "required",
        "ImplementationGuide.(name|status)",
        "name and status are 1..1, and absent",
        "ImplementationGuide",
    ),
    Fault(
        ("Questionnaire-qs1",),
        "required",
        r"Questionnaire(\.item\[\d+\])+\.linkId",
        "item.linkId is 1..1, and absent from 32 items",
        "Questionnaire",
    ),
    Fault(
        (
            "Bundle-10bb101f-a121-4264-a920-67be9cb82c74",
            "Bundle-3a0707d3-549e-4467-b8b8-5a2ab3800efe",
            "Bundle-lri-example",
        ),
        "invariant",
        r"Bundle\.entry\[\d+\]\.fullUrl",
        "the fullUrl SHALL NOT disagree with the id in the resource, as Patient/pat12 does with pat2",
        "Bundle.entry.fullUrl",
    ),
    Fault(
        ("Bundle-dataelements",),
        "bdl-7",
        r"Bundle\.entry\[\d+\]\.fullUrl",
        "a fullUrl is unique in a Bundle, or else the entries have different versions; that of Quantity.value is there"
        " three times",
        "Bundle, bdl-7",
    ),
    Fault(
        (
            "ActivityDefinition-blood-tubes-supply",
            "ActivityDefinition-heart-valve-replacement",
            "EventDefinition-example",
            "Questionnaire-zika-virus-exposure-assessment",
        ),
        "txt-2",
        r"\w+\.text\.`div`",
        "a narrative has some content that is no white space, these have none",
        "Narrative, txt-2",
    ),
    Fault(
        ("StructureDefinition-Definition", "StructureDefinition-Event", "StructureDefinition-FiveWs",
         "StructureDefinition-Request"),
        "sdf-4",
        "StructureDefinition",
        "what is not abstract has a baseDefinition; these logical models are not, and have none",
        "StructureDefinition, sdf-4",
    ),
)  # fmt: skip


class ExampleResults(NamedTuple):
    """The number of examples, the known faults found in them, what else was rejected, and the files in which a constraint
    could not be evaluated."""

    files: int
    faulty: dict[str, Fault]
    rejected_falsely: dict[str, str]
    not_evaluated: list[str]


def examples_in(folder: Path) -> list[Path]:
    """Return the resources of the package: all its files except package.json."""
    return [file for file in sorted(folder.iterdir()) if file.name != "package.json"]


def check_examples(folder: Path) -> ExampleResults:
    """Check every example against all that R4 demands."""
    known = {name: fault for fault in FAULTS for name in fault.files}
    faulty: dict[str, Fault] = {}
    rejected_falsely: dict[str, str] = {}
    not_evaluated: list[str] = []
    files = examples_in(folder)
    for file in files:
        result = check(file.read_bytes(), invariants=True, seconds=inf)
        if any(issue.code in ("processing", "too-costly") for issue in result.issues):
            not_evaluated.append(file.stem)
        if result.ok:
            continue
        fault = known.get(file.stem)
        if fault and all(
            fault.code == code and re.fullmatch(fault.element, where) for code, where in list_errors(result)
        ):
            faulty[file.stem] = fault
        else:
            rejected_falsely[file.stem] = "; ".join(f"{code} at {where}" for code, where in list_errors(result))
    return ExampleResults(len(files), faulty, rejected_falsely, not_evaluated)


def list_errors(result: CheckResult) -> Iterator[tuple[str, str]]:
    """Yield code of the issue, or key of the constraint, and expression of each error."""
    for issue in result.issues:
        if issue.severity in ("error", "fatal"):
            key = re.search(r"\(([a-z]+-\d+)\)", issue.diagnostics)
            yield (key[1] if key and issue.code == "invariant" else issue.code), issue.expression

"""The examples that HL7 publishes for R4 (npm `hl7.fhir.r4.examples`), and those of them that are not right R4.

Every file that is refused was looked at; each stands here with the rule of R4 4.0.1 that it breaks. What is refused
and does not stand here is a false rejection.
"""

import re
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import NamedTuple

from esante.core.fhir import CheckResult, check


class Fault(NamedTuple):
    """What is wrong with some files: how that is told (code of the issue, or key of the constraint) and where; the
    rule, and where it stands."""

    files: tuple[str, ...]
    told: str
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


class Account(NamedTuple):
    """How the examples did: how many there are, the faults found in them, what else was refused, and the files in which
    some constraint could not be told to hold or to be broken."""

    files: int
    faulty: dict[str, Fault]
    falsely: dict[str, str]
    doubtful: list[str]


def examples_in(folder: Path) -> list[Path]:
    """The resources of the package: all its files but package.json."""
    return [file for file in sorted(folder.iterdir()) if file.name != "package.json"]


def judge(folder: Path) -> Account:
    """Check every example with all that R4 demands."""
    known = {name: fault for fault in FAULTS for name in fault.files}
    faulty: dict[str, Fault] = {}
    falsely: dict[str, str] = {}
    doubtful: list[str] = []
    files = examples_in(folder)
    for file in files:
        result = check(file.read_bytes(), invariants=True, seconds=inf)
        if any(issue.code in ("processing", "too-costly") for issue in result.issues):
            doubtful.append(file.stem)
        if result.ok:
            continue
        fault = known.get(file.stem)
        if fault and all(fault.told == told and re.fullmatch(fault.element, where) for told, where in errors(result)):
            faulty[file.stem] = fault
        else:
            falsely[file.stem] = "; ".join(f"{told} at {where}" for told, where in errors(result))
    return Account(len(files), faulty, falsely, doubtful)


def errors(result: CheckResult) -> Iterator[tuple[str, str]]:
    """Code of the issue, or key of the constraint, and place of each error."""
    for issue in result.issues:
        if issue.severity in ("error", "fatal"):
            key = re.search(r"\(([a-z]+-\d+)\)", issue.diagnostics)
            yield (key[1] if key and issue.code == "invariant" else issue.code), issue.expression

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

    def fits(self, code: str, element: str) -> bool:
        """Return whether an error is this fault."""
        return self.code == code and re.fullmatch(self.element, element) is not None


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
    Fault(
        ("Bundle-resources", "CapabilityStatement-base", "CapabilityStatement-knowledge-repository",
         "CapabilityStatement-measure-processor", "CapabilityStatement-terminology-server"),
        "business-rule",
        r".*\.searchParam\[\d+\]\.type",
        "a search parameter has the type of its definition, as _source is uri and version is token",
        "CapabilityStatement.rest.resource.searchParam.type",
    ),
    Fault(
        ("Bundle-dataelements", "Bundle-resources", "Organization-2.16.840.1.113883.19.5", "StructureDefinition-Consent"),
        "value",
        r".*(identifier\[0\]|ofType\(Identifier\))\.value",
        "the value of an identifier in the system urn:ietf:rfc:3986 is a URI",
        "Identifier.value",
    ),
    Fault(
        ("Bundle-valuesets", "CodeSystem-snomedct"),
        "business-rule",
        r".*\.property\[35\]\.code",
        "a code identifies a property; two have the code Laterality",
        "CodeSystem.property.code",
    ),
    Fault(
        ("Bundle-valuesets", "ValueSet-example-hierarchical"),
        "value",
        r".*\.compose\.include\[0\]\.system",
        "the code system of a value set is named by an absolute URI, not by #hacked",
        "ValueSet.compose.include.system",
    ),
    Fault(
        ("CapabilityStatement-example", "TerminologyCapabilities-example"),
        "value",
        r"\w+\.url",
        "a UUID is in lower case",
        "Datatypes, uri",
    ),
    Fault(
        ("Library-zika-virus-intervention-logic",),
        "value",
        r"Library\.dataRequirement\[\d\]\.codeFilter\[0\]\.valueSet",
        "an OID has numbers, and not X.Y.Z",
        "Datatypes, oid",
    ),
    Fault(
        ("ImagingStudy-example-xr", "MedicationDispense-meddisp0314", "MedicationDispense-meddisp0317",
         "NutritionOrder-enteralcontinuous", "PlanDefinition-example-cardiology-os"),
        "code-invalid",
        r".*\.(bodySite|quantity|coding\[0\])\.code",
        "a code is in the syntax of its system: T-15460, 'look up value' and numbers with a wrong check digit are none of"
        " SNOMED CT",
        "Coding.code",
    ),
    Fault(
        ("DeviceMetric-example", "DeviceUseStatement-example", "MedicationRequest-medrx0301", "Observation-clinical-gender"),
        "structure",
        r".*\.(parent|reasonReference\[0\]|performer(\[0\])?)\.reference",
        "the target of a reference is of a type that the element allows",
        "References (section 2.3)",
    ),
    Fault(
        ("PlanDefinition-example-cardiology-os",),
        "not-found",
        r".*\.(answerValueSet|ofType\(canonical\))",
        "a canonical address with # names a contained resource",
        "References (section 2.3)",
    ),
    Fault(
        ("Bundle-hla-1",),
        "extension",
        r"Bundle\.entry\[0\]\.resource\.extension\[1\]\.extension\[1\]\.url",
        "the extension hla-genotyping-results-glstring has a part url, and none uri",
        "its definition",
    ),
    Fault(
        ("EventDefinition-example",),
        "value",
        r"EventDefinition\.trigger\[0\]\.condition\.expression",
        "an expression in FHIRPath follows its grammar",
        "Expression.expression",
    ),
    Fault(
        ("Observation-f202",),
        "required",
        r"Observation\.effective",
        "a body temperature has a time, as every vital sign",
        "Vital Signs Profile",
    ),
    Fault(
        ("SearchParameter-example-extension",),
        "business-rule",
        r"SearchParameter\.expression",
        "the expression is about the base, and not about DocumentReference only where that is Patient",
        "SearchParameter.base",
    ),
)  # fmt: skip


class ExampleResults(NamedTuple):
    """The number of examples, the known faults found in each, what else was rejected, and the files in which a constraint
    could not be evaluated."""

    files: int
    faulty: dict[str, tuple[Fault, ...]]
    rejected_falsely: dict[str, str]
    not_evaluated: list[str]


def examples_in(folder: Path) -> list[Path]:
    """Return the resources of the package: all its files except package.json."""
    return [file for file in sorted(folder.iterdir()) if file.name != "package.json"]


def check_examples(folder: Path) -> ExampleResults:
    """Check every example against all that R4 demands."""
    known: dict[str, list[Fault]] = {}
    for fault in FAULTS:
        for name in fault.files:
            known.setdefault(name, []).append(fault)
    faulty: dict[str, tuple[Fault, ...]] = {}
    rejected_falsely: dict[str, str] = {}
    not_evaluated: list[str] = []
    files = examples_in(folder)
    for file in files:
        result = check(file.read_bytes(), invariants=True, seconds=inf)
        if any(issue.code in ("processing", "too-costly") for issue in result.issues):
            not_evaluated.append(file.stem)
        if result.ok:
            continue
        errors = list(list_errors(result))
        matches = [[fault for fault in known.get(file.stem, ()) if fault.fits(*error)] for error in errors]
        if all(matches):
            faulty[file.stem] = tuple(dict.fromkeys(fault for found in matches for fault in found))
        else:
            rejected_falsely[file.stem] = "; ".join(f"{code} at {where}" for code, where in errors)
    return ExampleResults(len(files), faulty, rejected_falsely, not_evaluated)


def list_errors(result: CheckResult) -> Iterator[tuple[str, str]]:
    """Yield code of the issue, or key of the constraint, and expression of each error."""
    for issue in result.issues:
        if issue.severity in ("error", "fatal"):
            key = re.search(r"\(([a-z]+-\d+)\)", issue.diagnostics)
            yield (key[1] if key and issue.code == "invariant" else issue.code), issue.expression

"""Constraints, search parameters and extensions of R4 4.0.1 that cannot be used as they are published, and what is.

Each is a fault that later releases of FHIR corrected, or one of the package that the definitions are taken from.
"""

from typing import NamedTuple


class Erratum(NamedTuple):
    """A correction. `key` is the path and key of a constraint, or the expression of a component of a search parameter.

    `expression` replaces the published one; with None the constraint is left out. `why` completes "It ...".
    """

    key: str
    expression: str | None
    why: str
    source: str
    verified: str


class ExtensionErratum(NamedTuple):
    """Further elements or types on which an extension may stand: the specification itself uses it there."""

    url: str
    contexts: tuple[str, ...]
    source: str
    verified: str


class BindingErratum(NamedTuple):
    """A required binding in R4's own profiles that is not checked. `why` completes "It ..."."""

    element: str
    value_set: str
    why: str
    source: str
    verified: str


_STRUCTURE = "http://hl7.org/fhir/StructureDefinition/"
_EXAMPLES = "FHIR R4 4.0.1, its own definitions and examples"

EXTENSIONS = (
    ExtensionErratum(
        f"{_STRUCTURE}structuredefinition-fhir-type", ("ElementDefinition.type",), _EXAMPLES, "2026-11-29"
    ),
    ExtensionErratum(f"{_STRUCTURE}structuredefinition-normative-version", ("Element",), _EXAMPLES, "2026-11-29"),
    ExtensionErratum(f"{_STRUCTURE}regex", ("ElementDefinition.type",), _EXAMPLES, "2026-11-29"),
    ExtensionErratum(f"{_STRUCTURE}translation", ("ValueSet.expansion.contains",), _EXAMPLES, "2026-11-29"),
    ExtensionErratum(f"{_STRUCTURE}valueset-concept-comments", ("CodeSystem.concept",), _EXAMPLES, "2026-11-29"),
    ExtensionErratum(
        f"{_STRUCTURE}capabilitystatement-expectation",
        ("CapabilityStatement.rest.resource", "CapabilityStatement.rest.resource.operation"),
        _EXAMPLES,
        "2026-11-29",
    ),
)

BINDINGS = (
    BindingErratum(
        element="Observation.component.value[x]",
        value_set="http://hl7.org/fhir/ValueSet/ucum-vitals-common",
        why="rejects every component of a vital sign in another unit, such as the flow of oxygen in L/min",
        source="FHIR R4B 4.3.0, Vital Signs Profile, where the binding is extensible",
        verified="2026-11-29",
    ),
)

CONSTRAINTS = (
    Erratum(
        key="DomainResource dom-3",
        expression=(
            "contained.where(descendants().where(reference = '#').empty() and "
            "descendants().ofType(canonical).where($this = '#').empty()).id.select('#' + $this).subsetOf("
            "%resource.descendants().reference | %resource.descendants().ofType(canonical) | "
            "%resource.descendants().ofType(uri) | %resource.descendants().ofType(url) | "
            "%resource.descendants().ofType(xhtml).htmlLinks())"
        ),
        why=(
            "applies 'as' to several items, which is an error, and leaves out the links and images of narratives; "
            "replaced by one test of all contained resources"
        ),
        source="FHIR R4 4.0.1, DomainResource and Narrative; FHIRPath N1, as()",
        verified="2026-11-29",
    ),
    Erratum(
        key="Period per-1",
        expression="start.empty() or end.empty() or iif(start > end, false, true)",
        why="cannot compare a day with a time on the same day, and so rejects them",
        source="FHIR R5 5.0.0, Period",
        verified="2026-11-23",
    ),
    Erratum(
        key="Range rng-2",
        expression="low.value.empty() or high.value.empty() or low.comparable(high).not() or low <= high",
        why="rejects values that cannot be compared: different units, or a limit without a number",
        source="FHIR R5 5.0.0, Range",
        verified="2026-11-23",
    ),
    Erratum(
        key="Reference ref-1",
        expression=(
            "reference.empty() or reference.startsWith('#').not() or reference = '#' or "
            "reference.substring(1) in %rootResource.contained.id"
        ),
        why="is neither true nor false for a Reference without a literal reference",
        source="FHIR R5 5.0.0, Reference",
        verified="2026-11-23",
    ),
    Erratum(
        key="Questionnaire.item.enableWhen que-7",
        expression="operator = 'exists' implies (answer is boolean)",
        why="tests for FHIRPath's Boolean, which is the type of no FHIR element",
        source="FHIR R5 5.0.0, Questionnaire",
        verified="2026-11-23",
    ),
    Erratum(
        key="Questionnaire.item que-12",
        expression="enableWhen.count() > 1 implies enableBehavior.exists()",
        why="asks for more than two conditions, where its text asks for more than one",
        source="FHIR R4 4.0.1, Questionnaire, text of que-12; FHIR R5 5.0.0, Questionnaire",
        verified="2026-11-29",
    ),
    Erratum(
        key="MedicationDispense mdd-1",
        expression=(
            "whenHandedOver.empty() or whenPrepared.empty() or iif(whenHandedOver < whenPrepared, false, true)"
        ),
        why="cannot compare a day with a time on the same day, and so rejects them",
        source="FHIRPath N1, comparison of dates",
        verified="2026-11-23",
    ),
    Erratum(
        key="Task inv-1",
        expression="lastModified.empty() or authoredOn.empty() or iif(lastModified < authoredOn, false, true)",
        why="cannot compare a day with a time on the same day, and so rejects them",
        source="FHIRPath N1, comparison of dates",
        verified="2026-11-23",
    ),
    Erratum(
        key="ChargeItemDefinition cid-0",
        expression=None,
        why="requires ChargeItemDefinition.name, an element that R4 does not have",
        source="FHIR R4 4.0.1, ChargeItemDefinition",
        verified="2026-11-23",
    ),
    Erratum(
        key="EvidenceVariable.characteristic evv-1",
        expression=None,
        why="belongs to R5; R4 does not have its elements",
        source="FHIR R4 4.0.1, EvidenceVariable",
        verified="2026-11-23",
    ),
)

#: Constraints of R4's own profiles.
PROFILE_CONSTRAINTS = (
    Erratum(
        key="Observation.effective[x] vs-1",
        expression="($this is dateTime) implies ($this as dateTime).toString().length() >= 8",
        why="rejects every Period, where its text is about a dateTime",
        source="FHIR R4 4.0.1, Vital Signs Profile, text of vs-1",
        verified="2026-11-29",
    ),
)

SEARCH_PARAMETERS = (
    Erratum(
        key="value.ofType(DateTime) | value.ofType(Period)",
        expression="value.ofType(dateTime) | value.ofType(Period)",
        why="names DateTime, a type of FHIRPath, where the element has the dateTime of FHIR",
        source="FHIR R4 4.0.1, SearchParameter Observation-code-value-date",
        verified="2026-11-23",
    ),
)

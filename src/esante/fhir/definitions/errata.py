"""Constraints and search parameters of R4 4.0.1 that cannot be used as they are published, and what stands instead.

Each is a fault that later releases of FHIR mended, or one of the package that the definitions are taken from.
"""

from typing import NamedTuple


class Erratum(NamedTuple):
    """`key` is that of a constraint, or the address of a search parameter; None as expression leaves it out."""

    key: str
    expression: str | None
    why: str
    source: str
    verified: str


CONSTRAINTS = (
    Erratum(
        key="dom-3",
        expression=(
            "contained.where(descendants().where(reference = '#').empty() and "
            "descendants().ofType(canonical).where($this = '#').empty()).id.select('#' + $this).subsetOf("
            "%resource.descendants().reference | %resource.descendants().ofType(canonical) | "
            "%resource.descendants().ofType(uri) | %resource.descendants().ofType(url))"
        ),
        why="takes 'as' of many items, which is an error; the same said of all contained resources at once",
        source="FHIR R4 4.0.1, DomainResource; FHIRPath N1, as()",
        verified="2026-11-23",
    ),
    Erratum(
        key="cid-0",
        expression=None,
        why="asks for ChargeItemDefinition.name, an element that R4 does not have",
        source="FHIR R4 4.0.1, ChargeItemDefinition",
        verified="2026-11-23",
    ),
    Erratum(
        key="evv-1",
        expression=None,
        why="is of R5; its elements are not in R4",
        source="FHIR R4 4.0.1, EvidenceVariable",
        verified="2026-11-23",
    ),
)

SEARCH_PARAMETERS = (
    Erratum(
        key="value.ofType(DateTime) | value.ofType(Period)",
        expression="value.ofType(dateTime) | value.ofType(Period)",
        why="DateTime is a type of FHIRPath; the element has FHIR's dateTime",
        source="FHIR R4 4.0.1, SearchParameter Observation-code-value-date",
        verified="2026-11-23",
    ),
)

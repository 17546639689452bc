"""The types of clinical resources that a record holds, and the document class that each counts as.

From data/clinical.csv, the choice of the agency: `person` is the element that refers to the patient, `category` the
class. `by_code` gives another category for some codes in `Resource.category`. `by_patient` is the category of what
patients write themselves, after those for some codes; where it is empty, patients may not write the type.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any, Protocol

from esante.core.dated_data import packaged_text
from esante.core.types import Json
from esante.identity.access import Requester
from esante.identity.directory import Person
from esante.services.record.categories import CATEGORIES

SUPPORTING = frozenset({"Organization", "Practitioner", "PractitionerRole"})
"""Types of the people and organisations that documents and transactions name. They are stored as they were sent,
with the person's other resources, and found by `_include` and by read, never by a search. The directory is
independent of them: it holds who is who today."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicalType:
    """A type of clinical resources (fields: see the module)."""

    name: str
    person: str
    category: str
    by_code: Mapping[str, str]
    by_patient: str
    by_patient_code: Mapping[str, str]
    legal_source: str
    verified: bool

    def category_of(self, resource: Mapping[str, Any], *, by_patient: bool = False) -> str:
        """Return the category of a resource that a professional, or a patient, writes."""
        by_code, category = self.by_code, self.category
        if by_patient:
            by_code, category = self.by_patient_code, self.by_patient
        if by_code:
            for concept in resource.get("category") or ():
                for coding in concept.get("coding") or ():
                    if (found := by_code.get(coding.get("code", ""))) is not None:
                        return found
        return category


class TypeRules(Protocol):
    """The rules of a service for the resources of a type: what one is about, and whether it can be true.

    They hold for what people and software write, not for what documents tell: a document stays as it was signed.
    """

    def subjects(self, resource: Json) -> frozenset[str]:
        """Return what a resource is about, in the words of exceptions from the access matrix (`Item.subjects`)."""

    def check(self, requester: Requester, person: Person, resource: Json) -> None:
        """Raise `Problem`, with a place that begins with the type, for a resource that the requester may not write so.

        Called after the right to write was decided.
        """


def _load() -> dict[str, ClinicalType]:
    types = {}
    for row in csv.DictReader(StringIO(packaged_text("esante.services.record", "clinical.csv"))):
        by_code = dict(pair.split("=", 1) for pair in row["by_code"].split())
        *pairs, by_patient = row["by_patient"].split() or [""]
        type_ = ClinicalType(
            name=row["type"],
            person=row["person"],
            category=row["category"],
            by_code=by_code,
            by_patient=by_patient,
            by_patient_code=dict(pair.split("=", 1) for pair in pairs),
            legal_source=row["legal_source"],
            verified=row["verified"] == "true",
        )
        own = {type_.by_patient, *type_.by_patient_code.values()}
        unknown = {type_.category, *by_code.values(), *own} - {*CATEGORIES, ""}
        if unknown:
            raise ValueError(f"clinical.csv: {type_.name} has unknown categories: {sorted(unknown)}")
        types[type_.name] = type_
    return types


CLINICAL: Mapping[str, ClinicalType] = _load()
"""Every type by its name."""

KEPT = SUPPORTING | frozenset(CLINICAL)
"""The types of which the resources in a document are stored."""

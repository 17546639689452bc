"""The types of clinical resources that a record holds, and the category of documents that each counts as.

From data/clinical.csv: `person` names the element that says whose it is, `category` is that of the access matrix;
`by_code` gives another for resources of a category (the code in `Resource.category`), `by_patient` the one for what a
patient writes herself, who may write nothing of a type that has none.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from io import StringIO
from typing import Any

from esante.services.record.categories import CATEGORIES

SUPPORTING = frozenset({"Organization", "Practitioner", "PractitionerRole"})
"""Who stands in documents and transactions. They are kept as they were told there, with the person's other
resources: found by `_include` and by reading, never searched for. The directory is another thing: it says who is
who today."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicalType:
    """A type of clinical resources (see the module)."""

    name: str
    person: str
    category: str
    by_code: Mapping[str, str]
    by_patient: str
    legal_source: str
    verified: bool

    def category_of(self, resource: Mapping[str, Any]) -> str:
        """The category of a resource that a professional writes."""
        if self.by_code:
            for concept in resource.get("category") or ():
                for coding in concept.get("coding") or ():
                    if (found := self.by_code.get(coding.get("code", ""))) is not None:
                        return found
        return self.category


def _load() -> dict[str, ClinicalType]:
    text = (files("esante.services.record") / "data" / "clinical.csv").read_text(encoding="utf-8")
    found = {}
    for row in csv.DictReader(StringIO(text)):
        by_code = dict(pair.split("=", 1) for pair in row["by_code"].split())
        type_ = ClinicalType(
            name=row["type"],
            person=row["person"],
            category=row["category"],
            by_code=by_code,
            by_patient=row["by_patient"],
            legal_source=row["legal_source"],
            verified=row["verified"] == "true",
        )
        unknown = {type_.category, *by_code.values(), type_.by_patient} - {*CATEGORIES, ""}
        if unknown:
            raise ValueError(f"clinical.csv: {type_.name} counts as {unknown}, which is no category")
        found[type_.name] = type_
    return found


CLINICAL: Mapping[str, ClinicalType] = _load()
"""Every type by its name."""

KEPT = SUPPORTING | frozenset(CLINICAL)
"""The types that are kept of a document."""

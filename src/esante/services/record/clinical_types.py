"""The types of clinical resources of a record, and the document category by which access to each is decided.

From data/clinical.csv: `person` names the element that refers to the patient; `category` is a category of the access
matrix; `by_code` gives another category for resources with a code in `Resource.category`; `by_patient` gives the
category of what patients write themselves, who may write nothing of a type that has none.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any

from esante.core.dated_data import packaged_text
from esante.services.record.categories import CATEGORIES

SUPPORTING = frozenset({"Organization", "Practitioner", "PractitionerRole"})
"""Types of supporting resources in documents and transactions.

They are kept as they were sent, with the person's other resources: found by `_include` and by reading, never searched.
The directory is independent of them: it has the current data.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicalType:
    """A type of clinical resources; the fields are the columns of data/clinical.csv."""

    name: str
    person: str
    category: str
    by_code: Mapping[str, str]
    by_patient: str
    legal_source: str
    verified: bool

    def category_of(self, resource: Mapping[str, Any]) -> str:
        """Return the access category of a resource that a professional writes."""
        if self.by_code:
            for concept in resource.get("category") or ():
                for coding in concept.get("coding") or ():
                    if (found := self.by_code.get(coding.get("code", ""))) is not None:
                        return found
        return self.category


def _load() -> dict[str, ClinicalType]:
    types = {}
    for row in csv.DictReader(StringIO(packaged_text("esante.services.record", "clinical.csv"))):
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
            raise ValueError(f"clinical.csv: {type_.name} has {unknown}, which is not in categories.toml")
        types[type_.name] = type_
    return types


CLINICAL: Mapping[str, ClinicalType] = _load()
"""Every clinical type by its name."""

KEPT = SUPPORTING | frozenset(CLINICAL)
"""The types of resources that are stored of a document."""

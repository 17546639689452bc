"""Conversion of clinical documents: CDA R2 and FHIR R4, both ways, with the fate of every leaf of the source.

- `cda_to_fhir(data)`: a `FhirDocument`; `fhir_to_cda(data)`: a `CdaDocument`.
- Both have `encoded()` and `report()`: a `LossReport` of `LeafFate`, each with its `Fate`.
"""

from esante.services.exchange.conversion.ledger import Fate, LeafFate, LossReport
from esante.services.exchange.conversion.to_cda import CdaDocument, fhir_to_cda
from esante.services.exchange.conversion.to_fhir import FhirDocument, cda_to_fhir

__all__ = ["CdaDocument", "Fate", "FhirDocument", "LeafFate", "LossReport", "cda_to_fhir", "fhir_to_cda"]

"""Exchange across borders: the semantics of the documents.

- `load_catalogue(folder)`, `sample_catalogue()`: codes, designations and transcodings as data.
- `translate(data, language, catalogue)`: a document in the pivot and in a language, with the account of its codes.
- `cda_to_fhir(data)`, `fhir_to_cda(data)`: the other form of a document, with the fate of every leaf.
- `NotUsable`: what all of them raise for an input that cannot be used, with each `Fault`.
"""

from esante.services.exchange.conversion import cda_to_fhir, fhir_to_cda
from esante.services.exchange.model import Fault, NotUsable
from esante.services.exchange.terminology import CodeCatalogue, load_catalogue, sample_catalogue
from esante.services.exchange.translation import translate

__all__ = [
    "CodeCatalogue",
    "Fault",
    "NotUsable",
    "cda_to_fhir",
    "fhir_to_cda",
    "load_catalogue",
    "sample_catalogue",
    "translate",
]

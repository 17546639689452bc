"""Terminology: catalogues of codes as data, and the names of code systems.

- `load_catalogue(folder)`, `sample_catalogue()`: a `CodeCatalogue` of files, the one that is shipped.
- `uri_of(oid)`, `oid_of(uri)`, `name_of(oid)`: the names of a code system.
"""

from esante.services.exchange.terminology.loader import load_catalogue, sample_catalogue
from esante.services.exchange.terminology.model import Code, CodeCatalogue, ValueSet
from esante.services.exchange.terminology.systems import name_of, oid_of, uri_of

__all__ = ["Code", "CodeCatalogue", "ValueSet", "load_catalogue", "name_of", "oid_of", "sample_catalogue", "uri_of"]

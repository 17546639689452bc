"""Exchange across borders: the semantics of the documents.

- `load_catalogue(folder)`: codes, designations and transcodings as data.
"""

from esante.services.exchange.model import Fault, NotUsable
from esante.services.exchange.terminology import Catalogue, load_catalogue, sample_catalogue

__all__ = ["Catalogue", "Fault", "NotUsable", "load_catalogue", "sample_catalogue"]

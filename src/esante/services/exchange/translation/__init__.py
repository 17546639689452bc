"""Translation of clinical documents: transcoding to the pivot, displays in a language, the account of every code.

- `translate(data, language, catalogue)`: a `Translation`: the document and a `CodedElement` for each coded element.
"""

from esante.services.exchange.translation.model import CodedElement, Outcome, Translation
from esante.services.exchange.translation.translator import coded_elements, translate

__all__ = ["CodedElement", "Outcome", "Translation", "coded_elements", "translate"]

"""Checks of single elements that only `$validate` makes, since documents are deposited in spite of them.

- `check_elements(resource, compacted)`: extensions, addresses, targets of references, codes of R4, ids and texts.
"""

from esante.core.fhir.validation.elements.element_checks import check_elements

__all__ = ["check_elements"]

"""The European exchange format of health records (Article 15 of Regulation (EU) 2025/327): built, checked, taken in.

- `Formats`: builds a document of a kind out of a record (`build_document` of an `Order`).
- `Intake`: takes a document in (`take_in`); `BrokenProfile` says why not.
- `BuiltDocument`, `Line`, `LineSource`: a document with what each of its entries comes from.
- `document_kinds(day)`: the kinds of Article 14(1), each with its sections.
- `check_document(content)`: what of R4, IPS and the European guides a document breaks, each with place and remedy.
"""

from esante.services.ehds.formats.intake import BrokenProfile, Intake
from esante.services.ehds.formats.kinds import DocumentKind, SectionRule, document_kinds, find_kind
from esante.services.ehds.formats.model import BuiltDocument, BuiltSection, DocumentBuilt, Line, LineSource
from esante.services.ehds.formats.service import Formats, Order
from esante.services.ehds.formats.validation import DocumentCheck, DocumentFinding, check_document

__all__ = [
    "BrokenProfile",
    "BuiltDocument",
    "BuiltSection",
    "DocumentBuilt",
    "DocumentCheck",
    "DocumentFinding",
    "DocumentKind",
    "Formats",
    "Intake",
    "Line",
    "LineSource",
    "Order",
    "SectionRule",
    "check_document",
    "document_kinds",
    "find_kind",
]

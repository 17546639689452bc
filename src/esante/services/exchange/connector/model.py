"""What a national connector answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from esante.core.storage import NIL, Row
from esante.core.xds import Coded
from esante.identity.access import Verdict
from esante.services.exchange.connector.offers import Offer
from esante.services.exchange.hl7v3.model import FoundPatient, InstanceId
from esante.services.exchange.translation import Translation


class Form(StrEnum):
    """The form in which a document is handed out; the ends of its unique ids."""

    CODED = "L3"
    PDF = "L1"
    BUNDLE = "FHIR"
    """A document of FHIR, for the FHIR interface."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The patients of a query whose record the requester may open: none, one, or several.

    `person_id`, `verdict`: for the journal, of the one person that the query is about, answered or not.
    """

    patients: Sequence[FoundPatient] = ()
    person_id: UUID = NIL
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A document in one of its forms, as it is listed. `other`: the unique id of its coded form, of a PDF of it."""

    unique_id: str
    form: Form
    offer: Offer
    created_at: datetime
    title: str
    language: str
    format_code: str
    author: str = ""
    institution: str = ""
    other: str = ""
    events: Sequence[Coded] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedList:
    """The documents of a patient that the requester may read; `is_open`: whether they may open the record at all."""

    documents: Sequence[Offered] = ()
    is_open: bool = False
    person_id: UUID = NIL
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A document that was asked for, in CDA; `content` None: there is none that the requester may read.

    `fault`: why it cannot be handed out although it is there, as a code of contact points ("" for no fault).
    """

    content: bytes | None = field(default=None, repr=False)
    offer: Offer | None = None
    fault: str = ""
    translation: Translation | None = field(default=None, repr=False)
    """Of a coded document: how it came to the codes of the pivot."""
    person_id: UUID = NIL
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispensation:
    """A dispensation (CDA) and the prescription that it is of, each by its id; `key`: what makes it the same one.

    `named`: all ids by which it names the prescription, of the document and of its items. `patients`: of whom it is,
    as CX.
    """

    document_id: str
    prescription: InstanceId
    named: frozenset[InstanceId]
    patients: frozenset[str]
    content: bytes = field(repr=False)
    key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """The answer to a dispensation: `outcome` "" for taken, else the code of the refusal.

    `rows`: what must be written with the entry of the exchange; none where it was written before, or is refused.
    """

    outcome: str
    rows: Sequence[Row] = field(default=(), repr=False)
    person_id: UUID = NIL
    verdict: Verdict | None = None

"""A message that another country sent, and what becomes of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from lxml import etree

from esante.core.soap import Attachment, Package
from esante.core.storage import NIL, Row
from esante.identity.access import Requester, Verdict
from esante.services.exchange.assertions.check import Professional
from esante.services.exchange.assertions.model import Assertion
from esante.services.exchange.contact_points import ContactPoint


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as it came: whose contact point sent it, its content, its header, its attachments."""

    point: ContactPoint
    message_id: str
    content: etree._Element
    header: etree._Element | None
    package: Package
    at: datetime
    origin: str


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, by verified assertions of their country: as a requester, and as the assertions say."""

    requester: Requester
    professional: Professional
    assertions: Sequence[Assertion]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The answer to a message, and what is recorded of it.

    `outcome`: the code of an error or warning, "" for none. `class_code`: the class of documents that it is about.
    `rows`: what is written with the record.
    """

    content: etree._Element
    attachments: Sequence[Attachment] = ()
    outcome: str = ""
    class_code: str = ""
    patient: str = ""
    person_id: UUID = NIL
    verdict: Verdict | None = None
    documents: Sequence[str] = ()
    asking: Asking | None = None
    rows: Sequence[Row] = field(default=(), repr=False)

"""A message between contact points and its answer, and the event of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from esante.core.journal import Event, Initiator, event
from esante.core.storage import NIL
from esante.services.exchange.contact_points.model import Transaction


class Side(StrEnum):
    """On which side of an exchange this contact point was."""

    ANSWERED = "A"
    """Country of affiliation: it answered."""
    ASKED = "B"
    """Country of treatment: it asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanged:
    """One request and its answer.

    `content`: the class of document (LOINC) that it is about, "" for patient discovery. `country`: the other one.
    `initiator`: the professional who asked. `role`: their role in ISCO. `purpose`: TREATMENT or EMERGENCY.
    `person_id`: NIL where the patient is not one of ours. `patient`: their identifier in the message, as CX.
    `request`, `answer`: the bytes of both HTTP bodies, of which only the SHA-256 is kept; an answer that never came is
    empty. `outcome`: the code of an error, "" for none. `documents`: unique ids. `rule`: of the decision.
    """

    side: Side
    transaction: Transaction
    content: str = ""
    country: str
    initiator: Initiator
    role: str = ""
    purpose: str = ""
    person_id: UUID = NIL
    patient: str = field(default="", repr=False)
    message_id: str
    answer_id: str = ""
    request: bytes = field(repr=False)
    answer: bytes = field(repr=False)
    outcome: str = ""
    documents: Sequence[str] = ()
    rule: str = ""
    began_at: datetime
    ended_at: datetime


@event("exchange.message_exchanged")
class MessageExchanged(Event, frozen=True, kw_only=True):
    """A request was sent to another country, or answered to one."""

    side: str
    transaction: str
    content: str = ""
    country: str
    patient: str = ""
    role: str = ""
    purpose: str = ""
    message_id: str
    answer_id: str = ""
    request_hash: str
    """SHA-256 of the HTTP body, in hex."""
    answer_hash: str = ""
    """The same; "" where no answer came."""
    outcome: str = ""
    documents: tuple[str, ...] = ()
    rule: str = ""


@event("exchange.connection_refused")
class ConnectionRefused(Event, frozen=True, kw_only=True):
    """A message was refused unread: the certificate of its connection is that of no country in force."""

    fingerprint: str
    """SHA-256 of the certificate, in hex; "" for none."""
    subject: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as statements, figures and operators need it: nothing in it is about a person."""

    at: datetime
    side: Side
    transaction: Transaction
    content: str
    country: str
    outcome: str
    took_ms: int
    message_id: str
    answer_id: str
    request_hash: str
    answer_hash: str

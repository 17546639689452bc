"""Messages that came in, what is wrong with one, and what the journal says of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_


class Code(StrEnum):
    """Errors (HL7 table 0357)."""

    REQUIRED = "101"
    DATA_TYPE = "102"
    VALUE = "103"
    MESSAGE_TYPE = "200"
    EVENT = "201"
    PROCESSING = "202"
    VERSION = "203"
    UNKNOWN_KEY = "204"
    DUPLICATE = "205"
    INTERNAL = "207"


CODE_NAMES: Mapping[Code, str] = {
    Code.REQUIRED: "Required field missing",
    Code.DATA_TYPE: "Data type error",
    Code.VALUE: "Table value not found",
    Code.MESSAGE_TYPE: "Unsupported message type",
    Code.EVENT: "Unsupported event code",
    Code.PROCESSING: "Unsupported processing id",
    Code.VERSION: "Unsupported version id",
    Code.UNKNOWN_KEY: "Unknown key identifier",
    Code.DUPLICATE: "Duplicate key identifier",
    Code.INTERNAL: "Application internal error",
}

CODE_WORDS: Mapping[Code, str] = {
    Code.REQUIRED: N_("A field is missing."),
    Code.DATA_TYPE: N_("A field has the wrong format."),
    Code.VALUE: N_("A field has a code that is not known here."),
    Code.MESSAGE_TYPE: N_("Messages of this type are not taken."),
    Code.EVENT: N_("This event is not taken."),
    Code.PROCESSING: N_("It is not a message of production."),
    Code.VERSION: N_("This version or character set is not supported."),
    Code.UNKNOWN_KEY: N_("The patient, stay or document was not found, or there is no open record."),
    Code.DUPLICATE: N_("Another message had this control ID."),
    Code.INTERNAL: N_("It could not be processed."),
}
"""What operators read (msgids)."""


class Fault(Exception):
    """What is wrong with a message: where (as `PID^1^3`), why, what helps. Nothing in it is about the patient.

    `is_rejected`: the message cannot be taken whatever it says (AR), else what it says is wrong (AE).
    """

    def __init__(self, code: Code, place: str, text: str, remedy: str, *, is_rejected: bool = False) -> None:
        super().__init__(text)
        self.code, self.place, self.text, self.remedy = code, place, text, remedy
        self.is_rejected = is_rejected


class NotNow(Exception):
    """A message that cannot be processed now and may be sent again; the text says why."""


class State(StrEnum):
    """What became of a message."""

    RECEIVED = "received"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A message that came in. `content` None: it is done, or its time is over; `answer` None: it was not answered."""

    message_id: UUID
    organization_id: UUID
    sender: str
    control_id: str
    kind: str
    digest: bytes
    received_at: datetime
    state: State
    code: str = ""
    place: str = ""
    reason: str = ""
    content: bytes | None = None
    answer: bytes | None = None
    processed_at: datetime | None = None


@event("exchange.hl7_message_refused")
class MessageRefused(Event, frozen=True, kw_only=True):
    """A message of a hospital's system could not be processed; `code` is one of HL7 table 0357."""

    message_id: UUID
    organization_id: UUID
    kind: str
    code: str
    place: str


@event("exchange.hl7_message_repeated")
class MessageRepeated(Event, frozen=True, kw_only=True):
    """An operator had a message processed again; `done`: whether it could be this time."""

    message_id: UUID
    organization_id: UUID
    done: bool

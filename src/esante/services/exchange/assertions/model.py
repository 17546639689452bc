"""What an assertion says, and why one is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography import x509

from esante.services.exchange.assertions.names import Kind


class Cause(StrEnum):
    """Causes of a refusal, by the names and numbers that national contact points use."""

    MISSING = "ERROR_HPI_AUTHENTICATION_NOT_RECEIVED"
    NOT_SIGNED = "4704"
    INTEGRITY = "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED"
    NOT_VALID = "1002"
    INSUFFICIENT = "ERROR_HPI_INSUFFICIENT_INFORMATION"
    WEAK_AUTHENTICATION = "4702"
    RIGHTS = "4703"
    OTHER_PATIENT = "4206"
    OTHER_PARAMETERS = "4207"


class Refused(Exception):
    """An assertion that is refused: the cause, and in English what is wrong; nothing about a patient."""

    def __init__(self, cause: Cause, reason: str) -> None:
        super().__init__(reason)
        self.cause, self.reason = cause, reason


@dataclass(frozen=True, slots=True)
class Code:
    """A code with its system (an OID or a UUID)."""

    code: str
    system: str


@dataclass(frozen=True, slots=True)
class Assertion:
    """A verified assertion.

    `texts` and `codes`: the values of its attributes by name, plain and coded ones. `advised_by`: the ID of the
    assertion that it rests on. `certificate`: the one whose key signed it, which is not known to be trusted yet.
    """

    id: str
    kind: Kind
    issuer: str
    name_id: str
    issued_at: datetime
    not_before: datetime
    not_on_or_after: datetime
    audiences: Sequence[str]
    confirmation: str
    authentication: str
    advised_by: Sequence[str]
    texts: Mapping[str, Sequence[str]]
    codes: Mapping[str, Sequence[Code]]
    certificate: x509.Certificate

    def text(self, name: str) -> str:
        """Return the one value of an attribute, "" where there is none or several."""
        values = self.texts.get(name, ())
        return values[0] if len(values) == 1 else ""

    def code(self, name: str) -> Code | None:
        """Return the one coded value of an attribute, None where there is none or several."""
        values = self.codes.get(name, ())
        return values[0] if len(values) == 1 else None

"""Types of the exchange: enrolled certificates, who signed a message, journal events."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core.journal import Event, event
from esante.identity.access import Requester


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledCertificate:
    """A certificate of a professional; `fingerprint` is the SHA-256 of `certificate` (DER)."""

    fingerprint: bytes
    practitioner_id: UUID
    certificate: bytes
    subject: str
    not_before: datetime
    not_after: datetime
    added_at: datetime
    revoked_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a token of the exchange says: for which professional, certificate and provider code, until when."""

    practitioner_id: UUID
    fingerprint: bytes
    provider_code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Who signed a message: the professional as a requester, and the provider code of their token."""

    requester: Requester
    provider_code: str


@event("billing.certificate_enrolled")
class CertificateEnrolled(Event, frozen=True, kw_only=True):
    """A certificate of a professional was enrolled; `fingerprint` in hexadecimal digits."""

    practitioner_id: UUID
    fingerprint: str
    until: datetime


@event("billing.certificate_revoked")
class CertificateRevoked(Event, frozen=True, kw_only=True):
    """A certificate of a professional was revoked."""

    practitioner_id: UUID
    fingerprint: str
    reason: str


@event("billing.exchange_token_issued")
class ExchangeTokenIssued(Event, frozen=True, kw_only=True):
    """A token of the exchange was issued to the actor."""

    provider_code: str
    fingerprint: str
    until: datetime


@event("billing.exchange_refused")
class ExchangeRefused(Event, frozen=True, kw_only=True):
    """A message was refused before anything was done for its sender; `reason` is the code of the fault."""

    reason: str
    correlation_id: str

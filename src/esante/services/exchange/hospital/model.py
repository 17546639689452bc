"""What is known of the systems of hospitals, and what the journal says of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_
from esante.identity.access import AccessEvent

MATRICULE_OID = "1.3.182.4.4"
LOINC_OID = "2.16.840.1.113883.6.1"
V3_CONFIDENTIALITY = "2.16.840.1.113883.5.25"


@dataclass(frozen=True, slots=True)
class RegisteredCertificate:
    """A certificate by which an organisation is known; `ended_at`: since when it is not any more."""

    fingerprint: bytes
    organization_id: UUID
    subject: str
    not_before: datetime
    not_after: datetime
    added_at: datetime
    ended_at: datetime | None = None

    def is_in_force(self, at: datetime) -> bool:
        """Return whether it counts at a moment."""
        return self.not_before <= at < self.not_after and (self.ended_at is None or at < self.ended_at)


@dataclass(frozen=True, slots=True)
class RegistryKey:
    """Whose an object of the registry is; `object_id` None: its submission has not ended."""

    person_id: UUID
    object_id: UUID | None
    sha256: bytes | None


@event("exchange.certificate_registered")
class CertificateRegistered(Event, frozen=True, kw_only=True):
    """A certificate of an organisation was registered; `until`: the end of its validity."""

    organization_id: UUID
    fingerprint: str
    until: datetime


@event("exchange.certificate_ended")
class CertificateEnded(Event, frozen=True, kw_only=True):
    """A certificate of an organisation counts no more."""

    organization_id: UUID
    fingerprint: str
    why: str


@event("exchange.identifiers_linked")
class IdentifiersLinked(AccessEvent, frozen=True, kw_only=True):
    """A system of a hospital linked its own number of a patient to a person, or was refused."""

    ACTION: ClassVar[str] = "C"
    WORDS: ClassVar[str] = N_("%(actor)s linked its own patient number to you.")
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s tried to link its own patient number to you. This was refused.")

"""Types and events of certificates."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core.journal import Event, event


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCertificate:
    """A certificate of a site. `serial`: in hexadecimal; `fingerprint`: SHA-256 of its DER form."""

    serial: str
    site_id: UUID
    fingerprint: str
    issued_at: datetime
    not_after: datetime
    revoked_at: datetime | None = None


@event("healthnet.authority_installed")
class AuthorityInstalled(Event, frozen=True, kw_only=True):
    """The certificate of the intermediate authority was installed, signed by the root."""

    fingerprint: str
    not_after: datetime


@event("healthnet.certificate_issued")
class CertificateIssued(Event, frozen=True, kw_only=True):
    """A site got a certificate; `renewal`: with one from before."""

    site: str
    serial: str
    not_after: datetime
    renewal: bool = False


@event("healthnet.certificates_revoked")
class CertificatesRevoked(Event, frozen=True, kw_only=True):
    """All certificates of a site that had not ended were revoked."""

    site: str
    serials: tuple[str, ...]
    reason: str

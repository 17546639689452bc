"""The certificates by which organisations are known, registered one by one by operators."""

from collections.abc import Sequence

import asyncpg
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from esante.core import clock
from esante.core.journal import Actor, Journal
from esante.core.storage import Database, insert
from esante.identity.directory import Directory, Organization
from esante.services.exchange.hospital import store
from esante.services.exchange.hospital.model import CertificateEnded, CertificateRegistered, RegisteredCertificate

MIN_RSA_BITS, MIN_EC_BITS = 2048, 256


class NotRegistered(ValueError):
    """A certificate that cannot be registered or ended; the text says why, and the remedy."""


class OrganizationCertificates:
    """Registers and ends certificates, each journalled in its transaction, and knows whose one is."""

    def __init__(self, db: Database, journal: Journal, directory: Directory) -> None:
        self._db, self._journal, self._directory = db, journal, directory

    async def register(self, pem: bytes, organization: Organization, *, actor: Actor) -> RegisteredCertificate:
        """Register the certificate in a PEM file for an organisation. Raises: `NotRegistered`."""
        certificate = _readable(pem)
        new = RegisteredCertificate(
            fingerprint=certificate.fingerprint(SHA256()),
            organization_id=organization.id,
            subject=certificate.subject.rfc4514_string(),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            added_at=clock.now(),
        )
        event = CertificateRegistered(
            organization_id=organization.id, fingerprint=new.fingerprint.hex(), until=new.not_after
        )
        try:
            await self._db.write([store.certificate_row(new), *self._journal.rows(event, actor=actor)])
        except asyncpg.UniqueViolationError as error:
            raise NotRegistered("this certificate is registered already, or was; make a new key") from error
        return new

    async def end(self, fingerprint: bytes, why: str, *, actor: Actor) -> RegisteredCertificate:
        """End a certificate from now on; twice is once. Raises: `NotRegistered` for an unknown one."""
        async with self._db.transaction() as conn:
            known = await store.find_certificate(conn, fingerprint)
            if known is None:
                raise NotRegistered("no such certificate; see: esante hospital list")
            if await store.end_certificate(conn, fingerprint, clock.now()):
                event = CertificateEnded(organization_id=known.organization_id, fingerprint=fingerprint.hex(), why=why)
                await insert(conn, self._journal.rows(event, actor=actor))
        return known

    async def of(self, organization: Organization | None = None) -> Sequence[RegisteredCertificate]:
        """Return the certificates of an organisation, or of all, the newest first."""
        return await store.fetch_certificates(self._db, organization.id if organization else None)

    async def owner(self, certificate: x509.Certificate) -> Organization | None:
        """Return the organisation whose certificate it is now, None when it is nobody's."""
        known = await store.find_certificate(self._db, certificate.fingerprint(SHA256()))
        if known is None or not known.is_in_force(clock.now()):
            return None
        return await self._directory.organization(known.organization_id)


def _readable(pem: bytes) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        key = certificate.public_key()
    except ValueError as error:
        raise NotRegistered("this is no certificate in PEM; give a file that begins with BEGIN CERTIFICATE") from error
    if isinstance(key, RSAPublicKey) and key.key_size >= MIN_RSA_BITS:
        return certificate
    if isinstance(key, EllipticCurvePublicKey) and key.key_size >= MIN_EC_BITS:
        return certificate
    raise NotRegistered(f"its key is too weak; use RSA of {MIN_RSA_BITS} bits or more, or a curve of {MIN_EC_BITS}")

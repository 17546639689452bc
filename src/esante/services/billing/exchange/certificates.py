"""The trust list of the exchange: which certificate is whose, dated and revocable.

Certificates are trusted one by one and not by their issuer: the agency enrols what it was shown.
"""

from collections.abc import Sequence
from dataclasses import replace

import asyncpg
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from esante.core import clock
from esante.core.journal import Actor, Journal
from esante.core.storage import Database, insert
from esante.identity.directory import Practitioner
from esante.services.billing.exchange import exchange_store as store
from esante.services.billing.exchange.faults import fault
from esante.services.billing.exchange.model import CertificateEnrolled, CertificateRevoked, EnrolledCertificate

MIN_KEY_BITS = 2048
_PLACE = "Header/Security/BinarySecurityToken"


class CertificateError(ValueError):
    """A certificate that cannot be enrolled or revoked; the text says why, and the remedy."""


class Certificates:
    """Enrols and revokes the certificates of professionals; every change is journalled in its transaction."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    async def enrol(self, pem: bytes, practitioner: Practitioner, *, actor: Actor) -> EnrolledCertificate:
        """Enrol the certificate in a PEM file for a professional. Raises: `CertificateError`."""
        certificate = _readable(pem)
        new = EnrolledCertificate(
            fingerprint=certificate.fingerprint(SHA256()),
            practitioner_id=practitioner.id,
            certificate=certificate.public_bytes(Encoding.DER),
            subject=certificate.subject.rfc4514_string(),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            added_at=clock.now(),
        )
        event = CertificateEnrolled(
            practitioner_id=practitioner.id, fingerprint=new.fingerprint.hex(), until=new.not_after
        )
        try:
            await self._db.write([store.certificate_row(new), *self._journal.rows(event, actor=actor)])
        except asyncpg.UniqueViolationError as error:
            raise CertificateError("this certificate is enrolled already, or was; make a new key") from error
        return new

    async def revoke(self, fingerprint: bytes, reason: str, *, actor: Actor) -> EnrolledCertificate:
        """Revoke a certificate from now on; twice is once. Raises: `CertificateError` for an unknown one."""
        async with self._db.transaction() as conn:
            known = await store.fetch_certificate(conn, fingerprint)
            if known is None:
                raise CertificateError("no such certificate is enrolled; see: esante billing certificate list")
            now = clock.now()
            if not await store.revoke_certificate(conn, fingerprint, now, reason):
                return known
            event = CertificateRevoked(
                practitioner_id=known.practitioner_id, fingerprint=fingerprint.hex(), reason=reason
            )
            await insert(conn, self._journal.rows(event, actor=actor))
        return replace(known, revoked_at=now, reason=reason)

    async def of(self, practitioner: Practitioner | None = None) -> Sequence[EnrolledCertificate]:
        """Return the certificates of a professional, or of all, the newest first."""
        return await store.fetch_certificates(self._db, practitioner.id if practitioner else None)

    async def trusted(self, certificate: x509.Certificate) -> EnrolledCertificate:
        """Return the entry of a certificate that may sign now. Raises: `Problem` 403."""
        known = await store.fetch_certificate(self._db, certificate.fingerprint(SHA256()))
        if known is None:
            raise fault("certificate-unknown", _PLACE)
        if known.revoked_at is not None:
            raise fault("certificate-revoked", _PLACE)
        if not known.not_before <= clock.now() < known.not_after:
            raise fault("certificate-expired", _PLACE)
        return known


def _readable(pem: bytes) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise CertificateError("this is no certificate in PEM form") from error
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey) or key.key_size < MIN_KEY_BITS:
        raise CertificateError(f"the key must be RSA of {MIN_KEY_BITS} bits or more")
    if certificate.not_valid_after_utc <= clock.now():
        raise CertificateError(f"it expired on {certificate.not_valid_after_utc:%Y-%m-%d}")
    return certificate

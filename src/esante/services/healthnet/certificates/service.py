"""The use cases of certificates: install the authority, certify sites, renew, revoke, recognise a site."""

from collections.abc import Callable
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from esante.core import clock
from esante.core.journal import Initiator, Journal
from esante.core.storage import Connection, Database, insert, read_or_create_key
from esante.core.time_zone import today
from esante.core.web import N_, Problem, bad_request, clean_text
from esante.identity.access import Requester, require_operator
from esante.services.healthnet.certificates import authority, certificate_store
from esante.services.healthnet.certificates.algorithms import ALGORITHMS
from esante.services.healthnet.certificates.authority import NotCertified
from esante.services.healthnet.certificates.model import (
    AuthorityInstalled,
    CertificateIssued,
    CertificatesRevoked,
    IssuedCertificate,
)
from esante.services.healthnet.certificates.terms import terms_on
from esante.services.healthnet.sites.model import NetworkSite, SiteState
from esante.services.healthnet.sites.service import Gateway, Sites

MOST_A_DAY = 20
"""Certificates that a site gets in 24 hours."""
_CERTIFIED = (SiteState.APPROVED, SiteState.ACTIVE)
"""A site that has just enrolled is active a moment later; until then its certificate does not count."""
LIST_LASTS = timedelta(minutes=5)
"""How long a list of revoked certificates may be used: who does not ask the platform learns of one so late at most."""


class Certificates:
    """The intermediate authority of this installation, whose key is a file, and the certificates of sites."""

    def __init__(self, db: Database, journal: Journal, sites: Sites, key: Path, zone: str) -> None:
        self._db, self._journal, self._sites, self._path, self._zone = db, journal, sites, key, zone

    @cached_property
    def _key(self) -> Any:
        make = ALGORITHMS[terms_on(today()).intermediate_algorithm].make_key
        return load_pem_private_key(read_or_create_key(self._path, _written(make)), password=None)

    def request(self) -> str:
        """Return the request (PEM) that the root signs."""
        return authority.make_request(self._key, "HealthNet").public_bytes(Encoding.PEM).decode()

    async def install(self, requester: Requester, certificate: bytes, root: bytes) -> x509.Certificate:
        """Take the certificate that the root signed into use; return it.

        Raises: Problem 403 for others than operators, 400 for a certificate of another key or root.
        """
        require_operator(requester)
        now = clock.now()
        try:
            found, of_root = x509.load_pem_x509_certificate(certificate), x509.load_pem_x509_certificate(root)
            authority.verify_intermediate(of_root, found, self._key, now)
        except (ValueError, x509.ExtensionNotFound) as error:
            reason = str(error) if isinstance(error, NotCertified) else "no certificate in PEM"
            raise bad_request(
                "certificate", N_("This certificate is not accepted."), code="value", detail=reason
            ) from error
        row = certificate_store.authority_row(_fingerprint(found), _pem(found), _pem(of_root), now)
        event = AuthorityInstalled(fingerprint=_fingerprint(found), not_after=found.not_valid_after_utc)
        await self._db.write([row, *self._journal.rows_for(requester, event)])
        return found

    async def certify(self, conn: Connection, initiator: Initiator, site: NetworkSite, request: bytes) -> str:
        """Return the certificate (PEM) of an active site for the key of a request, within the caller's transaction.

        Raises: Problem 400 for a request that is not accepted, 429 for a site that got many of late, 503 while no
        authority is installed.
        """
        return await self._issue(conn, initiator, site, request, renewal=False)

    async def renew(self, initiator: Initiator, certificate: bytes, request: bytes) -> str:
        """Return a new certificate (PEM) for the site whose present one (DER) the request came with.

        The present one stays valid until it ends, so that nothing is interrupted.
        Raises: Problem 403 for a certificate that is forged, ended, revoked or of a site that is not active, 400, 429
        for a site that got many of late, 503.
        """
        site = await self.identify(certificate)
        if site is None:
            raise Problem(403, "forbidden", N_("This certificate is not valid. Enrol the site again."))
        async with self._db.transaction() as conn:
            return await self._issue(conn, initiator, site, request, renewal=True)

    async def enrol(self, conn: Connection, key: str, request: bytes, origin: str) -> dict[str, Any] | None:
        """Return what the agent of a site keeps when it enrols, within the caller's transaction.

        None while no authority is installed, for a site that the register does not have, and for one that got many of
        late: the agent asks later. Raises: Problem 400 for a request that is not accepted.
        """
        site = await self._sites.by_key(key)
        if site is None or site.state not in _CERTIFIED:
            return None
        try:
            return await self.answer(await self._issue(conn, Gateway(origin), site, request, renewal=False))
        except Problem as problem:
            if problem.status not in (429, 503):
                raise
            return None

    async def renew_for_agent(self, initiator: Initiator, key: str, request: bytes) -> str:
        """Return a new certificate (PEM) for the site whose agent signed a request; its present one may have ended.

        Raises: Problem 403 for a site that is not on the network, 400, 429 for one that got many of late, 503.
        """
        site = await self._sites.by_key(key)
        if site is None or site.state not in _CERTIFIED:
            raise Problem(403, "forbidden", N_("This certificate is not valid. Enrol the site again."))
        async with self._db.transaction() as conn:
            return await self._issue(conn, initiator, site, request, renewal=True)

    async def answer(self, certificate: str) -> dict[str, Any]:
        """Return what a site keeps: a certificate with its chain (PEM), and the time of its renewal (since 1970)."""
        renew_at = int((clock.now() + terms_on(today()).renew_after).timestamp())
        return {"certificate": certificate + await self.chain(), "renew_at": renew_at}

    async def revoke_ended(self) -> None:
        """Revoke the certificates of sites whose connection ended, or whose agent was revoked."""
        async with self._db.transaction() as conn:
            for key, serials in (await certificate_store.revoke_ended(conn, clock.now())).items():
                event = CertificatesRevoked(site=key, serials=tuple(serials), reason="the connection has ended")
                await insert(conn, self._journal.rows(event))

    async def _issue(
        self, conn: Connection, initiator: Initiator, site: NetworkSite, request: bytes, *, renewal: bool
    ) -> str:
        intermediate, _ = await self._authority(conn)
        now, terms = clock.now(), terms_on(today())
        if await certificate_store.count_issued(conn, site.site_id, now - timedelta(days=1)) >= MOST_A_DAY:
            raise Problem(429, "throttled", N_("Too many attempts."), headers={"Retry-After": "3600"})
        try:
            parsed = authority.parse_request(request)
            found = authority.sign_site(intermediate, self._key, parsed, site.key, self._zone, now, terms)
        except NotCertified as error:
            raise bad_request(
                "request", N_("This request for a certificate is not accepted."), code="value", detail=str(error)
            ) from error
        issued = IssuedCertificate(
            serial=f"{found.serial_number:x}",
            site_id=site.site_id,
            fingerprint=_fingerprint(found),
            issued_at=now,
            not_after=found.not_valid_after_utc,
        )
        event = CertificateIssued(site=site.key, serial=issued.serial, not_after=issued.not_after, renewal=renewal)
        await insert(conn, [certificate_store.certificate_row(issued), *self._journal.rows_for(initiator, event)])
        return _pem(found)

    async def revoke(self, requester: Requester, site: NetworkSite, reason: str) -> int:
        """Revoke all certificates of a site, at once for whoever asks the platform; return how many.

        Raises: Problem 403 for others than operators, 400 without a reason.
        """
        require_operator(requester)
        text = clean_text(reason, 10, 500, "reason")
        async with self._db.transaction() as conn:
            serials = await certificate_store.revoke(conn, site.site_id, clock.now())
            if serials:
                event = CertificatesRevoked(site=site.key, serials=tuple(serials), reason=text)
                await insert(conn, self._journal.rows_for(requester, event))
        return len(serials)

    async def identify(self, certificate: bytes) -> NetworkSite | None:
        """Return the active site that a certificate (DER) is of, or None: forged, ended, revoked, or not active."""
        try:
            intermediate, _ = await self._authority(self._db)
            found = x509.load_der_x509_certificate(certificate)
            key = authority.verify_site(intermediate, found, clock.now())
        except (ValueError, Problem):
            return None
        site_id = await certificate_store.fetch_site_of(self._db, f"{found.serial_number:x}")
        site = await self._sites.by_id(site_id) if site_id else None
        return site if site and site.key == key and site.state is SiteState.ACTIVE else None

    async def chain(self) -> str:
        """Return the certificates of the intermediate authority and of the root (PEM). Raises: Problem 503."""
        return "".join(map(_pem, await self._authority(self._db)))

    async def revocations(self) -> bytes:
        """Return the signed list of revoked certificates (DER). Raises: Problem 503 while there is no authority."""
        intermediate, _ = await self._authority(self._db)
        now = clock.now()
        revoked = await certificate_store.fetch_revoked(self._db, now)
        found = authority.revocation_list(intermediate, self._key, revoked, now, LIST_LASTS)
        return found.public_bytes(Encoding.DER)

    async def _authority(self, db: Database | Connection) -> tuple[x509.Certificate, x509.Certificate]:
        found = await certificate_store.fetch_authority(db)
        if found is None:
            raise Problem(503, "not-ready", N_("No authority for certificates is installed yet."))
        certificate, root = found
        return x509.load_pem_x509_certificate(certificate.encode()), x509.load_pem_x509_certificate(root.encode())


def _written(make: Callable[[], Any]) -> Callable[[], bytes]:
    def content() -> bytes:
        return bytes(make().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    return content


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(SHA256()).hex()

"""A world of the health network over a database: providers of the directory, the use cases, requesters."""

import base64
import secrets
from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from esante.core import clock
from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.identity.access import Requester, requester_of
from esante.identity.directory import Address, Directory, Identifier
from esante.services.healthnet.addresses.plan import AddressPlan
from esante.services.healthnet.addresses.service import Addresses
from esante.services.healthnet.certificates import authority
from esante.services.healthnet.certificates.algorithms import ALGORITHMS
from esante.services.healthnet.certificates.service import Certificates
from esante.services.healthnet.certificates.terms import terms_on
from esante.services.healthnet.sites.model import Contact, SiteRequest
from esante.services.healthnet.sites.service import Sites
from tests.support.directory_entries import PROVIDER_CODE, a_practitioner, an_organization

TABLES = ("healthnet_certificate", "healthnet_authority", "healthnet_address", "healthnet_site")
CONTACT = Contact(name="Anne Weber", phone="+352 26 12 34", email="anne@practice.example")
PLACE = Address("1, rue du Test", "L-1234", "Lëtzebuerg")


def a_key():
    """A public key of WireGuard."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def pem(found):
    """A certificate or request as PEM."""
    return found.public_bytes(Encoding.PEM)


def der(found):
    """A certificate as DER."""
    return found.public_bytes(Encoding.DER)


def a_request(key, name="whatever"):
    """A request (PEM) for a certificate."""
    return pem(authority.make_request(key, name))


class HealthnetWorld:
    """The use cases, and two operators."""

    def __init__(self, db, journal, folder=None, prefix6="fd5a:4c58:e540::/48", prefix4="10.96.0.0/16"):
        self.db, self.journal, self.directory = db, journal, Directory(db, journal)
        self.addresses = Addresses(db, journal, AddressPlan.parse(prefix6, prefix4))
        self.sites = Sites(db, journal, self.directory, self.addresses)
        if folder:
            self.certificates = Certificates(db, journal, self.sites, folder / "ca.pem", "healthnet.internal")
        self.ann, self.ben = (Requester(kind="operator", id=uuid7(), name=name) for name in ("Ann", "Ben"))

    async def clear(self):
        """Empty the tables."""
        for table in TABLES:
            await self.db.fetch(f"DELETE FROM {table}")

    async def provider(self, kind="practice", code=None):
        """Register an organisation with a provider code; the requester that acts for it, and the code."""
        code = code or f"8{secrets.randbelow(10**7):07}"
        organization = an_organization(
            identifiers=(Identifier(PROVIDER_CODE, code),), kind=kind, name=f"{kind} {code}"
        )
        await self.directory.register_organization(organization)
        return requester_of(organization), code

    async def doctor(self, code=None):
        """Register a doctor with a provider code; the requester and the code."""
        code = code or f"9{secrets.randbelow(10**7):07}"
        doctor = a_practitioner()
        doctor = replace(doctor, identifiers=(*doctor.identifiers, Identifier(PROVIDER_CODE, code)))
        return requester_of(await self.directory.register_practitioner(doctor)), code

    async def request(self, requester, code, label="Main practice", service_class="small"):
        """Ask for a connection."""
        return await self.sites.request(
            requester,
            SiteRequest(provider_code=code, label=label, address=PLACE, service_class=service_class, contact=CONTACT),
        )

    async def approved(self, kind="practice"):
        """A site that is approved, and its provider."""
        provider, code = await self.provider(kind)
        site = await self.request(provider, code)
        return await self.sites.decide(self.ann, site.site_id, approved=True), provider

    async def active(self, kind="practice"):
        """A site that is enrolled, and its provider."""
        site, provider = await self.approved(kind)
        return await self.sites.record_gateway(site.site_id, a_key()), provider

    async def install_authority(self):
        """Hold the ceremony of the root; its key and certificate."""
        terms = terms_on(today())
        key = ALGORITHMS[terms.root_algorithm].make_key()
        root = authority.make_root(key, "Test", clock.now(), terms.root_lasts)
        request = authority.parse_request(self.certificates.request().encode())
        found = authority.sign_intermediate(root, key, request, clock.now(), terms.intermediate_lasts)
        await self.certificates.install(self.ann, pem(found), pem(root))
        return key, root

    async def certified(self, kind="practice", algorithm="ecdsa-p256"):
        """An active site with a certificate: the site, its key, the certificate."""
        site, _ = await self.active(kind)
        key = ALGORITHMS[algorithm].make_key()
        async with self.db.transaction() as conn:
            found = await self.certificates.certify(conn, self.ann, site, a_request(key))
        return site, key, x509.load_pem_x509_certificate(found.encode())

    async def events(self, site=""):
        """The types of the events of the network in their order; of one site if its key is given."""
        entries = await self.db.fetch(
            "SELECT type, content FROM journal_entry WHERE type LIKE 'healthnet.%' ORDER BY entry_id"
        )
        return [row["type"].removeprefix("healthnet.") for row in entries if site.encode() in bytes(row["content"])]

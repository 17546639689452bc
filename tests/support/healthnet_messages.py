"""Sites that send each other messages over a world of the health network."""

import base64
from functools import partial

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import OKPKey

from esante.core import clock
from esante.core.storage import uuid7
from esante.services.healthnet.certificates.algorithms import ALGORITHMS
from esante.services.healthnet.messages.correspondents import Correspondents, packaged_policy, read_policy
from esante.services.healthnet.messages.envelope import KeyStatement, SiteContent, SiteSigner, seal
from esante.services.healthnet.messages.service import Messages
from esante.services.healthnet.sites.service import Gateway
from tests.support.healthnet_world import a_key, a_request, der, pem

TEXT = b"%PDF-1.7 Hemoglobin 14.1 g/dl"
GATEWAY = Gateway("192.0.2.1")
TABLES = ("healthnet_head_stamp", "healthnet_message", "healthnet_message_key", "healthnet_policy")


class MessagingSite:
    """A site with its certificate and its own key for messages."""

    def __init__(self, site, key, chain):
        self.site, self.key, self.chain = site, key, chain
        self.signer, self.message_key = SiteSigner(key, chain), OKPKey.generate_key("X25519")

    @property
    def certificate(self):
        return der(self.chain[0])

    @property
    def header(self):
        """The field with which the proxy hands the certificate on."""
        return {"Client-Cert": f":{base64.b64encode(self.certificate).decode()}:"}

    def statement(self, site=None, key=None, at=None):
        """What the site says about its key."""
        public = {name: str(value) for name, value in (key or self.message_key).as_dict(private=False).items()}
        said = KeyStatement(site=site or self.site.key, key=public, at=at or clock.now())
        return self.signer.sign(msgspec.json.encode(said))

    def seal(self, recipient, message_id, content=TEXT, **changed):
        """A content for another site."""
        said = {"message_id": message_id, "sender": self.site.key, "recipient": recipient.site.key, **changed}
        signed = SiteContent(name="result.pdf", media_type="application/pdf", content=content, **said)
        public = {name: str(value) for name, value in recipient.message_key.as_dict(private=False).items()}
        return seal(signed, self.signer, KeyStatement(site=recipient.site.key, key=public, at=clock.now()))

    def write_folder(self, folder, platform_key):
        """The files that the client of a site needs."""
        folder.mkdir(parents=True)
        (folder / "certificate.pem").write_bytes(pem(self.chain[0]) + pem(self.chain[1]))
        (folder / "root.pem").write_bytes(pem(self.chain[2]))
        (folder / "key.pem").write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        (folder / "platform.key").write_text(str(platform_key))
        return folder


class MessageWorld:
    """A laboratory and a practice that know each other's keys."""

    def __init__(self, world):
        self.world, self.db, self.journal = world, world.db, world.journal
        self.correspondents = Correspondents(world.db, world.sites, partial(packaged_policy, ""), read_policy)
        self.messages = Messages(world.db, world.journal, self.correspondents)

    async def open(self):
        for table in TABLES:
            await self.db.fetch(f"DELETE FROM {table}")
        _, self.root = await self.world.install_authority()
        self.laboratory, self.practice = await self.site("laboratory"), await self.site("practice")
        return self

    async def site(self, kind, algorithm="ecdsa-p256"):
        """A site that has announced its key."""
        site, key, certificate = await self.world.certified(kind, algorithm)
        intermediate, _ = await self.world.certificates._authority(self.db)
        found = MessagingSite(site, key, (certificate, intermediate, self.root))
        await self.messages.announce_key(GATEWAY, site, found.certificate, found.statement())
        return found

    async def doctor_site(self):
        """A doctor and their own active site that has announced its key."""
        requester, code = await self.world.doctor()
        site = await self.world.request(requester, code)
        site = await self.world.sites.decide(self.world.ann, site.site_id, approved=True)
        site = await self.world.sites.record_gateway(site.site_id, a_key())
        key = ALGORITHMS["ecdsa-p256"].make_key()
        async with self.db.transaction() as conn:
            found = await self.world.certificates.certify(conn, self.world.ann, site, a_request(key))
        certificate = x509.load_pem_x509_certificate(found.encode())
        own = MessagingSite(site, key, (certificate, *self.laboratory.chain[1:]))
        await self.messages.announce_key(GATEWAY, site, own.certificate, own.statement())
        return requester, own

    async def send(self, message_id=None, content=TEXT, sender=None, recipient=None):
        """Send a message; its id, what was sent, its receipt."""
        message_id, sender = message_id or uuid7(), sender or self.laboratory
        recipient = recipient or self.practice
        sealed = sender.seal(recipient, message_id, content)
        receipt = await self.messages.send(GATEWAY, sender.site, message_id, recipient.site.key, sealed)
        return message_id, sealed, receipt

    async def acknowledge(self, message_id, state, reason="", site=None):
        return await self.messages.acknowledge(GATEWAY, (site or self.practice).site, message_id, state, reason)

    async def states(self, message_id):
        """The states that have a receipt."""
        rows = await self.db.fetch("SELECT state FROM healthnet_receipt WHERE message_id = $1", message_id)
        return {row["state"] for row in rows}

"""Another operator's network that signs agreements, and the use cases of federations over a world."""

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network

from esante.core.journal import Signer
from esante.core.time_zone import today
from esante.services.healthnet.bundles.secrets import Secrets
from esante.services.healthnet.controller.connections import Connections
from esante.services.healthnet.federation.document import document_lines
from esante.services.healthnet.federation.model import FederationKind, Statement, Terms
from esante.services.healthnet.federation.service import Federations
from esante.services.healthnet.policy.parser import parse_policy
from esante.services.healthnet.policy.vocabulary import national_vocabulary

ZONE = "healthnet.internal"
POLICY = """\
language: 1
title: Federated
groups:
  practices: {kind: practice}
  hospitals: {kind: hospital}
  laboratories: {kind: laboratory}
  luxith: {federation: luxith}
services:
  results: {title: R, offered-by: laboratories, ports: tcp/8443}
  images: {title: I, offered-by: luxith, ports: tcp/11112}
rules:
  own: {allow: practices, by: results}
  theirs: {allow: luxith, reach: laboratories, by: results}
  images: {allow: practices, reach: luxith, by: images}
quarantine:
  still-reaches: results
invariants:
  apart: {never: luxith, reach: practices}
"""


def terms(federation="luxith", **changed):
    """What an agreement says."""
    given = {
        "federation": federation,
        "kind": FederationKind.OPERATOR,
        "uses": frozenset({"results"}),
        "offers": frozenset({"images"}),
        "sites": frozenset(),
        "valid_from": today() - timedelta(days=1),
        "valid_until": today() + timedelta(days=365),
    }
    return Terms(**given | changed)


class OtherOperator:
    """Signs documents for us."""

    def __init__(self, folder, name="luxith.example"):
        self.signer = Signer.open(folder / f"{name}.pem", name)
        self.key = str(self.signer.verifier)

    def document(self, number=1, agreed=None, **changed):
        given = {
            "sender": self.signer.name,
            "recipient": ZONE,
            "network6": IPv6Network("fd77:1::/48"),
            "network4": IPv4Network("10.120.0.0/16"),
            "terms": agreed or terms(),
        }
        return self.signer.sign(*document_lines(Statement(number=number, **given | changed)))


class FederationWorld:
    """Federations over a world of the health network, with a policy that can be changed."""

    def __init__(self, world, folder):
        self.world, self.db, self.text = world, world.db, POLICY
        self.words = national_vocabulary()
        self.connections = Connections(world.db, world.journal, Secrets(b"k" * 64))
        signer = Signer.open(folder / "own.pem", ZONE)
        vocabulary = self.words.kinds, self.words.professions
        self.federations = Federations(
            world.db, world.journal, world.addresses.plan, self.connections, signer, self.policy, vocabulary
        )
        self.luxith = OtherOperator(folder)

    async def policy(self):
        return parse_policy("p.yaml", self.text, self.words)

    async def clear(self):
        for table in ("agreement", "connection", "policy", "pending"):
            await self.db.fetch(f"TRUNCATE healthnet_{table} CASCADE")
        await self.db.fetch("INSERT INTO healthnet_policy VALUES (1, $1, true, now())", self.text)
        return self

    async def agreed(self, document=None, operator=None):
        """An agreement that two operators made."""
        operator = operator or self.luxith
        made = await self.federations.propose(self.world.ann, document or operator.document(), operator.key)
        return await self.federations.decide(self.world.ben, made.agreement_id, approved=True)

    async def connected(self):
        """The foreign networks that are connected and not cut off, by site."""
        await self.federations.follow()
        found = await self.connections.all()
        return {one.facts.site: one.facts.kind for one in found if not one.is_suspended}

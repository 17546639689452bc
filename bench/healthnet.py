"""The health network at the size of a country: bundles of all sites, those of a change, heartbeats of agents.

Times are those of the processor, of this process; heartbeats go through the HTTP application with its signatures, and their
writes to the database are part of them as far as this process makes them.
"""

import asyncio
import json
import random
import time
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.applications import Starlette

from bench.bench_world import open_bench_platform
from bench.figures import Figures
from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.identity.access import Requester, requester_of
from esante.identity.directory import Address, Directory, Identifier, Organization, catalogue
from esante.services.healthnet.addresses.model import SiteAddresses
from esante.services.healthnet.agent import client
from esante.services.healthnet.agent.client import BASE, parse_token
from esante.services.healthnet.agent.signatures import sign_request
from esante.services.healthnet.agent.state import State
from esante.services.healthnet.bundles.format import canonical, open_envelope
from esante.services.healthnet.bundles.secrets import Secrets
from esante.services.healthnet.bundles.signer import BundleSigner, head_of
from esante.services.healthnet.certificates import authority
from esante.services.healthnet.certificates.algorithms import ALGORITHMS
from esante.services.healthnet.certificates.service import Certificates
from esante.services.healthnet.certificates.terms import terms_on
from esante.services.healthnet.controller import connection_store
from esante.services.healthnet.controller.country import Country
from esante.services.healthnet.controller.model import Connection, SiteFacts
from esante.services.healthnet.controller.service import Controller
from esante.services.healthnet.controller.site_follower import Following
from esante.services.healthnet.policy.parser import parse_policy
from esante.services.healthnet.policy.vocabulary import national_vocabulary
from esante.services.healthnet.sites.model import Contact, SiteRequest
from esante.services.healthnet.sites.service import Sites

SITES, PLATFORMS, LABORATORIES = 2_500, 4, 4
HEARTBEATS = 10_000
ENROLLED = 500
POLICY = """\
language: 1
title: Bench
groups:
  practices: {kind: practice}
  laboratories: {kind: laboratory}
  core: {kind: platform}
services:
  results: {title: R, offered-by: laboratories, ports: [tcp/8443, tcp/2575], traffic: clinical}
  dsp: {title: D, offered-by: core, ports: [tcp/443], traffic: clinical}
rules:
  results: {allow: practices, by: results}
  dsp: {allow: [practices, laboratories], by: dsp}
quarantine:
  still-reaches: results
"""


def made_sites() -> list[Connection]:
    """Sites whose edges are about 20,000: each practice reaches each laboratory and each platform."""
    maker, found = random.Random(1), []
    for number in range(SITES):
        kind = "platform" if number < PLATFORMS else "laboratory" if number < PLATFORMS + LABORATORIES else "practice"
        facts = SiteFacts(
            site=f"S-{number:04}",
            kind=kind,
            profession="doctor" if kind == "practice" else "",
            addresses=SiteAddresses(
                IPv6Network((int(IPv6Network("fd0e:5a17::/48")[0]) + ((number + 1) << 64), 64)),
                IPv4Network((int(IPv4Network("10.0.0.0/8")[0]) + (number + 1) * 8, 29)),
            ),
            endpoint=f"192.0.2.{maker.randrange(250)}",
        )
        key = maker.randbytes(32).hex()[:43] + "="
        found.append(
            Connection(
                facts=facts,
                is_quarantined=False,
                is_revoked=False,
                is_suspended=False,
                identity=b"i",
                token_id=UUID(int=number + 1),
                policy_version=1,
                serial=1,
                receipt_serial=0,
                outcome="",
                in_force=0,
                keys={1: key},
            )
        )
    return found


def compile_country() -> Figures:
    """Measure all bundles, and those that a change makes new."""
    policy = parse_policy("bench", POLICY, national_vocabulary())
    secrets = Secrets(bytes(64))
    signer = BundleSigner(secrets.signing_key)
    sites = made_sites()

    def bundles(country: Country, keys: list[str]) -> int:
        size = 0
        for key in keys:
            parts = country.parts(key)
            signer.sign(head_of(key, 2, parts, time.time()).encoded())
            size += len(canonical(parts))
        return size

    began = time.process_time()
    country = Country({1: policy}, sites, secrets, signer.trusted)
    size = bundles(country, [*country.connections])
    whole = time.process_time() - began
    laboratory = country.connections[f"S-{PLATFORMS:04}"]
    began = time.process_time()
    new = Connection(
        **{**{name: getattr(laboratory, name) for name in laboratory.__slots__}, "keys": {2: "B" * 43 + "="}}
    )
    affected = sorted(country.change(new.facts.site, new))
    bundles(country, affected)
    change = time.process_time() - began
    practice = country.connections["S-1000"]
    began = time.process_time()
    quarantined = Connection(
        **{**{name: getattr(practice, name) for name in practice.__slots__}, "is_quarantined": True}
    )
    few = sorted(country.change("S-1000", quarantined))
    bundles(country, few)
    one = time.process_time() - began
    edges = sum(len(country._networks[1].edges(key)) for key in country.connections) // 2
    return {
        f"bundles of {SITES:,} sites, {edges:,} edges, signed": f"{whole:.2f} s   {size / 1e6:.0f} MB",
        f"new key of a laboratory: {len(affected):,} new bundles": f"{change:.2f} s",
        f"quarantine of a practice: {len(few)} new bundles": f"{one * 1000:.0f} ms",
    }


async def heartbeats(data: Path) -> Figures:
    """Measure heartbeats of all sites through the HTTP application; what the client costs is measured apart."""
    async with open_bench_platform(data) as platform:
        controller = platform[Controller]
        await controller.rollouts.begin(POLICY)
        keys = {}
        async with platform.db.transaction() as conn:
            for site in made_sites():
                await connection_store.put_facts(conn, site.facts, 1)
                key = Ed25519PrivateKey.generate()
                public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
                await connection_store.set_identity(conn, site.facts.site, public)
                keys[site.facts.site] = key
        await controller.refresh()
        app = Starlette(routes=controller.routes())
        path = "/healthnet/agent/v1/heartbeats"
        body = canonical(
            {"version": "1.0.0", "serial": 1, "release": 0, "drifted": 0, "offset": 0, "target": {"ms": 12, "loss": 0},
             "certificate_not_after": 1_900_000_000,
             "paths": [{"site": f"S-{number:04}", "own": 1, "rank": 2, "handshake_age_s": 20, "latency_ms": 12, "loss": 0,
                        "rx_bytes": 123_456_789, "tx_bytes": 123_456_789, "mtu": 1420} for number in range(8)]}
        )  # fmt: skip
        now, requests, sites = int(time.time()), [], [*keys]
        for number in range(HEARTBEATS):
            site = sites[number % len(sites)]
            headers = sign_request(keys[site], site, "POST", path, "", body, now, number + 1)
            requests.append([(name.lower().encode(), value.encode()) for name, value in headers.items()])

        async def send(number: int) -> int:
            return (await request(app, "POST", path, requests[number], body, f"198.51.{number % 250}.{number % 199}"))[
                0
            ]

        began = time.process_time()
        for start in range(0, HEARTBEATS, 167):
            for number in range(start, min(start + 167, HEARTBEATS)):
                assert await send(number) == 200
            await controller.refresh()
        used = time.process_time() - began
    return {
        f"{HEARTBEATS:,} heartbeats, kept in 60 writes": f"{used:.2f} s of the processor: {used / 60:.1%} of a core at 10,000 a minute"
    }


async def request(
    app: Starlette, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes, client: str
) -> tuple[int, bytes]:
    """Send a request to an application without a network; return status and body of the response."""
    status, content = 0, b""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def answer(message: Any) -> None:
        nonlocal status, content
        status, content = message.get("status", status), content + message.get("body", b"")

    clean, _, query = path.partition("?")
    scope = {
        "type": "http", "method": method, "path": clean, "raw_path": clean.encode(), "query_string": query.encode(),
        "headers": headers, "client": (client, 1), "scheme": "https", "server": ("c", 443), "root_path": "",
        "http_version": "1.1",
    }  # fmt: skip
    await app(scope, receive, answer)
    return status, content


class BenchAgent:
    """An agent of the program with its keys."""

    def __init__(self, app: Starlette, folder: Path, number: int) -> None:
        self.app, self.client, self.state = app, f"203.0.{number % 250}.{number % 199}", State(folder)
        self.site = ""

    async def enrol(self, token: str) -> None:
        """Enrol with a token, and keep what comes back."""
        loop = asyncio.get_running_loop()

        def send(_: object, method: str, path: str, body: bytes, headers: dict[str, str], timeout: float) -> bytes:
            sent = asyncio.run_coroutine_threadsafe(request(self.app, method, path, [], body, self.client), loop)
            status, content = sent.result()
            assert status == 200, content
            return content

        _, self.site, _ = parse_token(token)
        with patch.object(client.Client, "send", send):
            await asyncio.to_thread(client.enrol, self.state, "https://controller", "", token)

    async def ask(self, method: str, path: str, value: object = None) -> Any:
        """Send a signed request; return the JSON of the answer."""
        body = b"" if value is None else canonical(value)
        clean, _, query = (BASE + path).partition("?")
        number = self.state.next_sequence()
        signed = sign_request(self.state.identity(), self.site, method, clean, query, body, int(time.time()), number)
        headers = [(name.lower().encode(), text.encode()) for name, text in signed.items()]
        status, content = await request(self.app, method, BASE + path, headers, body, self.client)
        assert status == 200, (status, content)
        return json.loads(content)


async def enrolment(data: Path) -> Figures:
    """Measure the way of 500 practices from the request of the provider to a bundle that is in force.

    Both sides are measured, the agent's keys, files and verifications too; certificates are issued.
    """
    async with open_bench_platform(data) as platform:
        sites, controller, following = platform[Sites], platform[Controller], platform[Following]
        await install_authority(platform[Certificates])
        await controller.rollouts.begin(POLICY)
        code = catalogue().system("provider_code").uri
        asked = []
        for number in range(ENROLLED):
            found = Organization(
                id=uuid7(), identifiers=(Identifier(code, f"5{number:07}"),), name="P", kind="practice"
            )
            await platform[Directory].register_organization(found)
            place, contact = (
                Address("1, rue", "L-1234", "Esch"),
                Contact(name="Ann", phone="+352 123456", email="a@b.lu"),
            )
            asked.append(
                (requester_of(found), SiteRequest(provider_code=f"5{number:07}", label="1", address=place,
                                                  service_class="small", contact=contact))
            )  # fmt: skip
        operator = Requester(kind="operator", id=uuid7(), name="Ann")
        app = Starlette(routes=controller.routes())
        used, began = time.process_time(), time.monotonic()
        keys = []
        for requester, wanted in asked:
            site = await sites.request(requester, wanted)
            await sites.decide(operator, site.site_id, approved=True)
            keys.append(site.key)
        approved = time.monotonic()
        await following.follow()
        agents = []
        for number, key in enumerate(keys):
            agent = BenchAgent(app, data / f"agent{number}", number)
            await agent.enrol(await controller.connections.issue_token(key))
            agents.append(agent)
        enrolled = time.monotonic()
        while await controller.compilation.advance():
            pass
        await controller.refresh()
        await following.follow()
        for agent in agents:
            envelope = await agent.ask("GET", "/bundle?have=0&after=0&wait=0")
            bundle = open_envelope(envelope, agent.state.site()["trusted"], agent.site, time.time(), None)
            serial = bundle.head.serial
            await agent.ask(
                "POST", "/receipts", {"serial": serial, "outcome": "applied", "reason": "", "in_force": serial}
            )
        ended = time.monotonic()
        assert len(await sites.connected()) == ENROLLED
        used = time.process_time() - used
    return {
        f"{ENROLLED} practices from request to a bundle in force, with certificates": f"{ended - began:.1f} s by the clock   "
        f"{used:.1f} s of the processor",
        "of these: requests and approvals, enrolments, bundles": f"{approved - began:.1f} s   {enrolled - approved:.1f} s   "
        f"{ended - enrolled:.1f} s by the clock",
    }


async def install_authority(certificates: Certificates) -> None:
    """Hold the ceremony of the root."""
    terms, now = terms_on(today()), datetime.now(UTC)
    key = ALGORITHMS[terms.root_algorithm].make_key()
    root = authority.make_root(key, "Bench", now, terms.root_lasts)
    asked = authority.parse_request(certificates.request().encode())
    found = authority.sign_intermediate(root, key, asked, now, terms.intermediate_lasts)
    operator = Requester(kind="operator", id=uuid7(), name="Ann")
    await certificates.install(operator, found.public_bytes(Encoding.PEM), root.public_bytes(Encoding.PEM))


async def healthnet(data: Path, seconds: float, full: bool) -> Figures:
    """Measure the control plane of the health network."""
    return {**compile_country(), **await heartbeats(data / "heartbeats"), **await enrolment(data / "enrolment")}


PARTS = {"healthnet": healthnet}

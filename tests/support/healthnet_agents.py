"""A controller behind its HTTP API, and agents that speak to it without applying anything."""

import time
from ipaddress import IPv4Network, IPv6Network
from types import SimpleNamespace

import httpx
from starlette.applications import Starlette

from esante.core import clock
from esante.services.healthnet.addresses.model import SiteAddresses
from esante.services.healthnet.agent import client as agent_client
from esante.services.healthnet.agent.signatures import sign_request
from esante.services.healthnet.agent.state import State
from esante.services.healthnet.bundles.format import canonical, open_envelope
from esante.services.healthnet.controller import backup_store
from esante.services.healthnet.controller.model import SiteFacts
from tests.services.healthnet.lab.test_agents import POLICY
from tests.support.healthnet_controller import open_controller

BASE = agent_client.BASE
KINDS = {"A": "practice", "L": "laboratory", "P": "platform"}


def facts(site):
    """The facts of a site whose key is a letter (its kind) and a number."""
    number = ord(site[0]) * 100 + int(site[1:])
    return SiteFacts(
        site=site,
        kind=KINDS[site[0]],
        profession="doctor" if site[0] == "A" else "",
        addresses=SiteAddresses(
            IPv6Network((int(IPv6Network("fd0e:5a17::/48")[0]) + (number << 64), 64)),
            IPv4Network((int(IPv4Network("10.0.0.0/8")[0]) + number * 8, 29)),
        ),
        endpoint="192.0.2.1",
    )


class FakeAgent:
    """An agent's keys and requests; `ahead`: seconds that its clock differs."""

    def __init__(self, world, site, token):
        self.world, self.site, self.token, self.ahead = world, site, token, 0
        self.state = State(world.folder / f"agent-{site}-{time.monotonic_ns()}")
        self.bundle = None

    def enrolment(self):
        """The message of an enrolment, as the agent's program makes it."""
        sent = []

        def send(self, method, path, body, headers, timeout):
            sent.append(body)
            raise agent_client.Unreachable("kept")

        original, agent_client.Client.send = agent_client.Client.send, send
        try:
            agent_client.enrol(self.state, "https://controller", "", self.token)
        except agent_client.Unreachable:
            pass
        finally:
            agent_client.Client.send = original
        return sent[0]

    async def enrol(self, body=None):
        """Enrol; the response."""
        response = await self.world.http.post(f"{BASE}/enrolments", content=body or self.enrolment())
        if response.status_code == 200:
            self.trusted = response.json()["content"]["trusted"]
        return response

    def signed(self, method, path, value=None, **changes):
        """Headers and body of a signed request."""
        body = b"" if value is None else canonical(value)
        created = int(clock.now().timestamp()) + self.ahead
        given = {"created": created, "sequence": self.state.next_sequence(), "site": self.site, "base": BASE} | changes
        clean, _, query = (given["base"] + path).partition("?")
        headers = sign_request(
            self.state.identity(), given["site"], method, clean, query, body, given["created"], given["sequence"]
        )
        return headers, body

    async def ask(self, method, path, value=None, **changes):
        """Send a signed request; the response."""
        headers, body = self.signed(method, path, value, **changes)
        path = changes.get("base", BASE) + path
        return await self.world.http.request(method, path, content=body, headers=headers)

    async def fetch(self, have=None):
        """Take the next bundle, as an agent does; None for none."""
        serial = self.bundle.head.serial if self.bundle else 0
        response = await self.ask("GET", f"/bundle?have={serial if have is None else have}&after={serial}&wait=0")
        if response.status_code == 204:
            return None
        assert response.status_code == 200, response.text
        trusted = self.bundle.parts["trusted"] if self.bundle else self.trusted
        self.bundle = open_envelope(response.json(), trusted, self.site, time.time(), self.bundle)
        return response.json()

    async def receipt(self, outcome="applied", serial=None, reason=""):
        """Say what became of the bundle."""
        number = self.bundle.head.serial if serial is None else serial
        value = {"serial": number, "outcome": outcome, "reason": reason, "in_force": number}
        return await self.ask("POST", "/receipts", value)

    async def beat(self, **more):
        """Send a heartbeat."""
        serial = self.bundle.head.serial if self.bundle else 0
        return await self.ask("POST", "/heartbeats", {"version": "1.0.0", "serial": serial, "paths": [], **more})


class ControllerWorld:
    """A controller and its API."""

    def __init__(self, db, journal, folder):
        self.db, self.journal, self.folder = db, journal, folder
        (folder / "root.key").write_bytes(bytes(range(64)))
        self.agents = {}
        self.restart()

    def restart(self):
        """A controller as a new process has it: nothing in memory."""
        self.controller = open_controller(self.db, self.journal, self.folder)
        app = Starlette(routes=self.controller.routes())
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://controller")

    async def reset(self):
        """Empty tables, and the policy of the lab in force."""
        async with self.db.transaction() as conn:
            await backup_store.clear(conn)
            await conn.execute("INSERT INTO healthnet_compilation VALUES (0)")
            await conn.execute("INSERT INTO healthnet_signing_key VALUES (1, clock_timestamp())")
        await self.controller.rollouts.begin(POLICY)

    async def close(self):
        await self.http.aclose()

    async def settle(self):
        """Make what is pending, and let the API know of it."""
        while await self.controller.compilation.advance():
            pass
        await self.controller.refresh()

    async def connect(self, *sites):
        """Enrolled agents with their first bundles applied."""
        for site in sites:
            await self.controller.connections.put(facts(site))
            agent = FakeAgent(self, site, await self.controller.connections.issue_token(site))
            response = await agent.enrol()
            assert response.status_code == 200, response.text
            self.agents[site] = agent
        await self.settle()
        for site in sites:
            await self.agents[site].fetch()
            await self.agents[site].receipt()
        return SimpleNamespace(**{site: self.agents[site] for site in sites})

    async def events(self, type_):
        """The contents of entries of a type."""
        rows = await self.db.fetch("SELECT content FROM journal_entry WHERE type = $1", type_)
        return [row["content"] for row in rows]

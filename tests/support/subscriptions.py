"""The subscription service on a test database: subscribers, endpoints, and a worker run by hand."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import httpx
import orjson
from joserfc.jwk import ECKey
from starlette.applications import Starlette

from esante.core.journal import advance
from esante.core.outbound import parse_networks
from esante.core.storage import uuid7
from esante.core.web import HANDLERS, Sessions
from esante.identity.access import Requester, SoftwareClient, requester_of
from esante.services.record import Deposit
from esante.services.subscriptions import (
    SubscriptionPolicy,
    Subscriptions,
    api_routes,
    register_topics,
    subscription_policy,
)
from tests.support.declared import DECLARED_TOPICS
from tests.support.record import BASE, World

register_topics(DECLARED_TOPICS)
FHIR = {"Content-Type": "application/fhir+json"}
GUIDE = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
DOCUMENTS = "https://esante.lu/fhir/SubscriptionTopic/documents"
LOOPBACK_NETWORKS = parse_networks("127.0.0.0/8")
LETTER, REPORT = "51852-2", "11488-4"


def fast_policy(**changes) -> SubscriptionPolicy:
    """Return the packaged policy with three attempts without waits, and `changes`."""
    none = timedelta(0)
    return replace(
        subscription_policy(),
        **{"attempts": 3, "first_wait": none, "longest_wait": none, "timeout": timedelta(seconds=5)} | changes,
    )


@dataclass
class SubscriptionPlatform:
    """The services, and people to act with."""

    world: World
    subscriptions: Subscriptions

    @property
    def people(self) -> dict:
        """The people of the world, by name."""
        return self.world.people

    def with_policy(self, **changes) -> "SubscriptionPlatform":
        """Return the same with another policy, as another process would be."""
        return SubscriptionPlatform(self.world, make_subscriptions(self.world, fast_policy(**changes)))

    @property
    def public_only(self) -> "SubscriptionPlatform":
        """The same with endpoints on the public internet only."""
        return SubscriptionPlatform(self.world, make_subscriptions(self.world, fast_policy(), networks=()))

    @asynccontextmanager
    async def client(self, requester: Requester, scopes: str = ""):
        """An HTTP client with a token of a requester for `scopes` (by default: all)."""
        level = {"organization": "system", "patient": "patient"}.get(requester.kind, "user")
        granted = frozenset((scopes or f"{level}/*.cruds").split())
        token = await self.world.access.issue_token(requester, granted, timedelta(hours=1))
        app = Starlette(routes=api_routes(self.subscriptions, self.world.access), exception_handlers=HANDLERS)
        app.state.sessions = Sessions(self.world.db)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as http:
            yield http

    async def subscribe(self, requester: Requester, url: str, *filters: str, **changes) -> dict:
        """Create a subscription; return the resource in the response."""
        async with self.client(requester) as http:
            answer = await http.post("/fhir/Subscription", content=body(url, *filters, **changes), headers=FHIR)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def put(self, requester: Requester, resource: dict, **changes) -> httpx.Response:
        """Update a subscription with changes."""
        async with self.client(requester) as http:
            content = orjson.dumps(resource | changes)
            return await http.put(f"/fhir/Subscription/{resource['id']}", content=content, headers=FHIR)

    async def read(self, requester: Requester, created: dict) -> dict:
        """Read a subscription as its owner."""
        async with self.client(requester) as http:
            answer = await http.get(f"/fhir/Subscription/{created['id']}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def events(self, requester: Requester, created: dict, **params) -> dict:
        """Return the response of $events."""
        async with self.client(requester) as http:
            answer = await http.get(f"/fhir/Subscription/{created['id']}/$events", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def deposit(self, person, by: str = "hospital", type_: str = LETTER, **meta):
        """Deposit a new text document in a person's record."""
        content = f"Dear colleague, {uuid7().hex}".encode()
        deposit = Deposit(type=type_, title="Letter", media_type="text/plain", **meta)
        return (await self.world.record.deposit(self.people[by], person.id, content, deposit)).document

    async def match_events(self) -> None:
        """Queue the events of everything that happened until now."""
        await self.world.journal.sealer.seal_all()
        while await advance(self.world.db, self.subscriptions.consumer):
            pass

    async def deliver(self) -> None:
        """Queue and deliver everything that happened until now, as far as it is due."""
        await self.match_events()
        await self.subscriptions.worker.run_until_idle()

    async def register_software(self, name: str, organization_id) -> Requester:
        """Register software of an organisation; return it as a requester."""
        key = ECKey.generate_key("P-384", parameters={"kid": name}, private=True)
        client = SoftwareClient(
            client_id=name,
            name=name.title(),
            organization_id=organization_id,
            jwks={"keys": [key.as_dict(private=False)]},
            scopes=frozenset({"system/*.cruds"}),
        )
        await self.world.access.clients.register(client)
        organization = await self.world.directory.organization(organization_id)
        return replace(requester_of(organization), client=client.name, client_id=name)

    async def disable_software(self, name: str) -> None:
        """Disable software, as an operator."""
        sql = "UPDATE software_client SET disabled = true WHERE client_id = $1 RETURNING 1"
        await self.world.db.fetchval(sql, name)


def make_subscriptions(world: World, policy: SubscriptionPolicy, networks=LOOPBACK_NETWORKS) -> Subscriptions:
    """Return the service in a world; `networks`: where endpoints may be besides the public internet."""
    return Subscriptions(
        world.db,
        world.journal,
        world.access,
        world.record,
        base_url=f"{BASE}/fhir",
        networks=networks,
        policy=policy,
    )


def resource(url: str, *filters: str, **changes) -> dict:
    """Return a Subscription as software sends it; `content` and `header` are of its channel."""
    content, header = changes.pop("content", "id-only"), changes.pop("header", None)
    channel = {
        "type": "rest-hook",
        "endpoint": url,
        "payload": "application/fhir+json",
        "_payload": {"extension": [{"url": f"{GUIDE}/backport-payload-content", "valueCode": content}]},
    }
    if header:
        channel["header"] = header
    subscription = {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "Letters for the ward",
        "criteria": DOCUMENTS,
        "channel": channel,
    }
    if filters:
        extensions = [{"url": f"{GUIDE}/backport-filter-criteria", "valueString": text} for text in filters]
        subscription["_criteria"] = {"extension": extensions}
    return subscription | changes


def body(url: str, *filters: str, **changes) -> bytes:
    """Return a Subscription as software sends it, as bytes."""
    return orjson.dumps(resource(url, *filters, **changes))


async def active_subscription(platform, requester, url, *filters, **changes):
    """Create a subscription and complete its handshake."""
    created = await platform.subscribe(requester, url, *filters, **changes)
    await platform.subscriptions.worker.run_until_idle()
    assert (await platform.read(requester, created))["status"] == "active"
    return created


async def add_clinic(platform, person):
    """Add an organisation with software, which sees what it deposits itself for a person."""
    hospital = await platform.world.organization("hospital", f"Clinic {person.id.hex[-6:]}")
    requester = await platform.register_software(f"kis-{person.id.hex[-12:]}", hospital.id)
    platform.people["clinic"] = requester
    return requester


@asynccontextmanager
async def running_worker(platform):
    """Run a delivery worker in the background."""
    worker = asyncio.create_task(platform.subscriptions.worker.run())
    yield
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)


async def dead_letters_of(platform, created):
    """Return the dead letters of a subscription."""
    page = await platform.subscriptions.admin.letters(limit=100)
    return [letter for letter in page.items if str(letter.subscription.id) == created["id"]]

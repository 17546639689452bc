"""The record's small country, with software that is told."""

import contextlib
from dataclasses import dataclass, replace
from datetime import timedelta

import httpx
import orjson
import pytest
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.routing import Route

from esante.core.journal import advance
from esante.core.storage import uuid7
from esante.core.web import HANDLERS, Sessions
from esante.identity.access import Requester, SoftwareClient, requester_of
from esante.services.record import Deposit
from esante.services.subscriptions import (
    Policy,
    Subscriptions,
    api_routes,
    networks,
    page_routes,
    policy,
    register_topics,
)
from tests.services.record.conftest import BASE, World, open_world
from tests.support.declared import DECLARED_TOPICS

from .receivers import receiving

register_topics(DECLARED_TOPICS)
FHIR = {"Content-Type": "application/fhir+json"}
GUIDE = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
DOCUMENTS = "https://esante.lu/fhir/SubscriptionTopic/documents"
LOOPBACK = networks("127.0.0.0/8")
LETTER, REPORT = "51852-2", "11488-4"


def fast(**changes) -> Policy:
    """The terms with a fault that is tried again at once, and three attempts."""
    none = timedelta(0)
    return replace(
        policy(),
        **{"attempts": 3, "first_wait": none, "longest_wait": none, "timeout": timedelta(seconds=5)} | changes,
    )


@dataclass
class Country:
    """The record's world and its subscriptions."""

    world: World
    subscriptions: Subscriptions

    @property
    def people(self) -> dict:
        """Who is there."""
        return self.world.people

    def with_terms(self, **changes) -> "Country":
        """The same with other terms, as another process of the platform."""
        return Country(self.world, subscriptions_of(self.world, fast(**changes)))

    @property
    def outside(self) -> "Country":
        """The same where nothing beside the public internet is told."""
        return Country(self.world, subscriptions_of(self.world, fast(), inside=()))

    @contextlib.asynccontextmanager
    async def client(self, requester: Requester, scopes: str = ""):
        """An HTTP client that asks as a requester, with a token of these scopes (by default: all)."""
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
        """A new subscription, as the answer shows it."""
        async with self.client(requester) as http:
            answer = await http.post("/fhir/Subscription", content=body(url, *filters, **changes), headers=FHIR)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def put(self, requester: Requester, resource: dict, **changes) -> httpx.Response:
        """Send a subscription back with changes."""
        async with self.client(requester) as http:
            content = orjson.dumps(resource | changes)
            return await http.put(f"/fhir/Subscription/{resource['id']}", content=content, headers=FHIR)

    async def read(self, requester: Requester, made: dict) -> dict:
        """A subscription as its owner reads it now."""
        async with self.client(requester) as http:
            answer = await http.get(f"/fhir/Subscription/{made['id']}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def events(self, requester: Requester, made: dict, **asked) -> dict:
        """The answer to $events."""
        async with self.client(requester) as http:
            answer = await http.get(f"/fhir/Subscription/{made['id']}/$events", params=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def deposit(self, person, by: str = "hospital", type_: str = LETTER, **meta):
        """A new text document in a person's record."""
        content = f"Dear colleague, {uuid7().hex}".encode()
        deposit = Deposit(type=type_, title="Letter", media_type="text/plain", **meta)
        return (await self.world.record.deposit(self.people[by], person.id, content, deposit)).document

    async def matched(self) -> None:
        """Let the reader see everything that happened until now."""
        await self.world.journal.sealer.seal_all()
        while await advance(self.world.db, self.subscriptions.reader):
            pass

    async def delivered(self) -> None:
        """Let everything that happened until now be delivered, as far as it is due."""
        await self.matched()
        await self.subscriptions.deliveries.until_idle()

    async def software(self, name: str, organization_id) -> Requester:
        """Registered software of an organisation, signed in."""
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

    async def disable(self, name: str, organization_id) -> None:
        """An operator disables software."""
        known = SoftwareClient(
            client_id=name, name=name, organization_id=organization_id, jwks={"keys": []}, scopes=frozenset()
        )
        await self.world.db.fetchval(
            "UPDATE software_client SET disabled = true WHERE client_id = $1 RETURNING 1", known.client_id
        )


def subscriptions_of(world: World, terms: Policy, inside=LOOPBACK) -> Subscriptions:
    """Subscriptions over a world; endpoints may be in the networks `inside`."""
    return Subscriptions(
        world.db,
        world.journal,
        world.access,
        world.record,
        base_url=f"{BASE}/fhir",
        networks=inside,
        terms=terms,
    )


def resource(url: str, *filters: str, **changes) -> dict:
    """A Subscription as software sends it; `content` and `header` are of its channel."""
    content, header = changes.pop("content", "id-only"), changes.pop("header", None)
    channel = {
        "type": "rest-hook",
        "endpoint": url,
        "payload": "application/fhir+json",
        "_payload": {"extension": [{"url": f"{GUIDE}/backport-payload-content", "valueCode": content}]},
    }
    if header:
        channel["header"] = header
    found = {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "Letters for the ward",
        "criteria": DOCUMENTS,
        "channel": channel,
    }
    if filters:
        extensions = [{"url": f"{GUIDE}/backport-filter-criteria", "valueString": text} for text in filters]
        found["_criteria"] = {"extension": extensions}
    return found | changes


def body(url: str, *filters: str, **changes) -> bytes:
    """The same as bytes."""
    return orjson.dumps(resource(url, *filters, **changes))


@pytest.fixture(scope="module")
async def world(db, journal, objects):
    """A world over this module's database."""
    async with open_world(db, journal, objects) as world:
        yield world


@pytest.fixture(scope="module")
def country(world):
    """The world with subscriptions."""
    return Country(world, subscriptions_of(world, fast()))


@pytest.fixture
async def receiver():
    """A receiver that takes everything."""
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def pages(country):
    """The application with this room's pages, in which `/become/{name}` signs somebody in."""

    async def become(request):
        requester = country.people[request.path_params["name"]]
        return await country.world.access.sign_in(request, requester, method="demo")

    access = country.world.access
    routes = [Route("/become/{name}", become, methods=["POST"]), *page_routes(country.subscriptions, access)]
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    app.state.sessions = access.sessions
    return app

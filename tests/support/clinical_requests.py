"""HTTP requests on clinical resources, for tests."""

from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import httpx
import orjson

from esante.app import create_app
from esante.core.fhir import check
from esante.identity.access import Confidentiality, requester_of
from esante.settings import Settings
from tests.support.record import BASE, FHIR, transaction

PATCH = {"Content-Type": "application/json-patch+json"}


async def create(client, body: bytes, type_: str = "Observation", **headers):
    """Create a clinical resource; return the response."""
    return await client.post(f"/fhir/{type_}", content=body, headers=FHIR | headers)


async def deposit(client, person, bundle: dict) -> str:
    """Deposit a FHIR document in a transaction (ITI-65); return the id of its DocumentReference."""
    body = transaction(person, ({}, orjson.dumps(bundle), "application/fhir+json"))
    answer = await client.post("/fhir", content=body, headers=FHIR)
    assert answer.status_code == 200, answer.text
    return answer.json()["entry"][1]["resource"]["id"]


async def search_bundle(client, path: str) -> dict:
    """Return the Bundle that a search gives, which must be valid FHIR."""
    answer = await client.get(f"/fhir/{path}")
    assert answer.status_code == 200, answer.text
    checked = check(answer.content)
    assert checked.ok, checked.issues
    return answer.json()


async def search(client, path: str) -> list[dict]:
    """Return the resources that a search finds or includes."""
    return [entry["resource"] for entry in (await search_bundle(client, path)).get("entry", ())]


async def count_resources(client, person, type_: str = "Observation") -> int:
    """Return the number of a person's resources of a type."""
    return (await client.get(f"/fhir/{type_}", params={"patient": str(person.id), "_count": "0"})).json()["total"]


async def set_confidentiality(world, person, document: str, level=Confidentiality.HIDDEN) -> None:
    """Set the confidentiality of a document by its id, as the patient."""
    await world.record.set_confidentiality(requester_of(person), person.id, UUID(hex=document[32:]), level)


async def post_bundle(client, *entries: dict, type_: str = "transaction", **headers):
    """Post a batch or transaction of entries; return the response."""
    body = orjson.dumps({"resourceType": "Bundle", "type": type_, "entry": list(entries)})
    return await client.post("/fhir", content=body, headers=FHIR | headers)


def response_statuses(answer) -> list[str]:
    """Return the status of each entry of a batch or transaction response, which must be valid FHIR."""
    assert answer.status_code == 200, answer.text
    assert check(answer.content).ok, check(answer.content).issues
    return [one["response"]["status"] for one in answer.json()["entry"]]


@asynccontextmanager
async def app_client(world, dsn, folder, requester, scopes: str):
    """Open a client of the whole application over the world's database."""
    app = create_app(Settings(data=folder, database_url=dsn, public_url=BASE))
    token = await world.access.issue_token(requester, frozenset(scopes.split()), timedelta(hours=1))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url=BASE,
            headers={"Authorization": f"Bearer {token}"} | FHIR,
        ) as client,
    ):
        yield client

"""What the tests of exports share: the record's small country, its faces over HTTP, and a worker that is led by hand."""

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import httpx
import orjson
import pytest
from starlette.applications import Starlette

from esante.core.storage import uuid7
from esante.core.web import HANDLERS, Sessions
from esante.identity import access, directory
from esante.identity.access import Grant, GrantKind, Requester
from esante.identity.directory import Person
from esante.services import export, record
from esante.services.export import Exports
from esante.services.export import service as export_service
from esante.services.record import Deposit
from tests.services.record.conftest import BASE, World, letter, open_world

FHIR = f"{BASE}/fhir"
ASYNC = {"Prefer": "respond-async"}


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """The work begins at once: no write is under way in a test that asks."""
    monkeypatch.setattr(export_service, "SETTLING", timedelta(0))


@dataclass
class House:
    """The services, people to act with, and the faces over HTTP."""

    world: World
    exports: Exports

    @property
    def people(self):
        """Who is there."""
        return self.world.people

    @asynccontextmanager
    async def client(self, requester: Requester, scopes: str = ""):
        """An HTTP client that asks as a requester, with a token of these scopes (by default: all)."""
        level = {"organization": "system", "patient": "patient"}.get(requester.kind, "user")
        wanted = frozenset((scopes or f"{level}/*.cruds").split())
        token = await self.world.access.issue_token(requester, wanted, timedelta(hours=1))
        async with self.http({"Authorization": f"Bearer {token}"}) as http:
            yield http

    @asynccontextmanager
    async def http(self, headers=()):
        """A client of every face that exports are compared with."""
        world = self.world
        app = Starlette(
            routes=[
                *export.api_routes(self.exports, world.access, FHIR),
                *record.api_routes(world.record, world.directory, world.access, FHIR),
                *directory.api_routes(world.directory, world.access.authorize, FHIR),
                *access.api_routes(world.access, world.journal, world.directory, BASE),
            ],
            exception_handlers=HANDLERS,
        )
        app.state.sessions = Sessions(world.db)
        app.router.redirect_slashes = False
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as http:
            yield http

    async def patient(self, *holders: Requester, documents: int = 0, **person) -> Person:
        """A person with an open record, grants to `holders`, and letters from the hospital."""
        made = await self.world.person(**person)
        for holder in holders:
            await self.grant(made, holder)
        for _ in range(documents):
            await self.deposit(made)
        return made

    async def grant(self, person: Person, holder: Requester) -> Grant:
        """An access that was given to a holder."""
        given = Grant(
            id=uuid7(),
            person_id=person.id,
            kind=GrantKind.STAY if holder.kind == "organization" else GrantKind.CIRCLE,
            holder_kind=holder.kind,
            holder_id=holder.id,
            holder=holder.name,
            since=datetime.now(UTC) - timedelta(minutes=1),
        )
        await self.world.db.write(self.world.access.grants.grant_rows(given))
        return given

    async def revoke(self, grant: Grant) -> None:
        """The person ends an access."""
        patient = Requester(kind="patient", id=grant.person_id, name="Patient")
        await self.world.access.grants.revoke(patient, grant.id)

    async def deposit(self, person: Person, *, by: str = "hospital", text: str = "", **meta):
        """A letter in a person's record."""
        content, said = letter(text)
        deposit = replace(said, **({"event_date": date(2024, 3, 11)} | meta))
        done = await self.world.record.deposit(self.people[by], person.id, content, deposit)
        return done.document

    async def deposit_fhir(self, person: Person, content: bytes, *, by: str = "hospital"):
        """A FHIR document in a person's record."""
        done = await self.world.record.deposit(self.people[by], person.id, content, Deposit())
        return done.document

    async def work(self) -> None:
        """Finish every export."""
        while await self.exports.worker.advance():
            pass

    async def ask(self, http: httpx.AsyncClient, path: str = "$export", **more) -> str:
        """Begin an export; returns its address."""
        answer = await http.get(f"/fhir/{path}", headers=ASYNC, **more)
        assert answer.status_code == 202, answer.text
        return str(answer.headers["content-location"])

    async def manifest(self, http: httpx.AsyncClient, path: str = "$export", **more) -> dict:
        """An export from its beginning to its end."""
        location = await self.ask(http, path, **more)
        await self.work()
        answer = await http.get(location)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def lines(self, http: httpx.AsyncClient, manifest: dict, kind: str = "output") -> list[dict]:
        """Every resource of an export, whose counts are right."""
        found = []
        for file in manifest[kind]:
            answer = await http.get(file["url"])
            assert answer.status_code == 200, answer.text
            assert answer.headers["content-type"] == "application/fhir+ndjson"
            lines = answer.content.splitlines()
            assert len(lines) == file["count"] > 0
            found += [orjson.loads(line) for line in lines]
            if kind == "output":
                assert {one["resourceType"] for one in found[-len(lines) :]} == {file["type"]}
        return found

    async def exported(self, requester: Requester, path: str = "$export", **more) -> list[dict]:
        """The resources of an export by a requester."""
        async with self.client(requester) as http:
            return await self.lines(http, await self.manifest(http, path, **more))


def ids(resources, type_: str = "") -> set[str]:
    """The ids of resources of a type."""
    found = [one["id"] for one in resources if type_ in ("", one["resourceType"])]
    assert len(found) == len(set(found))
    return set(found)


def job_id(location: str) -> UUID:
    """The key in the address of an export."""
    return UUID(location.rpartition("/")[2])


@asynccontextmanager
async def open_house(db, journal, objects):
    """The services over a database, with exports."""
    async with open_world(db, journal, objects) as world:
        exports = Exports(db, objects, journal, world.directory, world.access, world.record, BASE)
        yield House(world, exports)


@pytest.fixture(scope="module")
async def house(db, journal, objects):
    """A house over this module's database."""
    async with open_house(db, journal, objects) as house:
        yield house

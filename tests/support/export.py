"""The export service on a test database: people, HTTP clients, and a worker run by hand."""

import io
import re
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zipfile import ZipFile

import httpx
import orjson
from lxml import html
from starlette.applications import Starlette
from starlette.routing import Route

from esante.core.storage import uuid7
from esante.core.web import HANDLERS, SecurityHeaders, Sessions
from esante.identity import access, directory
from esante.identity.access import Grant, GrantKind, Requester
from esante.identity.directory import Person
from esante.services import export, record
from esante.services.export import (
    Exports,
    PersonalExports,
)
from esante.services.record import Deposit, ReadableCopies
from tests.support.record import BASE, World, letter, open_world

FHIR = f"{BASE}/fhir"

ASYNC = {"Prefer": "respond-async"}

LENIENT = {"Prefer": "respond-async, handling=lenient"}


@dataclass
class ExportPlatform:
    """The services, people to act with, and HTTP clients."""

    world: World
    exports: Exports

    @property
    def people(self):
        """The people of the world, by name."""
        return self.world.people

    @asynccontextmanager
    async def client(self, requester: Requester, scopes: str = ""):
        """An HTTP client with a token of a requester for `scopes` (by default: all)."""
        level = {"organization": "system", "patient": "patient"}.get(requester.kind, "user")
        wanted = frozenset((scopes or f"{level}/*.cruds").split())
        token = await self.world.access.issue_token(requester, wanted, timedelta(hours=1))
        async with self.http({"Authorization": f"Bearer {token}"}) as http:
            yield http

    @asynccontextmanager
    async def http(self, headers=()):
        """An HTTP client of the API of exports, and of the APIs that exports are compared with."""
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

    async def add_patient(self, *holders: Requester, documents: int = 0, **person) -> Person:
        """Return a person with an open record, grants to `holders`, and letters from the hospital."""
        added = await self.world.person(**person)
        for holder in holders:
            await self.grant(added, holder)
        for _ in range(documents):
            await self.deposit(added)
        return added

    async def grant(self, person: Person, holder: Requester) -> Grant:
        """Give a holder access to a person's record."""
        grant = Grant(
            id=uuid7(),
            person_id=person.id,
            kind=GrantKind.STAY if holder.kind == "organization" else GrantKind.CIRCLE,
            holder_kind=holder.kind,
            holder_id=holder.id,
            holder=holder.name,
            since=datetime.now(UTC) - timedelta(minutes=1),
        )
        await self.world.db.write(self.world.access.grants.grant_rows(grant))
        return grant

    async def revoke(self, grant: Grant) -> None:
        """End an access, as the person."""
        patient = Requester(kind="patient", id=grant.person_id, name="Patient")
        await self.world.access.grants.revoke(patient, grant.id)

    async def deposit(self, person: Person, *, by: str = "hospital", text: str = "", **meta):
        """Deposit a letter in a person's record."""
        content, template = letter(text)
        deposit = replace(template, **({"event_date": date(2024, 3, 11)} | meta))
        deposited = await self.world.record.deposit(self.people[by], person.id, content, deposit)
        return deposited.document

    async def deposit_fhir(self, person: Person, content: bytes, *, by: str = "hospital"):
        """Deposit a FHIR document in a person's record."""
        deposited = await self.world.record.deposit(self.people[by], person.id, content, Deposit())
        return deposited.document

    async def run_worker(self) -> None:
        """Work until no export is due."""
        while await self.exports.worker.advance():
            pass

    async def kick_off(self, http: httpx.AsyncClient, path: str = "$export", **more) -> str:
        """Begin an export; return its URL."""
        answer = await http.get(f"/fhir/{path}", headers=ASYNC, **more)
        assert answer.status_code == 202, answer.text
        return str(answer.headers["content-location"])

    async def cancel_all(self, requester: Requester) -> None:
        """Remove the exports of a requester."""
        for job in await self.exports.jobs(requester):
            await self.exports.cancel(requester, job.id)

    async def run_export(self, http: httpx.AsyncClient, path: str = "$export", **more) -> dict:
        """Run an export from kick-off to its end; return the manifest."""
        location = await self.kick_off(http, path, **more)
        await self.run_worker()
        answer = await http.get(location)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def fetch_lines(self, http: httpx.AsyncClient, manifest: dict, kind: str = "output") -> list[dict]:
        """Return every resource of an export, and check the counts of the manifest."""
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

    async def export_resources(self, requester: Requester, path: str = "$export", **more) -> list[dict]:
        """Return the resources of an export by a requester."""
        async with self.client(requester) as http:
            return await self.fetch_lines(http, await self.run_export(http, path, **more))


def ids(resources, type_: str = "") -> set[str]:
    """Return the ids of resources of a type (by default: all), none of them twice."""
    found = [one["id"] for one in resources if type_ in ("", one["resourceType"])]
    assert len(found) == len(set(found))
    return set(found)


def job_id(location: str) -> UUID:
    """Return the job id in the URL of an export."""
    return UUID(location.rpartition("/")[2])


def count_keys(resources) -> Counter:
    """Count resources by type and id."""
    return Counter((one["resourceType"], one["id"]) for one in resources)


def by_key(resources) -> dict[tuple[str, str], dict]:
    """Return resources by type and id, none of them twice."""
    found = {(one["resourceType"], one["id"]): one for one in resources}
    assert len(found) == len(resources)
    return found


async def fetch_all_pages(http, path: str) -> list[dict]:
    """Return the matches of a search, from all pages."""
    found, url = [], f"/fhir/{path}"
    while url:
        answer = await http.get(url)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += [entry["resource"] for entry in page.get("entry", ()) if entry["search"]["mode"] == "match"]
        url = {link["relation"]: link["url"] for link in page["link"]}.get("next")
    return found


@asynccontextmanager
async def open_export_platform(db, journal, objects):
    """Open the services on a database, with exports."""
    async with open_world(db, journal, objects) as world:
        exports = Exports(db, objects, journal, world.directory, world.access, world.record, BASE)
        yield ExportPlatform(world, exports)


def personal_exports(platform, *further):
    """Return the personal exports of a platform, with further files."""
    world = platform.world
    copies = ReadableCopies(world.record.previews)
    return PersonalExports(world.db, world.record.extracts, platform.exports, copies, world.directory, further)


@asynccontextmanager
async def browser(platform, requester, language="en"):
    """An HTTP client with a session of a requester, for the pages."""
    world = platform.world

    async def become(request):
        return await world.access.sign_in(request, requester, method="demo")

    pages = export.page_routes(platform.exports, personal_exports(platform), world.access)
    app = Starlette(routes=[Route("/become", become, methods=["POST"]), *pages], exception_handlers=HANDLERS)
    app.add_middleware(SecurityHeaders)
    app.state.sessions = world.access.sessions
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        assert (await client.post("/become")).status_code == 303
        client.cookies.set("esante_lang", language)
        yield client


async def get_page(client, url="/takeout"):
    """Return a page as parsed HTML."""
    answer = await client.get(url)
    assert answer.status_code == 200, answer.text
    return html.fromstring(answer.text)


async def submit(client, action):
    """Submit a form of the page."""
    shown = await get_page(client)
    [form] = shown.xpath(f"//form[@action='{action}'][1]")[:1]
    fields = {one.get("name"): one.get("value") for one in form.xpath(".//input")}
    return await client.post(action, data=fields)


async def download_zip(client) -> dict[str, bytes]:
    """Download the ZIP and return the contents of its files by name."""
    answer = await client.get("/takeout/data.zip")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    assert re.fullmatch(r'attachment; filename="esante \d{4}-\d\d-\d\d\.zip"', answer.headers["content-disposition"])
    assert answer.headers["cache-control"] == "no-store"
    with ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}

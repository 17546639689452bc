"""The page on which a person takes her data along, without JavaScript, and the ZIP that she gets."""

import io
import re
from contextlib import asynccontextmanager
from zipfile import ZipFile

import httpx
import orjson
import pytest
from lxml import html
from starlette.applications import Starlette
from starlette.routing import Route

from esante.core.web import HANDLERS, SecurityHeaders
from esante.identity.access import Confidentiality, requester_of
from esante.services import export
from esante.services.export import Taken, Takeout
from esante.services.export import worker as export_work
from esante.services.record import Deposit, Status
from tests.services.record.conftest import BASE, pdf
from tests.support.clinical_resources import laboratory_report

from .conftest import ids


@asynccontextmanager
async def browsing(house, requester, language="en"):
    """An HTTP client with a session of a requester."""
    world = house.world

    async def become(request):
        return await world.access.sign_in(request, requester, method="demo")

    takeout = Takeout(world.db, world.record.extracts, house.exports)
    pages = export.page_routes(house.exports, takeout, world.access)
    app = Starlette(routes=[Route("/become", become, methods=["POST"]), *pages], exception_handlers=HANDLERS)
    app.add_middleware(SecurityHeaders)
    app.state.sessions = world.access.sessions
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        assert (await client.post("/become")).status_code == 303
        client.cookies.set("esante_lang", language)
        yield client


async def page(client, url="/takeout"):
    answer = await client.get(url)
    assert answer.status_code == 200, answer.text
    return html.fromstring(answer.text)


async def send(client, action):
    """Send a form of the page."""
    shown = await page(client)
    [form] = shown.xpath(f"//form[@action='{action}'][1]")[:1]
    fields = {one.get("name"): one.get("value") for one in form.xpath(".//input")}
    return await client.post(action, data=fields)


@pytest.fixture
async def person(house):
    """A person with documents of several kinds, one of them hidden, two of the same title."""
    person = await house.patient()
    for _ in range(2):
        await house.deposit(person, title="Lettre / de sortie: à ../vous")
    hidden = await house.deposit(person, title="Caché")
    await house.world.record.set_confidentiality(requester_of(person), person.id, hidden.id, Confidentiality.HIDDEN)
    report = orjson.dumps(laboratory_report(person, ("1", 14.1)))
    await house.deposit_fhir(person, report, by="laboratory")
    scan = Deposit(type="51852-2", title="Scan", media_type="application/pdf")
    await house.world.record.deposit(house.people["hospital"], person.id, pdf(), scan)
    return person


async def unpacked(client) -> dict[str, bytes]:
    answer = await client.get("/takeout/data.zip")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    assert re.fullmatch(r'attachment; filename="esante \d{4}-\d\d-\d\d\.zip"', answer.headers["content-disposition"])
    assert answer.headers["cache-control"] == "no-store"
    with ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


async def test_a_person_prepares_and_downloads_all_of_hers(house, person):
    world, herself = house.world, requester_of(person)
    async with browsing(house, herself) as client:
        assert "Prepare my data" in (await client.get("/takeout")).text
        answer = await send(client, "/takeout")
        assert (answer.status_code, answer.headers["location"]) == (303, "/takeout")
        running = await page(client)
        assert running.xpath("//progress/@value") == ["0"]
        assert running.xpath("//*[@id='takeout']/@hx-get") == ["/takeout?shown=0"]
        assert (await client.get("/takeout?shown=0")).status_code == 204
        assert (await client.get("/takeout/data.zip")).status_code == 404
        await house.work()
        ready = await page(client, "/takeout?shown=0")
        assert ready.xpath("//a[@href='/takeout/data.zip']")
        assert not ready.xpath("//*[@hx-get]")
        files = await unpacked(client)
    documents = (await world.record.timeline(herself, person.id)).documents
    kept = {name: content for name, content in files.items() if name.startswith("documents/")}
    originals = [await world.record.content(herself, person.id, document.id) for document in documents]
    assert sorted(kept.values()) == sorted(content for _, content in originals)
    assert len(kept) == 5
    assert all(re.fullmatch(r"documents/\d{4}-\d\d-\d\d [\w .()-]+\.(txt|json|pdf)", name) for name in kept)
    data = [
        orjson.loads(line)
        for name, content in files.items()
        if name.startswith("data/")
        for line in content.splitlines()
    ]
    async with house.client(herself) as http:
        exported = await house.lines(http, await house.manifest(http))
    assert ids(data, "Observation") == ids(exported, "Observation") != set()
    assert ids(data, "DocumentReference") == {document.key for document in documents}
    assert {"data/Patient.ndjson", "data/AuditEvent.ndjson", "data/Observation.ndjson"} <= set(files)
    readme = files["README.txt"].decode()
    assert "“documents”" in readme
    assert "%(" not in readme
    [(entry, told)] = await world.events(person, Taken)
    assert entry.actor.id == person.id
    assert set(told.documents) == {document.id for document in documents}
    assert all(document.status is Status.CURRENT for document in documents)


@pytest.mark.parametrize("language", ["fr", "de", "lb"])
async def test_the_folders_have_names_of_her_language(house, person, language):
    async with browsing(house, requester_of(person), language) as client:
        await send(client, "/takeout")
        await house.work()
        folders = {name.partition("/")[0] for name in await unpacked(client)}
    assert len(folders) == 3
    assert not {"documents", "data"} & folders or language == "fr"


async def test_again_and_deleted(house, person, objects):
    herself = requester_of(person)
    async with browsing(house, herself) as client:
        for _ in range(3):
            await send(client, "/takeout")
            await house.work()
        [job] = await house.exports.jobs(herself)
        assert (await send(client, "/takeout/delete")).status_code == 303
        assert await house.exports.jobs(herself) == []
        assert job.id.hex not in await objects.folders("export")
        assert "Prepare my data" in (await client.get("/takeout")).text


async def test_one_who_asks_for_nothing_more_can_cancel(house, person, monkeypatch):
    monkeypatch.setattr(export_work, "SLICE", 0.0)
    herself = requester_of(person)
    async with browsing(house, herself) as client:
        await send(client, "/takeout")
        await house.exports.worker.advance()
        shown = await page(client, "/takeout?shown=0")
        assert 0 < int(shown.xpath("//progress/@value")[0]) < 100
        await send(client, "/takeout/delete")
        assert await house.exports.jobs(herself) == []


async def test_a_document_whose_bytes_are_lost_is_named(house, person):
    await house.world.db.fetchval("DELETE FROM document_content WHERE person_id = $1", person.id)
    async with browsing(house, requester_of(person)) as client:
        await send(client, "/takeout")
        await house.work()
        files = await unpacked(client)
    assert not [name for name in files if name.startswith("documents/")]
    assert "Scan.pdf" in files["MISSING.txt"].decode()


async def test_nobody_else_has_the_page(house, person):
    async with browsing(house, requester_of(person)) as client:
        await send(client, "/takeout")
        await house.work()
        assert (await client.post("/takeout")).status_code == 403
        assert (await client.post("/takeout/delete")).status_code == 403
    async with browsing(house, requester_of(await house.patient())) as other:
        assert (await other.get("/takeout/data.zip")).status_code == 404
        assert "Prepare my data" in (await other.get("/takeout")).text
    for kind in ("doctor", "hospital", "operator"):
        async with browsing(house, house.people[kind]) as other:
            for path in ("/takeout", "/takeout/data.zip"):
                assert (await other.get(path)).status_code == 404

"""The ZIP of a patient's own data."""

import hashlib
import io
import re
from dataclasses import replace
from datetime import UTC, datetime
from zipfile import ZipFile

import orjson
import pytest

from esante.contract import PersonalFile
from esante.core.storage import Overloaded, uuid7
from esante.identity.access import requester_of
from esante.services.export import PersonalExportDownloaded
from esante.services.export.personal_export import FurtherFiles
from esante.services.record import ReadableCopies, Status
from esante.services.record.retention import store
from tests.support.export import browser, download_zip, get_page, ids, personal_exports, submit


async def test_patient_prepares_and_downloads_all_own_data(platform, patient):
    world, requester = platform.world, requester_of(patient)
    async with browser(platform, requester) as client:
        assert "Prepare my data" in (await client.get("/takeout")).text
        answer = await submit(client, "/takeout")
        assert (answer.status_code, answer.headers["location"]) == (303, "/takeout")
        running = await get_page(client)
        assert running.xpath("//progress/@value") == ["0"]
        assert running.xpath("//*[@id='takeout']/@hx-get") == ["/takeout?shown=0"]
        assert (await client.get("/takeout?shown=0")).status_code == 204
        assert (await client.get("/takeout/data.zip")).status_code == 404
        await platform.run_worker()
        ready = await get_page(client, "/takeout?shown=0")
        assert ready.xpath("//a[@href='/takeout/data.zip']")
        assert not ready.xpath("//*[@hx-get]")
        files = await download_zip(client)
    documents = (await world.record.timeline(requester, patient.id)).documents
    kept = {name: content for name, content in files.items() if name.startswith("documents/")}
    copies = {name: kept.pop(name) for name in list(kept) if name.endswith(".html")}
    originals = [await world.record.content(requester, patient.id, document.id) for document in documents]
    assert sorted(kept.values()) == sorted(content for _, content in originals)
    assert len(kept) == 5
    [(name, copy)] = copies.items()
    assert name.replace(".html", ".json") in kept
    assert hashlib.sha256(kept[name.replace(".html", ".json")]).hexdigest().encode() in copy
    assert b"14.1" in copy and b"Anna" in copy
    assert all(re.fullmatch(r"documents/\d{4}-\d\d-\d\d [\w .()-]+\.(txt|json|pdf)", name) for name in kept)
    data = [
        orjson.loads(line)
        for name, content in files.items()
        if name.startswith("data/")
        for line in content.splitlines()
    ]
    async with platform.client(requester) as http:
        exported = await platform.fetch_lines(http, await platform.run_export(http))
    assert ids(data, "Observation") == ids(exported, "Observation") != set()
    assert ids(data, "DocumentReference") == {document.key for document in documents}
    assert {"data/Patient.ndjson", "data/AuditEvent.ndjson", "data/Observation.ndjson"} <= set(files)
    readme = files["README.txt"].decode()
    assert "“documents”" in readme
    assert "%(" not in readme
    [(entry, event)] = await world.events(patient, PersonalExportDownloaded)
    assert entry.actor.id == patient.id
    assert set(event.documents) == {document.id for document in documents}
    assert all(document.status is Status.CURRENT for document in documents)


@pytest.mark.parametrize("language", ["fr", "de", "lb"])
async def test_zip_folders_are_named_in_the_patients_language(platform, patient, language):
    async with browser(platform, requester_of(patient), language) as client:
        await submit(client, "/takeout")
        await platform.run_worker()
        folders = {name.partition("/")[0] for name in await download_zip(client)}
    assert len(folders) == 3
    assert not {"documents", "data"} & folders or language == "fr"


async def test_zip_is_whole_when_no_copy_can_be_made_now(platform, patient, monkeypatch):
    async def overloaded(*_, **__):
        raise Overloaded("too many documents are waiting")

    monkeypatch.setattr(ReadableCopies, "make", overloaded)
    async with browser(platform, requester_of(patient)) as client:
        await submit(client, "/takeout")
        await platform.run_worker()
        names = [name for name in await download_zip(client) if name.startswith("documents/")]
    assert len(names) == 5 and not [name for name in names if name.endswith(".html")]


async def test_document_with_lost_bytes_is_listed_as_missing(platform, patient):
    await platform.world.db.fetchval("DELETE FROM document_content WHERE person_id = $1", patient.id)
    async with browser(platform, requester_of(patient)) as client:
        await submit(client, "/takeout")
        await platform.run_worker()
        files = await download_zip(client)
    assert not [name for name in files if name.startswith("documents/")]
    assert "Scan.pdf" in files["MISSING.txt"].decode()


async def test_document_whose_retention_ends_while_the_zip_is_sent_is_left_out(platform):
    world = platform.world
    person = await platform.add_patient(documents=3)
    requester = requester_of(person)
    async with browser(platform, requester) as client:
        await submit(client, "/takeout")
    await platform.run_worker()
    exports = personal_exports(platform)
    prepared = await exports.prepare(requester)
    async with world.db.transaction() as conn:
        await store.delete_documents(conn, person.id, [prepared.documents[1].id], datetime.now(UTC))
    sent = b"".join([chunk async for chunk in exports.stream_zip(prepared, "en")])
    names = ZipFile(io.BytesIO(sent)).namelist()
    assert len([name for name in names if name.startswith("documents/")]) == 2
    assert "MISSING.txt" not in names


async def test_files_of_other_services_are_in_folders_of_their_own(platform):
    person, asked = await platform.add_patient(), []

    async def read(requester, language):
        asked.append((requester.id, language))
        for content in (b"first", b"second", None):
            yield PersonalFile("note.pdf", datetime.now(UTC), content)

    further = FurtherFiles("documents", "Your notes are in “%(folder)s”.", read)
    exports, requester = personal_exports(platform, further), requester_of(person)
    async with browser(platform, requester) as client:
        await submit(client, "/takeout")
    await platform.run_worker()
    prepared = await exports.prepare(requester)
    sent = b"".join([chunk async for chunk in exports.stream_zip(prepared, "de")])
    files = ZipFile(io.BytesIO(sent))
    assert [files.read(f"Dokumente/{name}") for name in ("note.pdf", "note (2).pdf")] == [b"first", b"second"]
    assert "note (3).pdf" in files.read("MISSING.txt").decode()
    assert "Your notes are in “Dokumente”." in files.read("README.txt").decode()
    assert asked == [(person.id, "de")]
    of_another = replace(prepared, requester=replace(requester, patient=uuid7()))
    sent = b"".join([chunk async for chunk in exports.stream_zip(of_another, "de")])
    assert "Dokumente/note.pdf" not in ZipFile(io.BytesIO(sent)).namelist()
    assert len(asked) == 1

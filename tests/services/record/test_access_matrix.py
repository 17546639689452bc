"""Every cell of the access matrix of the law, tried by requests over the API: reading and writing."""

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.applications import Starlette

from esante.core.journal import SYSTEM, advance
from esante.core.storage import uuid7
from esante.core.web import HANDLERS, Problem
from esante.identity.access import Delegate, api_routes, policy_set, requester_of
from esante.services.record import CATEGORIES, Deposit, DepositedEvent
from esante.services.record.categories import category_of_type
from esante.services.record.documents import mhd_api
from esante.services.record.pages.deposit_form import OWN_TYPE
from tests.support.record import BASE, FHIR, reference
from tests.support.record_pages import load_page, page_app, sign_in

MATRIX = policy_set().matrix
CELLS = MATRIX.periods[-1].cells
CATEGORY_KEYS = [one.key for one in MATRIX.categories]
COLUMN_KEYS = [one.key for one in MATRIX.columns]
CLASSES = {category: class_ for class_, category in policy_set().at(datetime.now(UTC)).categories.items()}
"""A document class of each legal category."""


def profession_of(column):
    entry = next(one for one in MATRIX.columns if one.key == column)
    return entry.members[0] if entry.members else profession_of(entry.function_of)


def writer_of(category):
    """A profession that may write a category, by another column than most."""
    return next(profession_of(column) for column in COLUMN_KEYS if CELLS[column, category].write)


@asynccontextmanager
async def client_of(world, requester):
    """Yield a client of a requester for documents and AuditEvents."""
    token = await world.access.issue_token(
        requester,
        frozenset({"patient/*.cruds" if requester.kind == "patient" else "user/*.cruds"}),
        timedelta(hours=1),
    )
    routes = [
        *mhd_api.routes(world.record, world.directory, world.access, f"{BASE}/fhir"),
        *api_routes(world.access, world.journal, world.directory, BASE),
    ]
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as client:
        yield client


async def deposit(client, person, category):
    """Deposit a document of a legal category; return the answer."""
    content = f"A document: {uuid7().hex}\n".encode()
    type_ = CATEGORIES[CLASSES[category]].types[0].code
    body = reference(person, content, "text/plain", type_=type_)
    return await client.post("/fhir/DocumentReference", json=body, headers=FHIR)


def matches(answer):
    """The resources that a search found."""
    entries = answer.json().get("entry", ())
    return [one["resource"] for one in entries if one["search"]["mode"] == "match"]


@pytest.fixture(scope="module")
async def record(world):
    """A person with a document of each category, and a practitioner of each column in the person's circle."""
    person = await world.person("Matrix")
    documents, readers = {}, {}
    for category in CATEGORY_KEYS[:-1]:
        author = requester_of(person)
        if category != "own_space":
            author = requester_of(await world.practitioner("Author", profession=writer_of(category)))
        async with client_of(world, author) as client:
            answer = await deposit(client, person, category)
            assert answer.status_code == 201, (category, answer.text)
            documents[category] = answer.json()["id"]
    for column in COLUMN_KEYS:
        reader = await world.practitioner(f"Reader {column}", profession=profession_of(column))
        readers[column] = requester_of(reader)
        await world.into_circle(person, reader)
        if not next(one for one in MATRIX.columns if one.key == column).members:
            notified = datetime.now(UTC).date() - timedelta(days=40)
            await world.directory.referring_doctors.designate(person.id, reader, notified, actor=SYSTEM)
            await world.journal.sealer.seal_all()
            for consumer in world.access.consumers():
                await advance(world.db, consumer)
    return person, documents, readers


@pytest.mark.parametrize("column", COLUMN_KEYS)
async def test_cells_are_what_requests_get(world, record, column):
    person, documents, readers = record
    found = {}
    async with client_of(world, readers[column]) as client:
        for category, document in documents.items():
            read = await client.get(f"/fhir/DocumentReference/{document}")
            written = await deposit(client, person, category)
            assert (read.status_code, written.status_code) in {(200, 201), (200, 403), (404, 403)}, (
                category,
                written.text,
            )
            found[category] = (read.status_code == 200, written.status_code == 201)
        log = await client.get(f"/fhir/AuditEvent?patient={person.id}")
        kept = await client.post("/fhir/AuditEvent", json={"resourceType": "AuditEvent"}, headers=FHIR)
        found["access_dashboard"] = (bool(matches(log)), kept.status_code != 405)
    assert found == {category: (CELLS[column, category].read, CELLS[column, category].write) for category in found}
    assert len(found) == 19


async def test_person_reads_everything_and_writes_their_own_space(world, record):
    person, documents, _ = record
    async with client_of(world, requester_of(person)) as client:
        for category, document in documents.items():
            assert (await client.get(f"/fhir/DocumentReference/{document}")).status_code == 200
            expected = 201 if category == "own_space" else 403
            assert (await deposit(client, person, category)).status_code == expected, category
        assert matches(await client.get(f"/fhir/AuditEvent?patient={person.id}"))


@pytest.mark.parametrize("profession", ["admin", "care_network"])
async def test_profession_without_column_reads_and_writes_nothing(world, record, profession):
    person, documents, _ = record
    nobody = await world.practitioner("Nobody", profession=profession)
    await world.into_circle(person, nobody)
    async with client_of(world, requester_of(nobody)) as client:
        for category, document in documents.items():
            assert (await client.get(f"/fhir/DocumentReference/{document}")).status_code == 404
            assert (await deposit(client, person, category)).status_code == 403
        assert matches(await client.get(f"/fhir/AuditEvent?patient={person.id}")) == []


async def test_staff_acting_for_a_professional_deposits_and_lists_but_opens_nothing(world):
    practice = await world.organization("practice", "Cabinet Weis")
    doctor = await world.practitioner("Weis", practice)
    assistant = await world.practitioner("Ada", practice, "admin")
    person = await world.person("Delegated")
    await world.into_circle(person, doctor)
    await world.directory.delegations.add(assistant, doctor, practice.id, datetime.now(UTC).date(), actor=SYSTEM)
    acting = replace(requester_of(doctor, practice), delegate=Delegate(assistant.id, assistant.name))
    async with client_of(world, acting) as client:
        answer = await deposit(client, person, "care_reports")
        assert answer.status_code == 201
        listed = await client.get(f"/fhir/DocumentReference?patient={person.id}")
        assert len(matches(listed)) == 1
        document = answer.json()["id"]
        assert (await client.get(f"/fhir/DocumentReference/{document}")).status_code == 404
        assert (await client.get(f"/fhir/Binary/{document}")).status_code == 404
    (deposited,) = await world.events(person, DepositedEvent)
    assert (deposited[0].actor.id, deposited[0].actor.delegate) == (doctor.id, assistant.name)


async def test_software_deposits_by_the_column_of_the_author(world):
    """Doctors may not write what nurses may, and the other way round: the column of the hospital is that of doctors."""
    hospital = await world.organization("hospital", "Hôpital de l'Est")
    nurse = await world.practitioner("Schmit", hospital, "nurse")
    software, person = requester_of(hospital), await world.person("Author")
    support, imaging = (CATEGORIES[key].types[0].code for key in ("socio_educational", "imaging_report"))

    async def status(type_, author_id=None):
        deposit = Deposit(type=type_, title="x", media_type="text/plain", author_id=author_id)
        try:
            await world.record.deposit(software, person.id, uuid7().hex.encode(), deposit)
        except Problem as problem:
            return problem.status
        return 201

    assert [await status(support), await status(support, nurse.id)] == [403, 201]
    assert [await status(imaging), await status(imaging, nurse.id)] == [201, 403]


@pytest.mark.parametrize("column", ["nurse", "pharmacist", "radiology_assistant"])
async def test_form_offers_the_types_that_the_column_may_write(world, record, column):
    person, _, readers = record
    browser = await sign_in(page_app(world), readers[column])
    page = await load_page(browser, f"/patients/{person.id}/deposit")
    offered = {option.get("value") for option in page.xpath("//select[@name = 'type']//option")} - {"", OWN_TYPE}
    categories = policy_set().at(datetime.now(UTC)).categories
    writable = {class_ for class_ in CATEGORIES if CELLS[column, categories[class_]].write}
    # Of types with the same name one is offered, so the classes are compared.
    assert {category_of_type(code).key for code in offered} == writable
    await browser.aclose()

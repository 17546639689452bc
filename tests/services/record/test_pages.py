"""The record's pages without JavaScript: what they show, what their forms do, what never comes out of them."""

import io
import re

import httpx
import orjson
import pytest
from lxml import html
from PIL import Image
from starlette.applications import Starlette
from starlette.routing import Route

from esante.core.storage import uuid7
from esante.core.web import HANDLERS, SecurityHeaders
from esante.identity.access import requester_of
from esante.services.record import Corrected, Deposit, Read, Status, page_routes

from .conftest import BASE, cda, fhir_document, image, letter, pdf

HOSTILE = "<script>alert(1)</script>\"'{{7*7}}"


@pytest.fixture(scope="module")
def app(world):
    asking = {}

    async def become(request):
        return await world.access.sign_in(request, asking["requester"], method="demo")

    routes = [Route("/become", become, methods=["POST"]), *page_routes(world.record, world.access, world.directory)]
    found = Starlette(routes=routes, exception_handlers=HANDLERS)
    found.add_middleware(SecurityHeaders)
    found.state.sessions, found.state.asking = world.access.sessions, asking
    return found


@pytest.fixture
async def browse(app):
    """Signs in as a requester; gives an HTTP client with the session's cookie, in English."""
    clients = []

    async def signed_in(requester):
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url=BASE)
        clients.append(client)
        app.state.asking["requester"] = requester
        assert (await client.post("/become")).status_code == 303
        client.cookies.set("esante_lang", "en")
        return client

    yield signed_in
    for client in clients:
        await client.aclose()


async def page(client, url, status=200):
    answer = await client.get(url)
    assert answer.status_code == status, answer.text
    return html.fromstring(answer.text)


async def send(client, page, action, status=303, files=None, **fields):
    """Send the form of a page that goes to `action`."""
    (form,) = [form for form in page.forms if form.get("action") == action and form.method == "POST"][:1]
    values = {key: value for key, value in form.form_values() if isinstance(value, str)}
    answer = await client.post(action, data=values | fields, files=files)
    assert answer.status_code == status, answer.text
    return answer


def text(page):
    return " ".join(page.xpath("//main")[0].text_content().split())


async def with_document(world, content, meta=None, person=None, by="doctor"):
    person = person or await world.person()
    done = await world.record.deposit(world.people[by], person.id, content, meta or Deposit())
    return person, done.document


async def test_the_patient_finds_her_documents_by_year_by_type_and_by_word(world, browse):
    person = await world.person()
    for title in ("Holiday in Crete", "Knee"):
        content, meta = letter()
        await world.record.deposit(
            world.people["doctor"], person.id, content, Deposit(type=meta.type, title=title, media_type="text/plain")
        )
    client = await browse(requester_of(person))
    assert "Knee" in text(await page(client, "/record"))
    assert "Letter 2" in text(await page(client, "/record?view=type"))
    found = text(await page(client, "/record?q=crete"))
    assert "Holiday" in found
    assert "Knee" not in found
    assert "Nothing found" in text(await page(client, "/record?q=crete&category=prescription"))


async def test_the_timeline_goes_on_over_pages_without_losing_one(world, browse):
    person = await world.person()
    for number in range(35):
        content, _ = letter()
        meta = Deposit(type="51852-2", title=f"Number {number}.", media_type="text/plain")
        await world.record.deposit(world.people["doctor"], person.id, content, meta)
    client = await browse(requester_of(person))
    first = await page(client, "/record")
    second = await page(client, first.xpath("//a[@rel='next']/@href")[0])
    assert not second.xpath("//a[@rel='next']")
    titles = re.findall(r"Number \d+\.", text(first) + text(second))
    assert len(titles) == len(set(titles)) == 35


@pytest.mark.parametrize(
    ("content", "meta", "seen"),
    [
        (letter("Words of a letter")[0], Deposit(type="51852-2", media_type="text/plain"), "Words of a letter"),
        (pdf("Words of a PDF"), Deposit(type="51852-2"), "Words of a PDF"),
        (image(), Deposit(type="51852-2", title="A scan"), "A scan"),
        (orjson.dumps(fhir_document(text="Words of FHIR")), Deposit(), "Words of FHIR"),
        (cda(), Deposit(), "This document cannot be shown here"),
    ],
    ids=["text", "pdf", "image", "fhir", "cda without body"],
)
async def test_every_kind_of_document_has_a_page(world, browse, content, meta, seen):
    person, document = await with_document(world, content, meta, by="surgeon")
    client = await browse(requester_of(person))
    assert seen in text(await page(client, f"/record/{document.id}"))
    original = await client.get(f"/record/{document.id}/original")
    assert original.content == content
    assert original.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in original.headers["content-security-policy"]


async def test_pages_of_a_pdf_come_as_pictures(world, browse):
    person, document = await with_document(world, pdf("Words"), Deposit(type="51852-2"))
    client = await browse(requester_of(person))
    url = (await page(client, f"/record/{document.id}")).xpath("//article//img/@src")[0]
    answer = await client.get(url)
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).width > 500
    assert (await client.get(url.replace("1.png", "2.png"))).status_code == 404
    assert (await client.get(f"/record/{document.id}/picture")).status_code == 404


async def test_a_long_pdf_read_to_its_end_is_told_once(world, browse):
    content = pdf(edit=lambda document: [document.add_page() for _ in range(8)])
    person, document = await with_document(world, content, Deposit(type="51852-2"))
    await world.into_circle(person, world.people["other_entry"])
    client = await browse(world.people["other"])
    shown = await page(client, f"/patients/{person.id}/documents/{document.id}")
    pictures = shown.xpath("//article//img/@src")
    assert len(pictures) == 9
    for picture in pictures:
        assert (await client.get(picture)).status_code == 200
    assert len(await world.events(person, Read)) == 1
    (grant,) = await world.access.grants.list_active(person.id)
    await world.access.grants.revoke(requester_of(person), grant.id)
    assert (await client.get(pictures[0])).status_code == 404


@pytest.mark.parametrize("kind", ["pdf", "cda", "image"])
async def test_a_document_that_no_process_can_open_has_a_page_that_says_so(world, browse, monkeypatch, kind):
    content = {"pdf": pdf, "cda": cda, "image": image}[kind]()
    meta = Deposit() if kind == "cda" else Deposit(type="51852-2")
    person, document = await with_document(world, content, meta, by="surgeon")
    healthy = await with_document(world, pdf("Words of another"), Deposit(type="51852-2"), person)
    client = await browse(requester_of(person))
    monkeypatch.setattr("esante.services.record.rendering.worker_pool.TIMEOUT", 0.0)
    shown = await page(client, f"/record/{document.id}")
    if kind == "image":
        picture = await client.get(shown.xpath("//article//img/@src")[0])
        assert (picture.status_code, picture.headers["content-type"]) == (422, "image/svg+xml")
        assert "This document cannot be shown here" in picture.text
    else:
        assert "This document cannot be shown here" in text(shown)
    assert shown.xpath(f"//a[@href='/record/{document.id}/original']")
    monkeypatch.undo()
    assert (await client.get(f"/record/{document.id}/original")).content == content
    assert "Words of another" in text(await page(client, f"/record/{healthy[1].id}"))


async def test_a_hostile_text_stays_text(world, browse):
    meta = Deposit(type="51852-2", title=HOSTILE, media_type="text/plain")
    person, document = await with_document(world, f"{HOSTILE} {uuid7().hex}".encode(), meta)
    client = await browse(requester_of(person))
    for url in ("/record", f"/record/{document.id}", "/record?view=type"):
        answer = await client.get(url)
        assert "<script>alert" not in answer.text
        assert HOSTILE in html.fromstring(answer.text).text_content()
        assert "script-src 'self'" in answer.headers["content-security-policy"]


async def test_the_patient_hides_a_document_and_shows_it_again(world, browse):
    person, document = await with_document(world, *letter())
    await world.into_circle(person, world.people["other_entry"])
    patient, doctor = await browse(requester_of(person)), await browse(world.people["other"])
    shown_to_doctor = f"/patients/{person.id}/documents/{document.id}"
    assert (await doctor.get(shown_to_doctor)).status_code == 200
    url = f"/record/{document.id}"
    await send(patient, await page(patient, url), f"{url}/confidentiality", level="hidden")
    assert "Only you" in text(await page(patient, url))
    assert (await doctor.get(shown_to_doctor)).status_code == 404
    await send(patient, await page(patient, url), f"{url}/confidentiality", level="normal")
    assert (await doctor.get(shown_to_doctor)).status_code == 200


async def test_the_patient_writes_a_note_of_her_own_and_withdraws_it(world, browse):
    person = await world.person()
    client = await browse(requester_of(person))
    form = await page(client, "/record/note")
    empty = await send(client, form, "/record/note", 422, title="Allergy", text=" ")
    assert "Write something first." in empty.text
    kept = await send(client, form, "/record/note", title="Allergy", text="No penicillin, please.", level="normal")
    url = kept.headers["location"]
    note = await page(client, url)
    assert "No penicillin, please." in text(note)
    await send(client, note, f"{url}/withdraw", reason="It was something else")
    assert "It was something else" in text(await page(client, url))
    assert "Allergy" not in text(await page(client, "/record"))
    assert "Allergy" in text(await page(client, "/record?withdrawn=yes"))


async def test_a_professional_without_access_sees_the_same_as_for_nobody(world, browse):
    person, _ = await with_document(world, *letter())
    client = await browse(world.people["other"])
    here = await client.get(f"/patients/{person.id}")
    nowhere = await client.get(f"/patients/{uuid7()}")
    assert here.status_code == nowhere.status_code == 404
    assert _without_keys(here.text) == _without_keys(nowhere.text)


def _without_keys(answer):
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "KEY", answer)


async def test_a_professional_deposits_replaces_and_reads_the_findings(world, browse):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    client = await browse(world.people["doctor"])
    home = f"/patients/{person.id}"
    form = await page(client, f"{home}/deposit")
    assert "Weber" in text(form)
    fields = {"type": "51852-2", "title": "Knee", "level": "normal"}
    missing = await send(client, form, f"{home}/deposit", 422, **fields)
    assert "Choose a file." in missing.text
    active = pdf() + b"\n11 0 obj <</S /JavaScript /JS (app.alert(1))>> endobj\n"
    done = await send(client, form, f"{home}/deposit", 201, files={"file": ("a.pdf", active)}, **fields)
    assert "Document added" in done.text
    assert "The PDF holds a program (JavaScript). It is never run here." in done.text
    again = await send(client, form, f"{home}/deposit", 200, files={"file": ("a.pdf", active)}, **fields)
    assert "was there already" in again.text
    (document,) = (await world.record.timeline(world.people["doctor"], person.id)).documents
    form = await page(client, f"{home}/deposit?replaces={document.id}")
    await send(client, form, f"{home}/deposit", 201, files={"file": ("b.pdf", pdf())}, **fields)
    assert "There is a newer version" in text(await page(client, f"{home}/documents/{document.id}"))
    broken = await send(client, form, f"{home}/deposit", 422, files={"file": ("c.pdf", b"%PDF-1.7 no")}, **fields)
    assert "The PDF is broken" in broken.text
    assert "Knee" in broken.text


async def test_a_professional_corrects_the_wrong_patient(world, browse):
    person, document = await with_document(world, *letter())
    right = await world.person("Richter")
    client = await browse(world.people["doctor"])
    url = f"/patients/{person.id}/documents/{document.id}"
    form = await page(client, url)
    nobody = await send(client, form, f"{url}/correct", 422, identifier="1980051799999", reason="Mixed up")
    assert "There is no person with this number." in nobody.text
    await send(client, form, f"{url}/correct", identifier=right.identifiers[0].value, reason="Mixed up")
    moved = (await world.record.timeline(requester_of(right), right.id)).documents
    assert [one.status for one in moved] == [Status.CURRENT]
    assert [event.moved for _, event in await world.events(person, Corrected)] == ["out"]


async def test_an_opened_document_is_told_in_the_journal(world, browse):
    person, document = await with_document(world, *letter())
    await world.into_circle(person, world.people["other_entry"])
    client = await browse(world.people["other"])
    await page(client, f"/patients/{person.id}/documents/{document.id}")
    (told,) = await world.events(person, Read)
    assert (told[0].actor.id, told[1].documents) == (world.people["other"].id, (document.id,))


async def test_pages_of_a_record_need_someone_signed_in(app):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        answer = await client.get("/record")
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/signin")


async def test_a_form_from_elsewhere_changes_nothing(world, browse):
    person, document = await with_document(world, *letter())
    client = await browse(requester_of(person))
    answer = await client.post(f"/record/{document.id}/confidentiality", data={"level": "hidden"})
    assert answer.status_code == 403
    kept = await world.record.document(requester_of(person), person.id, document.id)
    assert kept.confidentiality == "normal"

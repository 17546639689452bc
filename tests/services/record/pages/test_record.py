"""The pages that display a record, without JavaScript: content, journal entries, and what they do not reveal."""

import base64
import io
import re

import httpx
import orjson
import pytest
from lxml import html
from PIL import Image

from esante.core.storage import uuid7
from esante.identity.access import requester_of
from esante.identity.directory import PersonRead
from esante.services.record import Deposit, Read
from tests.support.record import BASE, cda, fhir_document, image, letter, pdf
from tests.support.record_pages import (
    deposit_document,
    load_page,
    main_text,
    send_form,
    state_motive,
    without_uuids,
)

HOSTILE = "<script>alert(1)</script>\"'{{7*7}}"


async def test_timeline_shows_documents_by_year_type_and_word(world, browse):
    person = await world.person()
    for title in ("Holiday in Crete", "Knee"):
        content, meta = letter()
        await world.record.deposit(
            world.people["doctor"], person.id, content, Deposit(type=meta.type, title=title, media_type="text/plain")
        )
    client = await browse(requester_of(person))
    assert "Knee" in main_text(await load_page(client, "/record"))
    assert "Letter 2" in main_text(await load_page(client, "/record?view=type"))
    found = main_text(await load_page(client, "/record?q=crete"))
    assert "Holiday" in found
    assert "Knee" not in found
    assert "Nothing found" in main_text(await load_page(client, "/record?q=crete&category=prescription"))


async def test_link_back_from_a_document_keeps_the_filter(world, browse):
    person, document = await deposit_document(world, letter()[0], Deposit(type="51852-2", media_type="text/plain"))
    client = await browse(requester_of(person))
    for query in ("", "?view=type", "?category=letter", "?q=a&category=letter"):
        listed = await load_page(client, f"/record{query}")
        (link,) = [url for url in listed.xpath("//main//li//a/@href") if str(document.id) in url]
        (back,) = (await load_page(client, link)).xpath("//a[contains(@class, 'back')]/@href")
        assert sorted(back.removeprefix("/record").strip("?").split("&")) == sorted(query.strip("?").split("&"))


async def test_type_stands_once_and_empty_list_of_a_type_asks_for_no_word(world, browse):
    person, _ = await deposit_document(
        world, letter()[0], Deposit(type="51852-2", title="Letter", media_type="text/plain")
    )
    client = await browse(requester_of(person))
    for query in ("", "?view=type", "?category=letter"):
        (entry,) = (await load_page(client, f"/record{query}")).xpath("//main//li[contains(@class, 'entry')]")
        assert entry.text_content().count("Letter") == 1
    empty = main_text(await load_page(client, "/record?category=prescription"))
    assert "There are no documents of this type." in empty and "another word" not in empty


async def test_timeline_pages_show_every_document_once(world, browse):
    person = await world.person()
    for number in range(35):
        content, _ = letter()
        meta = Deposit(type="51852-2", title=f"Number {number}.", media_type="text/plain")
        await world.record.deposit(world.people["doctor"], person.id, content, meta)
    client = await browse(requester_of(person))
    first = await load_page(client, "/record")
    second = await load_page(client, first.xpath("//a[@rel='next']/@href")[0])
    assert not second.xpath("//a[@rel='next']")
    titles = re.findall(r"Number \d+\.", main_text(first) + main_text(second))
    assert len(titles) == len(set(titles)) == 35


@pytest.mark.parametrize(
    ("content", "meta", "expected"),
    [
        (letter("Words of a letter")[0], Deposit(type="51852-2", media_type="text/plain"), "Words of a letter"),
        (pdf("Words of a PDF"), Deposit(type="51852-2"), "Words of a PDF"),
        (image(), Deposit(type="51852-2", title="A scan"), "A scan"),
        (orjson.dumps(fhir_document(text="Words of FHIR")), Deposit(), "Words of FHIR"),
        (cda(), Deposit(), "We cannot show this document here"),
    ],
    ids=["text", "pdf", "image", "fhir", "cda without body"],
)
async def test_every_kind_of_document_has_page(world, browse, content, meta, expected):
    person, document = await deposit_document(world, content, meta, by="surgeon")
    client = await browse(requester_of(person))
    assert expected in main_text(await load_page(client, f"/record/{document.id}"))
    original = await client.get(f"/record/{document.id}/original")
    assert original.content == content
    assert original.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in original.headers["content-security-policy"]


async def test_pdf_pages_are_images(world, browse):
    person, document = await deposit_document(world, pdf("Words"), Deposit(type="51852-2"))
    client = await browse(requester_of(person))
    url = (await load_page(client, f"/record/{document.id}")).xpath("//article//img/@src")[0]
    answer = await client.get(url)
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).width > 500
    assert (await client.get(url.replace("1.png", "2.png"))).status_code == 404
    assert (await client.get(f"/record/{document.id}/picture")).status_code == 404


async def test_long_pdf_read_to_end_is_journalled_once(world, browse):
    content = pdf(edit=lambda document: [document.add_page() for _ in range(8)])
    person, document = await deposit_document(world, content, Deposit(type="51852-2"))
    await world.into_circle(person, world.people["other_entry"])
    client = await browse(world.people["other"])
    shown = await load_page(client, f"/patients/{person.id}/documents/{document.id}")
    pictures = shown.xpath("//article//img/@src")
    assert len(pictures) == 9
    for picture in pictures:
        assert (await client.get(picture)).status_code == 200
    assert len(await world.events(person, Read)) == 1
    (grant,) = await world.access.grants.list_active(person.id)
    await world.access.grants.revoke(requester_of(person), grant.id)
    assert (await client.get(pictures[0])).status_code == 404


@pytest.mark.parametrize("kind", ["pdf", "cda", "image"])
async def test_page_says_that_document_cannot_be_displayed(world, browse, monkeypatch, kind):
    content = {"pdf": pdf, "cda": cda, "image": image}[kind]()
    meta = Deposit() if kind == "cda" else Deposit(type="51852-2")
    person, document = await deposit_document(world, content, meta, by="surgeon")
    _, readable = await deposit_document(world, pdf("Words of another"), Deposit(type="51852-2"), person)
    client = await browse(requester_of(person))
    monkeypatch.setattr("esante.services.record.rendering.worker_pool.TIMEOUT", 0.0)
    shown = await load_page(client, f"/record/{document.id}")
    if kind == "image":
        picture = await client.get(shown.xpath("//article//img/@src")[0])
        assert (picture.status_code, picture.headers["content-type"]) == (422, "image/svg+xml")
        assert "We cannot show this document here" in picture.text
    else:
        assert "We cannot show this document here" in main_text(shown)
    assert shown.xpath(f"//a[@href='/record/{document.id}/original']")
    monkeypatch.undo()
    assert (await client.get(f"/record/{document.id}/original")).content == content
    assert "Words of another" in main_text(await load_page(client, f"/record/{readable.id}"))


CDA_BODY = """<component><structuredBody><component><section><title>Dose</title><text>
<paragraph><content revised="delete">50 mg</content> <content revised="insert">5 mg</content></paragraph>
<renderMultiMedia referencedObject="m"/><renderMultiMedia referencedObject="none"/></text>
<entry><observationMedia ID="m"><value representation="B64">{}</value></observationMedia></entry></section></component>
<component><section><code code="48765-2" displayName="Allergies"/><text>None known</text></section></component>
<component><section><title>Plan</title><text nullFlavor="NASK"/></section></component>
</structuredBody></component></ClinicalDocument>"""


async def test_cda_shows_deleted_text_as_deleted_and_heading_of_every_section(world, browse):
    picture = base64.b64encode(image()).decode()
    content = cda().replace(b"</ClinicalDocument>", CDA_BODY.format(picture).encode())
    person, document = await deposit_document(world, content, by="surgeon")
    client = await browse(requester_of(person))
    (article,) = (await load_page(client, f"/record/{document.id}")).xpath("//article")
    assert [" ".join(cut.text_content().split()) for cut in article.xpath(".//del")] == ["[deleted: 50 mg ]"]
    assert [heading.text for heading in article.xpath(".//h2")] == ["Dose", "Allergies", "Plan"]
    assert "Not asked." in article.text_content()
    assert "A picture that cannot be shown here." in article.text_content()
    (shown,) = article.xpath(".//figure//img/@src")
    answer = await client.get(shown)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert (await client.get(shown.replace("media/1", "media/2"))).status_code == 404


@pytest.mark.parametrize(
    ("attributes", "file", "address", "words"),
    [
        ("mediaType='application/pdf' representation='B64'", pdf("Words of a PDF"), "pages/1.png", "Words of a PDF"),
        ("mediaType='image/png' representation='B64'", image(), "media/0", "Full size"),
        ("mediaType='text/plain' representation='B64'", b"Words of a text", "", "Words of a text"),
        ("mediaType='text/html' representation='B64'", b"<p>a</p>", "", "It holds a web page."),
        ("mediaType='application/x-own' representation='B64'", b"a", "", "It holds application/x-own."),
    ],
    ids=["pdf", "image", "text", "web page", "unknown"],
)
async def test_cda_body_that_is_not_xml_is_shown_or_named(world, browse, attributes, file, address, words):
    text = f"<text {attributes}>{base64.b64encode(file).decode()}</text>"
    body = f"<component><nonXMLBody>{text}</nonXMLBody></component></ClinicalDocument>"
    person, document = await deposit_document(
        world, cda().replace(b"</ClinicalDocument>", body.encode()), by="surgeon"
    )
    client = await browse(requester_of(person))
    shown = await load_page(client, f"/record/{document.id}")
    assert words in main_text(shown)
    pictures = shown.xpath("//article//img/@src")
    assert pictures == ([f"/record/{document.id}/{address}"] if address else [])
    for picture in pictures:
        assert (await client.get(picture)).headers["content-type"] == "image/png"


def laboratory_document() -> dict:
    """Return a document with a result, its report, and a medicine that is called active."""
    document = fhir_document(type_="34133-9", date="2025-03-03T10:00:00Z")
    subject = {"reference": document["entry"][1]["fullUrl"]}
    keys = [uuid7().urn for _ in range(3)]
    result = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "Leucocytes"},
        "subject": subject,
        "valueQuantity": {"value": 4.5, "unit": "10*3/uL"},
        "referenceRange": [{"low": {"value": 0.7, "unit": "10*3/uL"}, "high": {"value": 9.9, "unit": "10*3/uL"}}],
    }
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "Hémogramme"},
        "subject": subject,
        "effectiveDateTime": "2024-05-31T16:59:05+00:00",
        "issued": "2024-06-01T16:59:05+00:00",
        "conclusion": "Rien de grave",
        "result": [{"reference": keys[0]}],
    }
    medicine = {
        "resourceType": "MedicationStatement",
        "status": "active",
        "medicationCodeableConcept": {"text": "Amoxicilline"},
        "subject": subject,
    }
    resources = dict(zip(keys, (result, report, medicine), strict=True))
    document["entry"] += [{"fullUrl": key, "resource": resource} for key, resource in resources.items()]
    entries = [{"reference": keys[0]}, {"reference": keys[2]}]
    document["entry"][0]["resource"]["section"] = [{"title": "Résultats", "entry": entries}]
    return document


async def test_fhir_document_has_no_raw_names_codes_or_numbers(world, browse):
    person, document = await deposit_document(world, orjson.dumps(laboratory_document()), by="surgeon")
    client = await browse(requester_of(person))
    client.cookies.set("esante_lang", "fr")
    shown = main_text(await load_page(client, f"/record/{document.id}"))
    assert "4,5 10³/µl" in shown
    assert "0,7 – 9,9 10³/µl" in shown
    assert "Situation au 3 mars 2025" in shown
    assert "Publié1 juin 2024, 18:59ConclusionRien de grave" in shown
    assert "Compte rendu 31 mai 2024, 18:59" in shown
    for raw in ("2024-0", "10*3/uL", "issued", "effective", "diagnostic report", "actif"):
        assert raw not in shown


async def test_title_of_pdf_has_the_language_that_the_pdf_states(world, browse):
    content = pdf("Anna Weber", lambda document: document.set_lang("de-LU"))
    person, document = await deposit_document(world, content, Deposit(type="51852-2", title="Arztbrief"))
    client = await browse(requester_of(person))
    shown = await load_page(client, "/record?view=type")
    assert document.language == "de-LU"
    assert shown.xpath("//a//span[.='Arztbrief']/@lang") == ["de-LU"]


async def test_title_in_another_language_has_its_language(world, browse):
    meta = Deposit(type="51852-2", title="Lettre", language="fr", media_type="text/plain")
    person, document = await deposit_document(world, letter()[0], meta)
    client = await browse(requester_of(person))
    for url, path in (("/record", "//a//span[.='Lettre']/@lang"), (f"/record/{document.id}", "//h1/span/@lang")):
        assert (await load_page(client, url)).xpath(path) == ["fr"]
    client.cookies.set("esante_lang", "fr")
    assert not (await load_page(client, f"/record/{document.id}")).xpath("//h1//@lang")


async def test_document_has_print_button_and_patient_for_every_sheet(world, browse):
    person, document = await deposit_document(world, *letter())
    await world.into_circle(person, world.people["other_entry"])
    for requester, url in (
        (requester_of(person), f"/record/{document.id}"),
        (world.people["other"], f"/patients/{person.id}/documents/{document.id}"),
    ):
        shown = await load_page(await browse(requester), url)
        assert shown.xpath("//button[@data-print]")
        head = " ".join(shown.xpath("//*[@class='paper-head']")[0].text_content().split())
        assert head.startswith(f"{person.name}, born ")
        assert person.identifiers[0].value in head


async def test_page_or_picture_opens_in_full_size(world, browse):
    for content in (pdf("Words"), image()):
        person, document = await deposit_document(world, content, Deposit(type="51852-2"))
        client = await browse(requester_of(person))
        (figure,) = (await load_page(client, f"/record/{document.id}")).xpath("//article//figure")
        (picture,) = figure.xpath(".//img/@src")
        assert set(figure.xpath(".//a/@href")) == {picture}


async def test_hostile_text_is_escaped(world, browse):
    meta = Deposit(type="51852-2", title=HOSTILE, media_type="text/plain")
    person, document = await deposit_document(world, f"{HOSTILE} {uuid7().hex}".encode(), meta)
    client = await browse(requester_of(person))
    for url in ("/record", f"/record/{document.id}", "/record?view=type"):
        answer = await client.get(url)
        assert "<script>alert" not in answer.text
        assert HOSTILE in html.fromstring(answer.text).text_content()
        assert "script-src 'self'" in answer.headers["content-security-policy"]


async def test_record_without_access_is_like_absent_record(world, browse):
    person, _ = await deposit_document(world, *letter())
    client = await browse(world.people["other"])
    here = await client.get(f"/patients/{person.id}")
    nowhere = await client.get(f"/patients/{uuid7()}")
    assert here.status_code == nowhere.status_code == 404
    assert without_uuids(here.text) == without_uuids(nowhere.text)


async def test_opened_document_is_journalled(world, browse):
    person, document = await deposit_document(world, *letter())
    await world.into_circle(person, world.people["other_entry"])
    client = await browse(world.people["other"])
    await load_page(client, f"/patients/{person.id}/documents/{document.id}")
    [(entry, event)] = await world.events(person, Read)
    assert (entry.actor.id, event.documents) == (world.people["other"].id, (document.id,))


async def test_page_without_session_redirects_to_sign_in(app):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        answer = await client.get("/record")
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/signin")


@pytest.mark.parametrize("query", ["", "?q=zzz", "?category=letter", "?view=type", "?withdrawn=yes", "?q=Knee"])
async def test_search_without_access_is_like_search_in_absent_record(world, browse, query):
    person = await world.person("Verborgen")
    await world.record.deposit(world.people["doctor"], person.id, *letter())
    client = await browse(world.people["other"])
    here = await client.get(f"/patients/{person.id}{query}")
    nowhere = await client.get(f"/patients/{uuid7()}{query}")
    assert (here.status_code, without_uuids(here.text)) == (nowhere.status_code, without_uuids(nowhere.text))
    assert here.status_code == 404


async def test_author_without_access_searches_own_documents(world, browse):
    person = await world.person()
    await world.record.deposit(world.people["doctor"], person.id, *letter())
    client = await browse(world.people["doctor"])
    await state_motive(client, person.id)
    answer = await client.get(f"/patients/{person.id}?q=zzz")
    assert (answer.status_code, "Nothing found" in answer.text) == (200, True)


async def test_name_shown_without_access_is_in_access_log(world, browse):
    person = await world.person()
    client = await browse(world.people["other"])
    asked = await client.get(f"/patients/{person.id}/deposit")
    assert (asked.status_code, await world.events(person, PersonRead)) == (303, [])
    page = await load_page(client, asked.headers["location"])
    wrong = await send_form(client, page, "/motive", 400, purpose="TREAT", reference=" ")
    assert "too short" in wrong.text
    back = await send_form(client, page, "/motive", purpose="TREAT", reference="case 118")
    assert (await client.get(back.headers["location"])).status_code == 200
    assert (await client.get(f"/patients/{person.id}/deposit")).status_code == 200
    events = await world.events(person, PersonRead)
    assert {(entry.actor.id, event.allowed) for entry, event in events} == {(world.people["other"].id, True)}
    assert [(event.motive, event.file_reference) for _, event in events] == [("TREAT", "case 118")] * 2
    log = await load_page(await browse(requester_of(person)), "/log")
    assert "viewed your personal details" in main_text(log)
    assert "Treatment" in main_text(log) and "case 118" in main_text(log)


async def test_motive_is_of_one_patient_and_one_session(world, browse):
    person, another = await world.person(), await world.person()
    client = await browse(world.people["other"])
    await state_motive(client, person.id)
    assert (await client.get(f"/patients/{person.id}/deposit")).status_code == 200
    assert (await client.get(f"/patients/{another.id}/deposit")).status_code == 303
    again = await browse(world.people["other"])
    assert (await again.get(f"/patients/{person.id}/deposit")).status_code == 303


async def test_known_and_unknown_persons_are_asked_for_alike(world, browse):
    person = await world.person()
    client = await browse(world.people["other"])
    here = await client.get(f"/patients/{person.id}/deposit")
    nowhere = await client.get(f"/patients/{uuid7()}/deposit")
    assert without_uuids(here.headers["location"]) == without_uuids(nowhere.headers["location"])


async def test_name_shown_with_access_adds_no_entry(world, browse):
    person = await world.person()
    await world.into_circle(person, world.people["other_entry"])
    client = await browse(world.people["other"])
    assert (await client.get(f"/patients/{person.id}")).status_code == 200
    assert await world.events(person, PersonRead) == []


async def test_closed_record_is_shut_for_its_owner_and_says_so(world, browse):
    content, _ = letter()
    person, document = await deposit_document(
        world, content, Deposit(type="51852-2", title="Shut away", media_type="text/plain")
    )
    await world.access.lifecycle.change(requester_of(person), "close")
    client = await browse(requester_of(person))
    text = main_text(await load_page(client, "/record"))
    assert "Your record is not open" in text and document.title not in text
    await load_page(client, f"/record/{document.id}", 404)

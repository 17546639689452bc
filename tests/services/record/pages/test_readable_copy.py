"""The readable copy of a document that only software can read: one HTML file that needs nothing else."""

import base64
import hashlib
import re

import orjson
import pytest
from lxml import html

from esante.identity.access import requester_of
from esante.services.record import Deposit, Read
from tests.support.clinical_resources import laboratory_report
from tests.support.record import cda, image, letter, pdf
from tests.support.record_pages import deposit_document, load_page

BODY = """<component><structuredBody><component><section><title>Motif</title><text>
<paragraph>Une phrase <renderMultiMedia referencedObject="p1"/></paragraph></text>
<entry><observationMedia classCode="OBS" moodCode="EVN" ID="p1"><value mediaType="image/png" representation="B64">{}</value>
</observationMedia></entry></section></component></structuredBody></component>"""


def with_body(body: str) -> bytes:
    return cda().replace(b"</ClinicalDocument>", body.encode() + b"</ClinicalDocument>")


async def copy_of(world, browse, content, *, language="en", meta=None):
    """Deposit a document; return its person, the document, and the answer with its readable copy."""
    person = await world.person("Wéber-Klein")
    person, document = await deposit_document(world, content, meta, person)
    client = await browse(requester_of(person))
    client.cookies.set("esante_lang", language)
    return person, document, await client.get(f"/record/{document.id}/readable")


async def test_copy_of_fhir_document_has_its_content_person_and_origin(world, browse):
    person = await world.person("Wéber-Klein")
    content = orjson.dumps(laboratory_report(person, ("1", 14.1)))
    _, document = await deposit_document(world, content, person=person)
    client = await browse(requester_of(person))
    answer = await client.get(f"/record/{document.id}/readable")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''2024-03-11")
    assert answer.headers["content-disposition"].endswith(".html")
    assert "sandbox" in answer.headers["content-security-policy"]
    text = " ".join(html.fromstring(answer.text).text_content().split())
    for shown in ("Anna Wéber-Klein", "born 17 May 1980", person.identifiers[0].value, "14.1 g/dL"):
        assert shown.casefold() in text.casefold()
    assert hashlib.sha256(content).hexdigest() in text
    assert "Readable copy of the file" in text and ".json" in text
    entries = await world.events(person, Read)
    assert entries[-1][1].documents == (document.id,)


async def test_copy_loads_and_runs_nothing(world, browse):
    picture = base64.b64encode(image()).decode()
    _, _, answer = await copy_of(world, browse, with_body(BODY.format(picture)))
    page = html.fromstring(answer.text)
    addresses = page.xpath("//@src | //@href | //@action | //@srcset | //@data")
    assert len(addresses) == 1 and addresses[0].startswith("data:image/png;base64,")
    assert base64.b64decode(addresses[0].partition(",")[2]).startswith(b"\x89PNG")
    assert not page.xpath("//script | //link | //iframe | //object | //svg/use | //@onclick")
    assert not re.search(r"url\(|@import|https?://", page.xpath("//style")[0].text)
    [policy] = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert "default-src 'none'" in policy
    assert "Une phrase" in page.text_content()


async def test_copy_of_cda_holds_the_pages_of_its_pdf(world, browse):
    body = f"""<component><nonXMLBody><text mediaType="application/pdf" representation="B64">{
        base64.b64encode(pdf("Anna Weber", lambda document: document.add_page())).decode()
    }</text></nonXMLBody></component>"""
    _, _, answer = await copy_of(world, browse, with_body(body))
    page = html.fromstring(answer.text)
    assert [address[:22] for address in page.xpath("//img/@src")] == ["data:image/png;base64,"] * 2
    assert page.xpath("//img/@alt") == ["Page 1 of 2", "Page 2 of 2"]


async def test_hostile_texts_stay_texts(world, browse):
    meta = Deposit(title="<script>alert(1)</script>")
    body = BODY.replace("Une phrase", "&lt;script&gt;alert(2)&lt;/script&gt;").format("broken")
    _, _, answer = await copy_of(world, browse, with_body(body), meta=meta)
    page = html.fromstring(answer.text)
    assert not page.xpath("//script")
    assert "alert(1)" in page.text_content() and "alert(2)" in page.text_content()


@pytest.mark.parametrize(("language", "words"), [("fr", "Copie lisible"), ("de", "Lesbare Kopie")])
async def test_labels_are_in_the_readers_language_and_texts_in_the_documents(world, browse, language, words):
    _, _, answer = await copy_of(world, browse, with_body(BODY.format("")), language=language)
    page = html.fromstring(answer.text)
    assert page.get("lang") == language
    assert words in page.text_content()
    assert page.xpath("//main/@lang") == ["fr"]


@pytest.mark.parametrize("make", [lambda: (pdf("Anna Weber"), Deposit(type="51852-2")), letter])
async def test_document_that_people_can_read_has_no_copy(world, browse, make):
    content, meta = make()
    person, document, answer = await copy_of(world, browse, content, meta=meta)
    assert answer.status_code == 404
    client = await browse(requester_of(person))
    shown = await load_page(client, f"/record/{document.id}")
    assert not shown.xpath("//a[contains(@href, '/readable')]")


async def test_copy_is_offered_first_and_refused_without_access(world, browse):
    person, document, _ = await copy_of(world, browse, with_body(BODY.format("")))
    patient = await browse(requester_of(person))
    shown = await load_page(patient, f"/record/{document.id}")
    assert shown.xpath("//a[@download]/@href") == [
        f"/record/{document.id}/{name}" for name in ("readable", "original")
    ]
    other = await browse(world.people["other"])
    url = f"/patients/{person.id}/documents/{document.id}"
    absent = f"/patients/{person.id}/documents/{person.id}"
    answers = [await other.get(f"{address}/readable") for address in (url, absent)]
    assert [answer.status_code for answer in answers] == [404, 404]

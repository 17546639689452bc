"""What comes in is looked into: hostile and broken documents are refused, active content is told of."""

import io
import zlib
from datetime import timedelta

import orjson
import pytest

from esante.core.storage import uuid7
from esante.identity.access import requester_of
from esante.identity.directory import Identifier
from esante.services.record import MAX_CONTENT, Deposit, InvalidContent
from esante.services.record.documents import validation
from esante.services.record.rendering.worker_pool import WorkerPool

from .conftest import cda, fhir_document, image, letter, pdf

MATRICULE = "urn:oid:1.3.182.4.4"


@pytest.fixture(scope="module")
async def workers():
    workers = WorkerPool()
    yield workers
    await workers.close()


async def _key(workers, content: bytes, meta: Deposit) -> str:
    with pytest.raises(InvalidContent) as refused:
        await validation.examine(content, meta, workers)
    assert refused.value.title
    assert refused.value.remedy
    return refused.value.key


async def _findings(workers, content: bytes, meta: Deposit) -> set[str]:
    return {finding.key for finding in (await validation.examine(content, meta, workers)).findings}


def _bundle(**changes) -> bytes:
    return orjson.dumps(fhir_document() | changes)


def _deep(depth: int) -> bytes:
    return b'{"resourceType":"Bundle","type":"document","entry":' + b"[" * depth + b"]" * depth + b"}"


TEXT = Deposit(type="51852-2", media_type="text/plain")
PDF = Deposit(type="11504-8", media_type="application/pdf")
PNG = Deposit(type="18748-4", media_type="image/png")
LAUGHS = (
    '<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]>'
)

REFUSED = {
    "nothing": (lambda: b"", TEXT, "empty"),
    "only blanks": (lambda: b" \n ", TEXT, "empty"),
    "more than is allowed": (lambda: b"a" * (MAX_CONTENT + 1), TEXT, "too-large"),
    "a word processor's file": (
        lambda: b"PK\x03\x04",
        Deposit(type="51852-2", media_type="application/msword"),
        "media-type-unknown",
    ),
    "an archive that says nothing": (lambda: b"PK\x03\x04\x00\x01", Deposit(type="51852-2"), "text-not-utf8"),
    "HTML as PDF": (lambda: b"<html><script>alert(1)</script></html>", PDF, "media-type-differs"),
    "PDF as text": (pdf, TEXT, "media-type-differs"),
    "Latin-1": (lambda: "Müller".encode("latin-1"), TEXT, "text-not-utf8"),
    "NUL in text": (lambda: b"a\x00b", TEXT, "text-not-utf8"),
    "half a PDF": (lambda: pdf()[:200], PDF, "pdf-broken"),
    "PDF in name only": (lambda: b"%PDF-1.7\n" + b"x" * 1000, PDF, "pdf-broken"),
    "half an image": (lambda: image("PNG", (64, 64))[:-40], PNG, "image-broken"),
    "image bomb": (lambda: _bomb(60_000, 60_000), PNG, "too-complex"),
    "half a JPEG": (lambda: image("JPEG", (256, 256))[:400], Deposit(type="18748-4"), "image-broken"),
    "external entity": (
        lambda: cda('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'),
        Deposit(),
        "xml-doctype",
    ),
    "entities that laugh": (lambda: cda(LAUGHS).replace("Résumé".encode(), b"&d;"), Deposit(), "xml-doctype"),
    "half a CDA": (lambda: cda()[:-20], Deposit(), "xml-broken"),
    "deep XML": (lambda: b"<a>" * 10_000 + b"</a>" * 10_000, Deposit(), "xml-broken"),
    "other XML": (lambda: b"<html xmlns='http://www.w3.org/1999/xhtml'/>", Deposit(), "not-cda"),
    "wide XML": (lambda: b"<r>" + b"<a/>" * 900_000 + b"</r>", Deposit(), "too-complex"),
    "deep JSON": (lambda: _deep(10_000), Deposit(), "fhir"),
    "half a JSON": (lambda: _bundle()[:-100], Deposit(), "fhir"),
    "a name twice": (
        lambda: _bundle().replace(b'"type":"document"', b'"type":"document","type":"document"'),
        Deposit(),
        "fhir",
    ),
    "wrong type": (lambda: _bundle(timestamp=5), Deposit(), "fhir"),
    "no document": (
        lambda: orjson.dumps({"resourceType": "Bundle", "type": "collection"}),
        Deposit(),
        "not-a-document",
    ),
    "a patient": (lambda: orjson.dumps({"resourceType": "Patient"}), Deposit(), "fhir"),
    "unknown LOINC": (lambda: orjson.dumps(fhir_document(type_="8867-4")), Deposit(), "type-unknown"),
    "unknown LOINC named": (lambda: b"text", Deposit(type="8867-4"), "type-unknown"),
    "no type": (lambda: b"text", Deposit(), "type-missing"),
    "another kind inside": (_bundle, Deposit(type="11502-2"), "category-differs"),
    "a date to come": (lambda: orjson.dumps(fhir_document(date="2199-01-01")), Deposit(), "future-date"),
    "a date to come, named": (
        lambda: b"text",
        Deposit(type="51852-2", event_date=validation.today() + timedelta(days=1)),
        "future-date",
    ),
    "a title of two lines": (lambda: b"text", Deposit(type="51852-2", title="a\nb"), "bad-text"),
    "a title too long": (lambda: b"text", Deposit(type="51852-2", title="a" * 201), "bad-text"),
    "a language that is none": (lambda: b"text", Deposit(type="51852-2", language="<b>"), "bad-language"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_refused_with_a_reason_and_a_remedy(workers, case):
    make, meta, key = REFUSED[case]
    assert await _key(workers, make(), meta) == key


async def test_active_content_of_a_pdf_is_told_of(workers):
    plain = pdf()
    assert await _findings(workers, plain, PDF) == set()
    for name, key in (
        (b"/OpenAction", "pdf-open-action"),
        (b"/Open#41ction", "pdf-open-action"),
        (b"/JavaScript", "pdf-javascript"),
        (b"/Launch", "pdf-launch"),
        (b"/EmbeddedFile", "pdf-embedded-file"),
        (b"/SubmitForm", "pdf-submit-form"),
    ):
        assert await _findings(workers, plain + b"\n9 0 obj <</S " + name + b" 1 0 R>> endobj\n", PDF) == {key}


async def test_active_content_in_a_compressed_object_stream_is_found(workers):
    packed = zlib.compress(b"11 0 <</S /JavaScript /JS (app.alert(1))>>")
    stream = b"\n10 0 obj <</Type /ObjStm /N 1 /First 5 /Filter /FlateDecode /Length %d>> stream\n" % len(packed)
    assert await _findings(workers, pdf() + stream + packed + b"\nendstream endobj\n", PDF) == {"pdf-javascript"}


async def test_an_object_stream_that_grows_without_end_is_refused(workers):
    packed = zlib.compress(bytes(64 * 1024 * 1024), 9)
    stream = b"\n10 0 obj <</Type /ObjStm /Filter /FlateDecode>> stream\n"
    assert await _key(workers, pdf() + stream + packed + b"\nendstream endobj\n", PDF) == "too-complex"


async def test_an_encrypted_pdf_is_taken_and_told_of(workers):
    with_owner = pdf(edit=lambda document: document.set_encryption("owner"))
    with_user = pdf(edit=lambda document: document.set_encryption("owner", user_password="secret"))
    assert await _findings(workers, with_owner, PDF) == {"pdf-encrypted"}
    assert await _findings(workers, with_user, PDF) == {"pdf-encrypted"}


async def test_a_style_sheet_of_a_cda_is_told_of(workers):
    styled = cda('<?xml-stylesheet href="http://example.org/x.xsl" type="text/xsl"?>')
    assert await _findings(workers, styled, Deposit()) == {"cda-stylesheet"}


async def test_a_document_that_stalls_its_process_is_refused(monkeypatch):
    stalled = WorkerPool(workers=1)
    monkeypatch.setattr("esante.services.record.rendering.worker_pool.TIMEOUT", 0.0)
    assert await _key(stalled, pdf(), PDF) == "too-complex"
    monkeypatch.undo()
    assert await _findings(stalled, pdf(), PDF) == set()
    await stalled.close()


async def test_html_in_texts_stays_text(world):
    person = await world.person()
    content, _ = letter("<script>alert(1)</script>")
    meta = Deposit(type="51852-2", title="<img src=x onerror=alert(1)>", media_type="text/plain")
    deposited = await world.record.deposit(world.people["hospital"], person.id, content, meta)
    document, back = await world.record.content(requester_of(person), person.id, deposited.document.id)
    assert (document.title, back) == (meta.title, content)


@pytest.mark.parametrize("expected", ["refused", "confirmed", "not confirmed"])
async def test_the_patient_in_the_document(world, expected):
    known = "198005179" + _serial()
    person = await world.person("Weber-Test", identifiers=(Identifier(MATRICULE, known),))
    patient = {
        "refused": [{"system": MATRICULE, "value": "1980051712345"}],
        "confirmed": [{"system": MATRICULE, "value": known}],
        "not confirmed": [{"system": "urn:oid:2.999.33", "value": "77"}],
    }[expected]
    document = fhir_document()
    document["entry"][1]["resource"]["identifier"] = patient
    deposit = world.record.deposit(world.people["hospital"], person.id, orjson.dumps(document), Deposit())
    if expected == "refused":
        with pytest.raises(InvalidContent) as refused:
            await deposit
        assert refused.value.key == "subject-differs"
    else:
        findings = (await deposit).document.findings
        assert findings == (() if expected == "confirmed" else ("subject-not-confirmed",))


async def test_name_and_birth_date_confirm_a_cda(world):
    person = await world.person("Wéber")
    document = (await world.record.deposit(world.people["hospital"], person.id, cda(), Deposit())).document
    assert document.findings == ()
    other = await world.person("Klein")
    document = (await world.record.deposit(world.people["hospital"], other.id, cda(), Deposit())).document
    assert document.findings == ("subject-not-confirmed",)
    strange = cda(root="2.999.1", extension=f"5{uuid7().hex}")
    mine = await world.person("Klein", identifiers=(Identifier("urn:oid:2.999.1", f"6{uuid7().hex}"),))
    with pytest.raises(InvalidContent):
        await world.record.deposit(world.people["hospital"], mine.id, strange, Deposit())


def _serial() -> str:
    return f"{uuid7().int % 10_000:04}"


def _bomb(width: int, height: int) -> bytes:
    """A small PNG that says it has very many pixels."""
    from PIL import Image

    out = io.BytesIO()
    Image.new("1", (8, 8)).save(out, "PNG")
    data = bytearray(out.getvalue())
    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)

"""Validation of documents: hostile and broken ones are refused, active content is reported."""

import io
import zlib
from datetime import timedelta

import orjson
import pytest

from esante.services.record import MAX_CONTENT, Deposit, InvalidContent
from esante.services.record.documents.content import validation
from esante.services.record.rendering.worker_pool import WorkerPool
from tests.support.record import cda, fhir_document, image, pdf


@pytest.fixture(scope="module")
async def workers():
    """A pool of workers for this module."""
    pool = WorkerPool()
    yield pool
    await pool.close()


async def refusal_key(workers, content: bytes, meta: Deposit) -> str:
    with pytest.raises(InvalidContent) as refused:
        await validation.examine(content, meta, workers)
    assert refused.value.title
    assert refused.value.remedy
    return refused.value.key


async def finding_keys(workers, content: bytes, meta: Deposit) -> set[str]:
    return {finding.key for finding in (await validation.examine(content, meta, workers)).findings}


def bundle(**changes) -> bytes:
    return orjson.dumps(fhir_document() | changes)


def nested_json(depth: int) -> bytes:
    return b'{"resourceType":"Bundle","type":"document","entry":' + b"[" * depth + b"]" * depth + b"}"


TEXT = Deposit(type="51852-2", media_type="text/plain")
PDF = Deposit(type="11504-8", media_type="application/pdf")
PNG = Deposit(type="18748-4", media_type="image/png")
ENTITY_BOMB = (
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
    "a word processor's file that says nothing": (
        lambda: b"PK\x03\x04\x00\x01",
        Deposit(type="51852-2"),
        "office-file",
    ),
    "an old word processor's file": (
        lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
        Deposit(type="51852-2"),
        "office-file",
    ),
    "rich text": (lambda: b"{\\rtf1 Bonjour}", Deposit(type="51852-2"), "office-file"),
    "an image of a phone": (lambda: b"\x00\x00\x00\x18ftypheic" + bytes(60), Deposit(type="51852-2"), "other-image"),
    "a GIF": (lambda: b"GIF89a" + bytes(60), Deposit(type="51852-2"), "other-image"),
    "bytes that are nothing known": (lambda: b"\xff\x00\x12" * 50, Deposit(type="51852-2"), "media-type-unknown"),
    "a PDF with a password": (
        lambda: pdf(edit=lambda document: document.set_encryption("owner", user_password="secret")),
        PDF,
        "pdf-password",
    ),
    "HTML as PDF": (lambda: b"<html><script>alert(1)</script></html>", PDF, "media-type-differs"),
    "PDF as text": (pdf, TEXT, "media-type-differs"),
    "Latin-1": (lambda: "Müller".encode("latin-1"), TEXT, "text-not-utf8"),
    "NUL in text": (lambda: b"a\x00b", TEXT, "text-not-utf8"),
    "half a PDF": (lambda: pdf()[:200], PDF, "pdf-broken"),
    "PDF in name only": (lambda: b"%PDF-1.7\n" + b"x" * 1000, PDF, "pdf-broken"),
    "half an image": (lambda: image("PNG", (64, 64))[:-40], PNG, "image-broken"),
    "image bomb": (lambda: image_claiming(60_000, 60_000), PNG, "too-complex"),
    "half a JPEG": (lambda: image("JPEG", (256, 256))[:400], Deposit(type="18748-4"), "image-broken"),
    "external entity": (
        lambda: cda('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'),
        Deposit(),
        "xml-doctype",
    ),
    "entities that laugh": (lambda: cda(ENTITY_BOMB).replace("Résumé".encode(), b"&d;"), Deposit(), "xml-doctype"),
    "half a CDA": (lambda: cda()[:-20], Deposit(), "xml-broken"),
    "deep XML": (lambda: b"<a>" * 10_000 + b"</a>" * 10_000, Deposit(), "xml-broken"),
    "other XML": (lambda: b"<html xmlns='http://www.w3.org/1999/xhtml'/>", Deposit(), "not-cda"),
    "wide XML": (lambda: b"<r>" + b"<a/>" * 900_000 + b"</r>", Deposit(), "too-complex"),
    "deep JSON": (lambda: nested_json(10_000), Deposit(), "fhir"),
    "half a JSON": (lambda: bundle()[:-100], Deposit(), "fhir"),
    "a name twice": (
        lambda: bundle().replace(b'"type":"document"', b'"type":"document","type":"document"'),
        Deposit(),
        "fhir",
    ),
    "wrong type": (lambda: bundle(timestamp=5), Deposit(), "fhir"),
    "no document": (
        lambda: orjson.dumps({"resourceType": "Bundle", "type": "collection"}),
        Deposit(),
        "not-a-document",
    ),
    "a patient": (lambda: orjson.dumps({"resourceType": "Patient"}), Deposit(), "fhir"),
    "unknown LOINC": (lambda: orjson.dumps(fhir_document(type_="8867-4")), Deposit(), "type-unknown"),
    "unknown LOINC named": (lambda: b"text", Deposit(type="8867-4"), "type-unknown"),
    "no type": (lambda: b"text", Deposit(), "type-missing"),
    "another kind inside": (bundle, Deposit(type="11502-2"), "category-differs"),
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
async def test_invalid_document_is_refused_with_remedy(workers, case):
    make, meta, key = REFUSED[case]
    assert await refusal_key(workers, make(), meta) == key


async def test_active_content_of_pdf_is_reported(workers):
    plain = pdf()
    assert await finding_keys(workers, plain, PDF) == set()
    for name, key in (
        (b"/OpenAction", "pdf-open-action"),
        (b"/Open#41ction", "pdf-open-action"),
        (b"/JavaScript", "pdf-javascript"),
        (b"/Launch", "pdf-launch"),
        (b"/EmbeddedFile", "pdf-embedded-file"),
        (b"/SubmitForm", "pdf-submit-form"),
    ):
        assert await finding_keys(workers, plain + b"\n9 0 obj <</S " + name + b" 1 0 R>> endobj\n", PDF) == {key}


async def test_active_content_in_compressed_object_stream_is_reported(workers):
    packed = zlib.compress(b"11 0 <</S /JavaScript /JS (app.alert(1))>>")
    stream = b"\n10 0 obj <</Type /ObjStm /N 1 /First 5 /Filter /FlateDecode /Length %d>> stream\n" % len(packed)
    assert await finding_keys(workers, pdf() + stream + packed + b"\nendstream endobj\n", PDF) == {"pdf-javascript"}


async def test_oversized_object_stream_is_refused(workers):
    packed = zlib.compress(bytes(64 * 1024 * 1024), 9)
    stream = b"\n10 0 obj <</Type /ObjStm /Filter /FlateDecode>> stream\n"
    assert await refusal_key(workers, pdf() + stream + packed + b"\nendstream endobj\n", PDF) == "too-complex"


async def test_protected_pdf_that_opens_without_password_is_accepted_and_reported(workers):
    protected = pdf(edit=lambda document: document.set_encryption("owner"))
    assert await finding_keys(workers, protected, PDF) == {"pdf-encrypted"}


async def test_text_that_begins_like_an_image_is_text(workers):
    examination = await validation.examine(b"BM: two tablets a day", TEXT, workers)
    assert examination.media_type == "text/plain"


async def test_text_of_first_page_is_read(workers):
    def add_page(document):
        document.add_page()
        document.cell(text="second")

    assert (await validation.examine(pdf("Née le 3.4.1961", add_page), PDF, workers)).text == "Née le 3.4.1961"


async def test_style_sheet_of_cda_is_reported(workers):
    styled = cda('<?xml-stylesheet href="http://example.org/x.xsl" type="text/xsl"?>')
    assert await finding_keys(workers, styled, Deposit()) == {"cda-stylesheet"}


async def test_document_over_worker_timeout_is_refused(monkeypatch):
    stalled = WorkerPool(workers=1)
    monkeypatch.setattr("esante.services.record.rendering.worker_pool.TIMEOUT", 0.0)
    assert await refusal_key(stalled, pdf(), PDF) == "too-complex"
    monkeypatch.undo()
    assert await finding_keys(stalled, pdf(), PDF) == set()
    await stalled.close()


def image_claiming(width: int, height: int) -> bytes:
    """Return a small PNG whose header claims a size in pixels."""
    from PIL import Image

    out = io.BytesIO()
    Image.new("1", (8, 8)).save(out, "PNG")
    data = bytearray(out.getvalue())
    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)

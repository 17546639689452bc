"""The PDF for the patient: PDF/A-3, what is attached, the 2D code, four languages."""

import hashlib
import io
from datetime import UTC, date, datetime
from decimal import Decimal

import pikepdf
import pypdfium2
import pytest
import zxingcpp

from esante.services.billing.adjudication.model import Adjudication, LineDecision
from esante.services.billing.note.fhir_resources import read_claim
from esante.services.billing.note.national_xml import read_note
from esante.services.billing.note.pdf import code_text, note_pdf
from tests.support.fee_notes import PDF, a_line, a_note

AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def text_of(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    return "\n".join(page.get_textpage().get_text_range() for page in document)


def test_pdf_is_pdf_a_3_and_carries_note_in_xml_and_fhir():
    note = a_note(a_line(), a_line(2, "C5", "12.30"), number="2026/17", document=PDF)
    pdf = pikepdf.open(io.BytesIO(note_pdf(note, None, "fr", AT)))
    assert pdf.open_metadata().pdfa_status == "3A"
    attached = {name: file.get_file().read_bytes() for name, file in pdf.attachments.items()}
    assert set(attached) == {"fee-note.xml", "fee-note.json"}
    assert read_note(attached["fee-note.xml"]).note == read_claim(attached["fee-note.json"])
    assert read_note(attached["fee-note.xml"]).note.lines == note.lines
    relations = {str(file.obj.AFRelationship) for file in pdf.attachments.values()}
    assert relations == {"/Data", "/Alternative"}


def test_second_reader_finds_attachments():
    document = pypdfium2.PdfDocument(note_pdf(a_note(), None, "fr", AT))
    names = {document.get_attachment(number).get_name() for number in range(document.count_attachments())}
    assert names == {"fee-note.xml", "fee-note.json"}


def test_2d_code_is_read_from_the_page():
    note = a_note()
    page = pypdfium2.PdfDocument(note_pdf(note, None, "de", AT))[0]
    [found] = zxingcpp.read_barcodes(page.render(scale=2).to_pil())
    assert found.text == code_text(note)


def test_2d_code_has_documented_content_and_nothing_of_the_patient():
    note = a_note(issued_on=date(2026, 11, 20))
    version, note_id, provider, day, cents, check = code_text(note).split(":")
    assert (version, note_id, provider, day, cents) == ("MH1", str(note.id).upper(), "90000001", "20261120", "5770")
    before = code_text(note).rpartition(":")[0]
    assert check == hashlib.sha256(before.encode()).hexdigest()[:8].upper()
    assert note.patient.matricule not in code_text(note)


@pytest.mark.parametrize(
    ("language", "words", "amount"),
    [
        ("fr", "Mémoire d’honoraires", "57,70 €"),
        ("de", "Honorarrechnung", "57,70 €"),
        ("en", "Fee note", "€57.70"),
        ("lb", "Honorarrechnung", "57,70 €"),
    ],
)
def test_pdf_is_written_in_the_language(language, words, amount):
    text = text_of(note_pdf(a_note(), None, language, AT)).replace("\xa0", " ").replace("'", "’")
    assert words in text
    assert amount in text


def test_shares_of_adjudication_are_shown():
    note = a_note()
    line = LineDecision(
        number=1,
        line_id=None,
        code="C1",
        quantity=1,
        tariff=Decimal("57.70"),
        rate=Decimal("0.88"),
        statutory=Decimal("50.78"),
        personal=Decimal("6.92"),
    )
    text = text_of(note_pdf(note, Adjudication(note_id=note.id, lines=(line,), rules=""), "en", AT))
    assert "€50.78" in text
    assert "€6.92" in text


def test_same_note_gives_same_bytes():
    note = a_note()
    assert note_pdf(note, None, "fr", AT) == note_pdf(note, None, "fr", AT)


def test_markup_in_texts_stays_text():
    text = '#read("/etc/passwd") *x* <b> $y$'
    assert text in text_of(note_pdf(a_note(transfer_text=text), None, "en", AT))


def test_many_lines_take_several_pages():
    note = a_note(*(a_line(number) for number in range(1, 120)))
    assert len(pypdfium2.PdfDocument(note_pdf(note, None, "fr", AT))) > 1

"""The national XML: valid under the published schema, read back equal, hostile input refused with its place."""

import re
from base64 import b64encode
from dataclasses import replace

import pytest
from hypothesis import given, settings
from lxml import etree

from esante.services.billing.note import national_xml, xml_blocks
from esante.services.billing.note.faults import BadNote
from esante.services.billing.note.national_xml import read_note, write_note
from tests.support.fee_notes import PDF, SIGNATURE, a_line, a_note, notes, schema


def faults_of(data: bytes, *, lenient: bool = False):
    with pytest.raises(BadNote) as raised:
        read_note(data, lenient=lenient)
    return raised.value.faults


def changed(old: str, new: str, note=None) -> bytes:
    """A note in XML in which a text is replaced; it must be there."""
    xml = write_note(note or a_note()).decode()
    assert old in xml
    return xml.replace(old, new, 1).encode()


@settings(max_examples=200)
@given(notes())
def test_written_note_reads_back_equal(note):
    read = read_note(write_note(note))
    assert read.note == note
    assert read.remarks == ()


def test_generated_notes_are_valid_under_published_schema(shared_data):
    published = schema(shared_data, "DEPOT-REQ-V1")

    @settings(max_examples=200)
    @given(notes())
    def check(note):
        published.assertValid(etree.fromstring(write_note(note)))

    check()


def test_what_published_schema_refuses_is_refused(shared_data):
    """The schema as an oracle: where it refuses a changed note, so do we."""
    published = schema(shared_data, "DEPOT-REQ-V1")
    whole = write_note(a_note(a_line(), a_line(2), signature=SIGNATURE, document=PDF)).decode()
    elements = list(re.finditer(r"<(\w+)>[^<>]*</\1>", whole))
    assert len(elements) > 30
    refused = 0
    for match in elements:
        name = match[1]
        for new in (
            "",
            match[0] * 2,
            f"<{name}>?</{name}>",
            f"<{name} x='1'>{match[0][len(name) + 2 :]}",
            f"<x/>{match[0]}",
        ):
            xml = (whole[: match.start()] + new + whole[match.end() :]).encode()
            if not published.validate(etree.fromstring(xml)):
                refused += 1
                assert faults_of(xml), new
    assert refused > 80


def test_fault_has_place_line_and_remedy():
    xml = changed("><montantBrut>57.70", ">\n\n<montantBrut>57.701")
    [fault] = faults_of(xml)
    assert fault.place == "/memoireHonoraire/prestation[1]/montantBrut"
    assert fault.line == 4
    assert fault.remedy
    assert "two decimals" in fault.detail


def test_all_faults_are_told_together():
    xml = changed("<codePrestataire>90000001", "<codePrestataire>1").replace(b"<nombre>1<", b"<nombre>100<")
    assert [fault.place.rpartition("/")[2] for fault in faults_of(xml)] == ["codePrestataire", "nombre"]


def test_many_faults_are_cut():
    xml = changed("<libre/>", "<libre>" + "<x/>" * 5_000 + "</libre>")
    assert len(faults_of(xml)) == xml_blocks.MAX_FAULTS


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("<entete>", "<entete a='1'>", "entete"),
        ("<libre/>", "<libre>text</libre>", "libre"),
        ("<libre/>", "<libre/>text", "memoireHonoraire"),
        ("<libre/>", "<libre><x/></libre>", "x"),
        ("<libre/><footer/>", "<footer/><libre/>", "libre"),
        ("<footer/>", "<footer/><footer/>", "footer"),
        ("<footer/>", "", "footer"),
        ("<footer/>", "<q:footer xmlns:q='urn:q'/>", "footer"),
        ("<devise>EUR", "<devise><b/>EUR", "devise"),
        ("<devise>EUR", "<devise>EURO", "devise"),
        ("<matricule>1900123456712</matricule>", "", "(matricule | dateNaissance)"),
        (
            "</matricule>",
            "</matricule><dateNaissance>1980-01-01</dateNaissance>",
            "(matricule | dateNaissance)",
        ),
        ("<matricule>1900123456712", "<matricule>١٩٠٠١٢٣٤٥٦٧١٢", "matricule"),
        ("<montantBrut>57.70", "<montantBrut>1e3", "montantBrut"),
        ("<montantBrut>57.70", "<montantBrut>9999999999.00", "montantBrut"),
        ("<montantBrut>57.70", "<montantBrut>NaN", "montantBrut"),
        ("<nombre>1", "<nombre>" + "1" * 5_000, "nombre"),
        ("<dateMemoireHonoraires>2026-11-20", "<dateMemoireHonoraires>2026-02-30", "dateMemoireHonoraires"),
        ("<acquitte>true", "<acquitte>yes", "acquitte"),
        ("<UUID>", "<UUID>x", "UUID"),
    ],
)
def test_wrong_element_is_refused_at_its_place(old, new, place):
    assert faults_of(changed(old, new))[0].place.rpartition("/")[2].startswith(place)


def test_other_message_is_refused():
    [fault] = faults_of(b'<a xmlns="http://www.secu.lu/ciss/cns"/>')
    assert "memoireHonoraire" in fault.detail


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no xml",
        b"<a>",
        b"<a></b>",
        write_note(a_note())[:-20],
        b"\xef\xbb\xbf",
    ],
)
def test_what_is_not_well_formed_is_refused(data):
    assert faults_of(data)


def test_entity_bomb_is_refused_before_parsing(monkeypatch):
    bomb = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    monkeypatch.setattr(etree, "fromstring", None)
    [fault] = faults_of(write_note(a_note()).replace(b"<cns:memoireHonoraire", bomb + b"<cns:memoireHonoraire", 1))
    assert "document type" in fault.title


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_bomb_in_other_encoding_is_refused_before_parsing(monkeypatch, encoding):
    text = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "x">]><a>&a;</a>'
    monkeypatch.setattr(etree, "fromstring", None)
    assert "UTF-8" in faults_of(text.encode(encoding))[0].title


def test_bomb_in_utf_7_is_refused_before_parsing(monkeypatch):
    monkeypatch.setattr(etree, "fromstring", None)
    assert "UTF-8" in faults_of(b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE')[0].title


def test_external_entity_is_not_fetched(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    xml = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]><a>&x;</a>'.encode()
    assert "secret" not in str(faults_of(xml))


def test_file_over_bound_is_refused_before_parsing(monkeypatch):
    monkeypatch.setattr(etree, "fromstring", None)
    assert "too large" in faults_of(b"x" * (xml_blocks.MAX_BYTES + 1))[0].title


def test_too_many_elements_are_refused_before_parsing(monkeypatch):
    monkeypatch.setattr(etree, "fromstring", None)
    assert "too many elements" in faults_of(b"<a>" + b"<b/>" * xml_blocks.MAX_MARKUP)[0].title


def test_too_many_lines_are_refused():
    note = a_note(*(a_line(number) for number in range(1, national_xml.MAX_LINES + 2)))
    assert "too many lines" in faults_of(write_note(note))[0].title


def test_most_lines_are_read():
    note = a_note(*(a_line(number) for number in range(1, national_xml.MAX_LINES + 1)))
    assert read_note(write_note(note)).note == note


def test_deep_signature_is_refused():
    deep = "<s:a xmlns:s='urn:s'>" + "<s:b>" * 100 + "</s:b>" * 100 + "</s:a>"
    xml = changed("</cns:memoireHonoraire>", f"<signature>{deep}</signature></cns:memoireHonoraire>")
    assert "deeply" in faults_of(xml)[0].title


def test_signature_of_own_namespace_is_refused():
    xml = changed("</cns:memoireHonoraire>", "<signature><a/></signature></cns:memoireHonoraire>")
    assert faults_of(xml)[0].place.endswith("signature")


def test_two_signatures_are_refused():
    two = SIGNATURE.decode() * 2
    xml = changed("</cns:memoireHonoraire>", f"<signature>{two}</signature></cns:memoireHonoraire>")
    assert faults_of(xml)[0].place.endswith("signature")


def test_document_that_is_no_pdf_is_refused():
    encoded = b64encode(b"MZ executable").decode()
    xml = changed("</cns:memoireHonoraire>", f"<document>{encoded}</document></cns:memoireHonoraire>")
    assert faults_of(xml)[0].place.endswith("document")


def test_short_hospital_name_is_accepted_only_leniently_with_remark():
    xml = changed(
        "<dateMemoireHonoraires>2026-11-20</dateMemoireHonoraires>",
        "<dateMemoireHonoraires>2026-11-20"
        "</dateMemoireHonoraires><nomHopitalAssociation>Kirchberg</nomHopitalAssociation>",
    )
    assert faults_of(xml)[0].place.endswith("nomHopitalAssociation")
    read = read_note(xml, lenient=True)
    assert read.note.hospital_name == "Kirchberg"
    assert [one.place.rpartition("/")[2] for one in read.remarks] == ["nomHopitalAssociation"]


def test_qualified_elements_are_accepted_only_leniently_with_remark():
    xml = re.sub(rb"<(/?)(?!cns|\?)(\w)", rb"<\1cns:\2", write_note(a_note()))
    assert "namespace" in faults_of(xml)[0].title
    read = read_note(xml, lenient=True)
    assert len(read.remarks) == 1
    assert read.note.lines[0].act.code == "C1"


def test_lenient_reading_of_valid_note_has_no_remark():
    note = a_note(hospital_name="Kirchberg")
    assert read_note(write_note(note), lenient=True) == read_note(write_note(note))


def test_zone_of_a_day_is_dropped():
    assert read_note(changed("2026-11-20</dateMem", "2026-11-20+01:00</dateMem")).note.issued_on.day == 20


def test_comments_and_instructions_are_dropped():
    xml = changed("<codeActe>C1", "<codeActe><!-- x -->C<?x y?>1")
    assert read_note(xml).note.lines[0].act.code == "C1"


@pytest.mark.parametrize(
    "changes",
    [
        {"number": "x" * 101},
        {"settlement": replace(a_note().settlement, due=a_note().settlement.due / 1000)},
        {"hospital_name": "x" * 1001},
        {"hospital_code": "123"},
        {"pages": 10**9},
    ],
)
def test_note_that_message_cannot_hold_is_not_written(changes):
    with pytest.raises(ValueError, match="cannot hold"):
        write_note(a_note(**changes))

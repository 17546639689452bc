"""What received documents say: the printable form, prescriptions without identifiers, documents that are none."""

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from esante.services.exchange.connector.dispensation import read_dispensation
from esante.services.exchange.country_b.dispensation import Dispensed, Dispenser, read_items, write_dispensation
from esante.services.exchange.country_b.model import Patient
from esante.services.exchange.country_b.readable import OfAnother, check_patient, read_document
from esante.services.exchange.model import NotUsable
from esante.services.exchange.terminology import sample_catalogue
from tests.support.encounters import DOMAIN, PATIENT
from tests.support.prescriptions import prescription

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
PERSON = Patient(cx=f"{PATIENT}^^^&{DOMAIN}&ISO", family="Test", birth="19670630")
BY = Dispenser(
    name="P", given="P", family="Q", number="1", role="2262", organization="O", organization_number="2", home="2.999.1",
    country="LU",
)  # fmt: skip
ONE = Dispensed(quantity=Decimal(2), product="Handed <out> & more", is_substituted=False)


def printable(content: bytes, media: str = "application/pdf") -> bytes:
    """Return a prescription whose body is a file."""
    body = f'<nonXMLBody><text mediaType="{media}" representation="B64">{base64.b64encode(content).decode()}</text>'
    made = re.sub(r"<structuredBody>.*</structuredBody>", f"{body}</nonXMLBody>", prescription(), flags=re.DOTALL)
    return made.encode()


def test_printable_form_is_taken_out_of_its_document():
    shown = read_document(printable(b"%PDF-1.7 content"), "fr", sample_catalogue())
    assert (shown.pdf, list(shown.sections)) == (b"%PDF-1.7 content", [])


@pytest.mark.parametrize(
    ("content", "media"), [(b"<html>", "application/pdf"), (b"%PDF-1.7", "text/html"), (b"", "application/pdf")]
)
def test_printable_form_that_is_none_is_refused_with_its_place(content, media):
    with pytest.raises(NotUsable) as refused:
        read_document(printable(content, media), "fr", sample_catalogue())
    assert refused.value.faults[0].place.endswith("nonXMLBody/text")


@pytest.mark.parametrize(
    "bomb",
    [
        b'<!DOCTYPE x [<!ENTITY a "b">]><ClinicalDocument xmlns="urn:hl7-org:v3">&a;</ClinicalDocument>',
        b'<ClinicalDocument xmlns="urn:hl7-org:v3">' + b"<a>" * 5_000,
        b"\x00\x01",
        b"",
    ],
)
def test_document_that_is_none_is_refused(bomb):
    for read in (read_items, lambda data: check_patient(data, PERSON)):
        with pytest.raises(NotUsable):
            read(bomb)


def test_document_of_the_patient_is_known_by_identifier_or_by_name_and_birth():
    data = prescription().encode()
    check_patient(data, PERSON)
    check_patient(data, replace_cx(PERSON, "other^^^&2.999.5&ISO"))
    for other in ("19670631", "", "1967"):
        with pytest.raises(OfAnother):
            check_patient(data, Patient(cx="other^^^&2.999.5&ISO", family="Test", birth=other))
    with pytest.raises(OfAnother):
        check_patient(data, Patient(cx="other^^^&2.999.5&ISO", family="Tést", birth="19670630"))


def test_items_without_identifiers_are_one_under_that_of_the_document():
    first = prescription()
    (entry,) = re.findall(r"<entry>.*?</entry>", first, flags=re.DOTALL)
    without = re.sub(r'<id root="2.999.9.1"[^>]*/>', "", entry)
    data = first.replace(entry, without + without.replace("Amoxicilline", "Second")).encode()
    (item,) = read_items(data)
    assert item.id == "2.999.9^eP-1" and "Amoxicilline" in item.medicine and "Second" in item.medicine
    document_id, made = write_dispensation(data, item, ONE, PERSON, BY, AT)
    read = read_dispensation(made)
    assert (read.document_id, read.prescription.extension) == (document_id, "eP-1")
    assert made.count(b"<supply ") == 2 and b"Second" in made


def test_dispensation_has_the_identifier_by_which_the_country_knows_the_patient():
    data = prescription(patient="another-number").encode()
    (item,) = read_items(data)
    _, made = write_dispensation(data, item, ONE, PERSON, BY, AT)
    assert read_dispensation(made).patients == {PERSON.cx, f"another-number^^^&{DOMAIN}&ISO"}


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cn", "Cs")), min_size=1, max_size=40))
def test_name_of_the_product_is_written_as_it_is(name):
    data = prescription().encode()
    (item,) = read_items(data)
    _, made = write_dispensation(data, item, replace(ONE, product=name), PERSON, BY, AT)
    (product,) = (one for one in read_items_of(made))
    assert product == name


def read_items_of(data: bytes):
    """Yield the names of the products of a dispensation."""
    path = "//*[local-name()='product']//*[local-name()='manufacturedMaterial']/*[local-name()='name']"
    for one in etree.fromstring(data).xpath(path):
        yield one.text


def replace_cx(patient: Patient, cx: str) -> Patient:
    """Return a patient with another identifier."""
    return Patient(cx=cx, family=patient.family, birth=patient.birth)

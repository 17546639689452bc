"""Rendered documents: FHIR that is valid, PDF with text, well-formed CDA, images, text; times and authors."""

import io
from collections import Counter
from datetime import UTC, datetime, timedelta

import orjson
import pypdfium2
import pytest
from lxml import etree
from PIL import Image

from esante.core.fhir import check
from esante.demo import render_documents
from esante.demo.documents.care_case import DOCUMENT_TYPES
from esante.demo.documents.care_timeline import draft_documents, record_period
from esante.identity.access import Action, Consent, Item, Purpose, RecordState, decide, requester_of
from esante.services.record import category_of_type
from tests.demo.documents.conftest import DAY, PERSONS

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def documents(country):
    return [document for citizen in country.citizens for document in render_documents(country, citizen)]


def _by_kind_and_language(documents, format_):
    """One document of each kind and language that comes in a format."""
    found = {}
    for document in documents:
        if document.draft.format == format_:
            found.setdefault((document.draft.kind, document.draft.language), document)
    return found


def _references(node):
    if isinstance(node, dict):
        if "reference" in node:
            yield node["reference"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _references(child)


def test_every_kind_occurs_with_a_type_that_the_record_accepts(documents):
    assert {document.draft.kind for document in documents} == set(DOCUMENT_TYPES)
    assert all(category_of_type(code) for code in DOCUMENT_TYPES.values())


def test_fhir_documents_are_valid_in_every_kind_and_language(documents):
    found = _by_kind_and_language(documents, "fhir")
    assert {kind for kind, _ in found} == set(DOCUMENT_TYPES) - {"ecg"}
    assert {language for _, language in found} == {"fr", "de", "en", "lb"}
    for document in found.values():
        assert check(document.content).issues == ()


def test_check_finds_a_fault(documents):
    bundle = orjson.loads(_by_kind_and_language(documents, "fhir")["laboratory", "fr"].content)
    bundle["entry"][0]["resource"]["status"] = "ready"
    assert not check(orjson.dumps(bundle)).ok


def test_references_of_a_bundle_resolve_within_it(documents):
    for document in _by_kind_and_language(documents, "fhir").values():
        bundle = orjson.loads(document.content)
        urls = [entry["fullUrl"] for entry in bundle["entry"]]
        assert bundle["entry"][0]["resource"]["resourceType"] == "Composition"
        assert len(urls) == len(set(urls))
        assert set(_references(bundle)) <= set(urls)


def test_pdf_has_the_text_of_its_draft(documents):
    found = _by_kind_and_language(documents, "pdf")
    assert len({kind for kind, _ in found}) >= 5
    for document in found.values():
        pdf = pypdfium2.PdfDocument(document.content)
        text = " ".join(page.get_textpage().get_text_bounded() for page in pdf)
        assert document.draft.subject.person.identifiers[0].value in text
        assert document.draft.title.split()[0] in text


def test_cda_is_well_formed_and_names_its_patient(documents):
    found = _by_kind_and_language(documents, "cda")
    assert len({kind for kind, _ in found}) >= 5
    for document in found.values():
        root = etree.fromstring(document.content)
        hl7 = {"h": "urn:hl7-org:v3"}
        assert root.tag == "{urn:hl7-org:v3}ClinicalDocument"
        assert root.find("h:code", hl7).get("code") == document.draft.type
        family = root.findtext("h:recordTarget/h:patientRole/h:patient/h:name/h:family", namespaces=hl7)
        assert family == document.draft.subject.person.family


def test_images_are_png(documents):
    found = _by_kind_and_language(documents, "image")
    assert found
    for document in found.values():
        assert Image.open(io.BytesIO(document.content)).format == "PNG"


def test_text_is_utf8_and_names_its_patient(documents):
    for document in _by_kind_and_language(documents, "text").values():
        assert document.draft.subject.person.name in document.content.decode()


def test_about_ten_documents_per_person_mostly_fhir(documents):
    formats = Counter(document.draft.format for document in documents)
    count = len(documents)
    assert 8 * PERSONS < count < 13 * PERSONS
    assert formats["fhir"] > 0.85 * count
    assert 0.005 < formats["pdf"] / count < 0.05
    assert min(formats.values()) > 0
    languages = Counter(document.draft.language for document in documents)
    assert languages["fr"] > languages["de"] > languages["lb"] > 0


def test_documents_date_from_the_period_of_an_open_record(country, documents):
    assert min(document.deposited_at.date() for document in documents) < DAY - timedelta(days=7 * 365)
    assert max(document.deposited_at.date() for document in documents) <= DAY
    for document in documents:
        first, last = record_period(country, document.draft.subject)
        assert first <= document.draft.at.date() <= last
        assert document.deposited_at > document.draft.at


def test_rules_allow_every_author_to_deposit(country, documents):
    places = {place.id: place for place in country.organizations.values()}
    for document in documents:
        draft = document.draft
        consent = Consent(person_id=draft.subject.person.id, state=RecordState.OPEN)
        if draft.author:
            role = draft.author.roles[-1]
            assert role.since <= draft.at.date()
            author = requester_of(draft.author, places[role.organization_id])
        else:
            author = requester_of(draft.subject.person)
        purpose = Purpose.TREATMENT if draft.author else Purpose.PATIENT_REQUEST
        item = Item(category=category_of_type(draft.type).key)
        assert decide(consent, author, Action.WRITE, item, purpose, NOW).allowed


def test_clinic_of_the_emergency_doctor_writes_nothing(country, documents):
    clinic = country.organizations["claire"]
    assert not [document for document in documents if document.draft.organization == clinic]


def test_personas_have_many_kinds_of_documents(country):
    for citizen in country.citizens[:5]:
        kinds = Counter(document.draft.kind for document in render_documents(country, citizen))
        assert kinds.total() >= 30
        assert set(kinds) >= {
            "laboratory",
            "discharge",
            "consultation",
            "prescription",
            "imaging",
            "summary",
            "letter",
        }
    assert "radiotherapy" in Counter(draft.kind for draft in draft_documents(country, country.citizens[0]))

"""The view of a document: its header, sections and omissions."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.fhir import DocumentView, build_document_view, check
from esante.core.fhir.view import (
    Condition,
    Observation,
    Procedure,
    ResourceTable,
    Section,
)
from tests.core.fhir.samples import allergy, document, entry_section, narrative, observation, uuid_url


def all_tables(view: DocumentView) -> list[ResourceTable]:
    def below(section: Section) -> list[ResourceTable]:
        return [*section.tables, *(t for s in section.sections for t in below(s))]

    return [*(t for s in view.sections for t in below(s)), *view.further]


@pytest.mark.parametrize(("folder", "count"), [("eps", 16), ("lab", 90), ("hdr", 18)])
def test_european_documents_are_shown_completely(shared_data, folder, count):
    files = sorted((shared_data / "eu-documents" / folder).glob("*.json"))
    assert len(files) == count
    for file in files:
        bundle = check(file.read_bytes()).resource
        view = build_document_view(bundle)
        assert view.title and view.date and view.subject.name and view.subject.birth_date and view.authors, file.name
        assert view.not_shown == 0, (file.name, view.omissions)
        rows = [row for table in all_tables(view) for row in table.rows]
        clinical = [e["resource"] for e in bundle["entry"]]
        for kind, row_type in (("Observation", Observation), ("Condition", Condition), ("Procedure", Procedure)):
            expected = sum(r["resourceType"] == kind for r in clinical)
            assert sum(type(row) is row_type for row in rows) == expected, (file.name, kind)


def test_header_of_a_document():
    view = build_document_view(document())
    assert (view.title, view.type, view.type_code, view.status) == (
        "Discharge letter",
        "Discharge summary",
        "34105-7",
        "final",
    )
    assert view.date == "2026-03-03T12:00:00+01:00"
    assert (view.subject.name, view.subject.birth_date, view.subject.sex) == (
        "Lena Marie Weber",
        "1990-01-01",
        "female",
    )
    assert [(i.system, i.value) for i in view.subject.identifiers] == [("urn:oid:1.3.182.2.4.1", "1990010112345")]
    assert [author.name for author in view.authors] == ["Dr Anne Muller"]
    assert [(s.title, s.narrative) for s in view.sections] == [("Findings", "<div><p>All well.</p></div>")]


def test_author_in_a_role_is_a_person_at_an_organisation():
    role = {
        "resourceType": "PractitionerRole",
        "practitioner": {"reference": uuid_url(4)},
        "organization": {"reference": uuid_url(5)},
    }
    person = {"resourceType": "Practitioner", "name": [{"prefix": ["Dr"], "given": ["Jos"], "family": "Thill"}]}
    bundle = document(role, person, {"resourceType": "Organization", "name": "Hospital of Test"})
    bundle["entry"][0]["resource"] |= {
        "author": [{"reference": uuid_url(3)}],
        "custodian": {"reference": uuid_url(5)},
    }
    view = build_document_view(bundle)
    assert [(a.name, a.organisation) for a in view.authors] == [("Dr Jos Thill", "Hospital of Test")]
    assert view.custodian is not None and view.custodian.name == "Hospital of Test"
    assert view.further == ()


def test_empty_section_has_its_reason():
    view = build_document_view(
        document(sections=({"title": "T", "emptyReason": {"text": "not asked"}, "text": narrative(" ")},))
    )
    assert view.sections[0].empty_reason == "not asked"
    assert view.sections[0].narrative is None


def test_reference_without_target_is_counted():
    view = build_document_view(document(sections=(entry_section(77),)))
    assert view.not_shown == 1


def test_nested_sections_keep_their_order_up_to_a_depth():
    section = {"title": "0", "text": narrative("x")}
    for depth in range(1, 40):
        section = {"title": str(depth), "section": [section]}
    view = build_document_view(document(sections=(section, {"title": "last", "text": narrative("y")})))
    assert [s.title for s in view.sections] == ["39", "last"]
    assert view.sections[0].sections[0].title == "38"
    assert view.not_shown == 1


@pytest.mark.parametrize(
    "bundle", [{}, {"entry": None}, {"entry": [{}]}, {"entry": [{"resource": {"resourceType": "Composition"}}]}]
)
def test_bundle_that_is_no_document_gives_an_empty_view(bundle):
    assert build_document_view(bundle).sections == ()


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([uuid_url(n) for n in range(1, 7)]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["reference", "code", "text", "coding", "value", "display", "section", "entry", "low", "div"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.data())
def test_malformed_documents_never_raise(data):
    base = document(
        observation(), allergy(), {"resourceType": "List", "entry": [{"item": {"reference": uuid_url(3)}}]}
    )
    bundle = copy.deepcopy(base)
    for _ in range(data.draw(st.integers(1, 3))):
        resource = data.draw(st.sampled_from(bundle["entry"]))["resource"]
        names = [*resource, "hasMember", "contained", "section", "author", "result", "dosage", "modifierExtension"]
        resource[data.draw(st.sampled_from(names))] = data.draw(junk)
    assert build_document_view(bundle).not_shown >= 0

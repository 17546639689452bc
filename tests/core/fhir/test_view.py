"""The document view: what a reader sees, and that nothing disappears without a word."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.fhir import DocumentView, build_document_view, check
from esante.core.fhir.view import (
    Allergy,
    Condition,
    Immunisation,
    Medication,
    Observation,
    Other,
    Procedure,
    Section,
    Table,
)
from tests.core.fhir.samples import allergy, changed, document, dumped, entry_section, narrative, observation, uuid_url


def shown(*resources, section=True):
    """The tables of a document whose only section refers to all the resources (or to none)."""
    sections = (entry_section(*range(3, 3 + len(resources))),) if section else ()
    bundle = check(dumped(document(*resources, sections=sections)))
    assert bundle.ok, bundle.issues
    seen = build_document_view(bundle.resource)
    return seen.sections[0].tables if section else seen.further


def only_row(*resources):
    (table,) = shown(*resources)
    (row,) = table.rows
    return row


def all_tables(seen: DocumentView) -> list[Table]:
    def below(section: Section) -> list[Table]:
        return [*section.tables, *(t for s in section.sections for t in below(s))]

    return [*(t for s in seen.sections for t in below(s)), *seen.further]


@pytest.mark.parametrize(("folder", "count"), [("eps", 16), ("lab", 90), ("hdr", 18)])
def test_every_european_document_can_be_read(shared_data, folder, count):
    files = sorted((shared_data / "eu-documents" / folder).glob("*.json"))
    assert len(files) == count
    for file in files:
        bundle = check(file.read_bytes()).resource
        seen = build_document_view(bundle)
        assert seen.title and seen.date and seen.subject.name and seen.subject.birth_date and seen.authors, file.name
        assert seen.not_shown == 0, (file.name, seen.omissions)
        rows = [row for table in all_tables(seen) for row in table.rows]
        clinical = [e["resource"] for e in bundle["entry"]]
        for kind, row_type in (("Observation", Observation), ("Condition", Condition), ("Procedure", Procedure)):
            expected = sum(r["resourceType"] == kind for r in clinical)
            assert sum(type(row) is row_type for row in rows) == expected, (file.name, kind)


def test_the_head_of_a_document():
    seen = build_document_view(document())
    assert (seen.title, seen.type, seen.type_code, seen.status) == (
        "Discharge letter",
        "Discharge summary",
        "34105-7",
        "final",
    )
    assert seen.date == "2026-03-03T12:00:00+01:00"
    assert (seen.subject.name, seen.subject.birth_date, seen.subject.sex) == (
        "Lena Marie Weber",
        "1990-01-01",
        "female",
    )
    assert [(i.system, i.value) for i in seen.subject.identifiers] == [("urn:oid:1.3.182.2.4.1", "1990010112345")]
    assert [author.name for author in seen.authors] == ["Dr Anne Muller"]
    assert [(s.title, s.narrative) for s in seen.sections] == [("Findings", "<div><p>All well.</p></div>")]


def test_an_author_in_a_role_is_a_person_at_an_organisation():
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
    seen = build_document_view(bundle)
    assert [(a.name, a.organisation) for a in seen.authors] == [("Dr Jos Thill", "Hospital of Test")]
    assert seen.custodian is not None and seen.custodian.name == "Hospital of Test"
    assert seen.further == ()


def test_a_laboratory_result():
    row = only_row(observation())
    assert isinstance(row, Observation)
    assert (row.name, row.value, row.unit, row.low, row.high) == (
        "Potassium",
        "4.1",
        "mmol/L",
        "3.5 mmol/L",
        "5.1 mmol/L",
    )
    assert (row.flag, row.flag_text, row.when.start) == ("N", "Normal", "2026-03-02T08:15:00+01:00")
    assert [(m.name, m.value) for m in row.members] == [("part", "clear")]


def test_a_value_keeps_its_digits_and_comparator():
    text = dumped(document(changed(observation(), "valueQuantity", "comparator", "<")))
    resource = check(text.replace(b'"value": 4.1,', b'"value": 4.10,')).resource
    (row,) = build_document_view(resource).further[0].rows
    assert isinstance(row, Observation)
    assert row.value == "<4.10"


def test_several_reference_ranges_are_told_in_words_and_none_is_chosen():
    ranges = [
        {"low": {"value": 1, "unit": "g"}, "high": {"value": 2, "unit": "g"}, "text": "women"},
        {"high": {"value": 3, "unit": "g"}, "text": "men"},
    ]
    row = only_row(changed(observation(), "referenceRange", ranges))
    assert (row.low, row.high) == ("", "")
    assert row.range_text == "women 1 g - 2 g; men  - 3 g"


def test_results_of_a_report_are_shown_though_no_section_refers_to_them():
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "Blood"},
        "result": [{"reference": uuid_url(4)}],
        "conclusion": "normal",
    }
    tables = shown(report, observation(), section=False)
    assert [(t.kind, [r.name for r in t.rows]) for t in tables] == [
        ("others", ["Blood"]),
        ("observations", ["Potassium"]),
    ]
    assert ("conclusion", "normal") in [(d.name, d.text) for d in tables[0].rows[0].details]


def test_a_panel_holds_its_members_once():
    panel = observation() | {"id": "o2", "code": {"text": "Panel"}, "hasMember": [{"reference": uuid_url(4)}]}
    row = only_row(panel, observation())
    assert row.name == "Panel"
    assert "Potassium" in [m.name for m in row.members]


def test_panels_that_hold_each_other_are_shown_and_counted():
    one = observation() | {"id": "o1", "hasMember": [{"reference": uuid_url(4)}]}
    two = observation() | {"id": "o2", "hasMember": [{"reference": uuid_url(3)}]}
    seen = build_document_view(document(one, two, sections=(entry_section(3, 4),)))
    assert len(seen.sections[0].tables[0].rows) == 2
    assert seen.not_shown == 2


def test_a_medication_by_reference_with_its_dosage():
    drug = {"resourceType": "Medication", "code": {"text": "Bisoprolol 5 mg"}}
    statement = {
        "resourceType": "MedicationStatement",
        "status": "active",
        "medicationReference": {"reference": uuid_url(4)},
        "subject": {"reference": uuid_url(2)},
        "effectivePeriod": {"start": "2025-01"},
        "dosage": [
            {
                "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}],
            }
        ],
        "reasonCode": [{"text": "Hypertension"}],
    }
    tables = shown(statement, drug, section=False)
    (row,) = tables[0].rows
    assert isinstance(row, Medication)
    assert (row.name, row.status, row.when.start, row.dosage) == (
        "Bisoprolol 5 mg",
        "active",
        "2025-01",
        "1 tablet; 2 / 1 d",
    )
    assert row.reason == "Hypertension"
    assert len(tables) == 1


def test_a_contained_medication_is_found():
    order = {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "contained": [{"resourceType": "Medication", "id": "m", "code": {"text": "Aspirin"}}],
        "medicationReference": {"reference": "#m"},
        "subject": {"reference": uuid_url(2)},
    }
    assert only_row(order).name == "Aspirin"


def test_allergy_condition_immunisation_procedure_and_anything_else():
    person = {"reference": uuid_url(2)}
    condition = {
        "resourceType": "Condition",
        "subject": person,
        "code": {"coding": [{"code": "I10", "display": "Hypertension"}]},
        "onsetAge": {"value": 42, "unit": "years"},
        "abatementDateTime": "2024",
        "stage": [{"summary": {"text": "II"}}],
    }
    dose = {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": {"text": "Tetanus"},
        "patient": person,
        "occurrenceDateTime": "2025-05-05",
        "lotNumber": "L1",
        "protocolApplied": [{"doseNumberPositiveInt": 3, "targetDisease": [{"text": "Tetanus disease"}]}],
    }
    act = {
        "resourceType": "Procedure",
        "status": "completed",
        "code": {"text": "Appendectomy"},
        "subject": person,
        "performedPeriod": {"start": "2020-01-01", "end": "2020-01-02"},
    }
    goal = {"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "Walk"}, "subject": person}
    tables = {t.kind: t.rows[0] for t in shown(allergy(), condition, dose, act, goal)}
    assert list(tables) == ["allergies", "conditions", "immunisations", "procedures", "others"]
    a, c, i, p, o = tables.values()
    assert isinstance(a, Allergy) and (a.name, a.status, a.criticality, a.reactions) == (
        "Penicillin",
        "active",
        "high",
        "Urticaria (moderate)",
    )
    assert isinstance(c, Condition) and (c.name, c.when.text, c.when.end) == ("Hypertension", "42 years", "2024")
    assert ("stage", "summary: II") in [(d.name, d.text) for d in c.details]
    assert isinstance(i, Immunisation) and (i.dose, i.lot, i.diseases) == ("3", "L1", "Tetanus disease")
    assert isinstance(p, Procedure) and (p.when.start, p.when.end) == ("2020-01-01", "2020-01-02")
    assert isinstance(o, Other) and (o.type, o.name) == ("Goal", "Walk")


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<script>alert(1)</script><p>x</p>", "<p>x</p>"),
        ('<p onclick="alert(1)" style="position:fixed" id="a">x</p>', "<p>x</p>"),
        ('<a href="javascript:alert(1)">x</a>', "x"),
        ('<a href="https://x.test">x</a>', "x"),
        ('<p>x</p><img src="data:image/png;base64,AAAA" alt="y"/>', "<p>x</p>"),
        ('<p class="bold banner">x</p>', '<p class="bold">x</p>'),
        ('<table><tr><td colspan="2" class="y"/><td>x</td></tr></table>', '<table><tbody><tr><td colspan="2"></td><td>x</td></tr></tbody></table>'),
        ("<h1>Title</h1>", '<p class="bold">Title</p>'),
        ("<iframe src='x'></iframe><svg><script>y</script></svg><p>x</p>", "<p>x</p>"),
        ("<form action='/x'><input name='a'/><button>b</button></form><p>x</p>", "b<p>x</p>"),
        ("a &lt;script&gt; class=\"\" b", 'a &lt;script&gt; class="" b'),
        ("x<br/>y", "x<br>y"),
    ],
)  # fmt: skip
def test_narrative_is_made_safe(html, expected):
    seen = build_document_view(document(sections=({"title": "T", "text": narrative(html)},)))
    assert seen.sections[0].narrative == f"<div>{expected}</div>"


def test_what_is_left_out_of_a_narrative_is_counted():
    html = "<p>x</p><img src='a'/><img src='b'/><script>c</script>"
    seen = build_document_view(document(sections=({"title": "T", "text": narrative(html)},)))
    assert [(o.what, o.count) for o in seen.omissions] == [("<img> in a narrative", 2), ("<script> in a narrative", 1)]
    assert seen.not_shown == 3


def test_an_empty_section_says_why():
    seen = build_document_view(
        document(sections=({"title": "T", "emptyReason": {"text": "not asked"}, "text": narrative(" ")},))
    )
    assert seen.sections[0].empty_reason == "not asked"
    assert seen.sections[0].narrative is None


def test_a_reference_without_target_is_counted():
    seen = build_document_view(document(sections=(entry_section(77),)))
    assert seen.not_shown == 1


def test_a_modifier_that_nobody_understands_is_counted():
    modified = observation() | {"modifierExtension": [{"url": "http://x.test/not", "valueBoolean": True}]}
    assert build_document_view(document(modified)).not_shown == 1


def test_nested_sections_keep_their_order_and_depth_is_bounded():
    section = {"title": "0", "text": narrative("x")}
    for depth in range(1, 40):
        section = {"title": str(depth), "section": [section]}
    seen = build_document_view(document(sections=(section, {"title": "last", "text": narrative("y")})))
    assert [s.title for s in seen.sections] == ["39", "last"]
    assert seen.sections[0].sections[0].title == "38"
    assert seen.not_shown == 1


@pytest.mark.parametrize(
    "bundle", [{}, {"entry": None}, {"entry": [{}]}, {"entry": [{"resource": {"resourceType": "Composition"}}]}]
)
def test_a_bundle_that_is_no_document_is_an_empty_view(bundle):
    assert build_document_view(bundle).sections == ()


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([uuid_url(n) for n in range(1, 7)]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["reference", "code", "text", "coding", "value", "display", "section", "entry", "low", "div"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.data())
def test_odd_documents_never_raise(data):
    base = document(
        observation(), allergy(), {"resourceType": "List", "entry": [{"item": {"reference": uuid_url(3)}}]}
    )
    bundle = copy.deepcopy(base)
    for _ in range(data.draw(st.integers(1, 3))):
        resource = data.draw(st.sampled_from(bundle["entry"]))["resource"]
        names = [*resource, "hasMember", "contained", "section", "author", "result", "dosage", "modifierExtension"]
        resource[data.draw(st.sampled_from(names))] = data.draw(junk)
    assert build_document_view(bundle).not_shown >= 0

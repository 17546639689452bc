"""Resources as rows of tables."""

from esante.core.fhir import build_document_view, check
from esante.core.fhir.view import (
    Allergy,
    Condition,
    Immunisation,
    Medication,
    Observation,
    Other,
    Procedure,
)
from tests.core.fhir.samples import allergy, changed, document, dumped, entry_section, observation, uuid_url


def tables_of(*resources, section=True):
    """The tables of a document whose only section refers to all the resources (or to none)."""
    sections = (entry_section(*range(3, 3 + len(resources))),) if section else ()
    bundle = check(dumped(document(*resources, sections=sections)))
    assert bundle.ok, bundle.issues
    view = build_document_view(bundle.resource)
    return view.sections[0].tables if section else view.further


def narrative(words):
    return {"text": {"status": "additional", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{words}</div>'}}


def only_row(*resources):
    (table,) = tables_of(*resources)
    (row,) = table.rows
    return row


def test_laboratory_result_has_value_limits_and_flag():
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


def test_value_keeps_its_digits_and_comparator():
    text = dumped(document(changed(observation(), "valueQuantity", "comparator", "<")))
    resource = check(text.replace(b'"value": 4.1,', b'"value": 4.10,')).resource
    (row,) = build_document_view(resource).further[0].rows
    assert isinstance(row, Observation)
    assert row.value == "<4.10"


def test_several_reference_ranges_are_shown_as_text():
    ranges = [
        {"low": {"value": 1, "unit": "g"}, "high": {"value": 2, "unit": "g"}, "text": "women"},
        {"high": {"value": 3, "unit": "g"}, "text": "men"},
    ]
    row = only_row(changed(observation(), "referenceRange", ranges))
    assert (row.low, row.high) == ("", "")
    assert row.range_text == "women 1 g - 2 g; men  - 3 g"


def test_results_of_a_report_outside_of_sections_are_shown():
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "Blood"},
        "result": [{"reference": uuid_url(4)}],
        "conclusion": "normal",
    }
    tables = tables_of(report, observation(), section=False)
    assert [(t.kind, [r.name for r in t.rows]) for t in tables] == [
        ("others", ["Blood"]),
        ("observations", ["Potassium"]),
    ]
    assert ("conclusion", "normal") in [(d.name, d.text) for d in tables[0].rows[0].details]


def test_report_that_only_groups_shown_results_is_no_further_entry():
    report = {"resourceType": "DiagnosticReport", "code": {"text": "Blood"}, "result": [{"reference": uuid_url(3)}]}
    view = build_document_view(document(observation(), report, sections=(entry_section(3),)))
    assert view.further == ()
    with_conclusion = build_document_view(
        document(observation(), report | {"conclusion": "normal"}, sections=(entry_section(3),))
    )
    assert [row.name for table in with_conclusion.further for row in table.rows] == ["Blood"]
    repeated = build_document_view(
        document(
            observation(), report | {"conclusion": "normal"}, sections=(entry_section(3) | narrative("All normal"),)
        )
    )
    assert repeated.further == ()


def test_details_keep_the_form_of_their_values():
    act = {
        "resourceType": "Procedure",
        "code": {"text": "Knee"},
        "recorded": "2024-05-31T16:59:05+00:00",
        "usedPeriod": {"start": "2024"},
        "length": {"value": 2.5, "unit": "h"},
        "primary": True,
        "followUp": [{"text": "One"}, {"text": "Two"}],
        "focalDevice": [{"action": {"text": "Implanted"}, "on": "2024-06-01"}],
    }
    (table,) = build_document_view(document(act, sections=(entry_section(3),))).sections[0].tables
    details = {detail.name: detail for detail in table.rows[0].details}
    assert details["recorded"].when.start == "2024-05-31T16:59:05+00:00"
    assert details["usedPeriod"].when.start == "2024"
    assert (details["length"].number, details["length"].unit) == ("2.5", "h")
    assert (details["primary"].text, details["primary"].is_primitive) == ("true", True)
    assert details["followUp"].text == "One; Two"
    parts = details["focalDevice"].parts
    assert [(part.name, part.text, part.when.start) for part in parts] == [
        ("action", "Implanted", ""),
        ("on", "2024-06-01", "2024-06-01"),
    ]


def test_panel_has_its_members_once():
    panel = observation() | {"id": "o2", "code": {"text": "Panel"}, "hasMember": [{"reference": uuid_url(4)}]}
    row = only_row(panel, observation())
    assert row.name == "Panel"
    assert "Potassium" in [m.name for m in row.members]


def test_panels_that_contain_each_other_are_shown_and_counted():
    one = observation() | {"id": "o1", "hasMember": [{"reference": uuid_url(4)}]}
    two = observation() | {"id": "o2", "hasMember": [{"reference": uuid_url(3)}]}
    view = build_document_view(document(one, two, sections=(entry_section(3, 4),)))
    assert len(view.sections[0].tables[0].rows) == 2
    assert view.not_shown == 2


def test_referenced_medication_is_shown_with_its_dosage():
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
    tables = tables_of(statement, drug, section=False)
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


def test_contained_medication_is_resolved():
    order = {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "contained": [{"resourceType": "Medication", "id": "m", "code": {"text": "Aspirin"}}],
        "medicationReference": {"reference": "#m"},
        "subject": {"reference": uuid_url(2)},
    }
    assert only_row(order).name == "Aspirin"


def test_each_resource_type_has_its_row_type():
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
    tables = {t.kind: t.rows[0] for t in tables_of(allergy(), condition, dose, act, goal)}
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


def test_unknown_modifier_extension_is_counted():
    modified = observation() | {"modifierExtension": [{"url": "http://x.test/not", "valueBoolean": True}]}
    assert build_document_view(document(modified)).not_shown == 1

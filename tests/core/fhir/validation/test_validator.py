"""Single faults in valid resources: each is found, and the right element is named."""

import pytest

from esante.core.fhir import check
from esante.core.fhir.validation import validator
from tests.core.fhir.samples import DELETE, allergy, changed, document, dumped, observation, patient, uuid_url

CODE = {"text": "x"}


BIRTH = "Patient.birthDate"


FAULTS = [
    ("unknown element", patient(), ("birthDay", "1990-01-01"), "Patient.birthDay", "structure"),
    ("unknown element below", patient(), ("name", 0, "surname", "X"), "Patient.name[0].surname", "structure"),
    ("element of another type", patient(), ("status", "final"), "Patient.status", "structure"),
    ("text for boolean", patient(), ("active", "true"), "Patient.active", "structure"),
    ("number for text", patient(), ("birthDate", 19900101), BIRTH, "structure"),
    ("object for list", patient(), ("name", {"text": "X"}), "Patient.name", "structure"),
    ("list for object", patient(), ("contact", 0, "name", [{"text": "X"}]), "Patient.contact[0].name", "structure"),
    ("text for object", patient(), ("name", 0, "Lena"), "Patient.name[0]", "structure"),
    ("null", patient(), ("gender", None), "Patient.gender", "structure"),
    ("null in a list", patient(), ("name", 0, "given", 1, None), "Patient.name[0].given[1]", "structure"),
    ("empty text", patient(), ("name", 0, "family", ""), "Patient.name[0].family", "value"),
    ("empty list", patient(), ("name", 0, "given", []), "Patient.name[0].given", "structure"),
    ("empty object", patient(), ("contact", 0, "name", {}), "Patient.contact[0].name", "structure"),
    ("no such day", patient(), ("birthDate", "2023-02-29"), BIRTH, "value"),
    ("no such month", patient(), ("birthDate", "1990-13"), BIRTH, "value"),
    ("date and time for a date", patient(), ("birthDate", "1990-01-01T00:00:00Z"), BIRTH, "value"),
    ("day first", patient(), ("birthDate", "01.02.1990"), BIRTH, "value"),
    ("line feed after a date", patient(), ("birthDate", "1990-01-01\n"), BIRTH, "value"),
    ("id too long", patient(), ("id", "x" * 65), "Patient.id", "value"),
    ("id with a blank", patient(), ("id", "a b"), "Patient.id", "value"),
    ("address with a blank", patient(), ("identifier", 0, "system", "urn:oid: 1"), "Patient.identifier[0].system", "value"),
    ("two line feeds for an address", patient(), ("identifier", 0, "system", "a\nb"), "Patient.identifier[0].system", "value"),
    ("required code", patient(), ("gender", "zzz"), "Patient.gender", "code-invalid"),
    ("required code below", patient(), ("name", 0, "use", "main"), "Patient.name[0].use", "code-invalid"),
    ("code in capitals", observation(), ("status", "Final"), "Observation.status", "code-invalid"),
    ("required concept", allergy(), ("clinicalStatus", "coding", 0, "code", "on"), "AllergyIntolerance.clinicalStatus.coding", "code-invalid"),
    ("required concept by text", allergy(), ("clinicalStatus", CODE), "AllergyIntolerance.clinicalStatus.coding", "code-invalid"),
    ("missing element", observation(), ("status", DELETE), "Observation.status", "required"),
    ("missing object", observation(), ("code", DELETE), "Observation.code", "required"),
    ("missing list", allergy(), ("reaction", 0, "manifestation", DELETE), "AllergyIntolerance.reaction[0].manifestation", "required"),
    ("two values", observation(), ("valueString", "x"), "Observation.value.ofType(string)", "structure"),
    ("two values by extension", observation(), ("_valueString", {"id": "x"}), "Observation.value.ofType(string)", "structure"),
    ("value of a type that is not allowed", observation(), ("component", 0, {"code": CODE, "valueCode": "x"}), "Observation.component[0].valueCode", "structure"),
    ("time without zone", observation(), ("effectiveDateTime", "2026-03-02T08:15:00"), "Observation.effective.ofType(dateTime)", "value"),
    ("instant without time", observation(), ("issued", "2026-03-02"), "Observation.issued", "value"),
    ("text for number", observation(), ("valueQuantity", "value", "4.1"), "Observation.value.ofType(Quantity).value", "structure"),
    ("boolean for number", observation(), ("valueQuantity", "value", True), "Observation.value.ofType(Quantity).value", "structure"),
    ("fraction for whole number", patient(), ("multipleBirthInteger", 2.5), "Patient.multipleBirth.ofType(integer)", "structure"),
    ("whole number out of range", patient(), ("multipleBirthInteger", 2**31), "Patient.multipleBirth.ofType(integer)", "value"),
    ("no extension address", patient(), ("extension", [{"valueString": "x"}]), "Patient.extension[0].url", "required"),
    ("two extension values", patient(), ("extension", [{"url": "http://x.test", "valueString": "x", "valueCode": "y"}]), "Patient.extension[0].value.ofType(code)", "structure"),
    ("extension of a primitive", patient(), ("_birthDate", {"extension": [{"url": "http://x.test", "valueTime": "25:00:00"}]}), "Patient.birthDate.extension[0].value.ofType(time)", "value"),
    ("extension of a primitive that is a text", patient(), ("_birthDate", "x"), BIRTH, "structure"),
    ("wrong base64", patient(), ("photo", [{"data": "abc"}]), "Patient.photo[0].data", "value"),
    ("U+0000", patient(), ("name", 0, "family", "a\0b"), "Patient.name[0].family", "value"),
    ("text too long", patient(), ("name", 0, "family", "x" * 1_048_577), "Patient.name[0].family", "value"),
    ("contained without id", patient(), ("contained", [{"resourceType": "Basic", "code": CODE}]), "Patient.contained[0].id", "required"),
    ("contained in contained", patient(), ("contained", [{"resourceType": "Basic", "id": "x", "code": CODE, "contained": [{"resourceType": "Patient", "id": "y"}]}]), "Patient.contained[0].contained", "invariant"),
    ("unknown contained reference", observation(), ("subject", "reference", "#who"), "Observation.subject.reference", "not-found"),
    ("unknown contained type", patient(), ("contained", [{"resourceType": "Person2", "id": "x"}]), "Patient.contained[0].resourceType", "structure"),
    ("fault in an entry", document(), ("entry", 1, "resource", "birthDate", "1990"[:3]), "Bundle.entry[1].resource.birthDate", "value"),
    ("entry without resource type", document(), ("entry", 1, "resource", "resourceType", DELETE), "Bundle.entry[1].resource.resourceType", "structure"),
    ("document without identifier", document(), ("identifier", DELETE), "Bundle.identifier", "invariant"),
    ("document with half an identifier", document(), ("identifier", "system", DELETE), "Bundle.identifier", "invariant"),
    ("document without timestamp", document(), ("timestamp", DELETE), "Bundle.timestamp", "invariant"),
    ("document without composition", document(), ("entry", 0, DELETE), "Bundle.entry[0]", "invariant"),
    ("composition about somebody who is absent", document(), ("entry", 0, "resource", "subject", "reference", uuid_url(9)), "Bundle.entry[0].resource.subject.reference", "not-found"),
    ("same fullUrl twice", document(), ("entry", 1, "fullUrl", uuid_url(1)), "Bundle.entry[1].fullUrl", "invariant"),
    ("no fullUrl", document(), ("entry", 1, "fullUrl", DELETE), "Bundle.entry[1].fullUrl", "required"),
    ("fullUrl of another id", document(), ("entry", 1, "fullUrl", "http://x.test/fhir/Patient/p2"), "Bundle.entry[1].fullUrl", "invariant"),
    ("fullUrl of a version", document(), ("entry", 1, "fullUrl", "http://x.test/fhir/Patient/p1/_history/1"), "Bundle.entry[1].fullUrl", "invariant"),
    ("request in a document", document(), ("entry", 1, "request", {"method": "PUT", "url": "Patient/p1"}), "Bundle.entry[1].request", "invariant"),
    ("bundle of no type", document(), ("type", DELETE), "Bundle.type", "required"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("resource", "change", "expression", "code"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS]
)
def test_single_fault_is_reported_at_its_element(resource, change, expression, code):
    assert check(dumped(resource)).issues == ()
    result = check(dumped(changed(resource, *change)))
    assert not result.ok
    named = [(issue.expression, issue.code) for issue in result.issues if issue.severity in ("error", "fatal")]
    assert (expression, code) in named


def test_all_faults_are_reported_at_once_with_line_and_column():
    text = b'{"resourceType":"Patient",\n  "gender":"zzz",\n  "name":[{"given":[],\n    "famly":"x"}]}'
    found = {(i.expression, i.line, i.column) for i in check(text).issues}
    assert found == {("Patient.gender", 2, 3), ("Patient.name[0].given", 3, 12), ("Patient.name[0].famly", 4, 5)}


def test_message_has_found_value_allowed_values_and_suggestion():
    gender, unknown = check(dumped(patient() | {"gender": "woman", "birthDay": "1990"})).issues
    assert '"woman"' in gender.diagnostics
    assert "male, female, other, unknown" in gender.diagnostics
    assert "birthDate" in unknown.diagnostics


def test_missing_element_has_the_position_of_its_parent():
    text = b'{"resourceType":"Bundle","type":"collection",\n "entry":[\n  {"fullUrl":"urn:uuid:1","resource":\n   {"resourceType":"Basic"}}]}'
    (issue,) = check(text).issues
    assert (issue.expression, issue.line, issue.column) == ("Bundle.entry[0].resource.code", 3, 27)


def test_unexpected_type_is_rejected():
    result = check(dumped(patient()), expect="Bundle")
    assert [(i.severity, i.expression) for i in result.issues] == [("error", "Patient.resourceType")]
    assert check(dumped(patient()), expect="Patient").ok


def test_tolerated_code_of_r5_is_a_warning():
    encounter = {"resourceType": "Encounter", "status": "completed", "class": {"code": "IMP"}}
    result = check(dumped(encounter))
    assert result.ok
    assert [(i.severity, i.expression) for i in result.issues] == [("warning", "Encounter.status")]
    assert not check(dumped(encounter | {"status": "over"})).ok
    assert not check(dumped(observation() | {"status": "completed"})).ok


def test_tolerated_code_is_reported_beside_errors_at_its_entry():
    encounter = {"resourceType": "Encounter", "status": "completed", "class": {"code": "IMP"}}
    bundle = changed(document(encounter), "entry", 1, "resource", "birthDate", "x")
    found = [(i.severity, i.expression) for i in check(dumped(bundle)).issues]
    assert found == [
        ("error", "Bundle.entry[1].resource.birthDate"),
        ("warning", "Bundle.entry[2].resource.status"),
    ]


def test_number_of_issues_is_limited():
    result = check(dumped(patient() | {"name": [{"use": "x"}] * 1000}))
    assert len(result.issues) == 201
    assert result.issues[-1].severity == "information"


def test_large_text_has_issues_without_lines_and_says_so(monkeypatch):
    monkeypatch.setattr(validator, "MAX_LOCATED", 100)
    result = check(dumped(patient() | {"gender": "x"}))
    assert [(issue.severity, issue.code, issue.line) for issue in result.issues] == [
        ("error", "code-invalid", None),
        ("information", "incomplete", None),
    ]

from esante.core.fhir import check, encode, operation_outcome, passes_fast_check
from tests.core.fhir.samples import dumped, patient


def test_outcome_is_a_valid_resource():
    answer = operation_outcome(check(dumped(patient() | {"gender": "x", "birthDate": "y"})).issues)
    assert [i["expression"] for i in answer["issue"]] == [["Patient.gender"], ["Patient.birthDate"]]
    assert passes_fast_check(encode(answer))


def test_undecodable_text_has_no_expression():
    answer = operation_outcome(check(b"{").issues)
    assert answer["issue"][0]["severity"] == "fatal"
    assert "expression" not in answer["issue"][0]
    assert passes_fast_check(encode(answer))


def test_no_issue_gives_an_informational_entry():
    answer = operation_outcome([])
    assert answer["issue"][0]["severity"] == "information"
    assert passes_fast_check(encode(answer))

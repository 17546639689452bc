"""Forms of codes of SNOMED CT and LOINC."""

import pytest

from esante.core.fhir.validation.code_forms import LOINC, SNOMED, find_code_fault

RIGHT = {
    SNOMED: (
        "73211009", "276885007", "35901911000001104", "71341001:272741003=7771000", "73211009 |Diabetes mellitus|",
        "=== 73211009 : { 363698007 |Finding site| = 113331007 }", "322236009 : 1142135004 = #500",
    ),
    LOINC: ("2823-3", "85354-9", "LP7846-1", "LA18978-9", "LL379-9"),
    "http://x.test": ("1", "x"),
}  # fmt: skip
WRONG = {
    SNOMED: (
        "1",
        "73211008",
        "276885007x",
        "T-15460",
        "look up value",
        "|x|",
        "",
        "73211009 : 363698007 = 1",
        "0000000000",
    ),
    LOINC: ("2823-4", "2823", "28233", "x", "12345678-0"),
}


@pytest.mark.parametrize(("system", "code"), [(system, code) for system, codes in RIGHT.items() for code in codes])
def test_code_or_expression_is_accepted(system, code):
    assert find_code_fault(system, code) is None


@pytest.mark.parametrize(("system", "code"), [(system, code) for system, codes in WRONG.items() for code in codes])
def test_text_that_cannot_be_a_code_is_reported(system, code):
    assert find_code_fault(system, code)

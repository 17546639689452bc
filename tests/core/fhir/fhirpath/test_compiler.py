"""Expressions that are refused at compile time."""

import pytest

from esante.core.fhir import PathError, compile_path

UNKNOWN = {
    "Patient.given": "not an element of Patient",
    "Observation.valueQuantity": "not an element of Observation",
    "(Observation.value as Period).unit": "not an element of Period",
    "Patient.name.where(famly = 'x')": "not an element of HumanName",
    "Patient.name.frist()": "not a function",
    "Patient.name.first(1)": "takes 0 arguments",
    "Patient.ofType(Pacient)": "not a type",
    "Observation.value.ofType(DateTime)": "never matches elements of FHIR",
    "Patient.name.startsWith('x')": "needs a text",
    "'x'.matches('(')": "cannot be read",
    "'x'.memberOf('http://x.test/ValueSet/none')": "does not know the codes",
    "Patient.name.where(": "ends too early",
    "Patient.name 'x'": "Unexpected 'x' (column 14)",
    "Narrative.div": "write `div`",
    "Patient.text.div": "write `div`",
    "@2024-02-30": "not a date",
    "'abc": "no closing quote",
    "'\\uD83D'": "half of a character",
    "descendants().noSuchElement": "No type of FHIR R4",
}


@pytest.mark.parametrize("expression", UNKNOWN)
def test_unknown_name_or_wrong_syntax_raises_path_error(expression):
    type_ = "Observation" if "Observation" in expression else "Patient"
    with pytest.raises(PathError) as error:
        compile_path(expression, type_)
    assert UNKNOWN[expression] in str(error.value)

"""HL7's cases for validators: all but the listed ones agree."""

import pytest

from tests.core.fhir.validation.validator_cases import COUNT, DIFFERENCES, compare


@pytest.fixture(scope="module")
def folder(shared_data):
    found = shared_data / "fhir-test-cases" / "validator"
    if not (found / "manifest.json").is_file():
        pytest.skip(f"{found} is absent: the folder validator of HL7's fhir-test-cases")
    return found


def test_cases_agree_except_those_with_a_reason(folder):
    count, differing = compare(folder)
    assert count == COUNT
    assert differing == DIFFERENCES.keys()


def test_conformance_document_lists_the_differences():
    from tools.conformance import DOCUMENT, describe_validator_cases

    assert describe_validator_cases() in DOCUMENT.read_text()

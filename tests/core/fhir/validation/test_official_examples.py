"""The examples of HL7 are accepted, except those that are not valid."""

import pytest

from tests.core.fhir.validation.official_examples import FAULTS, check_examples


@pytest.fixture(scope="module")
def results(r4_examples):
    return check_examples(r4_examples)


@pytest.mark.long
def test_only_examples_with_known_faults_are_rejected(results):
    print(f"{results.files} examples, {len(results.faulty)} with faults, falsely rejected: {results.rejected_falsely}")
    assert results.files == 5306
    assert results.not_evaluated == []
    assert results.rejected_falsely == {}
    found = {(name, fault) for name, faults in results.faulty.items() for fault in faults}
    assert found == {(name, fault) for fault in FAULTS for name in fault.files}


@pytest.mark.long
def test_conformance_document_has_the_results_of_the_examples(results):
    from tools.conformance import DOCUMENT, describe_examples

    assert describe_examples(results) in DOCUMENT.read_text()

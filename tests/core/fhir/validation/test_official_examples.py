"""What HL7 publishes as right is accepted, but for what is not right."""

import pytest

from tests.core.fhir.validation.official_examples import FAULTS, judge


@pytest.fixture(scope="module")
def account(r4_examples):
    return judge(r4_examples)


@pytest.mark.long
def test_only_examples_with_known_faults_are_rejected(account):
    print(f"{account.files} examples, {len(account.faulty)} with faults, falsely rejected: {account.falsely}")
    assert account.files == 5306
    assert account.doubtful == []
    assert account.falsely == {}
    assert set(account.faulty) == {name for fault in FAULTS for name in fault.files}


@pytest.mark.long
def test_conformance_document_has_the_results_of_the_examples(account):
    from tools.conformance import DOCUMENT, describe_examples

    assert describe_examples(account) in DOCUMENT.read_text()

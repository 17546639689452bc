"""Single faults of many kinds: nearly all are caught and reported at the right element."""

import json

import pytest

from esante.core.fhir import check
from tests.core.fhir.validation import seeds
from tests.core.fhir.validation.mutations import survey_faults


def assert_nearly_all(found):
    mutants = sum(group.mutants for group in found.values())
    missed = [line for group in found.values() for line in group.missed]
    print(
        f"{mutants} mutants of {sum(group.kinds for group in found.values())} kinds; not caught at their place: {missed}"
    )
    assert [name for group in found.values() for name in group.unused] == []
    assert sum(group.caught for group in found.values()) >= 0.99 * mutants
    assert len(missed) <= 0.01 * mutants, missed


@pytest.fixture(scope="module")
def found(shared_data):
    return survey_faults([*seeds.sample_seeds(), *seeds.published_seeds(shared_data)])


def test_single_faults_are_reported_at_the_right_element(found):
    assert sum(group.kinds for group in found.values()) >= 40
    assert_nearly_all(found)


def test_conformance_document_has_the_results_of_single_faults(found):
    from tools.conformance import DOCUMENT, describe_faults

    assert describe_faults(found) in DOCUMENT.read_text()


@pytest.mark.long
def test_single_faults_in_examples_of_every_type_are_reported(r4_examples):
    from tools.conformance import DOCUMENT, describe_faults_of_all_types

    examples = seeds.example_seeds(r4_examples)
    found = survey_faults([*seeds.sample_seeds(), *examples], per_seed=2)
    assert_nearly_all(found)
    assert describe_faults_of_all_types(examples, found) in DOCUMENT.read_text()


def test_seeds_are_valid(shared_data):
    for each in (*seeds.sample_seeds(), *seeds.published_seeds(shared_data)):
        assert check(json.dumps(each).encode(), invariants=True).ok

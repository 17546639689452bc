"""Fixtures of the tests of FHIR."""

import pytest
from tools.examples import ExamplesUnavailable, examples


@pytest.fixture(scope="session")
def r4_examples():
    """The folder of the official examples, fetched when it is absent; tests are skipped where it cannot be had."""
    try:
        return examples()
    except ExamplesUnavailable as error:
        pytest.skip(str(error))

"""The official FHIRPath tests for R4, and the causes of the few failures."""

import pytest

from tests.support.fhirpath_suite import cases, run

#: Exact: a test that begins to pass is reported like one that begins to fail.
KNOWN_FAILURES = {
    "testDollarOrderNotAllowed": "asks to refuse skip() after children(); here children keep the order of the document",
    "testPlusDate19": "wants 0.1 s to be dropped; the specification drops fractions of units above seconds only",
    "LowBoundaryDecimal15": "wants -0.0 for the low boundary of -0.0034 at one digit; -0.1 is the lowest that it can be",
    "HighBoundaryDecimal15": "wants 0.0 for the high boundary of 0.0034 at one digit; 0.1 is the highest",
    "HighBoundaryDecimal16": "wants 0.0 for the opposite of the high boundary of 0.0034 at one digit, which is 0.1",
    "HighBoundaryDateTimeMillisecond1": "takes T08 for 08:00, as FHIR has no hours without minutes; FHIRPath has them",
    "HighBoundaryDateTimeMillisecond3": "the same expression again",
}


@pytest.fixture(scope="module")
def suite(shared_data):
    return shared_data / "fhirpath"


def test_official_tests_pass_except_known_failures(suite):
    found = {case.name: run(case, suite) for case in cases(suite)}
    failed = {name: why for name, why in found.items() if why is not None}
    assert failed.keys() == KNOWN_FAILURES.keys(), failed
    assert len(failed) <= 0.03 * len(found)


def test_conformance_document_is_current(suite):
    from tools.conformance import DOCUMENT, describe_fhirpath

    assert describe_fhirpath(suite) in DOCUMENT.read_text()

"""Size and hash of attachments are those of their data."""

import base64
import hashlib

import pytest

from esante.core.fhir import check
from esante.core.fhir.validation.fast_rules import rules_hold
from esante.core.fhir.validation.validator import resource_decoder
from tests.core.fhir.samples import dumped, patient
from tests.core.fhir.validation.passes import reported_issues, slow_findings

DATA = b"fourteen bytes"
HASH = base64.b64encode(hashlib.sha1(DATA, usedforsecurity=False).digest()).decode()
OTHER = base64.b64encode(hashlib.sha1(b"x", usedforsecurity=False).digest()).decode()


def with_photo(**elements):
    photo = {"contentType": "image/png", "data": base64.b64encode(DATA).decode(), **elements}
    return dumped(patient() | {"photo": [photo]})


@pytest.mark.parametrize("elements", [{"size": 14}, {"hash": HASH}, {"size": 14, "hash": HASH}])
def test_right_size_and_hash_are_accepted_by_the_fast_rules(elements):
    data = with_photo(**elements)
    assert rules_hold(resource_decoder().decode(data))
    assert check(data).issues == ()


@pytest.mark.parametrize("length", range(1, 8))
def test_size_is_right_for_every_padding(length):
    data = base64.b64encode(b"x" * length).decode()
    assert check(with_photo(data=data, size=length)).issues == ()
    assert not check(with_photo(data=data, size=length + 1)).ok


@pytest.mark.parametrize(("elements", "name"), [({"size": 100}, "size"), ({"hash": OTHER}, "hash")])
def test_size_or_hash_of_other_data_is_rejected_at_its_element(elements, name):
    data = with_photo(**elements)
    (issue,) = check(data).issues
    assert (issue.severity, issue.expression) == ("error", f"Patient.photo[0].{name}")
    assert reported_issues(data) == slow_findings(data)


def test_hash_that_is_no_sha1_is_a_warning():
    digits = hashlib.sha1(DATA, usedforsecurity=False).hexdigest()
    (issue,) = check(with_photo(hash=digits)).issues
    assert (issue.severity, issue.expression) == ("warning", "Patient.photo[0].hash")


def test_size_of_data_elsewhere_is_not_compared():
    assert check(dumped(patient() | {"photo": [{"url": "http://x.test/a.png", "size": 5, "hash": HASH}]})).ok

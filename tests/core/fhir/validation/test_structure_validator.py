"""The slow pass over the structure of a resource."""

import gzip
import json

from esante.core.fhir import check
from esante.core.fhir.validation import structure_validator
from tests.core.fhir.samples import dumped, patient
from tests.core.fhir.validation.passes import reported_issues, slow_findings


def test_only_faulty_entries_of_a_bundle_are_reported(shared_data):
    bundle = json.loads(gzip.decompress((shared_data / "synthea" / "01.json.gz").read_bytes()))
    for entry, name, value in ((3, "status", "x"), (60, "birthDay", 1), (90, "id", "a b")):
        bundle["entry"][entry]["resource"][name] = value
    data = dumped(bundle)
    found = {issue.expression for issue in check(data).issues}
    assert found == {f"Bundle.entry[{n}].resource.{name}" for n, name in ((3, "status"), (60, "birthDay"), (90, "id"))}
    assert [code for _, code in reported_issues(data)] == [code for _, code in slow_findings(data)]


def test_check_beyond_the_work_limit_ends_with_an_error(monkeypatch):
    monkeypatch.setattr(structure_validator, "MAX_WORK", 1_000)
    names = [{"text": "x"}] * 600
    assert check(dumped(patient() | {"name": names})).issues == (), "the fast pass has no such limit"
    result = check(dumped({"resourceType": "Patient", "birthDate": "x", "name": names}))
    assert [(issue.severity, issue.code) for issue in result.issues] == [("error", "too-costly"), ("error", "value")]
    assert not check(dumped(patient() | {"name": [*names, {"text": "x", "_text": {}}]})).ok

"""Forms of addresses."""

import pytest

from tests.core.fhir.samples import patient
from tests.core.fhir.validation.passes import full_issues

UUID = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"


def parameter(**value):
    return {"resourceType": "Parameters", "parameter": [{"name": "x", **value}]}


@pytest.mark.parametrize(
    "address", ["urn:uuid:1", UUID.upper(), UUID[:-1], "urn:oid:1.02", "urn:oid:3.1", "urn:oid:x"]
)
@pytest.mark.parametrize("type_", ["Uri", "Url", "Canonical"])
def test_uuid_or_oid_of_another_form_is_rejected(type_, address):
    name = type_[0].lower() + type_[1:]
    assert full_issues(parameter(**{f"value{type_}": address})) == [f"Parameters.parameter[0].value.ofType({name})"]


@pytest.mark.parametrize("address", [UUID, f"{UUID}#part", f"{UUID}|2", "urn:oid:1.2.3", "urn:ietf:rfc:3986", "a/b"])
def test_other_address_is_accepted(address):
    assert full_issues(parameter(valueUri=address)) == []


def test_relative_canonical_address_is_a_warning():
    resource = patient() | {"meta": {"profile": ["StructureDefinition/x", "http://x.test/y|1"]}}
    assert full_issues(resource) == []
    assert full_issues(resource, "warning") == ["Patient.meta.profile[0]"]


def test_identifier_in_the_system_of_uris_is_a_uri():
    wrong = patient() | {"identifier": [{"system": "urn:ietf:rfc:3986", "value": "1.2.3"}]}
    assert full_issues(wrong) == ["Patient.identifier[0].value"]
    assert full_issues(patient() | {"identifier": [{"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3"}]}) == []

"""The generated types accept and reject the same values as the slow pass."""

import pytest

from esante.core.fhir import check, decode, passes_fast_check
from tests.core.fhir.samples import changed, dumped, observation, patient
from tests.core.fhir.validation.passes import reported_issues, slow_findings

NUMBERS = ["0", "-0", "4.10", "1e5", "1E-5", "-0.0e+10", "1e99", "1e308", "0." + "0" * 120 + "1", "9" * 300]


NO_NUMBERS = ["1e309", "1e-400", "0e5000", "0e99999999999999999999", "5e-99999999999999999999", "9" * 400, "0." + "0" * 400 + "1"]  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS + NO_NUMBERS)
def test_decimal_out_of_range_is_rejected(number):
    data = dumped(observation()).replace(b'"value": 4.1,', f'"value": {number},'.encode())
    result = check(data)
    assert result.ok is (number in NUMBERS)
    if result.ok:
        assert str(result.resource["valueQuantity"]["value"]) == str(decode(number.encode()))


@pytest.mark.parametrize(
    "text",
    [
        "YQ==",
        "YWI=",
        "YWJj",
        "YW Jj",
        "A===",
        "YQ=",
        "YWJj=",
        "YWJj====",
        "=",
        "Y",
        "YQ==YQ==",
        "YQ\\u003d=",
        "Y-_j",
        "a\\/bc",
        "",
    ],
)
def test_passes_agree_on_base64(text):
    data = dumped(patient() | {"photo": [{"data": "@"}]}).replace(b'"@"', f'"{text}"'.encode())
    assert reported_issues(data) == slow_findings(data)


def test_fast_check_rejects_empty_objects_and_nulls():
    for path in (("name", 0), ("contact", 0, "name"), ("maritalStatus",), ("_birthDate",), ("managingOrganization",)):
        assert not passes_fast_check(dumped(changed(patient(), *path, {})))
        assert not passes_fast_check(dumped(changed(patient(), *path, None)))
    assert not passes_fast_check(dumped(changed(patient(), "name", 0, "_given", [None])))

"""Labels of scopes."""

from esante.contract import capability_statement
from esante.identity.access.smart.discovery import supported_scopes
from esante.identity.access.smart.scope_labels import label_scopes
from esante.identity.access.smart.scopes import NON_RESOURCE_SCOPES, parse_scope
from tests.identity.access.conftest import BASE
from tests.support.declared import SERVICES


def test_every_supported_scope_has_a_label_and_every_resource_its_scopes():
    resources = capability_statement(SERVICES, BASE)["rest"][0]["resource"]
    offered = supported_scopes(resources)
    assert all(text in NON_RESOURCE_SCOPES or parse_scope(text) for text in offered)
    for resource in resources:
        codes = {interaction["code"] for interaction in resource.get("interaction", ())}
        letters = {"read": "r", "search-type": "s", "create": "c", "update": "u", "delete": "d"}
        named = next((text for text in offered if text.startswith(f"patient/{resource['type']}.")), ".")
        assert set(named.rpartition(".")[2]) == {letters[code] for code in codes & set(letters)}
    scopes = [text for text in offered if not text.startswith(("system/", "launch"))]
    for kind in ("patient", "practitioner"):
        labels = label_scopes(scopes, kind, str)
        assert {label.scope for label in labels} == set(scopes)
        assert [label.title for label in labels if "%" in label.title or "Data of the kind" in label.title] == []
    [label] = label_scopes(["patient/Observation.cruds?code=x,y&category=laboratory"], "patient", str)
    assert label.title == (
        "See, add and change: Measurements and test results, limited to: laboratory results; code = x, code = y"
    )
    assert label.changes
    [label] = label_scopes(["patient/Basic.cu"], "patient", str)
    assert label.title == "Add or change: Data of type Basic"

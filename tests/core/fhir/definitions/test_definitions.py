import pytest

from esante.core.fhir import DefinitionsMissing
from esante.core.fhir import definitions as d


def test_file_contains_exactly_r4():
    found = d.load_definitions()
    assert found.version == "4.0.1"
    # FHIR R4 lists 148 resource types, two of them abstract.
    assert len(found.resource_types) == 146
    names = {e.name for e in found.types["Meta"].elements}
    assert names == {"id", "extension", "versionId", "lastUpdated", "source", "profile", "security", "tag"}
    assert "participantEffective" in {e.name for e in found.types["EvidenceVariable.characteristic"].elements}


def test_element_has_cardinality_types_targets_and_codes():
    elements = {e.name: e for e in d.load_definitions().types["Observation"].elements}
    assert (elements["status"].min, elements["status"].many, elements["status"].types) == (1, False, ("code",))
    assert elements["value"].json_names()["valueQuantity"] == "Quantity"
    assert elements["component"].types == ("Observation.component",)
    assert "Patient" in elements["subject"].targets
    status = d.load_definitions().codes[elements["status"].codes or ""]
    assert "entered-in-error" in status["http://hl7.org/fhir/observation-status"]


def test_invariants_and_search_parameters_are_unpacked_on_demand():
    assert any(i.key == "obs-6" and i.path == "Observation" for i in d.invariants())
    codes = {p.code for p in d.search_parameters() if "Patient" in p.base}
    assert {"birthdate", "identifier", "family"} <= codes


@pytest.mark.parametrize("damaged", [b"", b"not packed", b"x\x9cgarbage"])
def test_damaged_file_raises_with_remedy(damaged):
    with pytest.raises(DefinitionsMissing, match="make install"):
        d.unpack_definitions(damaged)


def test_missing_file_raises_with_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(d, "FILE", tmp_path / "r4.bin")
    with pytest.raises(DefinitionsMissing, match="make install"):
        d.load_definitions.__wrapped__()

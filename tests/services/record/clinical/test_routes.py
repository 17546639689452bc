"""Paths of clinical resources below /fhir."""

import pytest

from esante.services.record.clinical.routes import _parse_path

KEYS = "0" * 64


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("Observation", "type"),
        ("Observation/_search", "_search"),
        ("Observation/_history", "type_history"),
        ("Observation/x", "instance"),
        (f"Observation/{KEYS}/_history", "history"),
        (f"Observation/{KEYS}/_history/1", "version"),
        ("Observation/x/_history/1", ""),
        (f"Observation/{KEYS}/$meta-add", "meta_add"),
        (f"Observation/{KEYS}/$meta-delete", "meta_delete"),
        ("Observation/$meta-add", ""),
        (f"Composition/{KEYS}", "instance"),
        (f"Composition/{KEYS}/$document", "document"),
        (f"Practitioner/{KEYS}", "supporting"),
        (f"Practitioner/{KEYS}/_history/1", "version"),
        ("Practitioner/x", ""),
        ("Practitioner", ""),
        ("Patient", ""),
        ("Patient/x", ""),
        ("Patient/_search", ""),
        ("Patient/x/$everything", "everything"),
        ("Patient/x/_history", "person_history"),
        ("Patient/x/Observation", "compartment"),
        ("Patient/x/Observation/_search", "compartment_search"),
        ("Patient/x/Practitioner", ""),
        ("Provenance", "provenances"),
        ("Provenance/_search", "provenance_search"),
        ("Provenance/x", "provenance"),
        ("Provenance/$x", ""),
        ("Provenance/x/_history", ""),
        ("Basic", ""),
        ("", ""),
    ],
)
def test_path_has_shape(path, shape):
    found, params = _parse_path(path.split("/"))
    assert found == shape
    assert all(value in path for value in params.values())

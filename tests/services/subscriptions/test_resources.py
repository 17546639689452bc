"""The CapabilityStatement entry."""

import orjson

from esante.core.fhir import check
from esante.services.subscriptions import INSTANTIATES, TOPICS, capability


async def test_capability_lists_topics_and_operations():
    found = capability()
    urls = [extension["valueCanonical"] for extension in found["extension"]]
    assert urls == list(TOPICS)
    assert {operation["name"] for operation in found["operation"]} == {"status", "events"}
    statement = {
        "resourceType": "CapabilityStatement", "status": "active", "date": "2026-01-01", "kind": "instance",
        "instantiates": [INSTANTIATES], "fhirVersion": "4.0.1", "format": ["json"],
        "software": {"name": "x"}, "implementation": {"description": "x"},
        "rest": [{"mode": "server", "resource": [found]}],
    }  # fmt: skip
    assert check(orjson.dumps(statement), invariants=True).ok

"""Valid resources for mutations to start from."""

import gzip
import json
from math import inf
from pathlib import Path
from typing import Any

from esante.core.fhir import check
from esante.core.types import Json
from tests.core.fhir.samples import allergy, document, narrative, observation, patient, uuid_url
from tests.core.fhir.validation.official_examples import examples_in

#: Bytes up to which an example is small enough for many mutants.
MODERATE = 12_000

#: A value of every type that a parameter may have and that is rare elsewhere.
VALUES: dict[str, Any] = {
    "Base64Binary": "YWJj", "Boolean": True, "Canonical": "http://x.test|1", "Code": "a b", "Date": "2024-02-29",
    "DateTime": "2024-02-29T10:00:00+01:00", "Decimal": 1.5, "Id": "a-1", "Instant": "2024-02-29T10:00:00.5Z", "Integer": -3,
    "Markdown": "*x*", "Oid": "urn:oid:1.2.3", "PositiveInt": 3, "String": "x", "Time": "10:00:00", "UnsignedInt": 0,
    "Uri": "urn:x:y", "Url": "http://x.test", "Uuid": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
    "Range": {"low": {"value": 1}, "high": {"value": 2}}, "Ratio": {"numerator": {"value": 1}, "denominator": {"value": 2}},
    "Attachment": {"contentType": "text/plain", "data": "YWJj"}, "Period": {"start": "2024-01", "end": "2024-02"},
    "Timing": {"event": ["2024-01-01"], "repeat": {"duration": 1, "durationUnit": "h"}},
    "ContactPoint": {"system": "phone", "value": "1"}, "Signature": {
        "type": [{"code": "x"}], "when": "2024-01-01T10:00:00Z", "who": {"display": "x"}, "data": "YWJj"},
}  # fmt: skip


def sample_seeds() -> list[Json]:
    """Return the samples of these tests, and one with a value of every type."""
    parameters = [{"name": name, f"value{name}": value} for name, value in VALUES.items()]
    with_text = {**patient(), "text": narrative("<p>Lena Weber</p>")}
    organization = {
        "resourceType": "Organization",
        "id": "g",
        "name": "X",
        "telecom": [{"system": "phone", "value": "1"}],
    }
    return [
        with_text,
        observation(),
        allergy(),
        organization,
        document(observation()),
        transaction(patient(), {**observation(), "subject": {"reference": uuid_url(1)}}),
        {"resourceType": "Parameters", "id": "v", "parameter": parameters},
    ]


def transaction(*resources: Json) -> Json:
    entries = [
        {"fullUrl": uuid_url(n), "resource": each, "request": {"method": "POST", "url": each["resourceType"]}}
        for n, each in enumerate(resources, 1)
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def published_seeds(shared_data: Path) -> list[Json]:
    """Return the first resource of each type in a Synthea transaction and in a European patient summary."""
    synthea = gzip.decompress((shared_data / "synthea" / "01.json.gz").read_bytes())
    summary = sorted((shared_data / "eu-documents" / "eps").glob("*.json"))[0].read_bytes()
    found: dict[str, Json] = {}
    for bundle in (json.loads(synthea), json.loads(summary)):
        for entry in bundle["entry"]:
            found.setdefault(entry["resource"]["resourceType"], entry["resource"])
    return list(found.values())


def example_seeds(folder: Path) -> list[Json]:
    """Return the largest valid example of each type up to `MODERATE` bytes; where all are larger, the smallest."""
    found: dict[str, tuple[int, Json]] = {}
    for file in examples_in(folder):
        data = file.read_bytes()
        if check(data, invariants=True, seconds=inf).ok:
            resource = json.loads(data)
            size = len(json.dumps({**resource, "text": None}))
            rank = size if len(data) <= MODERATE else -len(data)
            name = resource["resourceType"]
            if name not in found or rank > found[name][0]:
                found[name] = rank, resource
    return [resource for _, resource in found.values()]

"""Documents of others, deposited and built again out of the record: nothing that the record holds of them is lost.

Compared are the Composition with its sections and narratives, and every resource of the types that a record holds, as
sets of canonical JSON. Not compared are: the Patient (told as the directory knows them), types that a record does not
hold (Provenance, Location and others; the deposited bytes have them), ids and what the server says in meta, the
identifier and time of the Bundle, and which of two equal resources a reference means.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

from esante.core.types import Json
from esante.identity.access import requester_of
from esante.services.ehds.formats.service import STORED_TYPES
from tests.support.clinical_requests import deposit, search

KINDS = {"eps": "patient-summary", "lab": "laboratory-report", "hdr": "discharge-report"}
_DIGITS = ("versionId", "lastUpdated")


def canonical(bundle: Json) -> set[str]:
    """Return what a document says, each resource that a record holds as one text."""
    resources = [entry["resource"] for entry in bundle["entry"]]
    targets: dict[str, Json] = {}
    for entry in bundle["entry"]:
        targets[entry["fullUrl"]] = entry["resource"]
        targets[f"{entry['resource']['resourceType']}/{entry['resource'].get('id')}"] = entry["resource"]
    linked = _linked(bundle, targets)
    return {
        _text(resource, targets, depth=2)
        for resource in resources
        if resource["resourceType"] in STORED_TYPES and id(resource) in linked
    }


def _linked(bundle: Json, targets: dict[str, Json]) -> set[int]:
    """Return the `id()` of the resources that refer to a stored resource or to which a stored resource refers."""
    linked: set[int] = set()
    stored = [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] in STORED_TYPES]
    for resource in stored:
        for address in _addresses(resource):
            target = targets.get(address)
            if target is not None and target is not resource and target["resourceType"] in STORED_TYPES:
                linked |= {id(resource), id(target)}
    return linked


def _addresses(value: Any) -> Iterable[str]:
    if isinstance(value, list):
        for item in value:
            yield from _addresses(item)
    elif isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for item in value.values():
            yield from _addresses(item)


def _text(resource: Json, targets: dict[str, Json], depth: int) -> str:
    content = {name: value for name, value in resource.items() if name not in ("id", "meta")}
    meta = {name: value for name, value in resource.get("meta", {}).items() if name not in _DIGITS}
    plain = _plain(content | ({"meta": meta} if meta else {}), targets, depth)
    return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS).decode()


def _plain(value: Any, targets: dict[str, Json], depth: int) -> Any:
    if isinstance(value, list):
        return [_plain(item, targets, depth) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("reference"), str):
        return _named(value, targets, depth)
    if value.keys() == {"display"}:
        return {"refers to": "what the record does not hold"}
    return {name: _plain(item, targets, depth) for name, item in value.items()}


def _named(reference: Json, targets: dict[str, Json], depth: int) -> Any:
    target = targets.get(reference["reference"])
    if target is not None and target["resourceType"] == "Patient":
        return {"refers to": "the patient"}
    if target is None or target["resourceType"] not in STORED_TYPES:
        return {"refers to": "what the record does not hold"}
    return {"refers to": target["resourceType"], "that says": _text(target, targets, depth - 1) if depth else ""}


async def _deposit_and_rebuild(world, client, content: bytes, kind: str) -> tuple[Json, Json]:
    bundle = orjson.loads(content)
    person = await world.person_in(bundle)
    async with client(world.people["hospital"]) as hospital:
        await deposit(hospital, person, bundle)
    async with client(requester_of(person)) as own:
        [composition] = await search(own, f"Composition?patient={person.id}")
        query = f"kind={KINDS[kind]}&focus=Composition/{composition['id']}"
        answer = await own.get(f"/fhir/Patient/{person.id}/$document?{query}")
    assert answer.status_code == 200, answer.text
    return bundle, orjson.loads(answer.content)


@pytest.mark.parametrize("kind", KINDS)
async def test_document_built_again_says_the_same(world, client, shared_data: Path, kind):
    content = sorted((shared_data / "eu-documents" / kind).glob("*.json"))[0].read_bytes()
    before, after = await _deposit_and_rebuild(world, client, content, kind)
    assert canonical(before) == canonical(after)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
async def test_every_document_built_again_says_the_same(world, client, shared_data: Path, kind):
    for file in sorted((shared_data / "eu-documents" / kind).glob("*.json")):
        before, after = await _deposit_and_rebuild(world, client, file.read_bytes(), kind)
        assert canonical(before) == canonical(after), file.name


async def test_lost_resource_is_noticed_by_the_comparison(world, client, shared_data: Path):
    content = sorted((shared_data / "eu-documents" / "eps").glob("*.json"))[0].read_bytes()
    before, after = await _deposit_and_rebuild(world, client, content, "eps")
    after["entry"] = [one for one in after["entry"] if one["resource"]["resourceType"] != "Procedure"]
    assert canonical(before) != canonical(after)

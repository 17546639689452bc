"""The kit of FHIR R4: the platform meets all of it, and each broken twin is told what is broken."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from esante.services.conformance.kits.catalogue import kits
from tests.support.broken_twins import (
    Answer,
    Change,
    Twin,
    at,
    drop_header,
    edit,
    remember,
    replace_status,
    set_field,
    set_status,
)
from tests.support.kit_world import KitWorld, assert_only_fault, not_passed, twin_cases

KIT = kits()["fhir"]


def options(world: KitWorld) -> dict[str, str]:
    """Return the options of a run."""
    return {name: world.options[name] for name in ("patient", "token")}


async def test_platform_meets_every_requirement(kit_world: KitWorld) -> None:
    run = await kit_world.run("fhir", options(kit_world))
    assert not_passed(run) == []
    assert run.passed and len(run.outcomes) == len(KIT.requirements) == 30
    assert kit_world.options["token"] not in str(run.outcomes)


async def test_nothing_of_a_run_stays_in_the_record(kit_world: KitWorld) -> None:
    headers = kit_world.world.bearer("hospital")
    path = f"{kit_world.fhir}/Observation?patient={kit_world.world.persons[0].id}&_summary=count"
    async with httpx.AsyncClient(headers=headers) as http:
        before = (await http.get(path)).json()["total"]
        await kit_world.run("fhir", options(kit_world))
        assert (await http.get(path)).json()["total"] == before


def _holding(text: bytes, change: Callable[[httpx.Request, Answer], Answer | None]) -> Change:
    """Return a change of answers to requests whose body holds a text."""
    return lambda request, answer: change(request, answer) if text in request.content else None


def _with_header(name: str, change: Callable[[httpx.Request, Answer], Answer | None]) -> Change:
    return lambda request, answer: change(request, answer) if name in request.headers else None


def _without_interactions(statement: Any) -> None:
    for resource in statement["rest"][0]["resource"]:
        resource["interaction"] = [{"code": "read"}]


def _reversed(bundle: Any) -> None:
    bundle["entry"].reverse()


def _oldest_first(request: httpx.Request, answer: Answer) -> Answer | None:
    return edit(_reversed)(request, answer) if str(request.url).endswith("/_history") else None


def _without_next(bundle: Any) -> None:
    bundle["link"] = [one for one in bundle["link"] if one["relation"] != "next"]


def _without_included(bundle: Any) -> None:
    bundle["entry"] = [one for one in bundle.get("entry", ()) if one["search"]["mode"] != "include"]


def _one_response(bundle: Any) -> None:
    if bundle.get("type") == "batch-response":
        bundle["entry"] = bundle["entry"][:1]


def _pretended_self(bundle: Any) -> None:
    bundle["link"] = [{"relation": "self", "url": "Observation?patient=1&unknown-parameter=1"}]


TWINS: dict[str, Change] = {
    "FHIR-01": at("GET", "/metadata", set_field("fhirVersion", "4.3.0")),
    "FHIR-02": at("GET", "/metadata", edit(_without_interactions)),
    "FHIR-03": at("POST", "/Observation", drop_header("location")),
    "FHIR-04": at("GET", "/Observation/", drop_header("last-modified")),
    "FHIR-05": at("GET", "/Observation/", lambda r, a: set_field("valueQuantity", None)(r, a) if a.body else None),
    "FHIR-06": at("GET", "/_history/", set_field("status", "amended")),
    "FHIR-07": at("GET", "/Observation/", replace_status(304, 200)),
    "FHIR-08": at("PUT", "/Observation/", replace_status(200, 202)),
    "FHIR-09": at("PUT", "/Observation/", replace_status(412, 200)),
    "FHIR-10": at("GET", "/_history", _oldest_first),
    "FHIR-11": at("PUT", "/Observation/", replace_status(400, 200)),
    "FHIR-12": _with_header("if-none-exist", replace_status(200, 201)),
    "FHIR-13": at("PATCH", "/Observation/", set_status(500)),
    "FHIR-14": _holding(b'"batch"', edit(_one_response)),
    "FHIR-15": _holding(b'"transaction"', set_status(500)),
    "FHIR-16": remember({}, "718-7&_count", "2951-2"),
    "FHIR-17": remember({}, "date=ge", "date=lt"),
    "FHIR-18": at("GET", "_sort=-date", edit(_reversed)),
    "FHIR-19": at("GET", "_count=1", lambda r, a: edit(_without_next)(r, a) if "unknown" not in str(r.url) else None),
    "FHIR-20": at("POST", "/_search", set_field("entry", None)),
    "FHIR-21": at("GET", "_summary=count", set_field("total", None)),
    "FHIR-22": at("GET", "_include=", edit(_without_included)),
    "FHIR-23": at("GET", "unknown-parameter=1&_count", edit(_pretended_self)),
    "FHIR-24": _with_header("prefer", replace_status(400, 200)),
    "FHIR-25": at("GET", "/Observation?patient=1", replace_status(401, 403)),
    "FHIR-26": lambda request, answer: (
        answer.with_status(500) if request.content == b'{"resourceType": ' else None
    ),
    "FHIR-27": at("POST", "/Observation", _holding(b"nonsense", set_status(500))),
    "FHIR-28": at("GET", "/NoSuchType/", set_status(200)),
    "FHIR-29": at("GET", "/Observation?", replace_status(406, 200)),
    "FHIR-30": at("GET", "/Observation/", replace_status(410, 200)),
}  # fmt: skip


@pytest.mark.parametrize("broken", twin_cases("fhir"))
async def test_broken_twin_is_told_its_fault_and_no_other(kit_world: KitWorld, broken: str) -> None:
    assert_only_fault(await kit_world.run("fhir", options(kit_world), Twin(TWINS[broken])), broken)

"""The kit of the EU Health Data API: the platform meets all of it, and each broken twin is told what is broken."""

import re
from typing import Any

import httpx
import pytest

from esante.services.conformance.kits.catalogue import kits
from esante.services.conformance.kits.eu_api import log_checks
from esante.services.conformance.kits.model import Verdict
from tests.support.broken_twins import (
    Answer,
    Change,
    Twin,
    at,
    drop_header,
    edit,
    edit_entries,
    remember,
    replace_status,
    set_field,
    set_status,
)
from tests.support.kit_world import KitWorld, assert_only_fault, failed, not_passed, twin_cases

KIT = kits()["eu-api"]


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The platform logs in the same transaction: nobody waits."""
    monkeypatch.setattr(log_checks, "_WAIT_SECONDS", 0.0)


def options(world: KitWorld) -> dict[str, str]:
    """Return the options of a run, with the patient's own token for the log."""
    return world.options | {"log-token": world.world.tokens["patient"]}


async def test_platform_meets_every_requirement(kit_world: KitWorld) -> None:
    run = await kit_world.run("eu-api", options(kit_world))
    assert not_passed(run) == []
    assert run.passed and len(run.outcomes) == len(KIT.requirements) == 31


async def test_transcript_has_no_secret(kit_world: KitWorld) -> None:
    run = await kit_world.run("eu-api", options(kit_world))
    text = str(run.outcomes)
    assert "client_assertion=" in text and not re.search(r"eyJ[\w-]+\.", text)
    assert not any(kit_world.world.tokens[name] in text for name in ("hospital", "patient"))


async def test_log_is_not_tested_without_a_token_that_reads_it(kit_world: KitWorld) -> None:
    run = await kit_world.run("eu-api", kit_world.options)
    skipped = {name for name, verdict, _ in not_passed(run) if verdict == Verdict.NOT_APPLICABLE}
    assert (skipped, failed(run)) == ({f"EU-{number}" for number in range(25, 31)}, [])


def _token_for_all(_: httpx.Request, answer: Answer) -> Answer | None:
    """Answer a refused assertion with a token."""
    given = {"access_token": "x", "token_type": "bearer", "expires_in": 300}
    return Answer(200, answer.headers, b"").with_json(given) if answer.status != 200 else None


def _operations(*names: str) -> Change:
    """Return a change of the CapabilityStatement, in which Patient alone has operations."""

    def change(statement: Any) -> None:
        for resource in statement["rest"][0]["resource"]:
            resource["operation"] = [{"name": one} for one in names if resource["type"] == "Patient"]
        statement["rest"][0].pop("operation", None)

    return at("GET", "/metadata", edit(change))


def _without_parameters(statement: Any) -> None:
    for resource in statement["rest"][0]["resource"]:
        resource.pop("searchParam", None)


def _somebody(bundle: Any) -> None:
    bundle["entry"] = [{"resource": {"resourceType": "Patient", "id": "1"}, "search": {"mode": "match"}}]


def _of_another(bundle: Any) -> None:
    stranger = {"resourceType": "AllergyIntolerance", "id": "1", "patient": {"reference": "Patient/other"}}
    bundle["entry"] = [*bundle.get("entry", ()), {"resource": stranger}]


def _other_title(bundle: Any) -> None:
    bundle["entry"][0]["resource"]["title"] = "Another"


def _without_reads(bundle: Any) -> None:
    bundle["entry"] = [one for one in bundle.get("entry", ()) if one["resource"]["action"] != "R"]


def _in_log(name: str, value: object) -> Change:
    return at("GET", "AuditEvent?", edit_entries(lambda event: event.update({name: value})))


def _without_categories(event: Any) -> None:
    for entity in event["entity"]:
        entity.pop("detail", None)


def _without_zone(event: Any) -> None:
    event["recorded"] = event["recorded"][:19]


TWINS: dict[str, Change] = {
    "EU-01": at("GET", "/metadata", set_field("fhirVersion", "4.3.0")),
    "EU-02": at("GET", "/metadata", set_field("instantiates", ["http://hl7.org/fhir/uv/ipa"])),
    "EU-03": at("GET", "/metadata", set_field("implementationGuide", None)),
    "EU-04": at("GET", "/metadata", edit(_without_parameters)),
    "EU-05": at("GET", "smart-configuration", set_field("token_endpoint_auth_methods_supported", ["none"])),
    "EU-06": at("POST", "/oauth/token", set_field("expires_in", None)),
    "EU-07": at("POST", "/oauth/token", _token_for_all),
    "EU-08": at("GET", "Patient?identifier=urn:oid", set_status(403)),
    "EU-09": at("GET", "Patient?identifier=urn:example", set_field("entry", None)),
    "EU-10": at("GET", "Patient?identifier=urn:ietf", edit(_somebody)),
    "EU-11": at("GET", "DocumentReference?", replace_status(403, 200)),
    "EU-12": at("POST", "$match", edit(_somebody)),
    "EU-13": lambda request, answer: drop_header("location")(request, answer) if answer.status == 201 else None,
    "EU-14": at("GET", "60591-5&status", set_field("entry", None)),
    "EU-15": remember({}, "60591-5&status", "11502-2"),
    "EU-16": at("GET", "_id=", set_field("entry", None)),
    "EU-17": at("GET", "/DocumentReference/", set_field("custodian", None)),
    "EU-18": at("GET", "/Bundle/", set_field("type", "collection")),
    "EU-19": at("GET", "/Bundle/", edit(_other_title)),
    "EU-20": at("POST", "/DocumentReference", replace_status(422, 500)),
    "EU-21": at("GET", "?_count=1", set_status(200)),
    "EU-22": at("GET", "AllergyIntolerance?patient", edit(_of_another)),
    "EU-23": _operations(),
    "EU-24": at("GET", "/DocumentReference/", drop_header("cache-control")),
    "EU-25": at("GET", "AuditEvent?", edit(_without_reads)),
    "EU-26": at("GET", "AuditEvent?", edit_entries(_without_zone)),
    "EU-27": _in_log("agent", []),
    "EU-28": at("GET", "AuditEvent?", edit_entries(_without_categories)),
    "EU-29": _in_log("source", {}),
    "EU-30": remember({}, "date=ge", "date=lt"),
    "EU-31": at("GET", "AuditEvent?", replace_status(401, 403)),
}


@pytest.mark.parametrize("broken", twin_cases("eu-api"))
async def test_broken_twin_is_told_its_fault_and_no_other(kit_world: KitWorld, broken: str) -> None:
    assert_only_fault(await kit_world.run("eu-api", options(kit_world), Twin(TWINS[broken])), broken)


async def test_match_is_not_required_where_it_is_not_declared(kit_world: KitWorld) -> None:
    run = await kit_world.run("eu-api", options(kit_world), Twin(_operations("everything")))
    assert [(name, verdict) for name, verdict, _ in not_passed(run)] == [("EU-12", Verdict.NOT_APPLICABLE)]
    assert run.passed

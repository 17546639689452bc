"""`$validate` over HTTP: every response is a valid OperationOutcome with positions in the request body."""

import json

import httpx
import pytest
from starlette.applications import Starlette

from esante.core.fhir import check
from esante.core.fhir.rest import supported_profiles, validate_capability, validate_operation, validate_routes
from esante.core.web import HANDLERS, Problem
from tests.core.fhir.samples import changed, document, dumped, observation, patient

FHIR = {"Content-Type": "application/fhir+json"}
ALL_WELL = [("information", "informational", None)]
LINE = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-line"


async def signed_in(request):
    if request.headers.get("authorization") != "Bearer x":
        raise Problem(401, "login", "You need to sign in.")


@pytest.fixture
async def client():
    app = Starlette(routes=validate_routes(signed_in), exception_handlers=HANDLERS)
    transport = httpx.ASGITransport(app)
    headers = FHIR | {"Authorization": "Bearer x"}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield client


async def validated(client, body, path="/fhir/$validate", status=200, **params):
    answer = await client.post(path, content=body, params=params)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/fhir+json"
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    assert check(answer.content).issues == ()
    return outcome["issue"]


def brief(issues):
    return [(issue["severity"], issue["code"], *issue.get("expression", [None])) for issue in issues]


def with_text(resource):
    return {**resource, "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}}


def parameters(resource, **texts):
    others = [{"name": name, "valueCode" if name == "mode" else "valueUri": text} for name, text in texts.items()]
    return {"resourceType": "Parameters", "parameter": [*others, {"name": "resource", "resource": resource}]}


@pytest.mark.parametrize("path", ["/fhir/$validate", "/fhir/Patient/$validate"])
async def test_valid_resource_gets_an_informational_outcome(client, path):
    assert brief(await validated(client, dumped(with_text(patient())), path)) == ALL_WELL


async def test_every_problem_is_reported_with_its_position(client):
    text = b'{"resourceType":"Patient",\n "gender":"zzz",\n "contact":[\n  {"gender":"male"}]}'
    issues = await validated(client, text)
    assert brief(issues) == [
        ("error", "code-invalid", "Patient.gender"),
        ("error", "invariant", "Patient.contact[0]"),
        ("warning", "invariant", "Patient"),
    ]
    assert [issue["extension"][0] for issue in issues] == [{"url": LINE, "valueInteger": n} for n in (2, 4, 1)]
    assert "male, female, other, unknown" in issues[0]["diagnostics"]


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"", "structure"), (b"{", "structure"), (b"[]", "structure"), (b'{"resourceType":"Person2"}', "structure"),
     (b'{"id":"\\u0000\\u0001"}', "structure"), (b'{"resourceType":"Patient","\\u0000":1}', "structure"), (b"\xff", "structure"),
     (b"[" * 100_000, "structure"), (b'{"resourceType":"Patient","id":"' + b"x" * 1000 + b'"}', "value")],
)  # fmt: skip
async def test_body_that_is_no_resource_gets_an_outcome(client, body, code):
    issues = await validated(client, body)
    assert code in {issue["code"] for issue in issues if issue["severity"] in ("fatal", "error")}


async def test_type_other_than_in_the_path_is_an_error(client):
    issues = await validated(client, dumped(with_text(patient())), "/fhir/Observation/$validate")
    assert brief(issues) == [("error", "invalid", "Patient.resourceType")]
    assert brief(await validated(client, dumped(patient()), "/fhir/Person2/$validate", 404)) == [
        ("error", "not-found", None)
    ]


async def test_resource_in_parameters_is_reported_with_positions_in_the_body(client):
    given = parameters(with_text(patient() | {"gender": "zzz"}), mode="create")
    for indent in (None, 2):
        body = json.dumps(given, indent=indent).encode()
        [issue] = await validated(client, body, "/fhir/Patient/$validate")
        line, column = (extension["valueInteger"] for extension in issue["extension"])
        assert body.decode().split("\n")[line - 1][column - 1 :].startswith('"gender"')
        assert issue["expression"] == ["Patient.gender"]


async def test_parameters_without_a_resource_are_checked_themselves(client):
    own = {"resourceType": "Parameters", "parameter": [{"name": "a", "valueString": "x"}]}
    assert brief(await validated(client, dumped(own))) == ALL_WELL
    assert brief(await validated(client, dumped(own), "/fhir/Patient/$validate")) == [
        ("error", "invalid", "Parameters.resourceType")
    ]
    for broken in ({"parameter": 1}, {"parameter": [1]}, {"parameter": [{"name": "resource", "resource": 1}]}):
        issues = await validated(client, dumped({"resourceType": "Parameters", **broken}))
        assert {issue["severity"] for issue in issues[:-1]} == {"error"}
        assert (issues[-1]["severity"], issues[-1]["code"]) == ("information", "incomplete")


PATIENT = "http://hl7.org/fhir/StructureDefinition/Patient"


@pytest.mark.parametrize("profile", [PATIENT, f"{PATIENT}|4.0.1"])
async def test_profiles_of_r4_itself_are_known(client, profile):
    fine, other = dumped(with_text(patient())), dumped(with_text(observation()))
    assert brief(await validated(client, fine, profile=profile, mode="profile")) == ALL_WELL
    assert brief(await validated(client, dumped(parameters(with_text(patient()), profile=profile)))) == ALL_WELL
    assert brief(await validated(client, other, profile=profile)) == [("error", "invalid", "Observation.resourceType")]


async def test_profile_of_a_guide_is_checked_on_request(client):
    [profile] = supported_profiles("Patient")
    born = with_text(patient() | {"name": [{"family": "Muller"}], "birthDate": "1980-01-01"})
    unborn = {name: value for name, value in born.items() if name != "birthDate"}
    incomplete = ("information", "incomplete", None)
    assert brief(await validated(client, dumped(born), profile=profile)) == [incomplete]
    missing = [("error", "required", "Patient.birthDate"), incomplete]
    assert brief(await validated(client, dumped(unborn), profile=f"{profile}|2.0.0", mode="profile")) == missing
    body = dumped(parameters(unborn, profile=profile))
    assert brief(await validated(client, body, "/fhir/Patient/$validate")) == missing
    assert brief(await validated(client, dumped({**unborn, "meta": {"profile": [profile]}}))) == ALL_WELL


@pytest.mark.parametrize(
    ("asked", "place"),
    [({"profile": "http://x.test/StructureDefinition/p"}, "profile"), ({"profile": "Patient"}, "profile"),
     ({"profile": PATIENT.replace("Patient", "Observation")}, "profile"), ({"profile": ""}, "profile"),
     ({"mode": "delete"}, "mode"), ({"mode": "x"}, "mode"), ({"mode": ""}, "mode")],
)  # fmt: skip
async def test_unknown_profile_or_mode_is_rejected(client, asked, place):
    path = "/fhir/Patient/$validate"
    assert brief(await validated(client, dumped(patient()), path, 400, **asked)) == [("error", "not-supported", place)]
    body = dumped(parameters(patient(), **asked))
    assert brief(await validated(client, body, path, 400)) == [("error", "not-supported", place)]


async def test_unauthenticated_large_and_non_json_requests_are_rejected(client, monkeypatch):
    del client.headers["authorization"]
    await validated(client, dumped(patient()), status=401)
    client.headers["authorization"] = "Bearer x"
    assert (await client.get("/fhir/$validate")).status_code == 405
    xml = await client.post("/fhir/$validate", content=b"<Patient/>", headers={"Content-Type": "application/fhir+xml"})
    assert xml.status_code == 415
    monkeypatch.setattr(validate_operation, "MAX_BODY", 1_000)
    await validated(client, b" " * 1_001, status=413)


async def test_entries_of_a_document_are_checked(client):
    issues = await validated(
        client, dumped(changed(document(), "entry", 1, "resource", "contact", [{"gender": "male"}]))
    )
    assert ("error", "invariant", "Bundle.entry[1].resource.contact[0]") in brief(issues)


def test_capability_of_the_operation_is_valid():
    statement = {"resourceType": "CapabilityStatement", "status": "active", "date": "2026", "kind": "instance",
                 "fhirVersion": "4.0.1", "format": ["json"], "software": {"name": "x"}, "implementation": {"description": "x"},
                 "rest": [{"mode": "server", "operation": [validate_capability()]}]}  # fmt: skip
    assert [i for i in check(dumped(statement), invariants=True).issues if i.severity != "warning"] == []

"""Immediate payment over HTTP: the national names in JSON, and the FHIR operations."""

from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import httpx
import orjson
import pytest
from starlette.applications import Starlette

from esante.core.fhir import check, encode
from esante.core.time_zone import today
from esante.core.web import HANDLERS, Sessions
from esante.identity.access import requester_of
from esante.services.billing.note.fhir_resources import claim
from esante.services.billing.note.fhir_terms import extension
from esante.services.billing.pid import api, fhir_api
from tests.support.immediate_payment import BASE, fee_note, matricule_of

pytestmark = pytest.mark.usefixtures("balanced")
FHIR = {"Content-Type": "application/fhir+json"}


@asynccontextmanager
async def client_of(world, requester):
    level = {"organization": "system", "patient": "patient"}.get(requester.kind, "user")
    token = await world.access.issue_token(requester, frozenset({f"{level}/*.cruds"}), timedelta(hours=1))
    app = Starlette(
        routes=[
            *api.routes(world.pid, world.payees, world.access),
            *fhir_api.routes(world.pid, world.notes, world.access, f"{BASE}/fhir"),
        ],
        exception_handlers=HANDLERS,
    )
    app.state.sessions = Sessions(world.db)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {token}", "Accept-Language": "en"}
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as client:
        yield client


def request_of(person, code: str, *acts: str) -> dict:
    day = (today() - timedelta(days=1)).isoformat()
    return {
        "identifiantFacturier": code,
        "matricule": matricule_of(person),
        "idMemoireHonoraire": str(uuid4()),
        "dateEtablissementMemoireHonoraire": day,
        "lignes": [
            {
                "identifiantExternePrestation": str(uuid4()),
                "dateDebutPrestation": day,
                "acte": {"codeActe": act, "nombre": 1},
                "lieuDePrestation": "01",
            }
            for act in acts or ("C1",)
        ],
    }


def validation_of(simulation: dict, **changes) -> dict:
    return {
        "idReponseSimulation": simulation["identifiantReponseSimulation"],
        "indicateurValidationMedecin": True,
        "indicateurValidationPersonneProtegee": True,
        "indicateurAcquittementParticipationPersonnelle": True,
    } | changes


async def test_note_is_simulated_validated_paid_and_cancelled_with_the_national_names(world):
    person, (doctor, code) = await world.patient(), await world.doctor()
    async with client_of(world, requester_of(doctor)) as http:
        asked = request_of(person, code, "C1", "C2")
        answer = await http.post("/pid/v1/simulations", json=asked)
        assert answer.status_code == 201, answer.text
        found = answer.json()
        first, second = found["lignes"]
        assert first["montantOpposable"] != "0.00"
        assert second["montantOpposable"] == second["partStatutaire"] == "0.00"
        assert second["anomalies"][0]["libelle"]
        assert found["totalPartStatutaire"] == first["partStatutaire"]
        assert (await http.post("/pid/v1/simulations", json=asked)).json() == found
        again = await http.get(f"/pid/v1/simulations/{found['identifiantReponseSimulation']}")
        assert again.json() == found

        paid = await http.post("/pid/v1/payments", json=validation_of(found))
        assert paid.status_code == 201, paid.text
        assert paid.json()["montantPaye"] == found["totalPartStatutaire"]
        assert paid.json()["montantRecouvrement"] == "0.00"
        repeated = await http.post("/pid/v1/payments", json=validation_of(found))
        assert repeated.json() == paid.json()

        await world.settle_all()
        note = asked["idMemoireHonoraire"]
        assert (await http.get(f"/pid/v1/notes/{note}/payment")).json()["etat"] == "paid"
        cancelled = await http.post(f"/pid/v1/notes/{note}/cancel", json={"motif": "erreur"})
        assert cancelled.status_code == 200
        assert cancelled.json()["annuleLe"]
        accounts = await http.get(f"/pid/v1/providers/{code}/accounts")
        assert accounts.status_code == 404  # software learns no accounts


async def test_findings_are_contested_and_kept(world):
    person, (doctor, code) = await world.patient(), await world.doctor()
    async with client_of(world, requester_of(doctor)) as http:
        found = (await http.post("/pid/v1/simulations", json=request_of(person, code, "C1", "C2"))).json()
        finding = found["lignes"][1]["anomalies"][0]["identifiantAnomalie"]
        contest = {
            "identifiantReponseSimulation": found["identifiantReponseSimulation"],
            "contestationAnomalie": [{"identifiantAnomalie": finding, "codeContestation": "1"}],
        }
        answer = await http.post("/pid/v1/contestations", json=contest)
        assert answer.status_code == 201, answer.text
        assert [one["etat"] for one in answer.json()["contestations"]] == ["open"]
        unknown = contest | {"contestationAnomalie": [{"identifiantAnomalie": str(uuid4()), "codeContestation": "1"}]}
        assert (await http.post("/pid/v1/contestations", json=unknown)).status_code == 422


async def test_refusals_are_json_with_place_remedy_and_the_way_that_is_left(world):
    person, (doctor, code) = await world.patient(), await world.doctor()
    async with client_of(world, requester_of(doctor)) as http:
        asked = request_of(person, code)
        world.insurance.silent = True
        answer = await http.post("/pid/v1/simulations", json=asked)
        world.insurance.silent = False
        assert answer.status_code == 503
        assert answer.json()["fallback"] == {"way": "ra", "path": "/ra/v1", "noteId": asked["idMemoireHonoraire"]}
        assert "Retry-After" in answer.headers

        found = (await http.post("/pid/v1/simulations", json=asked)).json()
        refused = await http.post(
            "/pid/v1/payments", json=validation_of(found, indicateurValidationPersonneProtegee=False)
        )
        assert (refused.status_code, refused.json()["place"]) == (422, "patient")
        nobody = await http.post("/pid/v1/simulations", json=request_of(person, "99999998"))
        assert nobody.status_code == 404


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"{", ""),
        (b"[]", ""),
        (b"\xff", ""),
        (b'{"identifiantFacturier": 1}', "$.identifiantFacturier"),
        (b'{"identifiantFacturier": "9", "idMemoireHonoraire": "x"}', "$.idMemoireHonoraire"),
        (b"[" * 50_000, ""),
    ],
)
async def test_bad_messages_are_refused_with_the_place(world, body, place):
    (doctor, _) = await world.doctor()
    async with client_of(world, requester_of(doctor)) as http:
        answer = await http.post("/pid/v1/simulations", content=body)
    assert answer.status_code == 400
    assert answer.json()["place"] == place


async def test_patients_and_strangers_get_the_same_refusal_as_for_what_does_not_exist(world):
    person, (doctor, code), (other, _) = await world.patient(), await world.doctor(), await world.doctor()
    async with client_of(world, requester_of(doctor)) as http:
        found = (await http.post("/pid/v1/simulations", json=request_of(person, code))).json()
    for stranger in (requester_of(other), requester_of(person)):
        async with client_of(world, stranger) as http:
            theirs = await http.post("/pid/v1/payments", json=validation_of(found))
            unknown = await http.post("/pid/v1/payments", json=validation_of(found, idReponseSimulation=str(uuid4())))
            assert theirs.status_code == unknown.status_code == 404
            assert theirs.json() == unknown.json()


async def test_claim_is_predetermined_submitted_paid_and_read_as_fhir(world):
    person, (doctor, code) = await world.patient(), await world.doctor()
    note = fee_note(person, code, gross="70.00")
    async with client_of(world, requester_of(doctor)) as http:
        body = claim(note, "predetermination")
        answer = await http.post("/fhir/Claim/$submit", content=encode(body), headers=FHIR)
        assert answer.status_code == 200, answer.text
        response = answer.json()
        assert check(answer.content).ok
        body = claim(note, "claim") | {"extension": claim(note, "claim").get("extension", [])}
        body["insurance"][0]["preAuthRef"] = [response["id"]]
        refused = await http.post("/fhir/Claim/$submit", content=encode(body), headers=FHIR)
        assert refused.status_code == 422
        body["extension"] += [extension(name, "Boolean", True) for name in fhir_api.CONFIRMATIONS.values()]
        paid = await http.post("/fhir/Claim/$submit", content=encode(body), headers=FHIR)
        assert paid.status_code == 200, paid.text
        assert check(paid.content).ok
        payment_id = paid.json()["payment"]["identifier"]["value"].removeprefix("urn:uuid:")
        assert (await http.post("/fhir/Claim/$submit", content=encode(body), headers=FHIR)).json() == paid.json()
        await world.settle_all()
        for type_ in ("PaymentReconciliation", "PaymentNotice"):
            read = await http.get(f"/fhir/{type_}/{payment_id}")
            assert read.status_code == 200
            assert check(read.content).ok
            found = await http.get(f"/fhir/{type_}", params={"identifier": f"urn:uuid:{payment_id}"})
            assert [one["resource"] for one in found.json()["entry"]] == [read.json()]
    async with client_of(world, requester_of(person)) as http:
        assert (await http.get(f"/fhir/PaymentNotice/{payment_id}")).status_code == 200
    async with client_of(world, requester_of(await world.patient())) as http:
        assert (await http.get(f"/fhir/PaymentNotice/{payment_id}")).status_code == 404
        found = await http.get("/fhir/PaymentNotice", params={"_id": payment_id})
        assert found.json()["total"] == 0


async def test_eligibility_is_asked_as_fhir_and_as_json(world):
    person, (doctor, code) = await world.patient(), await world.doctor()
    from esante.services.billing.note.fhir_resources import eligibility_request

    asked = eligibility_request(uuid4(), matricule_of(person), today(), code)
    async with client_of(world, requester_of(doctor)) as http:
        answer = await http.post("/fhir/CoverageEligibilityRequest/$submit", content=orjson.dumps(asked), headers=FHIR)
        assert answer.status_code == 200, answer.text
        assert answer.json()["insurance"][0]["inforce"] is True
        world.insurance.silent = True
        silent = await http.post("/fhir/CoverageEligibilityRequest/$submit", content=orjson.dumps(asked), headers=FHIR)
        world.insurance.silent = False
        assert silent.status_code == 503
        assert silent.json()["issue"][0]["details"]["coding"][0]["code"] == "ra"
        plain = await http.get(
            "/pid/v1/eligibility", params={"matricule": matricule_of(person), "date": today().isoformat()}
        )
        assert plain.json()["eligible"] is True
        assert (await http.get("/pid/v1/eligibility", params={"matricule": "1", "date": "x"})).status_code == 400

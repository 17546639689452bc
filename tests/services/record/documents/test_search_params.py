"""The search parameters of ITI-66 and ITI-67."""

import orjson

from esante.core.storage import uuid7
from esante.identity.access import requester_of
from esante.identity.directory import Identifier
from tests.support.record import BASE, FHIR, pdf, reference


async def test_search_parameters_narrow_result(world):
    person = await world.person(identifiers=(Identifier("urn:oid:2.999.7", uuid7().hex),))
    hospital, doctor = world.people["hospital"], world.people["doctor"]
    made = {}
    async with world.client(hospital) as client:
        for name, type_, fields in (
            ("old", "11504-8", {"context": {"period": {"start": "2021-02-03"}}}),
            ("new", "18748-4", {"context": {"period": {"start": "2024-05-06"}}}),
        ):
            body = reference(person, pdf(), "application/pdf", type_=type_, **fields)
            body["masterIdentifier"] = {"system": "urn:oid:2.999.8", "value": name}
            made[name] = (
                await client.post("/fhir/DocumentReference", content=orjson.dumps(body), headers=FHIR)
            ).json()["id"]
        labelled = reference(
            person,
            pdf(),
            "application/pdf",
            type_="11488-4",
            securityLabel=[
                {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]}
            ],
            context={"period": {"start": "2022-01-01"}},
        )
        made["restricted"] = (
            await client.post("/fhir/DocumentReference", content=orjson.dumps(labelled), headers=FHIR)
        ).json()["id"]
    system, value = person.identifiers[0].system, person.identifiers[0].value

    async with world.client(requester_of(person)) as client:

        async def found(method="get", **params):
            params = {name.replace("__", ".").replace("_", "-"): value for name, value in params.items()}
            if method == "get":
                answer = await client.get("/fhir/DocumentReference", params={"patient": str(person.id)} | params)
            else:
                answer = await client.post(
                    "/fhir/DocumentReference/_search", data={"patient": str(person.id)} | params
                )
            names = {id_: name for name, id_ in made.items()}
            return {names[entry["resource"]["id"]] for entry in answer.json().get("entry", ())}

        everything = {"old", "new", "restricted"}
        assert await found() == everything
        assert await found("post", type="11504-8") == {"old"}
        assert await found(patient=f"{BASE}/fhir/Patient/{person.id}") == everything
        assert await found(type="http://loinc.org|11504-8,http://loinc.org|18748-4") == {"old", "new"}
        assert await found(type="http://snomed.info/sct|11504-8") == set()
        assert await found(category="imaging_report") == {"new"}
        assert await found(period="ge2024") == {"new"}
        assert await found(period="2021-02") == {"old"}
        assert await found(date="lt2000") == set()
        assert await found(identifier="urn:oid:2.999.8|new") == {"new"}
        assert await found(security_label="R") == {"restricted"}
        assert await found(author=f"Organization/{hospital.id}") == everything
        assert await found(author=f"Practitioner/{doctor.id}") == set()
        assert await found(author__family="hopital") == everything
        assert await found(status="superseded") == set()
        assert await found(format="urn:ihe:iti:xds:2017:mimeTypeSufficient") == everything
        by_id = await client.get("/fhir/DocumentReference", params={"_id": made["old"]})
        assert [entry["resource"]["id"] for entry in by_id.json()["entry"]] == [made["old"]]
        by_identifier = await client.get(
            "/fhir/DocumentReference", params={"patient.identifier": f"{system}|{value}", "_count": "2"}
        )
        assert len(by_identifier.json()["entry"]) == 2
        [following] = [link["url"] for link in by_identifier.json()["link"] if link["relation"] == "next"]
        rest = await client.get(following)
        seen = {entry["resource"]["id"] for page in (by_identifier, rest) for entry in page.json()["entry"]}
        assert seen == set(made.values())


async def test_search_without_patient_or_with_unknown_status_is_refused(world):
    person = await world.person()
    async with world.client(world.people["doctor"]) as client:
        without = await client.get("/fhir/DocumentReference", params={"type": "11504-8"})
        wrong = await client.get("/fhir/DocumentReference", params={"patient": str(person.id), "status": "final"})
        nobody = await client.get("/fhir/DocumentReference", params={"patient.identifier": "urn:oid:2.999|1"})
        two = await client.get(
            "/fhir/DocumentReference", params={"patient": str(person.id), "_id": uuid7().hex + uuid7().hex}
        )
    assert (without.status_code, wrong.status_code) == (400, 400)
    assert (nobody.status_code, nobody.json().get("entry")) == (200, None)
    assert (two.status_code, two.json().get("entry")) == (200, None)

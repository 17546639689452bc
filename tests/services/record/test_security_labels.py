"""Confidentiality of clinical resources by security labels."""

import orjson

from esante.identity.access import requester_of
from tests.support.clinical_requests import (
    create,
)
from tests.support.clinical_resources import (
    CONFIDENTIALITY_SYSTEM,
    label_parameters,
    observation,
)
from tests.support.record import FHIR


async def test_author_may_restrict_but_not_relax(world):
    person = await world.person()
    label = {"security": [{"system": CONFIDENTIALITY_SYSTEM, "code": "R"}]}
    async with world.client(world.people["hospital"]) as hospital:
        created = (await create(hospital, observation(person))).json()
        url = f"/fhir/Observation/{created['id']}"
        stricter = await hospital.put(url, content=observation(person, id=created["id"], meta=label), headers=FHIR)
        assert stricter.status_code == 200
        laxer = await hospital.put(url, content=observation(person, id=created["id"]), headers=FHIR)
        assert laxer.json()["meta"]["security"] == label["security"]


async def test_patient_hides_resource_with_all_versions(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    async with world.client(world.people["hospital"]) as hospital:
        created = (await create(hospital, observation(person))).json()
        url = f"/fhir/Observation/{created['id']}"
        await hospital.put(url, content=observation(person, value="9", id=created["id"]), headers=FHIR)
        refused = await hospital.post(f"{url}/$meta-add", content=label_parameters("V"), headers=FHIR)
        assert refused.status_code == 403
    async with world.client(requester_of(person)) as patient_client, world.client(world.people["doctor"]) as doctor:
        history = f"/fhir/Observation/_history?patient={person.id}"
        assert len((await doctor.get(history)).json()["entry"]) == 2
        hidden = await patient_client.post(f"{url}/$meta-add", content=label_parameters("V"), headers=FHIR)
        assert hidden.json()["parameter"][0]["valueMeta"]["security"] == [
            {"system": CONFIDENTIALITY_SYSTEM, "code": "V"}
        ]
        for address in (url, f"{url}/_history/1", f"{url}/_history"):
            assert (await doctor.get(address)).status_code == 404
        assert "entry" not in (await doctor.get(history)).json()
        assert (await patient_client.get(url)).status_code == 200
        async with world.client(world.people["hospital"]) as hospital:
            own = (await hospital.get(url)).json()
            assert (await hospital.put(url, content=orjson.dumps(own), headers=FHIR)).status_code == 200
        assert (await doctor.get(url)).status_code == 404
        assert (
            await patient_client.post(f"{url}/$meta-delete", content=label_parameters("V"), headers=FHIR)
        ).status_code == 200
        shown = await doctor.get(url)
        assert (shown.status_code, "security" in shown.json()["meta"]) == (200, False)
        assert len((await doctor.get(history)).json()["entry"]) == 5
        assert (
            await patient_client.post(f"{url}/$meta-add", content=label_parameters("N"), headers=FHIR)
        ).status_code == 422

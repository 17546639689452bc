"""The Patients in transactions, compared with the person whose resources are written."""

import orjson
import pytest

from esante.core.storage import uuid7
from esante.identity.access import requester_of
from esante.services.record.clinical.events import ClinicalCreated
from esante.services.record.identification.confirmation import CONFIRMATION_EXTENSION
from esante.services.record.model import DepositRefused
from tests.support.clinical_requests import count_resources, post_bundle, response_statuses
from tests.support.clinical_resources import bundle_entry, observation
from tests.support.record import LOCAL

CONFIRMED = [{"url": CONFIRMATION_EXTENSION, "valueString": "Married since May"}]
TWIN = {"name": [{"family": "Weber", "given": ["Eva"]}], "birthDate": "1980-05-17"}


@pytest.fixture(autouse=True)
async def no_attempts(world):
    """Forget the attempts of the test before."""
    await world.db.fetchval("DELETE FROM access_attempt")


def entries(person, *, value: str = "", **patient) -> list[dict]:
    """Return the entries of a transaction with an Observation and its Patient, who has the elements `patient`."""
    url = uuid7().urn
    identifier = [{"system": LOCAL, "value": value or person.identifiers[0].value}]
    resource = {"resourceType": "Patient", "identifier": identifier} | patient
    result = orjson.loads(observation(person)) | {"subject": {"reference": url}}
    return [bundle_entry("POST", "Patient", resource, url), bundle_entry("POST", "Observation", result)]


async def test_patient_who_is_the_person_is_taken_without_question(world):
    person = await world.person()
    same = {"name": [{"family": "WEBER-KLEIN", "given": ["Anna"]}], "birthDate": "1980", "gender": "female"}
    async with world.client(world.people["hospital"]) as client:
        assert response_statuses(await post_bundle(client, *entries(person, **same))) == ["200", "201"]
    [(_, event)] = await world.events(person, ClinicalCreated)
    assert (event.differs, event.justification) == ((), "")


@pytest.mark.parametrize("further", [[], ["conditional"]], ids=["creates only", "in a transaction"])
async def test_patient_who_differs_stores_nothing_until_confirmed(world, further):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:

        async def post(**patient):
            sent = entries(person, **patient)
            if further:
                sent[1]["request"]["ifNoneExist"] = f"identifier=urn:example|{uuid7().hex}"
            return await post_bundle(client, *sent)

        refused = await post(**TWIN)
        assert refused.status_code == 409
        issue = refused.json()["issue"][1]
        assert issue["expression"] == ["Bundle.entry[0].resource"]
        assert issue["details"]["coding"][0]["code"] == "name-differs"
        assert await count_resources(client, person) == 0
        assert response_statuses(await post(**TWIN, extension=CONFIRMED)) == ["200", "201"]
    [(_, event)] = await world.events(person, DepositRefused)
    assert event.differs == ("name-differs",)
    [(_, event)] = await world.events(person, ClinicalCreated)
    assert (event.differs, event.justification) == (("name-differs",), "Married since May")
    assert event.remarks == ("The document does not carry the patient's name.",)


async def test_unknown_patient_is_refused_like_one_who_differs(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        answers = [
            await post_bundle(client, *entries(person, value=value, **TWIN | {"birthDate": "1961"}))
            for value in ("", uuid7().hex)
        ]
        bare = await post_bundle(client, *entries(person, value=uuid7().hex))
    assert [answer.status_code for answer in answers] == [409, 409]
    assert answers[0].json() == answers[1].json()
    assert (bare.status_code, bare.json()["issue"][0]["code"]) == (422, "not-found")


async def test_who_may_not_write_learns_nothing_of_the_person(world):
    person = await world.person(opened=False)
    async with world.client(world.people["hospital"]) as client:
        same, twin = [await post_bundle(client, *entries(person, **patient)) for patient in ({}, TWIN)]
    assert same.status_code == twin.status_code == 403
    assert same.json() == twin.json()


@pytest.mark.parametrize("broken", [{"name": "Weber"}, {"name": [{"family": 7}]}, {"extension": ["x"]}])
async def test_patient_that_is_not_r4_is_not_compared(world, broken):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        answer = await post_bundle(client, *entries(person, **broken))
    assert answer.status_code in (200, 422)


async def test_own_patient_of_a_patient_is_compared(world):
    person = await world.person()
    async with world.client(requester_of(person)) as client:
        assert (await post_bundle(client, *entries(person, **TWIN))).status_code == 409

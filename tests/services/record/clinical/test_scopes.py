"""Clinical resources with tokens of narrow scopes."""

from tests.support.clinical_requests import (
    create,
    deposit,
    post_bundle,
    search,
)
from tests.support.clinical_resources import (
    bundle_entry,
    laboratory_report,
    observation,
)
from tests.support.record import FHIR

IMAGING = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "imaging"}]}


async def test_granular_scope_restricts_every_interaction(world):
    person = await world.person()
    hospital = world.people["hospital"]
    async with world.client(hospital) as client:
        laboratory = (await create(client, observation(person))).json()["id"]
        imaging = (await create(client, observation(person, category=[IMAGING]))).json()["id"]
    scope = "system/Observation.cruds?category=laboratory"
    async with world.client(hospital, scope) as client:
        found = await search(client, f"Observation?patient={person.id}")
        assert [one["id"] for one in found] == [laboratory]
        assert (await client.get(f"/fhir/Observation/{laboratory}")).status_code == 200
        assert (await client.get(f"/fhir/Observation/{laboratory}/_history/1")).status_code == 200
        for address in (imaging, f"{imaging}/_history/1"):
            assert (await client.get(f"/fhir/Observation/{address}")).status_code == 404
        assert (await create(client, observation(person))).status_code == 201
        assert (await create(client, observation(person, category=[IMAGING]))).status_code == 403
        change = observation(person, id=laboratory, category=[IMAGING])
        assert (await client.put(f"/fhir/Observation/{laboratory}", content=change, headers=FHIR)).status_code == 403
        change = observation(person, id=imaging)
        assert (await client.put(f"/fhir/Observation/{imaging}", content=change, headers=FHIR)).status_code in (
            403,
            404,
        )
        assert (await client.delete(f"/fhir/Observation/{imaging}")).status_code in (403, 404)
        assert (await client.get(f"/fhir/Observation/{laboratory}/_history")).status_code == 403
        assert (await post_bundle(client, bundle_entry("POST", "Observation", observation(person)))).status_code == 403
        assert (await client.delete(f"/fhir/Observation/{laboratory}")).status_code == 204
    async with world.client(hospital) as client:
        assert len(await search(client, f"Observation?patient={person.id}")) == 2
        assert (await client.get(f"/fhir/Observation/{imaging}")).headers["etag"] == 'W/"1"'


async def test_includes_are_restricted_to_readable_types(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    async with world.client(world.people["hospital"]) as hospital:
        await deposit(hospital, person, laboratory_report(person, ("1", 14.1)))
    path = f"Observation?patient={person.id}&_include=*&_revinclude=Provenance:target"
    for scopes, types in (
        ("user/Observation.rs", {"Observation"}),
        ("user/Observation.rs user/Specimen.r", {"Observation", "Specimen"}),
        ("user/Observation.rs user/Provenance.r", {"Observation", "Provenance"}),
        ("user/*.cruds", {"Observation", "Specimen", "Practitioner", "Provenance", "Patient"}),
    ):
        async with world.client(world.people["doctor"], scopes) as client:
            assert {one["resourceType"] for one in await search(client, path)} == types
    async with world.client(world.people["doctor"], "user/Observation.rs") as client:
        assert await search(client, f"Observation?patient={person.id}&specimen.type:text=blood") == []
        assert await search(client, f"Observation?patient={person.id}&_has:DiagnosticReport:result:status=final") == []
        everything = await client.get(f"/fhir/Patient/{person.id}/$everything")
        assert everything.status_code == 403
    async with world.client(world.people["doctor"], "user/Observation.rs user/Patient.r") as client:
        found = await search(client, f"Patient/{person.id}/$everything")
        assert {one["resourceType"] for one in found} == {"Patient", "Observation"}

"""What a token covers of clinical resources, and what the journal and the audit face tell of each act."""

import orjson

from esante.core.fhir import check
from esante.identity.access import requester_of
from esante.identity.access.audit.access_log import describe_entry
from esante.identity.access.audit.audit_event import audit_event
from esante.services.record import CATEGORIES
from esante.services.record.clinical.events import ClinicalEvent

from .conftest import BASE, FHIR
from .test_clinical import create, identified, observation
from .test_opening import deposit, laboratory_report, resources
from .test_transactions import entry, send

IMAGING = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "imaging"}]}


async def test_a_granular_scope_narrows_every_interaction(world):
    person = await world.person()
    hospital = world.people["hospital"]
    async with world.client(hospital) as client:
        laboratory = (await create(client, observation(person))).json()["id"]
        imaging = (await create(client, observation(person, category=[IMAGING]))).json()["id"]
    scope = "system/Observation.cruds?category=laboratory"
    async with world.client(hospital, scope) as client:
        found = await resources(client, f"Observation?patient={person.id}")
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
        assert (await send(client, entry("POST", "Observation", observation(person)))).status_code == 403
        assert (await client.delete(f"/fhir/Observation/{laboratory}")).status_code == 204
    async with world.client(hospital) as client:
        assert len(await resources(client, f"Observation?patient={person.id}")) == 2
        assert (await client.get(f"/fhir/Observation/{imaging}")).headers["etag"] == 'W/"1"'


async def test_what_is_included_is_what_the_token_reads(world):
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
            assert {one["resourceType"] for one in await resources(client, path)} == types
    async with world.client(world.people["doctor"], "user/Observation.rs") as client:
        assert await resources(client, f"Observation?patient={person.id}&specimen.type:text=blood") == []
        assert (
            await resources(client, f"Observation?patient={person.id}&_has:DiagnosticReport:result:status=final") == []
        )
        everything = await client.get(f"/fhir/Patient/{person.id}/$everything")
        assert everything.status_code == 403
    async with world.client(world.people["doctor"], "user/Observation.rs user/Patient.r") as client:
        found = await resources(client, f"Patient/{person.id}/$everything")
        assert {one["resourceType"] for one in found} == {"Patient", "Observation"}


async def test_everything_is_narrowed_by_type_and_time_and_shown_page_by_page(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        for day in ("2020-05-01", "2022-05-01", "2024-05-01"):
            await create(client, observation(person, effectiveDateTime=day))
        await create(
            client,
            orjson.dumps(
                {
                    "resourceType": "Flag",
                    "status": "active",
                    "code": {"text": "falls"},
                    "subject": {"reference": f"Patient/{person.id}"},
                }
            ),
            "Flag",
        )
        document = await deposit(client, person, laboratory_report(person))
        path = f"Patient/{person.id}/$everything"
        days = [
            one["effectiveDateTime"]
            for one in await resources(client, f"{path}?_type=Observation&start=2022&end=2023")
        ]
        assert days == ["2022-05-01"]
        of_time = await resources(client, f"{path}?start=2022-05-02")
        assert {one["resourceType"] for one in of_time} >= {"Patient", "Observation", "Flag"}
        assert await resources(client, f"{path}?_type=Observation&_since=2999-01-01T00:00:00Z") == []
        seen, url = [], f"/fhir/{path}?_count=1"
        while url:
            page = (await client.get(url)).json()
            seen += [(one["resource"]["resourceType"], one["resource"]["id"]) for one in page.get("entry", ())]
            url = {link["relation"]: link["url"] for link in page["link"]}.get("next")
        assert len(seen) == len(set(seen)) == 1 + 3 + 1 + 3 + 1
        assert seen[0] == ("Patient", str(person.id))
        assert seen[-1] == ("DocumentReference", document)
        for wrong in ("_count=x", "start=gt2020", "start=never", "_since=x", "_cursor=x"):
            assert (await client.get(f"/fhir/{path}?{wrong}")).status_code == 400
        assert (await client.get("/fhir/Patient/nobody/$everything")).status_code == 404


async def test_each_act_is_told_with_its_categories_and_as_an_audit_event(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    async with world.client(world.people["hospital"]) as hospital:
        id_ = (await create(hospital, observation(person, **identified("x")))).json()["id"]
        url = f"/fhir/Observation/{id_}"
        await hospital.put(url, content=observation(person, id=id_), headers=FHIR)
        await hospital.delete(url)
        await hospital.put(url, content=observation(person, id=id_), headers=FHIR)
        await send(hospital, entry("POST", "Observation", observation(person)), entry("DELETE", f"Observation/{id_}"))
    async with world.client(world.people["doctor"]) as doctor:
        await doctor.get(f"{url}/_history/1")
        await doctor.get(f"/fhir/Observation?patient={person.id}")
        await doctor.get(f"/fhir/Patient/{person.id}/$everything?_type=Observation")
        await doctor.get(f"/fhir/Observation/_history?patient={person.id}")
    async with world.client(world.people["other"]) as other:
        await other.get(url)
    types = list(ClinicalEvent.__subclasses__())
    told = await world.events(person, *types)
    assert [(event.TYPE.removeprefix("record.clinical_"), event.allowed, event.count) for _, event in told] == [
        ("created", True, 1),
        ("updated", True, 1),
        ("deleted", True, 1),
        ("updated", True, 1),
        ("deleted", True, 1),
        ("created", True, 1),
        ("read", True, 1),
        ("searched", True, 1),
        ("searched", True, 1),
        ("searched", True, 2),
        ("refused", False, 0),
    ]
    assert {event.categories for _, event in told} == {("laboratory_report",)}
    labels = {key: category.label for key, category in CATEGORIES.items()}
    for item, event in told:
        resource = audit_event(item, BASE)
        checked = check(orjson.dumps(resource))
        assert checked.ok, checked.issues
        words = describe_entry(item, str, labels, {}).text
        assert ("Laboratory report" in words) == event.allowed
        if event.ACTION in "CRUD" and event.allowed:
            assert "Observation/" in orjson.dumps(resource["entity"]).decode()
    async with world.client(requester_of(person)) as me:
        assert (await me.get(url)).status_code == 410

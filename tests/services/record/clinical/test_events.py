"""Journal entries of access to clinical resources, and their AuditEvents."""

import orjson

from esante.core.fhir import check
from esante.core.journal import EVENTS
from esante.identity.access import requester_of
from esante.identity.access.audit.access_log import describe_entry
from esante.identity.access.audit.audit_event import audit_event
from esante.services.record import CATEGORIES
from esante.services.record.clinical.events import ClinicalEvent
from tests.support.clinical_requests import (
    create,
    post_bundle,
)
from tests.support.clinical_resources import (
    bundle_entry,
    identified,
    observation,
)
from tests.support.record import BASE, FHIR


async def test_each_access_is_journalled_and_has_a_valid_audit_event(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    async with world.client(world.people["hospital"]) as hospital:
        id_ = (await create(hospital, observation(person, **identified("x")))).json()["id"]
        url = f"/fhir/Observation/{id_}"
        await hospital.put(url, content=observation(person, id=id_), headers=FHIR)
        await hospital.delete(url)
        await hospital.put(url, content=observation(person, id=id_), headers=FHIR)
        await post_bundle(
            hospital,
            bundle_entry("POST", "Observation", observation(person)),
            bundle_entry("DELETE", f"Observation/{id_}"),
        )
    async with world.client(world.people["doctor"]) as doctor:
        await doctor.get(f"{url}/_history/1")
        await doctor.get(f"/fhir/Observation?patient={person.id}")
        await doctor.get(f"/fhir/Patient/{person.id}/$everything?_type=Observation")
        await doctor.get(f"/fhir/Observation/_history?patient={person.id}")
    async with world.client(world.people["other"]) as other:
        await other.get(url)
    types = [type_ for type_ in EVENTS.values() if issubclass(type_, ClinicalEvent)]
    entries = await world.events(person, *types)
    assert [(event.TYPE.removeprefix("record.clinical_"), event.allowed, event.count) for _, event in entries] == [
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
    assert {event.categories for _, event in entries} == {("laboratory_report",)}
    labels = {key: category.label for key, category in CATEGORIES.items()}
    for item, event in entries:
        resource = audit_event(item, BASE)
        checked = check(orjson.dumps(resource))
        assert checked.ok, checked.issues
        words = describe_entry(item, str, labels, {}).text
        assert ("Laboratory report" in words) == event.allowed
        if event.ACTION in "CRUD" and event.allowed:
            assert "Observation/" in orjson.dumps(resource["entity"]).decode()
    async with world.client(requester_of(person)) as patient_client:
        assert (await patient_client.get(url)).status_code == 410

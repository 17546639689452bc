"""Absence and refusal are indistinguishable: databases that differ in hidden resources answer identically."""

import re
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from esante.core.storage import Objects, uuid7
from esante.identity.access import Confidentiality, requester_of
from esante.identity.directory import Identifier, Person
from tests.conftest import create_database, open_journal
from tests.services.record.test_absence import Normalised
from tests.support.clinical_requests import (
    deposit,
    post_bundle,
)
from tests.support.clinical_resources import (
    bundle_entry,
    identified,
    label_parameters,
    laboratory_report,
    observation,
)
from tests.support.record import BASE, FHIR, open_world

_DATES = re.compile(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT")


async def _prepare_record(world, *, with_hidden: bool, kind: str):
    """Prepare a record with three reports and a direct result, and between them a hidden report and result.

    Return the person, and the ids of the hidden fact, the hidden result, the hidden source and the hidden document.
    """
    person = await _register_person(world)
    await world.into_circle(person, world.people["doctor_entry"])
    ids = [person.id.hex + uuid7().hex, person.id.hex + uuid7().hex, uuid7().hex, person.id.hex + uuid7().hex]
    async with (
        world.client(world.people["hospital"]) as hospital,
        world.client(requester_of(person)) as patient_client,
    ):
        await deposit(hospital, person, laboratory_report(person, ("1", 14.1), ("2", 9.0)))
        if with_hidden:
            named = (
                None if kind == "misfiled" else person
            )  # a document that names the patient cannot be moved to another
            report = laboratory_report(named, ("2", 8.5), ("secret", 99.9), method={"text": "a secret"})
            document = await deposit(hospital, person, report)
            facts = await _ids_by_identifier(hospital, person)
            result = await hospital.post(
                "/fhir/Observation", content=observation(person, **identified("own")), headers=FHIR
            )
            ids = [facts["secret"], result.json()["id"], document[32:], document]
            await _hide_document_and_result(world, kind, person, document, patient_client, result.json()["id"])
        await deposit(hospital, person, laboratory_report(person, ("3", 12.0)))
        await hospital.post("/fhir/Observation", content=observation(person, **identified("4")), headers=FHIR)
    return person, ids


async def _register_person(world):
    """Register a person with the same key in both databases: ids of facts, and so their order, are derived from it."""
    key, sent = UUID("01990000-0000-7000-8000-00000000abcd"), datetime.now(UTC) - timedelta(days=31)
    identifier = Identifier("urn:example:record-tests", uuid7().hex)
    person = Person(
        id=key, identifiers=(identifier,), family="Weber", given=("Anna",), birth_date=date(1980, 5, 17), sex="female"
    )
    await world.directory.register_person(person)
    await world.access.lifecycle.announce([key], at=sent)
    await world.access.lifecycle.open_due()
    return person


async def _ids_by_identifier(client, person) -> dict[str, str]:
    entries = (await client.get(f"/fhir/Observation?patient={person.id}")).json()["entry"]
    return {one["resource"]["identifier"][0]["value"]: one["resource"]["id"] for one in entries}


async def _hide_document_and_result(world, kind: str, person, document: str, patient_client, result: str) -> None:
    key = UUID(hex=document[32:])
    match kind:
        case "hidden":
            await world.record.set_confidentiality(requester_of(person), person.id, key, Confidentiality.HIDDEN)
        case "withdrawn":
            await world.record.withdraw(world.people["hospital"], person.id, key, "mixed up")
        case "misfiled":
            right = await world.person("Reuter")
            await world.record.correct_person(world.people["hospital"], person.id, key, right.id, "mixed up")
    answer = await patient_client.post(
        f"/fhir/Observation/{result}/$meta-add", content=label_parameters("V"), headers=FHIR
    )
    assert answer.status_code == 200


async def _collect_answers(world, *, with_hidden: bool, kind: str) -> list[tuple[str, object]]:
    person, (secret, own, source, document) = await _prepare_record(world, with_hidden=with_hidden, kind=kind)
    normalised = Normalised()

    def add(name: str, answer) -> None:
        headers = sorted((name, _DATES.sub("<date>", value)) for name, value in answer.headers.items())
        normalised.add(name, answer.status_code, headers, answer.text)

    async with world.client(world.people["doctor"]) as doctor:
        patient = f"patient=Patient/{person.id}"
        shown = (await _ids_by_identifier(doctor, person))["2"]
        for path in (
            f"Observation?{patient}",
            f"Observation?{patient}&_count=0",
            f"Observation?{patient}&_sort=value-quantity&_include=*&_revinclude=Provenance:target",
            f"Observation?{patient}&value-quantity=gt50",
            f"Observation?{patient}&method:text=secret",
            f"Observation?{patient}&identifier=urn:lab|2",
            f"Observation?{patient}&_id={secret},{own}",
            f"Observation?{patient}&_has:Provenance:target:recorded=gt2000",
            f"Specimen?{patient}&_has:Observation:specimen:value-quantity=gt50",
            f"Practitioner/{person.id.hex}{source}",
            f"Composition?{patient}&_include=Composition:entry",
            f"Composition?{patient}&entry:Observation.identifier=secret",
            f"Patient/{person.id}/Observation?_elements=value",
            f"Observation/_history?{patient}",
            f"Patient/{person.id}/_history?_since=2001",
            f"Observation/{shown}",
            f"Observation/{shown}/_history",
            f"Observation/{shown}/_history/{source}",
            f"Observation/{secret}",
            f"Observation/{secret}/_history",
            f"Observation/{own}",
            f"Observation/{own}/_history",
            f"Observation/{own}/_history/1",
            f"Provenance/{secret}",
            f"Provenance/{shown}",
            f"Provenance?target=Observation/{secret}",
            f"Provenance?target=Observation/{shown},Observation/{own}",
            f"Patient/{person.id}/$everything?_type=Observation,Specimen,DocumentReference",
            f"Composition/{secret}/$document",
            *([f"Bundle/{document}"] if kind != "withdrawn" else []),
        ):
            add(path.partition("?")[0].partition("/")[0], await doctor.get(f"/fhir/{path}"))
        for path in (
            f"Observation?{patient}&_count=1&_sort=-date",
            f"Observation/_history?{patient}&_count=1",
            f"Patient/{person.id}/$everything?_count=2&_type=Observation,Specimen,Composition",
        ):
            url = f"/fhir/{path}"
            while url:
                answer = await doctor.get(url)
                add("page", answer)
                url = {link["relation"]: link["url"] for link in answer.json().get("link", ())}.get("next")
        for id_ in (secret, own):
            body = observation(person, id=id_)
            add("update", await doctor.put(f"/fhir/Observation/{id_}", content=body, headers=FHIR))
            add("delete", await doctor.delete(f"/fhir/Observation/{id_}"))
            patch = {"Content-Type": "application/json-patch+json"}
            add("patch", await doctor.patch(f"/fhir/Observation/{id_}", content=b"[]", headers=patch))
            add(
                "meta",
                await doctor.post(f"/fhir/Observation/{id_}/$meta-add", content=label_parameters("V"), headers=FHIR),
            )
        for identifier in ("secret", "own"):
            criteria = f"identifier=urn:lab|{identifier}"
            body = observation(person, **identified(identifier))
            add("delete what is found", await doctor.delete(f"/fhir/Observation?{patient}&{criteria}"))
            headers = FHIR | {"If-None-Exist": criteria}
            add("create unless", await doctor.post("/fhir/Observation", content=body, headers=headers))
            add("create unless", await doctor.post("/fhir/Observation", content=body, headers=headers))
            add("update match", await doctor.put(f"/fhir/Observation?{criteria}", content=body, headers=FHIR))
            add(
                "transaction",
                await post_bundle(doctor, bundle_entry("POST", "Observation", body, ifNoneExist=criteria)),
            )
        for type_ in ("transaction", "batch"):
            add(type_, await post_bundle(doctor, bundle_entry("GET", f"Observation/{secret}"), type_=type_))
            add(type_, await post_bundle(doctor, bundle_entry("DELETE", f"Observation/{own}"), type_=type_))
        add("search again", await doctor.get(f"/fhir/Observation?{patient}&_sort=_lastUpdated"))
    assert BASE in str(normalised.answers)
    return normalised.answers


@pytest.mark.parametrize("kind", ["hidden", "withdrawn", "misfiled"])
async def test_answers_are_the_same_with_and_without_hidden_resources(server, tmp_path, kind):
    answers = []
    for with_hidden in (True, False):
        folder = tmp_path / str(with_hidden)
        folder.mkdir()
        async with (
            open_journal(await create_database(server), folder) as journal,
            open_world(journal.db, journal, Objects.open("", folder)) as world,
        ):
            answers.append(await _collect_answers(world, with_hidden=with_hidden, kind=kind))
    with_it, without_it = answers
    assert len(with_it) == len(without_it)
    for one, other in zip(with_it, without_it, strict=True):
        assert one == other
    assert sum("entry" in str(text) for _, text in with_it) > 20
    assert "99.9" not in str(with_it)
    assert not any(" 500" in str(text)[:10] or str(text).startswith("500") for _, text in with_it)

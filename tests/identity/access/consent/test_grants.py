"""Grants of the circle, and the list of a professional's patients."""

import asyncio
from dataclasses import replace

from esante.core.storage import NIL, uuid7
from esante.identity.access import (
    Confidentiality,
    Granted,
    GrantEnded,
    PatientsListed,
)
from tests.support.consent import LETTER, access_events, block_row, problem_of, read_verdict


async def test_circle_reads_restricted_documents_until_revoked(house, journal):
    patient = await house.open_patient()
    first = await house.access.grants.add_to_circle(patient, house.doctor.id)
    assert await house.access.grants.add_to_circle(patient, house.doctor.id) == first
    restricted = replace(LETTER, confidentiality=Confidentiality.RESTRICTED)
    assert (await read_verdict(house, patient, house.doctor, restricted)).rule == "grant.circle"
    await house.access.grants.revoke(patient, first.id)
    assert (await read_verdict(house, patient, house.doctor, restricted)).rule == "no-grant"
    assert (await problem_of(house.access.grants.revoke(patient, first.id))).status == 404
    assert await house.access.grants.list_active(patient.id) == []
    assert (
        len(await access_events(journal, patient.id, Granted))
        == len(await access_events(journal, patient.id, GrantEnded))
        == 1
    )


async def test_concurrent_circle_additions_give_one_grant(house):
    patient = await house.open_patient()
    await asyncio.gather(*(house.access.grants.add_to_circle(patient, house.doctor.id) for _ in range(5)))
    assert len(await house.access.grants.list_active(patient.id)) == 1
    assert (await problem_of(house.access.grants.add_to_circle(patient, uuid7()))).status == 404


async def test_list_of_patients_is_journalled_with_whom_it_showed(house, journal, fresh):
    doctor, patient = replace(fresh(house.doctor), organization_id=None), await house.open_patient()
    await house.access.grants.list_patients(doctor)
    await house.access.codes.redeem(doctor, await house.access.codes.issue(patient))
    await house.access.grants.list_patients(doctor)
    entries = await journal.entries_of(NIL, [PatientsListed], limit=50)
    assert [(one.event.count, one.event.persons) for one in entries if one.actor.id == doctor.id] == [
        (1, (patient.id,))
    ]


async def test_patient_list_has_only_records_that_open(house, fresh):
    doctor = fresh(house.doctor)
    doctor = replace(doctor, organization_id=None)
    patients = [await house.open_patient() for _ in range(6)]
    for patient in patients:
        await house.access.codes.redeem(doctor, await house.access.codes.issue(patient))
    gone, blocked, closed, *kept = patients
    await house.access.restrictions.set_sharing(gone, sharing=False)
    await house.access.restrictions._db.write([block_row(blocked, doctor)])
    await house.access.lifecycle.change(closed, "close")
    page = await house.access.grants.list_patients(doctor, limit=2)
    rest = await house.access.grants.list_patients(doctor, cursor=page.next, limit=2)
    found = [item.person.id for item in page.items + rest.items]
    assert found == [patient.id for patient in reversed(kept)]
    assert rest.next is None
    named = await house.access.grants.list_patients(doctor, text=kept[0].name.split()[-1].upper())
    assert [item.person.id for item in named.items] == [kept[0].id]
    assert (await problem_of(house.access.grants.list_patients(doctor, cursor="!!"))).status == 400

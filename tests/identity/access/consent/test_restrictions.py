"""Blocks and opting out of sharing."""

from esante.core.storage import uuid7
from esante.identity.access import (
    SharingChanged,
)
from tests.support.consent import access_events, problem_of, read_verdict


async def test_block_overrides_grants_until_lifted(house):
    patient = await house.open_patient()
    await house.access.grants.add_to_circle(patient, house.doctor.id)
    await house.access.restrictions.block(patient, "organization", house.hospital.id)
    await house.access.restrictions.block(patient, "organization", house.hospital.id)
    assert (await read_verdict(house, patient, house.doctor)).rule == "blocked"
    assert [block.subject for block in await house.access.restrictions.list_blocks(patient.id)] == ["Hôpital du Nord"]
    await house.access.restrictions.unblock(patient, house.hospital.id)
    await house.access.restrictions.unblock(patient, house.hospital.id)
    assert (await read_verdict(house, patient, house.doctor)).allowed
    for kind, id_ in (("practitioner", uuid7()), ("person", house.doctor.id), ("", uuid7())):
        assert (await problem_of(house.access.restrictions.block(patient, kind, id_))).status == 404


async def test_repeated_opt_out_is_journalled_once(house, journal):
    patient = await house.open_patient()
    await house.access.grants.add_to_circle(patient, house.doctor.id)
    for sharing in (False, False, True, True):
        await house.access.restrictions.set_sharing(patient, sharing=sharing)
        assert (await read_verdict(house, patient, house.doctor)).allowed is sharing
    assert [event.sharing for event in await access_events(journal, patient.id, SharingChanged)] == [False, True]

"""The service object: consents, and deletion of what has expired."""

from esante.core.storage import uuid7
from esante.identity.access import (
    RecordState,
)


async def test_consent_of_unknown_person_has_state_none(house):
    consent = await house.access.consent(uuid7())
    assert (consent.state, consent.grants, consent.blocked) == (RecordState.NONE, (), frozenset())


async def test_tidy_keeps_valid_codes(house, fresh):
    patient = await house.open_patient()
    code = await house.access.codes.issue(patient)
    await house.access.tidy()
    assert (await house.access.codes.redeem(fresh(house.doctor), code)).person_id == patient.id

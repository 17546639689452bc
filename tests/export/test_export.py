"""Exports over HTTP: what is in them, for whom."""

from esante.access import Confidentiality, requester_of

from .conftest import ids


async def test_software_gets_the_persons_who_gave_it_access_and_what_it_may_see(house):
    hospital = house.people["hospital"]
    mine = await house.patient(hospital, documents=2)
    other = await house.patient(documents=1)
    hidden = await house.deposit(mine, by="laboratory")
    await house.world.record.set_confidentiality(requester_of(mine), mine.id, hidden.id, Confidentiality.HIDDEN)
    found = await house.exported(hospital)
    assert ids(found, "Patient") == {str(mine.id)}
    assert str(other.id) not in str(found)
    assert len(ids(found, "DocumentReference")) == 2

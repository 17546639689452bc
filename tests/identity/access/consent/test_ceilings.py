"""Grants of before the ceilings: they end there, nothing is lost, and those concerned are told."""

from datetime import UTC, datetime, timedelta

from esante.core.journal import SYSTEM
from esante.core.storage import insert, uuid7
from esante.identity.access import Grant, GrantEnded, GrantKind
from esante.identity.access.consent.store import grant_row
from tests.support.access_policy import changed_context
from tests.support.consent import access_events, read_verdict

NOW = datetime.now(UTC)


def an_old_grant(patient, holder, kind, days, until=None):
    """Return a grant as it was stored before: without a context, and with a long end or none."""
    return Grant(
        id=uuid7(),
        person_id=patient.id,
        kind=kind,
        holder_kind=holder.kind,
        holder_id=holder.id,
        holder=holder.name,
        since=NOW - timedelta(days=days),
        until=until,
    )


async def stored(db, *grants):
    async with db.transaction() as conn:
        await insert(conn, [grant_row(grant) for grant in grants])


async def ends(db, patient):
    rows = await db.fetch(
        "SELECT grant_id, until FROM access_grant WHERE person_id = $1 ORDER BY grant_id", patient.id
    )
    return {row["grant_id"]: row["until"] for row in rows}


async def test_old_grants_end_at_their_ceiling_and_nothing_is_lost(house, db, journal):
    patient = await house.open_patient()
    year = NOW + timedelta(days=300)
    code = an_old_grant(patient, house.doctor, GrantKind.PRESENCE, 60, year)
    recent = an_old_grant(patient, house.other_doctor, GrantKind.PRESENCE, 5, year)
    short = an_old_grant(patient, house.pharmacist, GrantKind.PRESENCE, 1, NOW + timedelta(days=1))
    stay = an_old_grant(patient, house.software, GrantKind.STAY, 100)
    circle = an_old_grant(patient, house.doctor, GrantKind.CIRCLE, 400)
    await stored(db, code, recent, short, stay, circle)
    assert not (await read_verdict(house, patient, house.software)).allowed
    assert await house.access.ceilings.apply() >= 3
    found = await ends(db, patient)
    assert found[short.id] == short.until and found[circle.id] is None
    assert abs(found[code.id] - (code.since + timedelta(days=15))) <= timedelta(hours=1)
    assert abs(found[recent.id] - (recent.since + timedelta(days=15))) <= timedelta(hours=1)
    assert abs(found[stay.id] - (stay.since + timedelta(days=45))) <= timedelta(hours=1)
    events = await access_events(journal, patient.id, GrantEnded)
    assert {(event.grant_id, event.cause) for event in events} == {
        (grant.id, "ceiling") for grant in (code, recent, stay)
    }
    entries = await journal.entries_of(patient.id, [GrantEnded])
    assert {entry.actor for entry in entries} == {SYSTEM}
    assert len(found) == 5


async def test_second_run_changes_nothing(house, db, journal):
    patient = await house.open_patient()
    await stored(db, an_old_grant(patient, house.software, GrantKind.STAY, 100))
    await house.access.ceilings.apply()
    before = await ends(db, patient)
    assert await house.access.ceilings.apply() == 0
    assert await ends(db, patient) == before
    assert len(await access_events(journal, patient.id, GrantEnded)) == 1


async def test_lower_ceiling_of_a_later_day_cuts_grants_that_go_on(house, db):
    patient = await house.open_patient()
    await house.access.codes.redeem(house.doctor, await house.access.codes.issue(patient, timedelta(days=15)))
    (grant,) = (await house.access.consent(patient.id)).grants
    with changed_context("own_practice", days=2):
        at = grant.since + timedelta(days=3)
        assert not (await read_verdict(house, patient, house.doctor, at=at)).allowed
        await house.access.ceilings.apply()
        assert (await ends(db, patient))[grant.id] < grant.until


async def test_professional_is_told_how_many_accesses_ended(house, db, fresh):
    patient, doctor = await house.open_patient(), fresh(house.doctor)
    await stored(db, an_old_grant(patient, doctor, GrantKind.PRESENCE, 60, NOW + timedelta(days=300)))
    month_ago = NOW - timedelta(days=30)
    assert await house.access.ceilings.count_ended(doctor.id, month_ago) == 0
    await house.access.ceilings.apply()
    assert await house.access.ceilings.count_ended(doctor.id, month_ago) == 1
    assert await house.access.ceilings.count_ended(doctor.id, NOW + timedelta(days=1)) == 0


async def test_code_of_before_gives_no_longer_access_than_the_ceiling(house, db):
    patient = await house.open_patient()
    code = await house.access.codes.issue(patient)
    await db.fetchval("UPDATE access_code SET lasts = interval '365 days' WHERE person_id = $1", patient.id)
    grant = await house.access.codes.redeem(house.doctor, code)
    assert grant.until - grant.since <= timedelta(days=15, hours=1)

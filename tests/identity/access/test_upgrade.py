"""A database of the version before the ceilings: it opens, nothing is lost, and what lasts too long ends with a notice."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from esante.core.journal import Journal, advance
from esante.core.storage import Database, Objects, apply_migrations, migrations_in, uuid7
from esante.core.time_zone import time_zone
from esante.identity.access import Access, GrantEnded, Requester
from esante.identity.access.audit.access_log import describe_entry
from esante.identity.directory import Directory
from esante.packages import PACKAGES
from esante.services.notices import Notices
from tests.conftest import create_database
from tests.identity.access.conftest import BASE
from tests.support.consent import read_verdict
from tests.support.declared import NOTICE_KINDS

LAST = {"access": 6, "directory": 2}
"""The last migrations of the version before."""
NOW = datetime.now(UTC)
CODE, STAY, CIRCLE, OPEN_CODE, ENDED = (uuid7() for _ in range(5))
DOCTOR, OTHER, HOSPITAL = (
    Requester(kind="practitioner", id=uuid7(), name="Dr Weber", profession="doctor"),
    Requester(kind="practitioner", id=uuid7(), name="Dr Klein", profession="doctor"),
    Requester(
        kind="organization",
        id=(place := uuid7()),
        name="Hôpital du Nord",
        profession="hospital",
        organization_id=place,
    ),
)


@dataclass
class _House:
    """What `read_verdict` needs."""

    access: Access


@pytest.fixture
async def old(server, tmp_path):
    """A database of the version before: a person with an open record and grants as they were given then."""
    db = await Database.open(await create_database(server))
    migrations = migrations_in(PACKAGES)
    await apply_migrations(db, [one for one in migrations if one.number <= LAST.get(one.package, 1_000)])
    person = Requester(kind="patient", id=uuid7(), name="Anna")
    await db.fetchval(
        "INSERT INTO access_record (person_id, state, changed_at) VALUES ($1, 'open', $2)",
        person.id,
        NOW - timedelta(days=500),
    )
    grants = [
        (CODE, "presence_code", DOCTOR, 200, NOW + timedelta(days=165)),
        (STAY, "institution_stay", HOSPITAL, 20, None),
        (CIRCLE, "circle", DOCTOR, 400, None),
        (OPEN_CODE, "presence_code", OTHER, 3, NOW + timedelta(days=27)),
        (ENDED, "presence_code", OTHER, 100, NOW - timedelta(days=70)),
    ]
    for id_, kind, holder, days, until in grants:
        await db.fetchval(
            "INSERT INTO access_grant (person_id, grant_id, kind, holder_kind, holder_id, holder, since, until)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            person.id, id_, kind, holder.kind, holder.id, holder.name, NOW - timedelta(days=days), until,
        )  # fmt: skip
    await db.fetchval(
        "INSERT INTO access_stay (person_id, stay_id, organization_id, status, began_at)"
        " VALUES ($1, $2, $3, 'in-progress', $4)",
        person.id,
        STAY,
        HOSPITAL.id,
        NOW - timedelta(days=20),
    )
    await apply_migrations(db, migrations)
    journal = Journal.open(db, Objects.open("", tmp_path), tmp_path / "key.pem", "esante/journal")
    await journal.ensure_months(NOW - timedelta(days=40), NOW + timedelta(days=40))
    yield db, journal, person
    await db.close()


def later(days, ago):
    """Return the moment so many calendar days after one that was so many days ago."""
    return ((NOW - timedelta(days=ago)).astimezone(time_zone()) + timedelta(days=days)).astimezone(UTC)


async def test_old_database_ends_what_lasts_too_long_and_loses_nothing(old):
    db, journal, person = old
    access = Access(db, journal, Directory(db, journal), base_url=BASE)
    before = await db.fetch("SELECT * FROM access_grant")
    assert await access.ceilings.apply() == 3
    after = {row["grant_id"]: row for row in await db.fetch("SELECT * FROM access_grant")}
    assert after.keys() == {row["grant_id"] for row in before} == {CODE, STAY, CIRCLE, OPEN_CODE, ENDED}
    ends = {key: row["until"] for key, row in after.items()}
    assert (ends[CODE], ends[STAY], ends[OPEN_CODE]) == (later(15, 200), later(45, 20), later(15, 3))
    unchanged = {row["grant_id"]: row["until"] for row in before}
    assert (ends[CIRCLE], ends[ENDED]) == (unchanged[CIRCLE], unchanged[ENDED])
    rules = {
        name: (await read_verdict(_House(access), person, requester)).rule
        for name, requester in (("doctor", DOCTOR), ("other", OTHER), ("hospital", HOSPITAL))
    }
    assert rules == {
        "doctor": "grant.circle",
        "other": "grant.presence_code",
        "hospital": "grant.institution_stay",
    }
    stay = await access.stays.find(HOSPITAL, person.id, STAY)
    assert stay.encounter == "IMP"


async def test_person_gets_a_notice_and_a_line_in_the_history(old):
    db, journal, person = old
    access = Access(db, journal, Directory(db, journal), base_url=BASE)
    await access.ceilings.apply()
    await journal.sealer.seal_all()
    notices = Notices(db, journal, NOTICE_KINDS)
    while await advance(db, notices.consumer):
        pass
    told = await notices.page(person.id)
    assert sorted(one.actor for one in told.items) == ["Dr Klein", "Dr Weber", "Hôpital du Nord"]
    assert {one.kind.name for one in told.items} == {"ceiling"}
    entries = await journal.entries_of(person.id, [GrantEnded])
    assert len(entries) == 3
    lines = [describe_entry(entry, str, {}, {}).text for entry in entries]
    assert all("longest duration" in line for line in lines)
    assert await access.ceilings.count_ended(DOCTOR.id, NOW - timedelta(days=1)) == 1
    assert await access.ceilings.count_ended(OTHER.id, NOW - timedelta(days=1)) == 0

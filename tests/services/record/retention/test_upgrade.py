"""A database of before there was retention: nothing is lost, everything gets its day, and nobody is surprised."""

from datetime import UTC, date, datetime, timedelta

import pytest

from esante.core.journal import Journal
from esante.core.storage import Database, Objects, apply_migrations, migrations_in, uuid7
from esante.identity.access import Access, Act
from esante.identity.directory import Directory
from esante.packages import PACKAGES
from esante.services.record import Record
from esante.services.record.retention.rules import last_kept_day
from tests.support.record import World
from tests.support.retention import consume, executor_of, months, rows_left

FIRST = {"journal": 10, "access": 13, "record": 5, "notices": 10}
"""The first migration of each package that came with retention."""
NOW = datetime.now(UTC)
RECORDS = {
    "open": ("open", NOW - timedelta(days=300)),
    "closed lately": ("closed", NOW - timedelta(days=300)),
    "closed long ago": ("closed", NOW - timedelta(days=11 * 366)),
    "objected": ("objected", NOW - timedelta(days=40)),
}
DEPOSITS = (NOW - timedelta(days=9), datetime(2024, 2, 29, 12, tzinfo=UTC), NOW - timedelta(days=12 * 366))


@pytest.fixture
async def old(dsn):
    """A database with the migrations of before, records in every state, and three documents in each."""
    db = await Database.open(dsn)
    migrations = migrations_in(PACKAGES)
    await apply_migrations(db, [one for one in migrations if one.number < FIRST.get(one.package, 1_000)])
    people = {}
    for name, (state, changed) in RECORDS.items():
        person = people[name] = uuid7()
        await db.fetch(
            "INSERT INTO access_record (person_id, state, announced_at, objection_until, changed_at)"
            " VALUES ($1, $2, $3, $3, $3)",
            person,
            state,
            changed,
        )
        for deposited in DEPOSITS:
            await insert_document(db, person, deposited)
    yield db, people
    await db.close()


async def insert_document(db, person, deposited) -> None:
    """Insert a document as the first version wrote it."""
    key = uuid7()
    await db.fetch(
        """
        INSERT INTO document (person_id, document_id, series_id, version, status, category, type, title, language,
            event_date, deposited_at, changed_at, author_kind, author_id, author, organization, depositor_id,
            media_type, format, size, sha256, sha1, confidentiality, submission_id)
        VALUES ($1, $2, $2, 1, 'current', 'letter', '51852-2', 'Letter', 'fr', $3, $4, $4, 'practitioner', $2, 'Dr',
            '', $2, 'text/plain', 'urn:ihe:iti:xds:2017:mimeTypeSufficient', 1, $5, $5, 'N', $2)
        """,
        person,
        key,
        deposited.date(),
        deposited,
        key.bytes,
    )
    await db.fetch("INSERT INTO document_content VALUES ($1, $2, 'x')", person, key)


async def test_old_database_gets_days_and_plans_and_loses_nothing(old, tmp_path):
    db, people = old
    await apply_migrations(db, migrations_in(PACKAGES))
    objects = Objects.open("", tmp_path)
    journal = Journal.open(db, objects, tmp_path / "key.pem", "esante/journal")
    directory = Directory(db, journal)
    access = Access(db, journal, directory, base_url="http://esante.test")
    record = Record(db, objects, journal, directory, access)
    world = World(db, journal, directory, access, record)
    await months(world, NOW)
    executor = executor_of(world)
    for _ in range(2):
        await consume(world, record.deposit_tracker.consumer())
        await executor.run()
    for person in people.values():
        left = await rows_left(world, person)
        assert (left["document"], left["document_content"]) == (3, 3)
        rows = await db.fetch(
            "SELECT deposited_at, expires_on, notified_on FROM document WHERE person_id = $1", person
        )
        assert {row["deposited_at"]: row["expires_on"] for row in rows} == {at: last_kept_day(at) for at in DEPOSITS}
        assert {row["expires_on"] for row in rows if row["notified_on"]} == {last_kept_day(DEPOSITS[2])}
    assert last_kept_day(DEPOSITS[1]) == date(2034, 2, 28)
    plans = {name: {one.act: one for one in await access.dispositions.find_open(key)} for name, key in people.items()}
    assert {name: set(plan) for name, plan in plans.items()} == {
        "open": {Act.EXPIRE},
        "closed lately": {Act.EXPIRE, Act.DELETE},
        "closed long ago": {Act.EXPIRE, Act.DELETE},
        "objected": {Act.EXPIRE, Act.DELETE},
    }
    assert plans["closed lately"][Act.DELETE].due_at > NOW + timedelta(days=9 * 365)
    assert plans["closed long ago"][Act.DELETE].due_at > NOW + timedelta(days=90)
    assert plans["objected"][Act.DELETE].due_at > NOW + timedelta(days=14)
    assert min(one[Act.EXPIRE].due_at for one in plans.values()) > NOW + timedelta(days=90)
    await record.close()

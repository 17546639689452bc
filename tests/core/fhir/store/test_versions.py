"""Locks on resources, in statements that a cluster can run: each concerns one person."""

from esante.core.fhir.store import create_version, lock_versions
from esante.core.fhir.store import now as current_time
from esante.core.storage import insert, uuid7


class RecordingConnection:
    """A connection that keeps the statements that are executed on it."""

    def __init__(self, conn):
        self._conn, self.executed = conn, []

    async def execute(self, sql, *arguments):
        self.executed.append((sql, arguments))
        return await self._conn.execute(sql, *arguments)

    async def fetch(self, sql, *arguments):
        return await self._conn.fetch(sql, *arguments)


async def test_resources_are_locked_person_by_person_in_one_order(db):
    persons, resource = sorted([uuid7(), uuid7()]), {"resourceType": "Basic", "code": {"text": "x"}}
    made = [create_version(resource, person, uuid7(), uuid7(), 1, current_time()) for person in persons * 2]
    keys = [(version.person_id, version.type, version.id) for version, _ in made]
    missing = (persons[0], "Basic", uuid7())
    async with db.transaction() as conn:
        await insert(conn, [row for _, row in made])
        recording = RecordingConnection(conn)
        found = await lock_versions(recording, [missing, *reversed(keys)])
        assert {key: version.id for key, version in found.items()} == {key: key[2] for key in keys}
        locks = [arguments for sql, arguments in recording.executed if "FOR UPDATE" in sql]
        assert [arguments[0] for arguments in locks] == persons
        assert all("unnest($1" not in sql and "person_id = $1" in sql for sql, _ in recording.executed)
        locked = await conn.fetchval(
            "SELECT count(*) FROM fhir_resource WHERE person_id = ANY ($1) AND xmax::text <> '0'", persons
        )
        assert locked == len(keys)

"""Documents with their bytes, by keys: a single one in a statement that a cluster can plan, several in one query."""

from esante.core.storage import uuid7
from esante.services.record.documents import store
from tests.support.record import letter


class RecordingDatabase:
    """A database that keeps the statements it was asked."""

    def __init__(self, db):
        self._db, self.asked = db, []

    async def fetch(self, sql, *arguments):
        self.asked.append(sql)
        return await self._db.fetch(sql, *arguments)


async def test_documents_are_fetched_with_their_bytes_by_one_key_and_by_many(world, db):
    keys, contents = [], []
    for _ in range(2):
        person = await world.person()
        content, meta = letter()
        deposited = await world.record.deposit(world.people["hospital"], person.id, content, meta)
        keys.append((person.id, deposited.document.id))
        contents.append(content)
    recording, missing = RecordingDatabase(db), (keys[0][0], uuid7())
    together = await store.fetch_with_content(recording, [*keys, missing])
    assert [together[key][1] for key in keys] == contents
    assert len(together) == 2
    for key in (*keys, missing):
        alone = await store.fetch_with_content(recording, [key])
        assert alone == ({key: together[key]} if key in together else {})
    assert all("unnest" not in sql and "USING" not in sql for sql in recording.asked[1:])

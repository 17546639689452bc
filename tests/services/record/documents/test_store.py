"""Documents by their keys: one in a statement that a cluster can plan, several in one query, bytes apart."""

from esante.core.storage import uuid7
from esante.services.record.documents import store
from tests.support.record import letter


class RecordingDatabase:
    """A database that keeps the statements it was asked, and how many rows each gave."""

    def __init__(self, db):
        self._db, self.asked = db, []

    async def fetch(self, sql, *arguments):
        rows = await self._db.fetch(sql, *arguments)
        self.asked.append((sql, len(rows)))
        return rows

    async def fetchval(self, sql, *arguments):
        self.asked.append((sql, 1))
        return await self._db.fetchval(sql, *arguments)


async def deposit_two(world):
    """Deposit a letter in each of two records; return their keys and bytes."""
    keys, contents = [], []
    for _ in range(2):
        person = await world.person()
        content, meta = letter()
        deposited = await world.record.deposit(world.people["hospital"], person.id, content, meta)
        keys.append((person.id, deposited.document.id))
        contents.append(content)
    return keys, contents


async def test_documents_and_bytes_are_fetched_by_one_key_and_by_many(world, db):
    keys, contents = await deposit_two(world)
    recording, missing = RecordingDatabase(db), (keys[0][0], uuid7())
    documents = await store.fetch_documents(recording, [*keys, missing])
    assert list(documents) == keys
    assert await store.fetch_contents(recording, [*keys, missing]) == dict(zip(keys, contents, strict=True))
    recording.asked.clear()
    for key in (*keys, missing):
        alone = await store.fetch_documents(recording, [key])
        assert alone == ({key: documents[key]} if key in documents else {})
        content = await store.fetch_contents(recording, [key])
        assert content == ({key: contents[keys.index(key)]} if key in documents else {})
    assert all("unnest" not in sql for sql, _ in recording.asked)


async def test_absent_document_gives_as_many_rows_as_one_that_exists(world, db):
    """What is fetched before the decision says nothing about what exists."""
    keys, _ = await deposit_two(world)
    recording, missing = RecordingDatabase(db), (keys[0][0], uuid7())
    await store.find_document(recording, *keys[0])
    await store.find_document(recording, *missing)
    await store.fetch_documents(recording, keys)
    await store.fetch_documents(recording, [keys[0], missing])
    assert [rows for _, rows in recording.asked] == [1, 1, 2, 2]


async def test_documents_are_counted_by_category_of_the_given_persons_only(world, db):
    keys, _ = await deposit_two(world)
    first, second = (person_id for person_id, _ in keys)
    content, meta = letter()
    another = await world.record.deposit(world.people["hospital"], first, content + b" ", meta)
    hospital = world.people["hospital"]
    await world.record.withdraw(hospital, first, another.document.id, "entered in error")
    await world.record.deposit(hospital, first, content + b"  ", meta)
    async with db.transaction() as conn:
        counted = await store.count_by_category(conn, [first, second])
        alone = await store.count_by_category(conn, [second])
    assert (counted["letter"], alone["letter"]) == ((3, 2), (1, 1))

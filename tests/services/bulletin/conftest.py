"""A journal with half a year of invented use, and the bulletin counted from it."""

from datetime import UTC, datetime, timedelta

import pytest

from esante.core.storage import NIL, Objects
from esante.demo.history.journal_history import ORIGIN, JournalHistory
from esante.services.bulletin import Bulletin
from tests.conftest import create_database, open_journal

NOW = datetime.now(UTC)


def month_back(count: int) -> str:
    """The month that many before this one."""
    place = NOW.year * 12 + NOW.month - 1 - count
    return f"{place // 12:04}-{place % 12 + 1:02}"


LAST = month_back(1)


def bulletin_over(journal, folder) -> Bulletin:
    """A bulletin with a key and a scratch folder of its own."""
    objects = Objects.open("", folder)
    return Bulletin.open(journal.db, objects, journal, folder / "bulletin.key", folder / "scratch")


async def tell(journal, told) -> None:
    """Keep history (event, person, actor, time) in the journal, sealed."""
    rows = [
        row
        for event, person, actor, at in sorted(told, key=lambda one: one[3].astimezone(UTC))
        for row in journal.rows(event, person_id=person or NIL, actor=actor, origin=ORIGIN, at=at)
    ]
    await journal.sealer.load_history(rows)


async def with_past(journal, months: int, seed: int = 7, size: float = 0.2) -> None:
    """Fill a journal with the invented use of some months."""
    await journal.ensure_months(NOW - timedelta(days=31 * (months + 2)), NOW + timedelta(days=40))
    for told in JournalHistory(seed, NOW, months, size).months():
        await tell(journal, told)


@pytest.fixture
async def fresh(server, tmp_path):
    """A journal of one test's own, empty."""
    async with open_journal(await create_database(server), tmp_path) as journal:
        yield journal


@pytest.fixture(scope="session")
async def past(server, tmp_path_factory):
    """The bulletin over four invented months, built once for tests that only read it."""
    folder = tmp_path_factory.mktemp("past")
    async with open_journal(await create_database(server), folder) as journal:
        await with_past(journal, 4, size=0.5)
        bulletin = bulletin_over(journal, folder)
        bulletin.db, bulletin.journal, bulletin.folder = journal.db, journal, folder
        bulletin.built = await bulletin.build(LAST, "anna")
        yield bulletin

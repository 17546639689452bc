"""Monthly partitions of the entries."""

from datetime import UTC, datetime

import pytest

from esante.core.journal.store import month_starts


@pytest.mark.parametrize(
    ("first", "last", "starts"),
    [
        ((2026, 3, 17), (2026, 3, 18), [(2026, 3)]),
        ((2025, 11, 30), (2026, 2, 1), [(2025, 11), (2025, 12), (2026, 1), (2026, 2)]),
        ((2026, 3, 1), (2026, 2, 28), []),
    ],
)
def test_month_starts_include_both_ends(first, last, starts):
    found = month_starts(datetime(*first, tzinfo=UTC), datetime(*last, tzinfo=UTC))
    assert found == [datetime(year, month, 1, tzinfo=UTC) for year, month in starts]


async def test_ensure_months_creates_missing_partitions_once(journal):
    first, last = datetime(1999, 12, 31, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC)
    for _ in range(2):
        await journal.ensure_months(first, last)
    names = await journal.db.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'journal_entry'::regclass"
    )
    assert {"journal_entry_1999_12", "journal_entry_2000_01"} <= {row["name"] for row in names}

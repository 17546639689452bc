"""SQL of coverage: counts of a month from the kept forecasts, and their sums."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from esante.core.storage import Database, Kind, Table

COVERAGE = Table("vaccination_coverage", Kind.LOCAL, {"month": "date", "antigen": "text"})
GROUPS = {"antigen": "antigen", "birth_year": "birth_year::text", "canton": "canton", "month": "month::text"}
"""By what coverage is shown, with the expression."""


@dataclass(frozen=True, slots=True)
class ExactCoverage:
    """Exact counts of a group with the keys of those who are counted; never shown as they are."""

    group: str
    persons: int
    given: int
    valid: int
    persons_key: int
    given_key: int
    valid_key: int


async def counted_at(db: Database, month: date) -> datetime | None:
    """Return when a month was counted last, None if never."""
    found: datetime | None = await db.fetchval(
        "SELECT min(counted_at) FROM vaccination_coverage WHERE month = $1", month
    )
    return found


async def count_month(
    db: Database, month: date, on: date, antigens: Sequence[str], at: datetime, uncounted: Collection[UUID] = ()
) -> None:
    """Count a month anew, as it stands on a day, without some persons."""
    async with db.transaction() as conn:
        await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('vaccination coverage', 0))")
        await conn.execute("DELETE FROM vaccination_coverage WHERE month = $1", month)
        await conn.execute(
            "INSERT INTO vaccination_coverage SELECT $1::date, antigen, birth_year, canton, count(*),"
            " count(*) FILTER (WHERE given), count(*) FILTER (WHERE valid), sum(unit_key),"
            " coalesce(sum(unit_key) FILTER (WHERE given), 0), coalesce(sum(unit_key) FILTER (WHERE valid), 0), $4"
            " FROM (SELECT a.antigen, f.birth_year, f.canton, f.unit_key, coalesce(s.given > 0, FALSE) AS given,"
            "  coalesce(s.valid > 0 AND (s.complete OR s.due_on > $2), FALSE) AS valid"
            "  FROM vaccination_forecast f CROSS JOIN unnest($3::text[]) a (antigen)"
            "  LEFT JOIN vaccination_standing s"
            "  ON s.person_id = f.person_id AND s.basis = 'all' AND s.antigen = a.antigen"
            "  WHERE f.birth_year IS NOT NULL AND f.person_id <> ALL($5::uuid[])) one"
            " GROUP BY antigen, birth_year, canton",
            month,
            on,
            list(antigens),
            at,
            list(uncounted),
        )


async def fetch_groups(
    db: Database, by: str, month: date | None, antigen: str, birth_years: tuple[int, int], canton: str | None
) -> list[ExactCoverage]:
    """Return counts by group (a key of `GROUPS`): of a month (None: of every month), an antigen ("": each for itself).

    `birth_years`: the first and the last; `canton` None: all.
    """
    rows = await db.fetch(
        f"SELECT {GROUPS[by]} AS one, sum(persons)::bigint, sum(given)::bigint, sum(valid)::bigint,"  # noqa: S608 - constants
        " sum(persons_key), sum(given_key), sum(valid_key) FROM vaccination_coverage"
        " WHERE ($1::date IS NULL OR month = $1) AND ($2 = '' OR antigen = $2) AND birth_year BETWEEN $3 AND $4"
        " AND ($5::text IS NULL OR canton = $5) GROUP BY one ORDER BY one",
        month,
        antigen,
        *birth_years,
        canton,
    )
    return [ExactCoverage(row[0], *(int(value) for value in row[1:])) for row in rows]


async def fetch_months(db: Database) -> list[date]:
    """Return the months that were counted, the newest first."""
    return [row[0] for row in await db.fetch("SELECT DISTINCT month FROM vaccination_coverage ORDER BY month DESC")]

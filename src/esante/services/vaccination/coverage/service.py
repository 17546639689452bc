"""The use cases of coverage: count a month, show it by antigen, year of birth or canton, protected."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from esante.core import clock
from esante.core.disclosure import DisclosureRule, StatisticsKey, fetch_uncounted, noise, rule_on
from esante.core.storage import Database
from esante.core.time_zone import today
from esante.core.web import NOT_FOUND, Problem
from esante.identity.access import Requester, require_operator
from esante.services.vaccination.coverage import coverage_store
from esante.services.vaccination.coverage.coverage_store import ExactCoverage
from esante.services.vaccination.products.catalogue import catalogue

EVERY = timedelta(hours=20)
"""How old the counts of the current month may become."""
FIRST_YEAR, LAST_YEAR = 1900, 2200
_COLUMNS = ("month", "antigen", "by", "group", "persons", "given", "given_percent", "up_to_date", "up_to_date_percent")


@dataclass(frozen=True, slots=True)
class Coverage:
    """Protected counts of a group: None where the group is too small to be shown. Shares are in per cent."""

    group: str
    persons: int | None
    given: int | None
    valid: int | None

    @property
    def given_share(self) -> float | None:
        """The share of those with a dose."""
        return _share(self.given, self.persons)

    @property
    def valid_share(self) -> float | None:
        """The share of those who are up to date by valid doses."""
        return _share(self.valid, self.persons)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageQuery:
    """What is shown: of an antigen (a key of the catalogue), by what, of which years of birth, of which canton."""

    antigen: str
    by: str = "birth_year"
    month: date | None = None
    first_year: int = FIRST_YEAR
    last_year: int = LAST_YEAR
    canton: str | None = None


class Coverages:
    """Coverage of the country."""

    def __init__(self, db: Database, key: StatisticsKey) -> None:
        self._db, self._key = db, key

    async def refresh(self, *, force: bool = False) -> bool:
        """Count the current month, unless that was done of late; return whether it was counted."""
        month = today().replace(day=1)
        before = await coverage_store.counted_at(self._db, month)
        if before is not None and clock.now() - before < EVERY and not force:
            return False
        uncounted = await fetch_uncounted(self._db)
        await coverage_store.count_month(self._db, month, today(), [*catalogue().antigens], clock.now(), uncounted)
        return True

    async def counted_at(self, requester: Requester) -> datetime | None:
        """Return when the current month was counted last, None if never. Raises: `Problem` 403."""
        require_operator(requester)
        return await coverage_store.counted_at(self._db, today().replace(day=1))

    async def months(self, requester: Requester) -> list[date]:
        """Return the months that were counted, the newest first. Raises: `Problem` 403."""
        require_operator(requester)
        return await coverage_store.fetch_months(self._db)

    async def show(self, requester: Requester, query: CoverageQuery) -> list[Coverage]:
        """Return protected coverage by group.

        Raises: `Problem` 403 for others than operators, 404 for unknown groups.
        """
        require_operator(requester)
        if query.by not in coverage_store.GROUPS or query.antigen not in {"", *catalogue().antigens}:
            raise Problem(404, "not-found", NOT_FOUND)
        rule = rule_on(query.month or today())
        found = await coverage_store.fetch_groups(
            self._db, query.by, query.month, query.antigen, (query.first_year, query.last_year), query.canton
        )
        return [protect(one, rule, self._key) for one in found]

    async def series(self, requester: Requester, query: CoverageQuery) -> list[tuple[date, Coverage]]:
        """Return the coverage of each month, the oldest first. Raises: as `show`."""
        whole = CoverageQuery(
            antigen=query.antigen,
            by="month",
            first_year=query.first_year,
            last_year=query.last_year,
            canton=query.canton,
        )
        return [(date.fromisoformat(one.group), one) for one in await self.show(requester, whole)]


def protect(exact: ExactCoverage, rule: DisclosureRule, key: StatisticsKey) -> Coverage:
    """Return counts with noise that depends on who is counted only; nothing of a group that is too small.

    A group of which nearly nobody or nearly everybody is counted keeps its noise, so that no single person's state is
    certain.
    """
    persons = exact.persons + noise(exact.persons, exact.persons_key, rule, key)
    if persons < rule.threshold or exact.persons < rule.threshold:
        return Coverage(exact.group, None, None, None)
    given = exact.given + noise(exact.given, exact.given_key, rule, key)
    valid = exact.valid + noise(exact.valid, exact.valid_key, rule, key)
    return Coverage(exact.group, persons, min(given, persons), min(valid, persons))


def coverage_csv(query: CoverageQuery, rows: Sequence[Coverage]) -> bytes:
    """Return coverage as CSV (UTF-8 with a mark, for spreadsheets); what is protected is empty."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    month = query.month.isoformat()[:7] if query.month else ""
    for one in rows:
        shares = one.persons, one.given, one.given_share, one.valid, one.valid_share
        values = ["" if value is None else value for value in shares]
        writer.writerow([month, query.antigen, query.by, one.group, *values])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _share(part: int | None, whole: int | None) -> float | None:
    return round(100 * part / whole, 1) if part is not None and whole else None

"""The search for everybody who got a lot among millions of doses, and the kept forecasts of a population."""

import random
from datetime import date, timedelta
from pathlib import Path
from statistics import quantiles
from time import perf_counter

from bench.bench_world import open_bench_platform
from bench.figures import Figures
from esante.contract import Platform
from esante.core.storage import uuid7
from esante.identity.access import Requester
from esante.identity.directory import Directory, Identifier, Person
from esante.services.vaccination.coverage.service import Coverages
from esante.services.vaccination.recalls.service import Recalls
from esante.services.vaccination.reminders import forecast_store
from esante.services.vaccination.reminders.forecasts import Forecasts

DOSES, FULL_DOSES, OF_A_LOT = 500_000, 5_000_000, 1_000
PERSONS, FULL_PERSONS = 5_000, 100_000
SEARCHES = 100
_BATCH = 500_000
_VACCINES = (
    ("146", "diphtheria tetanus pertussis polio hib hepatitis_b", 70),
    ("94", "measles mumps rubella varicella", 400),
)


async def lots(data: Path, seconds: float, full: bool) -> Figures:
    """Measure the search for a lot (count, page of 20, names, journal) with the index and without."""
    count = FULL_DOSES if full else DOSES
    async with open_bench_platform(data) as platform:
        await _fill(platform, count)
        with_index = await _search(platform, count, SEARCHES)
        await platform.db.fetch("DROP INDEX vaccination_dose_lot")
        without = await _search(platform, count, 3)
    middle, high = with_index
    return {
        f"everybody who got a lot of {OF_A_LOT:,} doses among {count:,}": f"p50 {middle:.1f} ms   p95 {high:.1f} ms",
        "the same without the index": f"p50 {without[0]:,.0f} ms",
        "ratio": f"{without[0] / middle:,.0f} x",
    }


async def _fill(platform: Platform, count: int) -> None:
    """Insert doses of invented persons, `OF_A_LOT` of each lot."""
    for first in range(0, count, _BATCH):
        await platform.db.fetch(
            "INSERT INTO vaccination_dose (person_id, dose_id, occurred, given_on, product, cvx, antigens, lot, gtin,"
            " given_here, confirmed, author_id) SELECT gen_random_uuid(), gen_random_uuid(), '2026-03-02',"
            " date '2026-03-02', 'boostrix_polio', '130', 'diphtheria tetanus pertussis polio', 'L' || n % $2::bigint,"
            " '', TRUE, TRUE, '00000000-0000-0000-0000-000000000001' FROM generate_series($1::bigint, $3::bigint) n",
            first,
            count // OF_A_LOT,
            min(first + _BATCH, count) - 1,
        )
    await platform.db.fetch("ANALYZE vaccination_dose")


async def _search(platform: Platform, count: int, searches: int) -> tuple[float, float]:
    """Return median and 95th percentile of searches for lots at random, in milliseconds."""
    operator = Requester(kind="operator", id=uuid7(), name="Operator")
    chance, times = random.Random(1), []
    for _ in range(searches):
        lot = f"l-{chance.randrange(count // OF_A_LOT)}"
        began = perf_counter()
        found, page = await platform[Recalls].find_persons(operator, lot)
        times.append((perf_counter() - began) * 1000)
        assert found == OF_A_LOT and len(page.items) == 20
    cuts = quantiles(times, n=20)
    return cuts[9], cuts[-1]


async def kept_forecasts(data: Path, seconds: float, full: bool) -> Figures:
    """Measure the forecasts of a population from the database and back, and the count of coverage over them."""
    count, today = FULL_PERSONS if full else PERSONS, date.today()  # noqa: DTZ011 - a bench has no zone
    async with open_bench_platform(data) as platform:
        await _populate(platform, count, today)
        began = perf_counter()
        await platform[Forecasts].run()
        took = perf_counter() - began
        rows = await platform.db.fetchval("SELECT count(*) FROM vaccination_standing")
        began = perf_counter()
        await platform[Coverages].refresh(force=True)
        counting = perf_counter() - began
    return {
        f"forecasts of {count:,} persons, kept": f"{took:.0f} s   {count / took:,.0f}/s   {rows:,} rows",
        "coverage of a month over them": f"{counting:.1f} s",
        "100,000 persons at this rate": f"{100_000 / count * took:.0f} s",
    }


async def _populate(platform: Platform, count: int, today: date) -> None:
    """Register persons of all ages, with the doses of an infant."""
    chance = random.Random(2)
    for first in range(0, count, 1_000):
        persons = [
            Person(
                id=uuid7(),
                identifiers=(Identifier("urn:example:bench", uuid7().hex),),
                family="Bench",
                given=("Person",),
                birth_date=today - timedelta(days=chance.randrange(1, 90 * 365)),
                sex=chance.choice(("female", "male")),
            )
            for _ in range(first, min(first + 1_000, count))
        ]
        await platform[Directory].register_persons(persons)
        doses = [
            (one.id, uuid7(), one.birth_date + timedelta(days=days), cvx, antigens)
            for one in persons
            for cvx, antigens, days in _VACCINES
            if one.birth_date + timedelta(days=days) <= today
        ]
        await platform.db.fetch(
            "INSERT INTO vaccination_dose (person_id, dose_id, occurred, given_on, product, cvx, antigens, lot, gtin,"
            " given_here, confirmed, author_id) SELECT p, d, day::text, day, '', cvx, antigens, '', '', FALSE, TRUE, p"
            " FROM unnest($1::uuid[], $2::uuid[], $3::date[], $4::text[], $5::text[]) AS n (p, d, day, cvx, antigens)",
            *(list(column) for column in zip(*doses, strict=True)),
        )
        async with platform.db.transaction() as conn:
            await forecast_store.add(conn, [one.id for one in persons])


PARTS = {"lots": lots, "kept": kept_forecasts}

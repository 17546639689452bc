"""Contracts follow the register of sites; what was delivered is counted from silence, works and the watch."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import orjson
import pytest

from esante.core.clock import use_clock
from esante.core.journal import advance
from esante.core.storage import uuid7
from esante.core.web import Problem
from esante.services.healthnet.contracts.report import to_csv, to_json, to_pdf
from esante.services.healthnet.contracts.service import Contracts, month_before, month_bounds, parse_month
from esante.services.healthnet.supervision.works import PlannedWorks
from tests.support.healthnet_watch import StillClock
from tests.support.healthnet_world import a_key

MARCH = date(2027, 3, 1)
NOON = datetime(2027, 3, 10, 12, tzinfo=UTC)
WATCHED = ("healthnet_contract", "healthnet_anomaly", "healthnet_watch", "healthnet_planned_work")


@pytest.fixture
async def contracts(world):
    for table in WATCHED:
        await world.db.fetch(f"DELETE FROM {table}")
    await world.journal.ensure_months(NOON - timedelta(days=40), NOON + timedelta(days=40))
    found = Contracts(world.db, world.journal, world.sites)
    await follow(world, found)
    return found


async def follow(world, contracts):
    await world.journal.sealer.seal_all()
    while await advance(world.db, contracts.consumer):
        pass


async def watched(world, begin, end):
    await world.db.fetch("INSERT INTO healthnet_watch VALUES ($1, $2, $3)", uuid7(), begin, end)


async def silent(world, site, begin, end):
    await world.db.fetch(
        "INSERT INTO healthnet_anomaly VALUES ($1, $2, '', 'silent', 3, 200, $3, $3, $4)", uuid7(), site, begin, end
    )


async def contracted(world, begins_at, service_class="small"):
    """A site with a contract that began at a moment."""
    site, _ = await world.active()
    await world.db.fetch(
        "INSERT INTO healthnet_contract SELECT $1, $2, $3, 'Practice', 50, 20, 99.0, 30.00, 'sample', false, true, $4, NULL",
        uuid7(),
        site.key,
        service_class,
        begins_at,
    )
    return site


async def test_contract_begins_with_the_connection_and_ends_with_it(world, contracts):
    site, _ = await world.approved()
    await follow(world, contracts)
    assert await contracts.of_site(site.key) == []
    await world.sites.record_gateway(site.site_id, a_key())
    await world.sites.record_gateway(site.site_id, a_key())
    await follow(world, contracts)
    (one,) = await contracts.of_site(site.key)
    assert (one.service_class, one.monthly_price, one.is_sample, one.ends_at) == (
        "small",
        Decimal("30.00"),
        True,
        None,
    )
    await world.sites.end(world.ann, site.site_id, "The practice closes.")
    await follow(world, contracts)
    (one,) = await contracts.of_site(site.key)
    assert one.ends_at is not None
    assert [kind for kind in await world.events(site.key) if kind.startswith("contract")] == [
        "contract_begun",
        "contract_ended",
    ]


async def test_change_of_the_class_ends_a_contract_and_begins_another(world, contracts):
    site, provider = await world.active()
    await follow(world, contracts)
    await world.sites.change(provider, site.site_id, service_class="medium")
    await world.sites.change(provider, site.site_id, label="Second floor")
    await follow(world, contracts)
    new, old = await contracts.of_site(site.key)
    assert (old.service_class, new.service_class, new.ends_at) == ("small", "medium", None)
    assert old.ends_at == new.begins_at


async def test_silence_lowers_the_availability_of_its_month(world, contracts):
    begin, end = month_bounds(MARCH)
    site = await contracted(world, begin - timedelta(days=40))
    other = await contracted(world, begin - timedelta(days=40))
    await watched(world, begin - timedelta(days=40), end + timedelta(days=9))
    await silent(world, site.key, NOON, NOON + timedelta(hours=10))
    await silent(world, site.key, begin - timedelta(hours=1), begin + timedelta(hours=1))
    with use_clock(StillClock(end + timedelta(days=3))):
        (one,) = await contracts.delivered(site.key, MARCH)
        (fine,) = await contracts.delivered(other.key, MARCH)
        of_month = await contracts.of_month(MARCH, "", "", None)
    assert one.expected == one.measured == timedelta(days=31) - timedelta(hours=1)  # clocks are set on in March
    assert one.down == timedelta(hours=11)
    assert one.availability == Decimal("98.519")
    assert (one.is_kept, one.credit, one.is_over) == (False, Decimal("1.50"), True)
    assert (fine.availability, fine.is_kept, fine.credit) == (Decimal("100.000"), True, Decimal(0))
    assert [found.contract.site for found in of_month] == sorted([site.key, other.key])


async def test_time_that_nobody_watched_is_not_measured(world, contracts):
    begin, end = month_bounds(MARCH)
    site = await contracted(world, begin)
    await watched(world, begin, begin + timedelta(days=1))
    await silent(world, site.key, begin + timedelta(hours=12), begin + timedelta(days=20))
    with use_clock(StillClock(end)):
        (one,) = await contracts.delivered(site.key, MARCH)
        assert await contracts.delivered(site.key, date(2027, 4, 1)) == []
    assert (one.measured, one.down) == (timedelta(days=1), timedelta(hours=12))
    assert one.availability == Decimal("50.000")


async def test_planned_works_do_not_count_when_they_were_announced_in_time(world, contracts):
    begin, end = month_bounds(MARCH)
    site = await contracted(world, begin)
    await watched(world, begin, end)
    works = PlannedWorks(world.db, world.journal, world.sites)
    with use_clock(StillClock(NOON - timedelta(days=6))):
        await works.announce(world.ann, site.key, NOON, NOON + timedelta(hours=2), "New lines in the street")
    with use_clock(StillClock(NOON - timedelta(days=1))):
        await works.announce(world.ann, "", NOON + timedelta(hours=2), NOON + timedelta(hours=4), "A router is mended")
    await silent(world, site.key, NOON - timedelta(hours=1), NOON + timedelta(hours=3))
    with use_clock(StillClock(end)):
        (one,) = await contracts.delivered(site.key, MARCH)
    assert (one.planned, one.down) == (timedelta(hours=2), timedelta(hours=2))


async def test_works_are_announced_by_operators_before_they_begin_and_withdrawn(world, contracts):
    works = PlannedWorks(world.db, world.journal, world.sites)
    provider, _ = await world.provider()
    site, _ = await world.active()
    with use_clock(StillClock(NOON)):
        for requester, key, hours, length, status in (
            (provider, "", 1, 1, 403),
            (world.ann, "", -1, 3, 400),
            (world.ann, "", 1, 0, 400),
            (world.ann, "", 1, 24 * 8, 400),
            (world.ann, "S99999", 1, 1, 400),
        ):
            begin = NOON + timedelta(hours=hours)
            with pytest.raises(Problem) as refused:
                await works.announce(requester, key, begin, begin + timedelta(hours=length), "A router is mended")
            assert refused.value.status == status
        begin = NOON + timedelta(hours=1)
        work = await works.announce(world.ann, site.key, begin, begin + timedelta(hours=1), "A router is mended")
        assert await works.between(NOON, NOON + timedelta(days=1), "S00000") == []
        await works.withdraw(world.ben, work.work_id)
        assert await works.between(NOON, NOON + timedelta(days=1)) == []
        with pytest.raises(Problem):
            await works.withdraw(world.ben, work.work_id)


async def test_report_is_the_same_as_csv_json_and_pdf(world, contracts):
    begin, end = month_bounds(MARCH)
    site = await contracted(world, begin)
    await watched(world, begin, end)
    await silent(world, site.key, NOON, NOON + timedelta(hours=10))
    with use_clock(StillClock(end)):
        found = await contracts.delivered(site.key, MARCH)
    (line,) = csv.DictReader(io.StringIO(to_csv(found)))
    assert (line["site"], line["month"], line["available_percent"], line["kept"]) == (
        site.key,
        "2027-03",
        "98.654",
        "false",
    )
    assert (line["sample"], line["verified"], line["outages"], line["down_minutes"]) == ("true", "false", "1", "600")
    (row,) = orjson.loads(to_json(found))["contracts"]
    assert row["available_percent"] == "98.654"
    assert row["outages"] == [{"begin": "2027-03-10T12:00:00+00:00", "end": "2027-03-10T22:00:00+00:00"}]
    for language in ("fr", "de", "en", "lb"):
        assert to_pdf(found, site.name, MARCH, language, end).startswith(b"%PDF-")


def test_months():
    assert parse_month("2027-03") == MARCH
    assert month_before(date(2027, 1, 1)) == date(2026, 12, 1)
    assert month_bounds(date(2027, 12, 1)).ends_at == datetime(2027, 12, 31, 23, tzinfo=UTC)
    for text in ("2027-13", "2027-3", "", "202703", "abcdefg"):
        with pytest.raises(Problem):
            parse_month(text)

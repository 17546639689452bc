"""Faults from the journal to the public: a broken feed, a wrong mapping of fields, lost files."""

from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from esante.core.journal import Actor
from esante.services.bulletin import Bulletin, BulletinRefused, CellFlag, IndicatorSpecification, store
from esante.services.bulletin.dissemination.downloads import ReleaseFiles
from esante.services.bulletin.publication.issue_files import make_document
from esante.services.bulletin.releases import vintage_store
from esante.services.bulletin.releases.published_cache import PublishedCache
from esante.services.record import DepositedEvent
from tests.support.bulletin_issue import BASE
from tests.support.bulletin_journal import (
    LAST,
    NOW,
    acknowledge_all,
    load_entries,
    load_past,
    open_bulletin,
    with_files,
)

LABS = [Actor(kind="organization", role="laboratory", id=f"lab{n}", organization_id=f"lab{n}") for n in range(4)]
FIRST = datetime(*map(int, LAST.split("-")), 1, tzinfo=ZoneInfo("Europe/Luxembourg"))
DAYS = ((FIRST + timedelta(days=32)).replace(day=1) - FIRST).days


def deposits_with_fault(fault: str) -> list:
    """Return a month in which laboratories deposit a document an hour, with one fault in it."""
    report = DepositedEvent(type="11502-2", media_type="application/pdf", categories=("laboratory_report",), delay=1)
    events = []
    for hour in range(24 * DAYS):
        day = 1 + hour // 24
        at = FIRST.replace(day=day, hour=hour % 24, minute=hour % 50)
        times = {"missing_day": day != 14, "spike": 3 if day == 14 else 1, "doubled_feed": 2}.get(fault, 1)
        minutes = 0 if fault == "doubled_feed" else 3
        for copy in range(times):
            person = UUID(int=hour + (copy * 10_000 if minutes else 0))
            events.append((report, person, LABS[hour % 4], at + timedelta(minutes=copy * minutes, seconds=copy)))
    return events


async def ensure_months(journal) -> None:
    """Make the partitions of the last two months."""
    await journal.ensure_months(NOW - timedelta(days=65), NOW + timedelta(days=40))


async def release_issue(bulletin: Bulletin) -> None:
    """Acknowledge everything and release."""
    await acknowledge_all(bulletin)
    await bulletin.release(LAST, "ben")


@pytest.mark.parametrize("fault", ["", "missing_day", "spike", "doubled_feed"])
async def test_fault_in_journal_blocks_release_until_acknowledged(fresh, tmp_path, fault):
    await ensure_months(fresh)
    await load_entries(fresh, deposits_with_fault(fault))
    bulletin = open_bulletin(fresh, tmp_path)
    await bulletin.build(LAST, "anna")
    await bulletin.preview(LAST, "anna")
    serious = [anomaly for anomaly in await bulletin.fetch_anomalies(LAST) if anomaly.serious]
    assert {anomaly.code for anomaly in serious} == ({fault} if fault else set())
    if fault:
        with pytest.raises(BulletinRefused, match=fault):
            await bulletin.release(LAST, "ben")
        assert await vintage_store.fetch_latest(fresh.db, LAST) is None
    await release_issue(bulletin)
    assert await vintage_store.fetch_latest(fresh.db, LAST) is not None


async def test_wrong_lake_mapping_is_revised_beside_public_vintage(fresh, tmp_path):
    await ensure_months(fresh)
    await load_entries(fresh, deposits_with_fault(""))
    right = IndicatorSpecification.from_packages()
    wrong = with_files(right, lake_toml=right.lake_toml.replace(b'format = "media_type"', b""))
    bulletin = open_bulletin(fresh, tmp_path)
    bulletin.specification = wrong
    await bulletin.build(LAST, "anna")
    await release_issue(bulletin)
    public = await vintage_store.fetch_latest(fresh.db, LAST)
    assert ("documents_deposited", "format", "application/pdf") not in {cell.series_key for cell in public.cells}

    bulletin.specification = right
    assert (await bulletin.build(LAST, "anna")).new == (), "what is public is corrected for a reason only"
    (revised,) = (await bulletin.build(LAST, "anna", reason="the format was not read")).new
    assert (revised.number, revised.status, revised.reason) == (2, "revised", "the format was not read")
    values = {cell.series_key: cell.value for cell in revised.cells}
    assert values["documents_deposited", "format", "application/pdf"] == 24 * DAYS
    assert values["documents_deposited", "", ""] == 24 * DAYS
    for lake_id in (wrong.lake_id, right.lake_id):
        events = sum(part.events for part in await store.fetch_parts(fresh.db, lake_id, 10**9))
        assert events >= 24 * DAYS, "each mapping has the whole journal in a lake of its own"
    assert await bulletin.rebuild(LAST, 1) == public


async def test_files_of_past_issue_are_generated_again_byte_for_byte(fresh, tmp_path):
    await load_past(fresh, 1, size=0.1)
    bulletin = open_bulletin(fresh, tmp_path)
    await bulletin.build(LAST, "anna")
    await release_issue(bulletin)
    first = await files_of_first_version(fresh.db, tmp_path / "then")
    report = DepositedEvent(type="11502-2", media_type="application/pdf", categories=("laboratory_report",), delay=1)
    await load_entries(fresh, [(report, None, LABS[n % 4], FIRST.replace(day=9, hour=9, minute=n)) for n in range(40)])
    await bulletin.build(LAST, "anna")
    await release_issue(bulletin)
    assert (await vintage_store.fetch_latest(fresh.db, LAST)).number == 2
    assert await files_of_first_version(fresh.db, tmp_path / "later") == first
    assert Counter(name.rpartition(".")[2] for name in first)["pdf"] == 4


async def files_of_first_version(db, folder) -> dict[str, bytes]:
    """Return all files of the month's first version, generated in a folder of their own."""
    releases = await PublishedCache(db).get()
    document = make_document(releases.issue_of(releases.find(LAST, 1)), BASE)
    assert any(cell.flag is not CellFlag.MISSING for cell in document.issue.vintage.cells)
    return {file.path.name: file.path.read_bytes() for file in await ReleaseFiles(folder, BASE).generate_all(document)}

"""Faults from the journal to the public: a broken feed, a reader that was wrong, files that were lost."""

from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from esante.core.journal import Actor
from esante.services.bulletin import Bulletin, CellFlag, IndicatorSpecification, BulletinRefused, store
from esante.services.bulletin.dissemination.downloads import ReleaseFiles
from esante.services.bulletin.publication import make_document
from esante.services.bulletin.releases import vintage_store
from esante.services.bulletin.releases.published_cache import PublishedCache
from esante.services.record import DepositedEvent
from tests.services.bulletin.sample import BASE

from .conftest import LAST, NOW, bulletin_over, tell, with_past

LABS = [Actor(kind="organization", role="laboratory", id=f"lab{n}", organization_id=f"lab{n}") for n in range(4)]
FIRST = datetime(*map(int, LAST.split("-")), 1, tzinfo=ZoneInfo("Europe/Luxembourg"))
DAYS = ((FIRST + timedelta(days=32)).replace(day=1) - FIRST).days


def deposits(fault: str) -> list:
    """A month in which laboratories hand in a document an hour, with one fault in it."""
    report = DepositedEvent(type="11502-2", media_type="application/pdf", categories=("laboratory_report",), delay=1)
    told = []
    for hour in range(24 * DAYS):
        day = 1 + hour // 24
        at = FIRST.replace(day=day, hour=hour % 24, minute=hour % 50)
        times = {"missing_day": day != 14, "spike": 3 if day == 14 else 1, "doubled_feed": 2}.get(fault, 1)
        minutes = 0 if fault == "doubled_feed" else 3
        for copy in range(times):
            person = UUID(int=hour + (copy * 10_000 if minutes else 0))
            told.append((report, person, LABS[hour % 4], at + timedelta(minutes=copy * minutes, seconds=copy)))
    return told


async def ready(journal) -> None:
    """Let the journal take in the last two months."""
    await journal.ensure_months(NOW - timedelta(days=65), NOW + timedelta(days=40))


async def let_out(bulletin: Bulletin) -> None:
    """Answer for everything and release."""
    await bulletin.preview(LAST, "anna")
    for found in await bulletin.fetch_anomalies(LAST):
        await bulletin.acknowledge(found.period, found.code, found.subject, "anna", "looked into")
    await bulletin.release(LAST, "ben")


@pytest.mark.parametrize("fault", ["", "missing_day", "spike", "doubled_feed"])
async def test_a_fault_planted_in_the_journal_keeps_the_issue_back(fresh, tmp_path, fault):
    await ready(fresh)
    await tell(fresh, deposits(fault))
    bulletin = bulletin_over(fresh, tmp_path)
    await bulletin.build(LAST, "anna")
    await bulletin.preview(LAST, "anna")
    unusual = [found for found in await bulletin.fetch_anomalies(LAST) if found.serious]
    assert {found.code for found in unusual} == ({fault} if fault else set())
    if fault:
        with pytest.raises(BulletinRefused, match=fault):
            await bulletin.release(LAST, "ben")
        assert await vintage_store.fetch_latest(fresh.db, LAST) is None
    await let_out(bulletin)
    assert await vintage_store.fetch_latest(fresh.db, LAST) is not None


async def test_what_a_wrong_reader_told_is_corrected_beside_what_was_public(fresh, tmp_path):
    await ready(fresh)
    await tell(fresh, deposits(""))
    right = IndicatorSpecification.from_packages()
    wrong = IndicatorSpecification(
        indicators_toml=right.indicators_toml,
        lake_toml=right.lake_toml.replace(b'format = "media_type"', b""),
        protection_toml=right.protection_toml,
    ).validate()
    bulletin = bulletin_over(fresh, tmp_path)
    bulletin.specification = wrong
    await bulletin.build(LAST, "anna")
    await let_out(bulletin)
    public = await vintage_store.fetch_latest(fresh.db, LAST)
    assert ("documents_deposited", "format", "application/pdf") not in {cell.series_key for cell in public.cells}

    bulletin.specification = right
    assert (await bulletin.build(LAST, "anna")).new == (), "what is public is corrected for a reason only"
    (corrected,) = (await bulletin.build(LAST, "anna", reason="the format was not read")).new
    assert (corrected.number, corrected.status, corrected.reason) == (2, "revised", "the format was not read")
    values = {cell.series_key: cell.value for cell in corrected.cells}
    assert values["documents_deposited", "format", "application/pdf"] == 24 * DAYS
    assert values["documents_deposited", "", ""] == 24 * DAYS
    for reader in (wrong.reader, right.reader):
        events = sum(part.events for part in await store.fetch_parts(fresh.db, reader, 10**9))
        assert events >= 24 * DAYS, "each reader has the whole journal in a lake of its own"
    assert await bulletin.rebuild(LAST, 1) == public


async def test_the_files_of_a_past_issue_are_made_again_byte_for_byte(fresh, tmp_path):
    await with_past(fresh, 1, size=0.1)
    bulletin = bulletin_over(fresh, tmp_path)
    await bulletin.build(LAST, "anna")
    await let_out(bulletin)
    first = await files_of_first(fresh.db, tmp_path / "then")
    report = DepositedEvent(type="11502-2", media_type="application/pdf", categories=("laboratory_report",), delay=1)
    await tell(fresh, [(report, None, LABS[n % 4], FIRST.replace(day=9, hour=9, minute=n)) for n in range(40)])
    await bulletin.build(LAST, "anna")
    await let_out(bulletin)
    assert (await vintage_store.fetch_latest(fresh.db, LAST)).number == 2
    assert await files_of_first(fresh.db, tmp_path / "later") == first
    assert Counter(name.rpartition(".")[2] for name in first)["pdf"] == 4


async def files_of_first(db, folder) -> dict[str, bytes]:
    """All files of the month's first version, made in a folder of their own."""
    releases = await PublishedCache(db)()
    document = make_document(releases.issue(releases.find(LAST, 1)), BASE)
    assert any(cell.flag is not CellFlag.MISSING for cell in document.issue.vintage.cells)
    return {file.path.name: file.path.read_bytes() for file in await ReleaseFiles(folder, BASE).all(document)}

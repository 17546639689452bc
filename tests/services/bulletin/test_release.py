"""The way to the public: two people, an embargo, nothing unusual left unanswered; corrections beside, never over."""

from datetime import timedelta

import asyncpg
import pytest

from esante.core.journal import Actor
from esante.services.bulletin import Cell, CellFlag, BulletinRefused, store
from esante.services.bulletin.releases import vintage_store
from esante.services.record import DepositedEvent

from .conftest import LAST, NOW, bulletin_over, month_back, tell, with_past


@pytest.fixture
async def bulletin(fresh, tmp_path):
    """A small bulletin of one test's own, its last month built by anna."""
    await with_past(fresh, 1, size=0.1)
    made = bulletin_over(fresh, tmp_path)
    made.db, made.journal = fresh.db, fresh
    await made.build(LAST, "anna")
    return made


async def answered(bulletin, by: str = "anna") -> None:
    """Look at the issue, and answer for all that is unusual."""
    await bulletin.preview(LAST, by)
    for release in await vintage_store.fetch_releases(bulletin.db):
        for anomaly in await vintage_store.fetch_anomalies(bulletin.db, release.period, release.number):
            await bulletin.acknowledge(release.period, anomaly.code, anomaly.subject, by, "looked into")


async def late_deposits(bulletin, count: int) -> None:
    """Documents of the last month that the journal hears of now."""
    year, month = map(int, LAST.split("-"))
    at = NOW.replace(year=year, month=month, day=15, hour=12)
    told = DepositedEvent(type="51852-2", media_type="text/plain", categories=("letter",), delay=1)
    actor = Actor(kind="practitioner", role="doctor")
    await tell(bulletin.journal, [(told, None, actor, at + timedelta(minutes=n)) for n in range(count)])


def deposited(vintage) -> Cell:
    return next(cell for cell in vintage.cells if cell.series_key == ("documents_deposited", "", ""))


async def test_nothing_is_public_before_two_people_and_the_hour(bulletin):
    with pytest.raises(BulletinRefused, match="nobody has looked"):
        await bulletin.release(LAST, "ben")
    await answered(bulletin)
    with pytest.raises(BulletinRefused, match="second person"):
        await bulletin.release(LAST, " Anna ")
    hour = NOW + timedelta(hours=2)
    (*_, approved) = await bulletin.release(LAST, "ben", embargo_until=hour, now=NOW)
    assert (approved.state, approved.built_by, approved.released_by) == ("approved", "anna", "ben")
    assert await vintage_store.fetch_latest(bulletin.db, LAST) is None
    assert await vintage_store.fetch_series(bulletin.db, "documents_deposited") == []
    assert await bulletin.release_due(hour - timedelta(seconds=1)) == []
    assert await bulletin.release_due(hour)
    assert await bulletin.release_due(hour) == []
    assert (await vintage_store.fetch_latest(bulletin.db, LAST)).number == 1
    assert [period for period, _, _ in await vintage_store.fetch_series(bulletin.db, "documents_deposited")][-1] == LAST
    await bulletin.journal.sealer.seal_all()
    rows = await bulletin.db.fetch(
        "SELECT convert_from(content, 'UTF8') FROM journal_entry WHERE type LIKE 'bulletin.%'"
    )
    told = "".join(row[0] for row in rows)
    assert all(f'"state":"{state}"' in told for state in ("built", "previewed", "approved", "released"))
    assert '"name":"ben"' in told


async def test_an_unanswered_finding_keeps_the_issue_back(bulletin):
    await answered(bulletin)
    await bulletin.db.fetchval("UPDATE bulletin_finding SET acknowledged_by = ''")
    await bulletin.db.fetchval("INSERT INTO bulletin_finding VALUES ($1, 1, 'spike', 'x', 9, 1, true)", LAST)
    with pytest.raises(BulletinRefused, match="acknowledge"):
        await bulletin.release(LAST, "ben")
    with pytest.raises(LookupError):
        await bulletin.acknowledge(LAST, "spike", "y", "ben", "?")


async def test_a_cell_that_can_be_worked_out_fails_the_release(bulletin):
    await answered(bulletin)
    await bulletin.db.fetchval("ALTER TABLE bulletin_cell DISABLE TRIGGER ALL")
    await bulletin.db.fetchval("UPDATE bulletin_cell SET value = exact, flag = '' WHERE flag = 'suppressed'")
    with pytest.raises(BulletinRefused, match="can be worked out"):
        await bulletin.release(LAST, "ben")


async def test_a_second_build_changes_nothing_and_a_vintage_cannot_be_changed(bulletin):
    assert (await bulletin.build(LAST, "anna")).new == ()
    for sql in ("UPDATE bulletin_cell SET value = 1", "DELETE FROM bulletin_vintage"):
        with pytest.raises(asyncpg.RaiseError, match="never changed"):
            await bulletin.db.fetchval(sql)


async def test_late_events_are_a_revision_beside_what_was_published(bulletin):
    await answered(bulletin)
    await bulletin.release(LAST, "ben")
    first = await vintage_store.fetch_latest(bulletin.db, LAST)
    await late_deposits(bulletin, 40)
    built = await bulletin.build(LAST, "anna")
    assert [(v.period, v.number, v.status, v.reason) for v in built.new] == [(LAST, 2, "revised", "late-events")]
    assert deposited(built.vintage).value == deposited(first).value + 40
    late = [f for f in await vintage_store.fetch_anomalies(bulletin.db, LAST, 2) if f.code == "late"]
    assert [(f.found, f.serious) for f in late] == [(40, False)]
    assert await vintage_store.fetch_latest(bulletin.db, LAST) == first, "until its release the public sees what it saw"
    hidden = {cell.series_key for cell in first.cells if cell.flag is CellFlag.SUPPRESSED}
    assert hidden <= {cell.series_key for cell in built.vintage.cells if cell.flag is CellFlag.SUPPRESSED}
    await answered(bulletin)
    await bulletin.release(LAST, "ben")
    changes = {change.after.series_key: change for change in (await bulletin.issue(LAST)).changes}
    change = changes["documents_deposited", "", ""]
    assert (change.before, change.after, change.reason) == (deposited(first), deposited(built.vintage), "late-events")
    assert await bulletin.rebuild(LAST, 1) == first


async def test_a_revision_on_demand_has_its_reason(bulletin):
    await answered(bulletin)
    await bulletin.release(LAST, "ben")
    await late_deposits(bulletin, 9)
    built = await bulletin.build(LAST, "carla", reason="a laboratory told its documents late")
    assert built.vintage.reason == "a laboratory told its documents late"
    assert built.vintage.status == "revised"


async def test_a_month_without_events_is_missing_and_not_zero(fresh, tmp_path):
    await with_past(fresh, 1, size=0.05)
    bulletin = bulletin_over(fresh, tmp_path)
    reader, empty = bulletin.specification.reader, month_back(1)
    await bulletin._lake().advance((await fresh.head()).size)
    await fresh.db.fetchval("DELETE FROM bulletin_part WHERE reader = $1 AND period = $2", reader, empty)
    built = await bulletin.build(empty, "anna")
    assert {cell.flag for cell in built.vintage.cells} == {CellFlag.MISSING}
    issue = await bulletin.issue(empty, including="draft")
    assert [anomaly.code for anomaly in issue.quality] == ["empty"]
    assert await store.fetch_cursor(fresh.db, reader) > 0


async def test_a_month_that_has_not_begun_is_refused(bulletin):
    with pytest.raises(BulletinRefused, match="not begun"):
        await bulletin.build(month_back(-2), "anna")

"""Build, preview, acknowledgement and release: two persons, an embargo, revisions beside what was public."""

from datetime import timedelta

import asyncpg
import pytest

from esante.services.bulletin import (
    BulletinRefused,
    Cell,
    CellFlag,
    store,
)
from esante.services.bulletin.releases import vintage_store
from tests.support.bulletin_journal import (
    LAST,
    NOW,
    acknowledge_all,
    load_late_deposits,
    load_past,
    month_back,
    open_bulletin,
    with_files,
)


@pytest.fixture
async def bulletin(fresh, tmp_path):
    """A small bulletin of one test's own whose last month anna has built."""
    await load_past(fresh, 1, size=0.1)
    bulletin = open_bulletin(fresh, tmp_path)
    bulletin.db, bulletin.journal = fresh.db, fresh
    await bulletin.build(LAST, "anna")
    return bulletin


def deposited_total(vintage) -> Cell:
    """Return the total of deposited documents."""
    return next(cell for cell in vintage.cells if cell.series_key == ("documents_deposited", "", ""))


async def test_release_needs_preview_second_person_and_end_of_embargo(bulletin):
    with pytest.raises(BulletinRefused, match="nobody has looked"):
        await bulletin.release(LAST, "ben")
    await acknowledge_all(bulletin)
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
    *_, (period, _, _) = await vintage_store.fetch_series(bulletin.db, "documents_deposited")
    assert period == LAST
    await bulletin.journal.sealer.seal_all()
    rows = await bulletin.db.fetch(
        "SELECT convert_from(content, 'UTF8') FROM journal_entry WHERE type LIKE 'bulletin.%'"
    )
    entries = "".join(row[0] for row in rows)
    assert all(f'"state":"{state}"' in entries for state in ("built", "previewed", "approved", "released"))
    assert '"name":"ben"' in entries


async def test_unacknowledged_anomaly_blocks_release(bulletin):
    await acknowledge_all(bulletin)
    await bulletin.db.fetchval("UPDATE bulletin_finding SET acknowledged_by = ''")
    await bulletin.db.fetchval("INSERT INTO bulletin_finding VALUES ($1, 1, 'spike', 'x', 9, 1, true)", LAST)
    with pytest.raises(BulletinRefused, match="acknowledge"):
        await bulletin.release(LAST, "ben")
    with pytest.raises(LookupError):
        await bulletin.acknowledge(LAST, "spike", "y", "ben", "?")


async def test_disclosed_cell_blocks_release(bulletin):
    await acknowledge_all(bulletin)
    await bulletin.db.fetchval("ALTER TABLE bulletin_cell DISABLE TRIGGER ALL")
    await bulletin.db.fetchval("UPDATE bulletin_cell SET value = exact, flag = '' WHERE flag = 'suppressed'")
    with pytest.raises(BulletinRefused, match="disclosed cells"):
        await bulletin.release(LAST, "ben")


async def test_repeated_build_makes_nothing_and_vintage_is_immutable(bulletin):
    assert (await bulletin.build(LAST, "anna")).new == ()
    for sql in ("UPDATE bulletin_cell SET value = 1", "DELETE FROM bulletin_vintage"):
        with pytest.raises(asyncpg.RaiseError, match="never changed"):
            await bulletin.db.fetchval(sql)


async def test_late_events_make_revision_beside_public_vintage(bulletin):
    await acknowledge_all(bulletin)
    await bulletin.release(LAST, "ben")
    first = await vintage_store.fetch_latest(bulletin.db, LAST)
    await load_late_deposits(bulletin.journal, 40)
    built = await bulletin.build(LAST, "anna")
    assert [(each.period, each.number, each.status, each.reason) for each in built.new] == [
        (LAST, 2, "revised", "late-events")
    ]
    assert deposited_total(built.vintage).value == deposited_total(first).value + 40
    late = [each for each in await vintage_store.fetch_anomalies(bulletin.db, LAST, 2) if each.code == "late"]
    assert [(each.found, each.serious) for each in late] == [(40, False)]
    assert await vintage_store.fetch_latest(bulletin.db, LAST) == first, (
        "until its release the public sees the vintage before"
    )
    suppressed = {cell.series_key for cell in first.cells if cell.flag is CellFlag.SUPPRESSED}
    assert suppressed <= {cell.series_key for cell in built.vintage.cells if cell.flag is CellFlag.SUPPRESSED}
    await acknowledge_all(bulletin)
    await bulletin.release(LAST, "ben")
    revisions = {revision.after.series_key: revision for revision in (await bulletin.issue(LAST)).revisions}
    revision = revisions["documents_deposited", "", ""]
    assert (revision.before, revision.after, revision.reason) == (
        deposited_total(first),
        deposited_total(built.vintage),
        "late-events",
    )
    assert await bulletin.rebuild(LAST, 1) == first


async def test_requested_revision_has_its_reason(bulletin):
    await acknowledge_all(bulletin)
    await bulletin.release(LAST, "ben")
    await load_late_deposits(bulletin.journal, 9)
    built = await bulletin.build(LAST, "carla", reason="a laboratory deposited late")
    assert built.vintage.reason == "a laboratory deposited late"
    assert built.vintage.status == "revised"


async def test_month_without_events_is_missing_and_not_zero(fresh, tmp_path):
    await load_past(fresh, 1, size=0.05)
    bulletin = open_bulletin(fresh, tmp_path)
    lake_id, empty = bulletin.specification.lake_id, month_back(1)
    await bulletin._lake().advance((await fresh.head()).size)
    await fresh.db.fetchval("DELETE FROM bulletin_part WHERE reader = $1 AND period = $2", lake_id, empty)
    built = await bulletin.build(empty, "anna")
    assert {cell.flag for cell in built.vintage.cells} == {CellFlag.MISSING}
    issue = await bulletin.issue(empty, including="draft")
    assert [anomaly.code for anomaly in issue.anomalies] == ["empty"]
    assert await store.fetch_cursor(fresh.db, lake_id) > 0


async def test_future_month_is_refused(bulletin):
    with pytest.raises(BulletinRefused, match="not begun"):
        await bulletin.build(month_back(-2), "anna")


async def test_rebuild_uses_specification_of_vintage(fresh, tmp_path):
    await load_past(fresh, 2)
    bulletin = open_bulletin(fresh, tmp_path)
    first = await bulletin.build(LAST, "anna")
    changed = bulletin.specification.indicators_toml.replace(b"kind = 'closed'", b"kind = 'open'")
    bulletin.specification = with_files(bulletin.specification, indicators_toml=changed)
    assert (await bulletin.build(LAST, "anna")).vintage.number == 2
    assert vintage_store.digest_of(await bulletin.rebuild(LAST, 1)) == vintage_store.digest_of(first.vintage)

"""Anomalies: planted faults are found, an ordinary month has none."""

from datetime import timedelta

import pytest

from esante.core.journal import Actor
from esante.services.bulletin import IndicatorSpecification
from esante.services.bulletin.compilation.anomalies import find_anomalies, find_moved_totals
from esante.services.bulletin.compilation.exact_counts import ExactCount
from esante.services.bulletin.compilation.lake_store import open_engine
from esante.services.record import DepositedEvent
from tests.support.bulletin_journal import NOW, load_entries, load_past, open_bulletin

SPECIFICATION = IndicatorSpecification.from_packages()


ORDINARY = """
SELECT range AS seq, timestamp '2026-10-01 00:05' + to_minutes(range * 8) AS moment,
    timestamp '2026-12-01' AS sealed, (1 + range * 8 // 1440)::TINYINT AS day, (range * 8 // 60)::SMALLINT AS hour,
    'record.deposited' AS type, range * 7 AS subject, 'practitioner' AS actor_kind, range % 9 AS actor,
    'doctor' AS role, range % 5 AS organization, true AS allowed, 'TREAT' AS purpose, '' AS reason,
    '' AS grant_kind, 'letter' AS category, '51852-2' AS kind, 'text/plain' AS format, 2 AS amount,
    NULL::BIGINT AS requests, NULL::BIGINT AS errors
FROM range(31 * 180)
"""


FAULTS = {
    "missing_day": f"SELECT * FROM ({ORDINARY}) WHERE day <> 14",
    "drop": f"SELECT * FROM ({ORDINARY}) WHERE day <> 14 OR seq % 4 = 0",
    "spike": f"SELECT * FROM ({ORDINARY}) UNION ALL SELECT seq + 90000, * EXCLUDE seq REPLACE (subject + 1 AS subject)"
    f" FROM ({ORDINARY}) WHERE day = 14",
    "doubled_feed": f"SELECT * FROM ({ORDINARY}) UNION ALL SELECT seq + 90000, * EXCLUDE seq FROM ({ORDINARY})",
    "clock_ahead": f"SELECT * REPLACE (CASE WHEN seq = 9 THEN moment - INTERVAL '1 day' ELSE sealed END AS sealed)"
    f" FROM ({ORDINARY})",
    "lost_field": f"SELECT * REPLACE (NULL::VARCHAR AS category) FROM ({ORDINARY})",
    "empty": f"SELECT * FROM ({ORDINARY}) WHERE false",
}


def anomalies_of(folder, select: str) -> list:
    """Return the anomalies of a month whose events are the rows of a statement."""
    path = folder / "month.parquet"
    with open_engine(folder) as engine:
        engine._db.sql(select).write_parquet(str(path))
        engine.open_events([path])
        return find_anomalies(engine, "2026-10", SPECIFICATION.lake.events)


def test_ordinary_month_has_no_anomaly(tmp_path):
    assert anomalies_of(tmp_path, ORDINARY) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_serious_anomaly(tmp_path, fault):
    found = anomalies_of(tmp_path, FAULTS[fault])
    assert {anomaly.code for anomaly in found} == {fault}
    assert all(anomaly.serious for anomaly in found)
    if fault in ("missing_day", "drop", "spike"):
        assert [anomaly.subject for anomaly in found] == ["record.deposited 2026-10-14"]


def test_days_to_come_are_not_judged(tmp_path):
    path = tmp_path / "month.parquet"
    with open_engine(tmp_path) as engine:
        engine._db.sql(f"SELECT * FROM ({ORDINARY}) WHERE day <= 22").write_parquet(str(path))
        engine.open_events([path])
        assert find_anomalies(engine, "2026-10", SPECIFICATION.lake.events, last_day=22) == []
        assert find_anomalies(engine, "2026-10", SPECIFICATION.lake.events)


@pytest.mark.parametrize(("total", "code"), [(400, "move"), (20, "move"), (0, "silent"), (130, None)])
def test_moved_total_is_anomaly(total, code):
    before = [{"documents_deposited": float(n)} for n in (100, 90, 110, 105)]
    now = {"documents_deposited": [ExactCount("", "", total)]}
    found = find_moved_totals("2026-10", SPECIFICATION.indicators, now, before)
    assert [anomaly.code for anomaly in found] == ([code] if code else [])


async def test_entry_dated_after_its_seal_is_anomaly(fresh, tmp_path):
    await load_past(fresh, 1)
    event = DepositedEvent(type="x", media_type="text/plain", categories=("letter",))
    await load_entries(fresh, [(event, None, Actor(kind="practitioner", role="doctor"), NOW + timedelta(hours=3))])
    bulletin = open_bulletin(fresh, tmp_path)
    period = (NOW + timedelta(hours=3)).strftime("%Y-%m")
    if period != NOW.strftime("%Y-%m"):
        pytest.skip("the last hours of a month")
    await bulletin.build(period, "anna")
    issue = await bulletin.issue(period, including="draft")
    assert [anomaly.found for anomaly in issue.anomalies if anomaly.code == "clock_ahead"] == [1]

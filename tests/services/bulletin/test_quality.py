"""Planted faults are found before anything is released, and an ordinary month shows none."""

import pytest

from esante.services.bulletin import IndicatorSpecification
from esante.services.bulletin.compilation.anomalies import anomalies, find_moved_totals
from esante.services.bulletin.compilation.lake_store import ExactCount, open_engine

RECIPE = IndicatorSpecification.from_packages()
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


def found_in(folder, select: str) -> list:
    path = folder / "month.parquet"
    with open_engine(folder) as looking:
        looking._db.sql(select).write_parquet(str(path))
        looking.events([path])
        return anomalies(looking, "2026-10", RECIPE.lake.events)


def test_an_ordinary_month_shows_nothing(tmp_path):
    assert found_in(tmp_path, ORDINARY) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_and_is_serious(tmp_path, fault):
    found = found_in(tmp_path, FAULTS[fault])
    assert {anomaly.code for anomaly in found} == {fault}
    assert all(anomaly.serious for anomaly in found)
    if fault in ("missing_day", "drop", "spike"):
        assert [anomaly.subject for anomaly in found] == ["record.deposited 2026-10-14"]


def test_a_month_that_still_runs_is_not_blamed_for_its_last_days(tmp_path):
    path = tmp_path / "month.parquet"
    with open_engine(tmp_path) as looking:
        looking._db.sql(f"SELECT * FROM ({ORDINARY}) WHERE day <= 22").write_parquet(str(path))
        looking.events([path])
        assert anomalies(looking, "2026-10", RECIPE.lake.events, last_day=22) == []
        assert anomalies(looking, "2026-10", RECIPE.lake.events)


@pytest.mark.parametrize(("total", "code"), [(400, "move"), (20, "move"), (0, "silent"), (130, None)])
def test_a_total_that_moves_is_found(total, code):
    before = [{"documents_deposited": float(n)} for n in (100, 90, 110, 105)]
    now = {"documents_deposited": [ExactCount("", "", total)]}
    assert [anomaly.code for anomaly in find_moved_totals("2026-10", RECIPE.indicators, now, before)] == ([code] if code else [])

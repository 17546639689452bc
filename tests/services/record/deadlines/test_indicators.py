"""The indicators of deposit deadlines count by the dated kinds and days."""

import tomllib
from datetime import date

import duckdb

from esante.core.dated_data import packaged_text
from esante.services.record.categories import CATEGORIES
from esante.services.record.deadlines.terms import deadline_terms

INDICATORS = {
    one["id"]: one for one in tomllib.loads(packaged_text("esante.services.record", "indicators.toml"))["indicator"]
}


def counted(indicator: str, types: list[str], delays: list[int | None]) -> set[tuple[str, int | None, str]]:
    """Which deposits an indicator counts: type, delay and the kind that it gives them."""
    with duckdb.connect() as db:
        db.execute(
            "CREATE TABLE events (seq BIGINT, type TEXT, allowed BOOLEAN, kind TEXT, amount BIGINT, actor TEXT,"
            " organization TEXT)"
        )
        rows = [(code, delay) for code in types for delay in delays]
        db.executemany(
            "INSERT INTO events VALUES (?, 'record.deposited', true, ?, ?, 'a', 'o')",
            [(number, *row) for number, row in enumerate(rows)],
        )
        found = db.execute(INDICATORS[indicator]["sql"]).fetchall()
    return {(*rows[unit], kind) for unit, kind, _ in found}


def test_indicators_have_the_types_and_days_of_the_data():
    terms = deadline_terms(date(2026, 11, 1))
    kinds = terms.kind_of_type
    types = [type_.code for category in CATEGORIES.values() for type_ in category.types]
    assert set(kinds) < set(types)
    days = terms.care_days
    delays = [None, 0, days, days + 1, 400]
    expected = {(code, delay, kinds[code]) for code in types if code in kinds for delay in delays if delay is not None}
    assert counted("documents_with_deadline", types, delays) == expected
    assert counted("documents_in_time", types, delays) == {row for row in expected if row[1] <= days}
    assert counted("documents_late", types, delays) == {row for row in expected if row[1] > days}

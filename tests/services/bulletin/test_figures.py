"""The statements: the same on a second engine, and a new figure is a row and a line."""

import polars as pl
import pytest

from esante.core.storage import Objects
from esante.services.bulletin import LAKE_SCHEMA, Bulletin, IndicatorSpecification, store
from esante.services.bulletin.compilation.lake_store import RECORD_STATES, exact_counts, open_engine, indicator_statement
from esante.services.bulletin.compilation.monthly_counts import MonthCounter
from esante.services.bulletin.releases import vintage_store

from .conftest import LAST, bulletin_over, with_past

ADDED = """
[[indicator]]
id = "documents_replaced_by_hospitals"
unit = "documents"
kind = "flow"
measure = "rows"
protection = "suppress"
since = "2023-01"
source_events = ["record.deposited"]
breakdowns = ["format"]
sql = "SELECT seq AS unit, format FROM events WHERE type = 'record.deposited' AND role = 'hospital'"
titles = { fr = "x", de = "x", en = "x", lb = "x" }
definitions = { fr = "x", de = "x", en = "x", lb = "x" }
"""


@pytest.fixture
async def files(past):
    """The files of the last month: its events, and the state of records at its end."""
    months = MonthCounter(past.db, Objects.open("", past.folder), past.specification, past.folder / "scratch")
    sources = await months.sources((await past.journal.head()).size, LAST)
    return await months._files(sources[LAST]), await months._subjects(list(sources.values()), LAST)


async def test_polars_counts_the_same_from_the_same_text(past, files):
    events, subjects = files
    polars = pl.SQLContext(events=pl.scan_parquet(events), subjects=pl.scan_parquet(subjects))
    compared = 0
    with open_engine(past.folder / "scratch") as duckdb:
        duckdb.month(events, subjects)
        for indicator in past.specification.indicators.values():
            if indicator.sql:
                theirs = polars.execute(indicator_statement(indicator), eager=True).rows()
                assert exact_counts(indicator, theirs) == duckdb.count(indicator), indicator.id
                compared += 1
    assert compared > 20


async def test_polars_keeps_the_same_state_of_records_from_the_same_text(past, files):
    events, _ = files
    months = MonthCounter(past.db, Objects.open("", past.folder), past.specification, past.folder / "scratch")
    sources = await months.sources((await past.journal.head()).size, LAST)
    before = await months._subjects(list(sources.values())[:-1], list(sources)[-2])
    polars = pl.SQLContext(events=pl.scan_parquet(events), before=pl.scan_parquet(before))
    theirs = polars.execute(RECORD_STATES, eager=True).rows()
    with open_engine(past.folder / "scratch") as duckdb:
        duckdb.events(events)
        duckdb._view("before", [before])
        ours = duckdb.rows(RECORD_STATES)
    assert theirs == ours
    assert len(ours) > 500


async def test_a_figure_is_added_by_a_row_and_a_line(fresh, tmp_path):
    await with_past(fresh, 1)
    bulletin = bulletin_over(fresh, tmp_path)
    first = await bulletin.build(LAST, "anna")
    known = bulletin.specification
    recipe = IndicatorSpecification(
        indicators_toml=known.indicators_toml + ADDED.encode(),
        lake_toml=known.lake_toml,
        protection_toml=known.protection_toml,
    ).validate()
    more = Bulletin(fresh.db, bulletin._objects, fresh, bulletin._key, tmp_path / "scratch", recipe)
    second = await more.build(LAST, "anna")
    added = [cell for cell in second.vintage.cells if cell.indicator == "documents_replaced_by_hospitals"]
    assert second.vintage.number == 2
    assert sum(cell.value or 0 for cell in added if not cell.breakdown) > 5
    assert [c for c in second.vintage.cells if c not in added] == list(first.vintage.cells)


async def test_a_month_is_rebuilt_byte_for_byte_by_the_recipe_of_then(fresh, tmp_path):
    await with_past(fresh, 2)
    bulletin = bulletin_over(fresh, tmp_path)
    first = await bulletin.build(LAST, "anna")
    changed = bulletin.specification.indicators_toml.replace(b"kind = 'closed'", b"kind = 'open'")
    bulletin.specification = IndicatorSpecification(
        indicators_toml=changed, lake_toml=bulletin.specification.lake_toml, protection_toml=bulletin.specification.protection_toml
    ).validate()
    assert (await bulletin.build(LAST, "anna")).vintage.number == 2
    assert vintage_store.digest_of(await bulletin.rebuild(LAST, 1)) == vintage_store.digest_of(first.vintage)


async def test_a_lost_cache_of_records_is_made_again(fresh, tmp_path):
    await with_past(fresh, 2)
    bulletin = bulletin_over(fresh, tmp_path)
    await bulletin.build(LAST, "anna")
    await fresh.db.fetchval("DELETE FROM bulletin_subjects")
    assert (await bulletin.rebuild(LAST, 1)).number == 1
    assert await store.fetch_parts(fresh.db, bulletin.specification.reader, 0) == []


def test_a_recipe_that_does_not_fit_names_its_row():
    known = IndicatorSpecification.from_packages()
    for wrong, formatter in (
        (ADDED.replace('"format"', '"colour"', 1), "broken down by colour"),
        (ADDED.replace('measure = "rows"', 'measure = "none"'), "do not fit"),
        (ADDED.replace("documents_replaced_by_hospitals", "records_open"), "twice"),
    ):
        with pytest.raises(ValueError, match=formatter):
            IndicatorSpecification(
                indicators_toml=known.indicators_toml + wrong.encode(),
                lake_toml=known.lake_toml,
                protection_toml=known.protection_toml,
            ).validate()


def test_an_empty_month_has_the_columns_of_the_lake(tmp_path):
    with open_engine(tmp_path) as duckdb:
        duckdb.month([], None)
        described = duckdb._db.execute("SELECT * FROM events").description
    assert {column[0] for column in described} == set(LAKE_SCHEMA)

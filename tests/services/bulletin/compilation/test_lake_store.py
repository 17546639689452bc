"""The SQL over the lake: a second engine gives the same rows."""

import polars as pl
import pytest

from esante.core.storage import Objects
from esante.services.bulletin import LAKE_SCHEMA
from esante.services.bulletin.compilation.exact_counts import exact_counts
from esante.services.bulletin.compilation.lake_store import (
    RECORD_STATES,
    indicator_statement,
    open_engine,
)
from esante.services.bulletin.compilation.monthly_counts import MonthCounter
from tests.support.bulletin_journal import (
    LAST,
)


@pytest.fixture
async def lake_files(past):
    """The files of the last month: its events, and the record states at its end."""
    counter = MonthCounter(past.db, Objects.open("", past.folder), past.specification, past.folder / "scratch")
    sources = await counter.fetch_sources((await past.journal.head()).size, LAST)
    return await counter._local_files(sources[LAST]), await counter._record_states(list(sources.values()), LAST)


async def test_polars_counts_the_same_as_duckdb(past, lake_files):
    events, subjects = lake_files
    polars = pl.SQLContext(events=pl.scan_parquet(events), subjects=pl.scan_parquet(subjects))
    compared = 0
    with open_engine(past.folder / "scratch") as duckdb:
        duckdb.open_month(events, subjects)
        for indicator in past.specification.indicators.values():
            if indicator.sql:
                theirs = polars.execute(indicator_statement(indicator), eager=True).rows()
                assert exact_counts(indicator, theirs) == duckdb.count(indicator), indicator.id
                compared += 1
    assert compared > 20


async def test_polars_makes_the_same_record_states_as_duckdb(past, lake_files):
    events, _ = lake_files
    counter = MonthCounter(past.db, Objects.open("", past.folder), past.specification, past.folder / "scratch")
    sources = await counter.fetch_sources((await past.journal.head()).size, LAST)
    before = await counter._record_states(list(sources.values())[:-1], list(sources)[-2])
    polars = pl.SQLContext(events=pl.scan_parquet(events), before=pl.scan_parquet(before))
    theirs = polars.execute(RECORD_STATES, eager=True).rows()
    with open_engine(past.folder / "scratch") as duckdb:
        duckdb.open_events(events)
        duckdb._view("before", [before])
        ours = duckdb.fetch_rows(RECORD_STATES)
    assert theirs == ours
    assert len(ours) > 500


def test_empty_month_has_columns_of_lake(tmp_path):
    with open_engine(tmp_path) as duckdb:
        duckdb.open_month([], None)
        described = duckdb._db.execute("SELECT * FROM events").description
    assert {column[0] for column in described} == set(LAKE_SCHEMA)

"""Views as SQL: a ViewDefinition compiled for DuckDB, so that millions of resources become rows in parallel."""

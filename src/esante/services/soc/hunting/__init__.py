"""Hunting: events of long ago in Parquet files, searched with those of today; kept, exported and deleted by law."""

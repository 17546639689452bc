"""The lake: extractions of records for permits, as Parquet files under pseudonyms."""

"""All files of an issue, written so that none is ever seen half."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from esante.services.bulletin.model import LANGUAGES, Issue
from esante.services.bulletin.publication import metadata, tables
from esante.services.bulletin.publication.dcat import Edition, catalogue, jsonld, turtle
from esante.services.bulletin.publication.declarations import declarations
from esante.services.bulletin.publication.formatting import words
from esante.services.bulletin.publication.model import File, Paper
from esante.services.bulletin.publication.pdf import pdf_of

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Maker = Callable[[Paper], bytes]


def paper(issue: Issue, base_url: str, *, synthetic: bool = False) -> Paper:
    """The issue with the declared indicators, ready to be laid out."""
    declared = declarations()
    return Paper(issue, declared.indicator, declared.breakdown, base_url, synthetic)


def publish(
    issue: Issue, out: Path, base_url: str = "http://127.0.0.1:8000", *, synthetic: bool = False
) -> list[File]:
    """Write every file of an issue into the folder `out`; the same issue gives the same bytes.

    A file that is there already is replaced at once or not at all. Raises OSError when it cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    laid_out = paper(issue, base_url, synthetic=synthetic)
    files = [written(file, make(laid_out), out) for file, make in planned(laid_out)]
    vintage = issue.vintage
    edition = Edition(vintage.period, vintage.number, vintage.status, laid_out.at, tuple(files))
    record = catalogue([edition], base_url)
    for name, media_type, data in (
        (f"{laid_out.name}-dcat.jsonld", "application/ld+json", jsonld(record)),
        (f"{laid_out.name}-dcat.ttl", "text/turtle", turtle(record)),
    ):
        files.append(written(File(Path(name), media_type, "DCAT-AP 3"), data, out))
    return files


def planned(paper: Paper) -> list[tuple[File, Maker]]:
    """The files of an issue, their paths mere names, with what makes each."""
    made: list[tuple[str, str, str, str, Maker]] = [
        (".csv", "text/csv", "CSV", "", tables.csv_of),
        (".xlsx", XLSX, "Excel", "", tables.xlsx_of),
        (".parquet", "application/vnd.apache.parquet", "Parquet", "", tables.parquet_of),
        ("-jsonstat.json", "application/json", "JSON-stat 2.0", "", tables.jsonstat_of),
        ("-datapackage.json", "application/json", "Data Package, Table Schema", "", metadata.data_package),
        (".csv-metadata.json", "application/json", "CSV on the Web", "", metadata.csvw),
    ]
    for language in LANGUAGES:
        named = words(language)
        title = f"Cahier eSanté, {named.month(paper.period)}"
        made += [
            (f"-{language}.pdf", "application/pdf", title, language, partial(pdf_of, language=language)),
            (
                f"-dictionary-{language}.csv",
                "text/csv",
                named.text("Data dictionary"),
                language,
                partial(metadata.dictionary_csv, language=language),
            ),
        ]  # fmt: skip
    return [
        (File(Path(paper.name + end), media_type, title, language), make)
        for end, media_type, title, language, make in made
    ]


def written(file: File, data: bytes, out: Path) -> File:
    """The file on disk, whole: written beside its place (each process its own), synced, and moved there."""
    path = out / file.path
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    with beside.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    beside.replace(path)
    return replace(file, path=path, size=len(data), sha256=hashlib.sha256(data).hexdigest())

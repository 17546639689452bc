"""All files of an issue, each written atomically."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from esante.core.open_data import encode_jsonld, encode_turtle
from esante.core.web import current_agency
from esante.services.bulletin.model import LANGUAGES, BulletinIssue
from esante.services.bulletin.publication import metadata, tables
from esante.services.bulletin.publication.dcat import Edition, build_catalogue
from esante.services.bulletin.publication.declared_indicators import declared_indicators
from esante.services.bulletin.publication.formatter import formatter
from esante.services.bulletin.publication.model import IssueDocument, PublishedFile
from esante.services.bulletin.publication.pdf import typeset_issue

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Encoder = Callable[[IssueDocument], bytes]


def make_document(issue: BulletinIssue, base_url: str, *, synthetic: bool = False) -> IssueDocument:
    """Return the document of an issue with the declared indicators."""
    declared = declared_indicators()
    return IssueDocument(issue, declared.indicator, declared.breakdown, base_url, synthetic)


def publish(
    issue: BulletinIssue, out: Path, base_url: str = "http://127.0.0.1:8000", *, synthetic: bool = False
) -> list[PublishedFile]:
    """Write every file of an issue into the folder `out`; the same issue gives the same bytes.

    An existing file is replaced atomically. Raises: OSError when a file cannot be written; others as `typeset`.
    """
    out.mkdir(parents=True, exist_ok=True)
    document = make_document(issue, base_url, synthetic=synthetic)
    files = [write_file(file, encode(document), out) for file, encode in plan_files(document)]
    vintage = issue.vintage
    edition = Edition(vintage.period, vintage.number, vintage.status, document.dated_at, tuple(files))
    catalogue = build_catalogue([edition], base_url)
    for name, media_type, data in (
        (f"{document.name}-dcat.jsonld", "application/ld+json", encode_jsonld(catalogue)),
        (f"{document.name}-dcat.ttl", "text/turtle", encode_turtle(catalogue)),
    ):
        files.append(write_file(PublishedFile(Path(name), media_type, "DCAT-AP 3"), data, out))
    return files


def plan_files(document: IssueDocument) -> list[tuple[PublishedFile, Encoder]]:
    """Return the files of an issue, whose paths are names only, with the function that encodes each."""
    planned: list[tuple[str, str, str, str, Encoder]] = [
        (".csv", "text/csv", "CSV", "", tables.encode_csv),
        (".xlsx", XLSX, "Excel", "", tables.encode_xlsx),
        (".parquet", "application/vnd.apache.parquet", "Parquet", "", tables.encode_parquet),
        ("-jsonstat.json", "application/json", "JSON-stat 2.0", "", tables.encode_jsonstat),
        ("-datapackage.json", "application/json", "Data Package, Table Schema", "", metadata.encode_data_package),
        (".csv-metadata.json", "application/json", "CSV on the Web", "", metadata.encode_csvw),
    ]
    for language in LANGUAGES:
        fmt = formatter(language)
        title = f"{current_agency().bulletin_name.of(language)}, {fmt.month(document.period)}"
        planned += [
            (f"-{language}.pdf", "application/pdf", title, language, partial(typeset_issue, language=language)),
            (
                f"-dictionary-{language}.csv",
                "text/csv",
                fmt.text("Data dictionary"),
                language,
                partial(metadata.encode_dictionary, language=language),
            ),
        ]  # fmt: skip
    return [
        (PublishedFile(Path(document.name + end), media_type, title, language), encode)
        for end, media_type, title, language, encode in planned
    ]


def write_file(file: PublishedFile, data: bytes, out: Path) -> PublishedFile:
    """Write a file atomically and return it with path, size and hash.

    It is written to a temporary file of this process in the same folder, synced, and moved.
    """
    path = out / file.path
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with temporary.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)
    return replace(file, path=path, size=len(data), sha256=hashlib.sha256(data).hexdigest())

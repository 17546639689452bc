"""Fixtures: a running udata, and editions to push."""

from dataclasses import replace

import pytest

from esante.services.bulletin.publication.dcat import Edition
from esante.services.bulletin.publication.issue_files import publish
from tests.support.bulletin_issue import BASE, sample_issue
from tests.support.udata import target, udata

__all__ = ["target", "udata"]


@pytest.fixture(scope="module")
def editions(tmp_path_factory):
    """Two versions of a month with few files: one that udata stores, one that it does not store, a PDF."""
    wanted = ("v1.csv", "v1.parquet", "-fr.pdf", "dictionary-fr.csv")
    issue = sample_issue(months=2)
    first = [
        file for file in publish(issue, tmp_path_factory.mktemp("files"), BASE) if file.path.name.endswith(wanted)
    ]
    second = []
    for file in first[:1]:
        path = file.path.with_name(file.path.name.replace("-v1", "-v2"))
        path.write_bytes(file.path.read_bytes() + b"\r\n")
        second.append(replace(file, path=path))
    return [
        Edition("2026-10", 1, "provisional", issue.released_at, first),
        Edition("2026-10", 2, "revised", issue.released_at.replace(day=20), second, "Late deposits"),
    ]

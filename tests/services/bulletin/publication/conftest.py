"""Fixtures: the files of the sample issue."""

import csv
import io

import pytest

from esante.services.bulletin.publication.issue_files import publish
from tests.support.bulletin_issue import BASE, sample, sample_issue


@pytest.fixture(scope="session")
def issue_files(tmp_path_factory):
    """The files of the sample issue, by their ending."""
    files = publish(sample_issue(), tmp_path_factory.mktemp("issue"), BASE, synthetic=True)
    start = sample().name
    return {file.path.name.removeprefix(start): file for file in files}


@pytest.fixture(scope="session")
def csv_rows(issue_files):
    """The rows of the CSV."""
    return list(csv.DictReader(io.StringIO(issue_files[".csv"].path.read_text("utf-8"))))

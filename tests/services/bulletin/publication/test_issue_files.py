"""The files of an issue."""

import msgspec

from esante.services.bulletin.model import CellFlag
from esante.services.bulletin.publication.issue_files import publish
from tests.support.bulletin_issue import BASE, sample_issue


def test_same_issue_gives_same_bytes(issue_files, tmp_path):
    again = publish(sample_issue(), tmp_path, BASE, synthetic=True)
    assert [(file.path.name, file.sha256) for file in again] == [
        (file.path.name, file.sha256) for file in issue_files.values()
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(file.path.name for file in again)


def test_issue_without_history_or_values_is_published(tmp_path):
    issue = sample_issue(months=1)
    missing = tuple(msgspec.structs.replace(cell, value=None, flag=CellFlag.MISSING) for cell in issue.vintage.cells)
    empty = msgspec.structs.replace(issue, vintage=msgspec.structs.replace(issue.vintage, cells=missing))
    assert publish(issue, tmp_path / "one", BASE)
    assert publish(empty, tmp_path / "none", BASE)

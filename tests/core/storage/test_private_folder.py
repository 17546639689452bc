"""What a run writes is closed to other accounts; what an older version left open is closed, or refused."""

import os
import subprocess
from pathlib import Path

import pytest

from esante.core.storage import FolderError, Objects, open_database
from esante.core.storage.private_folder import make_private

ANOTHER_ACCOUNT = 65_534


@pytest.fixture(autouse=True)
def wide_umask():
    """The umask of most machines, which lets every account read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def written_by_an_older_version(folder: Path) -> Path:
    """Make a data folder that every account can read; return a document in it."""
    document = folder / "objects" / "ab" / "cd" / "document"
    document.parent.mkdir(parents=True)
    document.write_bytes(b"secret")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return document


def test_new_folder_and_all_written_later_are_closed_to_others(tmp_path):
    make_private(tmp_path / "data")
    (tmp_path / "data" / "bulletin").mkdir()
    (tmp_path / "data" / "bulletin" / "lake.parquet").write_bytes(b"x")
    assert [mode(path) for path in (tmp_path / "data", *(tmp_path / "data").rglob("*"))] == [0o700, 0o700, 0o600]


def test_wide_folder_of_an_older_version_is_closed_with_everything_in_it(tmp_path):
    document = written_by_an_older_version(tmp_path / "data")
    make_private(tmp_path / "data")
    assert mode(document) == 0o600
    assert {mode(path) for path in (tmp_path / "data").rglob("*") if path.is_dir()} == {0o700}
    assert mode(tmp_path / "data") == 0o700


def test_wide_part_of_a_closed_folder_is_closed(tmp_path):
    document = written_by_an_older_version(tmp_path / "data")
    (tmp_path / "data").chmod(0o700)
    make_private(tmp_path / "data")
    assert (mode(document), mode(tmp_path / "data" / "objects")) == (0o600, 0o700)


def test_link_in_the_folder_does_not_change_what_it_names(tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"x")
    outside.chmod(0o644)
    written_by_an_older_version(tmp_path / "data")
    (tmp_path / "data" / "link").symlink_to(outside)
    make_private(tmp_path / "data")
    assert mode(outside) == 0o644


def test_wide_folder_with_other_things_in_it_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "home" / "photos").mkdir(parents=True)
    with pytest.raises(FolderError, match="chmod 700"):
        make_private(tmp_path / "home")
    assert mode(tmp_path / "home" / "photos") == 0o755


def test_empty_wide_folder_is_closed(tmp_path):
    (tmp_path / "data").mkdir()
    make_private(tmp_path / "data")
    assert mode(tmp_path / "data") == 0o700


def test_wide_file_that_cannot_be_changed_is_refused_with_the_remedy(tmp_path, monkeypatch):
    written_by_an_older_version(tmp_path / "data")
    monkeypatch.setattr(Path, "chmod", lambda *_: None)  # as a file system without modes
    with pytest.raises(FolderError, match="chmod -R go="):
        make_private(tmp_path / "data")


def test_folder_of_another_account_is_refused(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir(mode=0o700)
    monkeypatch.setattr("esante.core.storage.private_folder.os.geteuid", lambda: ANOTHER_ACCOUNT)
    with pytest.raises(FolderError, match="another account"):
        make_private(tmp_path / "data")


async def test_stored_objects_are_closed_to_others(tmp_path):
    objects = Objects.open("", tmp_path / "data")
    await objects.put(b"a document")
    found = list((tmp_path / "data").rglob("*"))
    assert {mode(path) for path in found if path.is_dir()} == {0o700}
    assert {mode(path) for path in found if path.is_file()} == {0o600}


async def test_objects_in_a_folder_of_their_own_are_closed_to_others(tmp_path):
    document = written_by_an_older_version(tmp_path / "store")
    objects = Objects.open(f"file://{tmp_path / 'store' / 'objects'}", tmp_path / "data")
    await objects.put(b"another")
    assert {mode(path) for path in (tmp_path / "store" / "objects").rglob("*")} == {0o600, 0o700}
    assert mode(document) == 0o600


async def test_database_is_not_opened_over_a_wide_folder(tmp_path):
    (tmp_path / "home" / "photos").mkdir(parents=True)
    with pytest.raises(FolderError):
        async with open_database("", tmp_path / "home"):
            pass
    assert not (tmp_path / "home" / "postgres").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="another account is needed")
async def test_other_account_reads_nothing_of_a_run(tmp_path):
    tmp_path.chmod(0o755)
    async with open_database("", tmp_path / "data"):
        objects = Objects.open("", tmp_path / "data")
        await objects.put(b"a document")
        found = subprocess.run(
            ["find", str(tmp_path / "data"), "-mindepth", "1"],
            user=ANOTHER_ACCOUNT,
            capture_output=True,
            check=False,
        )
    assert found.stdout == b""

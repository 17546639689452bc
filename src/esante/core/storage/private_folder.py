"""Folders that hold data of persons: open to the account of esante and to nobody else on the machine.

Not the modes of single files protect what is written, but the mode 0700 of the folder above them, checked at every
start, and the umask 077 of the process. A folder of an older version is tightened when it belongs to this account.
"""

import os
import re
import stat
from pathlib import Path

UMASK = 0o077
_OWN_ENTRY = re.compile(r"postgres|objects|keys|[0-9a-f]{2}")
"""Names that only esante gives: parts of a data folder, and the first level of an object store."""


class FolderError(RuntimeError):
    """A folder cannot be kept private; the message says which, why, and what to do."""


def make_private(folder: Path) -> None:
    """Make the folder if there is none, and close it and all under it to other accounts; set the umask to 077.

    What an older version left open is closed. That is done to a folder that esante made only: one with other things
    in it, such as a home folder, is the operator's to close.
    Raises: `FolderError` when it is open to others, or belongs to another account, and this process must not change
    it.
    """
    os.umask(UMASK)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = folder.resolve(strict=True)  # not what a link names is the question, but where the data lie
        mode = folder.stat()
        entries = {entry.name: entry.stat(follow_symlinks=False) for entry in os.scandir(folder)}
    except OSError as error:
        raise FolderError(f"Cannot use {folder}: {error.strerror}. Give a folder of your own.") from error
    if os.geteuid() not in (0, mode.st_uid):
        raise FolderError(f"{folder} belongs to another account. Run as that account, or: chown -R $(id -un) {folder}")
    if not _is_open(mode) and not any(_is_open(entry) for entry in entries.values()):
        return
    if _is_open(mode) and entries and not any(_OWN_ENTRY.fullmatch(name) for name in entries):
        raise FolderError(
            f"Other accounts of this machine can open {folder}. Give an empty folder, or: chmod 700 {folder}"
        )
    _close(folder)


def _close(folder: Path) -> None:
    """Take all rights of others from a folder and everything under it; the folder last, which marks the work done."""
    for parent, _, files in os.walk(folder, topdown=False):
        for path in (*(Path(parent, name) for name in files), Path(parent)):
            try:
                _close_one(path)
            except FileNotFoundError:
                continue  # a running server has removed it meanwhile
            except OSError as error:
                raise _still_open(path, folder) from error


def _close_one(path: Path) -> None:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode) or not _is_open(found):
        return
    path.chmod(stat.S_IMODE(found.st_mode) & ~UMASK)
    if _is_open(path.lstat()):
        raise PermissionError  # a file system without modes ignores the change


def _still_open(path: Path, folder: Path) -> FolderError:
    return FolderError(
        f"Other accounts of this machine can open {path}, and this account cannot change that."
        f" As its owner or as root: chmod -R go= {folder}"
    )


def _is_open(found: os.stat_result) -> bool:
    return not stat.S_ISLNK(found.st_mode) and bool(found.st_mode & UMASK)

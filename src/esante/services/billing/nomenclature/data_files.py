"""The files of dated billing data: those of the program, or those that the agency put in their place."""

from pathlib import Path

from esante.core.dated_data import packaged_text

_folder: Path | None = None


def use_folder(folder: Path | str) -> None:
    """Take each file of dated data that a folder has in place of the packaged one; "": the packaged ones only.

    Raises: ValueError when it is no folder.
    """
    global _folder  # noqa: PLW0603 - what the installation is, set once when it is built
    if folder and not Path(folder).is_dir():
        raise ValueError(f"{folder} is no folder")
    _folder = Path(folder) if folder else None


def current_folder() -> Path | None:
    """Return the agency's folder, None when there is none."""
    return _folder


def has_own(name: str) -> bool:
    """Return whether the agency's folder has a file."""
    return _folder is not None and (_folder / name).is_file()


def data_text(package: str, name: str) -> str:
    """Return the text of a data file. Raises: ValueError when it is not UTF-8."""
    if _folder is not None and has_own(name):
        return (_folder / name).read_text(encoding="utf-8-sig")
    return packaged_text(package, name)

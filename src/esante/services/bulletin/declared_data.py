"""The data files `indicators.toml` and `lake.toml` by which packages declare indicators and columns of the lake."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path

_PROGRAM = Path(str(files("esante")))
_OWN = Path(str(files("esante.services.bulletin")))
_folders = [
    _OWN,
    *sorted(path.parent.parent for path in _PROGRAM.glob("*/*/data/lake.toml") if _OWN not in path.parents),
]
"""The folders of declaring packages; the bulletin's own is first, since it alone has keys outside tables."""


def register_packages(packages: Iterable[str]) -> None:
    """Add packages (import names) whose data files are read as well."""
    for package in packages:
        folder = Path(str(files(package)))
        if folder not in _folders and (folder / "data" / "indicators.toml").is_file():
            _folders.append(folder)
            declared_text.cache_clear()


@cache
def declared_text(name: str) -> str:
    """Return the concatenated texts of the files `name` of all packages."""
    paths = (folder / "data" / name for folder in _folders)
    return "\n".join(path.read_text(encoding="utf-8") for path in paths if path.is_file())

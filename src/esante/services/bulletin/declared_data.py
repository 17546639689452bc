"""What packages declare for the bulletin in their data files `indicators.toml` and `lake.toml`."""

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
"""The packages that declare something; the bulletin's own comes first, since it alone has keys outside tables."""


def register_packages(packages: Iterable[str]) -> None:
    """Read the data files of further packages (import names) as well."""
    for package in packages:
        folder = Path(str(files(package)))
        if folder not in _folders and (folder / "data" / "indicators.toml").is_file():
            _folders.append(folder)
            declared_text.cache_clear()


@cache
def declared_text(name: str) -> str:
    """Return the texts of the files `name` of all packages, one after the other."""
    paths = (folder / "data" / name for folder in _folders)
    return "\n".join(path.read_text(encoding="utf-8") for path in paths if path.is_file())

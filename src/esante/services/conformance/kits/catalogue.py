"""The kits that there are: each is a sub-package here with `data/requirements.toml` and `checks.py`."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.resources import files
from pkgutil import iter_modules
from typing import Any

import msgspec

from esante.services.conformance import kits as package
from esante.services.conformance.kits.model import Check, Kit, Option, Requirement


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    titles: dict[str, str]
    requires: str
    source: str
    needs: tuple[str, ...] = ()


class _OptionRow(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    titles: dict[str, str]
    help: str
    secret: bool = False


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: str
    titles: dict[str, str]
    requirement: tuple[_Row, ...]
    uses: tuple[str, ...] = ()
    option: tuple[_OptionRow, ...] = ()


class _SharedOptions(msgspec.Struct, forbid_unknown_fields=True):
    option: tuple[_OptionRow, ...]


@cache
def kits() -> Mapping[str, Kit]:
    """Return the kits by name. Raises: ValueError for a kit whose requirements and checks do not agree."""
    found = [one.name for one in iter_modules(package.__path__) if one.ispkg]
    return {name.replace("_", "-"): _load(name) for name in sorted(found)}


def _load(name: str) -> Kit:
    folder = f"{package.__name__}.{name}"
    file = msgspec.convert(_read_toml(folder, "requirements.toml"), _File)
    checks: Mapping[str, Check] = import_module(f"{folder}.checks").CHECKS
    ids = [row.id for row in file.requirement]
    unknown = {need for number, row in enumerate(file.requirement) for need in row.needs if need not in ids[:number]}
    if len(set(ids)) < len(ids) or set(ids) != checks.keys() or unknown:
        raise ValueError(
            f"kit {name}: requirements and checks do not agree: {sorted(set(ids) ^ checks.keys() | unknown)}"
        )
    shared = msgspec.convert(_read_toml(package.__name__, "options.toml"), _SharedOptions).option
    missing = set(file.uses) - {one.name for one in shared}
    if missing:
        raise ValueError(f"kit {name}: no such shared option: {sorted(missing)}")
    return Kit(
        name=name.replace("_", "-"),
        version=file.version,
        titles=file.titles,
        requirements=[Requirement(**msgspec.structs.asdict(row)) for row in file.requirement],
        options=[
            Option(**msgspec.structs.asdict(row))
            for row in (*(one for one in shared if one.name in file.uses), *file.option)
        ],
        checks=checks,
    )


def _read_toml(folder: str, name: str) -> dict[str, Any]:
    return tomllib.loads((files(folder) / "data" / name).read_text(encoding="utf-8"))

"""The settings of a process, each typed once and read from the environment in this module only.

A field `x` of `Settings`, or of the settings class that a service declares, is read from the variable `ESANTE_X`.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

T = TypeVar("T")


class PerLanguage(str):
    """A text that pages show: one for all languages, or one for some of them, as in `fr=l’Agence; de=die Agence`."""

    __slots__ = ()

    def of(self, language: str) -> str:
        """Return the text for a language; empty when there are texts for others only."""
        if not re.match(r"\s*[a-z]{2}\s*=", self):
            return self.strip()
        parts = (part.partition("=") for part in self.split(";"))
        return {name.strip(): text.strip() for name, _, text in parts}.get(language, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of the platform itself; those of a service are given by `of`.

    data             the only folder that a run writes to
    database_url     empty: the embedded PostgreSQL under `data`
    objects_url      empty: files under `data`
    journal_key      file of the key that signs checkpoints; empty: one made under `data`
    witnesses        key and address of each witness of the journal, with spaces between
    time_zone        name (IANA) of the zone of calendar days, in searches, displays and statistics
    services         further packages that declare a service (import names, separated by spaces)
    of_services      settings of services that were not read from the environment
    """

    data: Path = Path("var")
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = ""
    database_url: str = field(default="", repr=False)
    objects_url: str = field(default="", repr=False)
    journal_key: str = ""
    journal_origin: str = "esante/journal"
    witnesses: str = ""
    demo: bool = False
    queue_bound: int = 2_000
    pool_size: int = 8
    group_commit: bool = True
    time_zone: str = "Europe/Luxembourg"
    services: str = ""
    of_services: tuple[object, ...] = field(default=(), metadata={"environ": False})

    @classmethod
    def from_environ(cls, **overrides: object) -> "Settings":
        """Return the settings of the environment, with `overrides` (None: not given) on top."""
        return read_settings(cls, **overrides)

    def environ(self) -> dict[str, str]:
        """Return the settings as variables for other processes, those of services included."""
        return {
            f"ESANTE_{one.name.upper()}": str(getattr(part, one.name))
            for part in (self, *self.of_services)
            for one in _read_fields(type(part))
        }

    def of(self, kind: type[T]) -> T:
        """Return the settings of a service: those in `of_services`, or else of the environment."""
        return next((part for part in self.of_services if isinstance(part, kind)), None) or read_settings(kind)

    @property
    def base_url(self) -> str:
        """The address under which clients reach the platform, without a slash at its end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


def read_settings(kind: type[T], **overrides: object) -> T:
    """Return the settings class `kind` (a dataclass) filled from the environment, with `overrides` on top.

    Raises: ValueError, which names the variable, when a value is not of its type.
    """
    values = _parsed(kind, os.environ)
    return kind(**values | {name: value for name, value in overrides.items() if value is not None})


def _parsed(kind: type, environ: Mapping[str, str]) -> dict[str, Any]:
    hints, values = _hints(kind), {}
    for one in _read_fields(kind):
        variable = f"ESANTE_{one.name.upper()}"
        if (raw := environ.get(variable)) is not None:
            try:
                values[one.name] = _value(hints[one.name], raw)
            except ValueError as error:
                raise ValueError(f"{variable} is {raw!r}, which is not a value of {hints[one.name]}") from error
    return values


def _read_fields(kind: type) -> list[Field[Any]]:
    return [one for one in fields(kind) if one.metadata.get("environ", True)]


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, raw: str) -> object:
    if hint is bool:
        return raw.strip().lower() in {"1", "true", "yes", "on"}
    return hint(raw) if isinstance(hint, type) and issubclass(hint, (Path, int, str)) else raw

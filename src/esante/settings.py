"""Every setting of the program, in one typed place.

A setting comes from the command line or from an environment variable `ESANTE_<NAME>`; nothing is read from
the environment anywhere else.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one process of the platform needs to know about where it runs.

    `data` is the only folder a run writes to. `database_url` empty means the embedded PostgreSQL under
    `data`; `objects_url` empty means files under `data`. `journal_key` and `identity_key` empty mean keys made under
    `data`. `endpoint_networks`: those beside the public internet that notifications may be sent into.

    `portal_url`: the national open-data portal (udata) that released figures are brought to, by `portal_key`, a key of
    a member of `portal_organization` (its id there); empty means none.
    """

    data: Path = Path("var")
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = ""
    database_url: str = field(default="", repr=False)
    objects_url: str = field(default="", repr=False)
    journal_key: str = ""
    identity_key: str = ""
    journal_origin: str = "esante/journal"
    demo: bool = False
    matricule_check: Literal["strict", "warn"] = "warn"
    queue_bound: int = 2_000
    pool_size: int = 8
    group_commit: bool = True
    endpoint_networks: str = ""
    portal_url: str = ""
    portal_key: str = field(default="", repr=False)
    portal_organization: str = ""

    @classmethod
    def from_environ(cls, **overrides: object) -> "Settings":
        """Settings from `ESANTE_*` variables, with `overrides` (None means: not given) on top."""
        values: dict[str, object] = {}
        for name, kind in _KINDS.items():
            if (raw := os.environ.get(f"ESANTE_{name.upper()}")) is not None:
                values[name] = kind(raw)
        values |= {name: value for name, value in overrides.items() if value is not None}
        return cls(**values)  # type: ignore[arg-type]

    def environ(self) -> dict[str, str]:
        """The settings as variables, for worker processes."""
        return {f"ESANTE_{name.upper()}": str(getattr(self, name)) for name in _KINDS}

    @property
    def base_url(self) -> str:
        """The address under which clients reach the platform, without a slash at its end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


def _flag(raw: str) -> bool:
    return raw.strip().lower() in {"1", "true", "yes", "on"}


_KINDS: dict[str, Callable[[str], object]] = {
    "data": Path,
    "host": str,
    "port": int,
    "public_url": str,
    "database_url": str,
    "objects_url": str,
    "journal_key": str,
    "identity_key": str,
    "journal_origin": str,
    "demo": _flag,
    "matricule_check": str,
    "queue_bound": int,
    "pool_size": int,
    "group_commit": _flag,
    "endpoint_networks": str,
    "portal_url": str,
    "portal_key": str,
    "portal_organization": str,
}

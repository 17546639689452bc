"""The sign-in services of the installation, as a TOML file names them (docs/operations.md)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from esante.core.types import Json
from esante.identity.access import assurance_rules
from esante.identity.signin.model import HOLDER_KINDS
from esante.settings import PerLanguage


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """By which claim somebody of a kind is found: its value is their identifier of a system (a key or URI)."""

    kind: str
    claim: str
    system: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The level of assurance of an `acr` from a day on."""

    value: str
    level: str
    valid_from: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A sign-in service (OpenID Provider): `acr_values` are asked for, `secret` is that of the client ("": none)."""

    key: str
    label: PerLanguage
    issuer: str
    client_id: str
    secret: str = field(default="", repr=False)
    scopes: str = "openid"
    acr_values: str = ""
    links: tuple[Link, ...]
    levels: tuple[Level, ...] = ()

    def level_of(self, acr: str, on: date) -> str:
        """Return the level of assurance that a stated `acr` means on a day; "" for one that is not known."""
        own = [one for one in self.levels if one.value == acr and one.valid_from <= on]
        return max(own, key=lambda one: one.valid_from).level if own else assurance_rules(on).acrs.get(acr, "")

    def link(self, kind: str) -> Link | None:
        """Return how somebody of a kind is found; None for a kind that does not sign in here."""
        return next((link for link in self.links if link.kind == kind), None)


def read_providers(path: str) -> Mapping[str, Provider]:
    """Return the sign-in services of a file by their keys; none for an empty path.

    Raises: RuntimeError, which names the file and what is wrong, when it cannot be used.
    """
    if not path:
        return {}
    file = Path(path)
    try:
        tables = tomllib.loads(file.read_text("utf-8")).get("provider", [])
        found = list(map(partial(_parse, file.parent), tables))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RuntimeError(f"ESANTE_SIGNIN_PROVIDERS: {file}: {error!r}") from error
    if len({one.key for one in found}) != len(found) or len({one.issuer for one in found}) != len(found):
        raise RuntimeError(f"ESANTE_SIGNIN_PROVIDERS: {file}: two services have one key or one issuer")
    return {one.key: one for one in found}


def _parse(folder: Path, table: Json) -> Provider:
    secret_file = table.get("client_secret_file", "")
    return Provider(
        key=_key(table["key"]),
        label=PerLanguage(table["label"]),
        issuer=_issuer(table["issuer"]),
        client_id=table["client_id"],
        secret=(folder / secret_file).read_text("utf-8").strip() if secret_file else "",
        scopes=table.get("scopes", "openid"),
        acr_values=table.get("acr_values", ""),
        links=tuple(Link(kind=_kind(one["kind"]), claim=one["claim"], system=one["system"]) for one in table["link"]),
        levels=tuple(
            Level(value=one["value"], level=_level(one["level"]), valid_from=_day(one["valid_from"]))
            for one in table.get("acr", [])
        ),
    )


def _key(value: str) -> str:
    if not (value.isascii() and value.replace("-", "").isalnum()):
        raise ValueError(f"key: {value!r} must be of letters, digits and -")
    return value


def _issuer(value: str) -> str:
    if not is_secure(value):
        raise ValueError(f"issuer: {value!r} must begin with https:")
    return value


def _kind(value: str) -> str:
    if value not in HOLDER_KINDS[:2]:
        raise ValueError(f"kind: {value!r} must be patient or practitioner")
    return value


def _level(value: str) -> str:
    if value not in ("low", "substantial", "high"):
        raise ValueError(f"level: {value!r} must be low, substantial or high")
    return value


def _day(value: object) -> date:
    if not isinstance(value, date):
        raise TypeError(f"valid_from: {value!r} must be a day")
    return value


def is_secure(address: str) -> bool:
    """Return whether an address is one of HTTPS, or of this machine."""
    parts = urlsplit(address)
    try:
        local = parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
    except ValueError:
        local = False
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and local))

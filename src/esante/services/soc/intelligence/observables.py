"""Observables: addresses, names and hashes in one form each, and which of them an event has."""

import ipaddress
import re
import tomllib
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from esante.services.soc.scalars import scalar_texts

MAX_OBSERVABLES = 256
"""Observables of one event that are looked at."""
MAX_LENGTH = 2_048
"""Characters of an observable."""
_MAX_DEPTH = 24
_HASH = re.compile(r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NAMED_HASH = re.compile(r"(?:^|,)\s*(?!IMPHASH)[A-Za-z0-9-]+=([0-9A-Fa-f]{32,128})")


class ObservableKind(StrEnum):
    """What an observable is."""

    IP = "ip"
    NETWORK = "network"
    DOMAIN = "domain"
    URL = "url"
    HASH = "hash"
    EMAIL = "email"


class Observable(NamedTuple):
    """A value in the form in which values of its kind are compared."""

    kind: ObservableKind
    value: str


def observable_of(kind: ObservableKind, text: str) -> Observable | None:
    """Return a value as an observable; None for a text that is no value of the kind."""
    text = text.strip()
    if not text or len(text) > MAX_LENGTH:
        return None
    value = _FORMS[kind](text)
    return Observable(kind, value) if value else None


def guess_observable(text: str) -> Observable | None:
    """Return what a person typed as an observable of the kind that it looks like, or None."""
    text = _refanged(text.strip())
    for kind in (
        ObservableKind.HASH,
        ObservableKind.IP,
        ObservableKind.URL,
        ObservableKind.EMAIL,
        ObservableKind.DOMAIN,
    ):
        if found := observable_of(kind, text):
            return found
    return None


def observables_of(event: dict[str, Any]) -> set[Observable]:
    """Return the observables of an OCSF event, `MAX_OBSERVABLES` at most; those of `raw_data` are not looked for."""
    found: set[Observable] = set()
    for kind, text in _texts(event, (), 0):
        parts = _NAMED_HASH.findall(text) or [text] if kind is ObservableKind.HASH else [text]
        for part in parts:
            if one := observable_of(kind, part):
                found.add(one)
                if kind is ObservableKind.URL and (host := _host_of(one.value)):
                    found.add(host)
        if len(found) >= MAX_OBSERVABLES:
            break
    return found


def _texts(value: Any, path: tuple[str, ...], depth: int) -> Iterator[tuple[ObservableKind, str]]:
    """Yield the texts of the attributes that hold observables, each with its kind."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            if name != "raw_data":
                yield from _texts(inner, (*path[-1:], str(name)), depth + 1)
    elif isinstance(value, list) and value and isinstance(value[0], dict | list):
        for inner in value:
            yield from _texts(inner, path, depth + 1)
    elif path:
        attributes = _attributes()
        kind = attributes.get(".".join(path)) or attributes.get(path[-1])
        if kind is not None:
            for text in scalar_texts(value):
                yield kind, text


@cache
def _attributes() -> dict[str, ObservableKind]:
    text = files("esante.services.soc").joinpath("data/observables.toml").read_text("utf-8")
    table = tomllib.loads(text)["attributes"]
    return {name: ObservableKind(kind) for kind, names in table.items() for name in names}


def _refanged(text: str) -> str:
    """Return a text without what keeps people from clicking on it: hxxp, [.], [:]."""
    text = re.sub(r"^hxxp", "http", text, flags=re.IGNORECASE)
    return text.replace("[.]", ".").replace("[:]", ":").replace("[@]", "@").replace("(.)", ".")


def _ip(text: str) -> str:
    try:
        address = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return ""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return ""


def _domain(text: str) -> str:
    name = text.rstrip(".").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    labels = name.split(".")
    is_name = len(name) <= 253 and len(labels) > 1 and all(map(_LABEL.fullmatch, labels)) and not _ip(name)
    return name if is_name and not labels[-1].isdigit() else ""


def _url(text: str) -> str:
    """Return a URL without fragment and default port, its scheme and host in lower case."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if not parts.scheme or not host:
        return ""
    host = _domain(host) or _ip(host) or host
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    place = f"[{host}]" if ":" in host else host
    place += f":{port}" if port and port != usual else ""
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{place}{parts.path or '/'}{query}"


def _host_of(url: str) -> Observable | None:
    host = urlsplit(url).hostname or ""
    return observable_of(ObservableKind.IP, host) or observable_of(ObservableKind.DOMAIN, host)


def _hash(text: str) -> str:
    value = text.lower()
    return value if _HASH.fullmatch(value) else ""


def _email(text: str) -> str:
    name, _, domain = text.strip("<>").rpartition("@")
    known = _domain(domain)
    return f"{name.lower()}@{known}" if name and known and not re.search(r"\s", name) else ""


_GUESSED = (ObservableKind.HASH, ObservableKind.IP, ObservableKind.URL, ObservableKind.EMAIL, ObservableKind.DOMAIN)
_FORMS = {
    ObservableKind.IP: _ip,
    ObservableKind.NETWORK: _network,
    ObservableKind.DOMAIN: _domain,
    ObservableKind.URL: _url,
    ObservableKind.HASH: _hash,
    ObservableKind.EMAIL: _email,
}

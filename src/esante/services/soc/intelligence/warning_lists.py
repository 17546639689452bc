"""Warning lists: values that are too common to be a sign of anything, as data of the program and of MISP."""

import ipaddress
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from esante.services.soc.intelligence.lifetimes import bounds
from esante.services.soc.intelligence.observables import Observable, ObservableKind, observable_of

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MAX_LIST_BYTES = 64 << 20


class WarningLists:
    """Values that are never matched."""

    def __init__(self, values: Iterable[str], suffixes: Iterable[str], networks: Iterable[str]) -> None:
        self._values = frozenset(values)
        self._suffixes = frozenset(suffix.lstrip(".") for suffix in suffixes)
        self._networks: dict[tuple[int, int], set[int]] = {}
        for text in networks:
            network = ipaddress.ip_network(text, strict=False)
            bits = network.max_prefixlen - network.prefixlen
            self._networks.setdefault((network.version, bits), set()).add(int(network.network_address) >> bits)

    def hold(self, one: Observable) -> bool:
        """Return whether an observable is too common, or a network too wide."""
        if one.value in self._values:
            return True
        match one.kind:
            case ObservableKind.IP:
                return self._has_address(one.value)
            case ObservableKind.NETWORK:
                network = ipaddress.ip_network(one.value)
                widest = bounds()["widest_network"][f"ipv{network.version}"]
                return network.prefixlen < widest or self._has_address(str(network.network_address))
            case ObservableKind.DOMAIN:
                labels = one.value.split(".")
                return any(".".join(labels[start:]) in self._suffixes for start in range(len(labels)))
        return False

    def _has_address(self, text: str) -> bool:
        address = ipaddress.ip_address(text)
        number = int(address)
        return any(
            version == address.version and number >> bits in prefixes
            for (version, bits), prefixes in self._networks.items()
        )


def load_warning_lists(folder: str = "") -> WarningLists:
    """Return the packaged lists with those of a folder in the JSON format of MISP's warning lists.

    Raises: ValueError, with the name of the file, for one that is no such list.
    """
    common = bounds()["common"]
    values = [*common["addresses"], *common["hashes"], *(name for name in common["domains"] if name[0] != ".")]
    suffixes = [name for name in common["domains"] if name[0] == "."]
    networks = [*common["networks"]]
    for path in sorted(Path(folder).rglob("*.json")) if folder else ():
        _add(path, values, suffixes, networks)
    return WarningLists(values, suffixes, networks)


def _add(path: Path, values: list[str], suffixes: list[str], networks: list[str]) -> None:
    """Add a list; of kind `regex` and `substring` none is added: they could hide anything."""
    try:
        if path.stat().st_size > MAX_LIST_BYTES:
            raise ValueError("it is larger than 64 MiB")
        given: Any = orjson.loads(path.read_bytes())
        kind, entries = given["type"], [str(one) for one in given["list"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path.name} is no warning list: {error}") from error
    if kind == "cidr":
        networks += [str(ipaddress.ip_network(one, strict=False)) for one in entries]
    elif kind == "hostname":
        suffixes += [one.lower() for one in entries]
        values += [one.lower() for one in entries]
    elif kind == "string":
        values += [found.value for one in entries for kind in ObservableKind if (found := observable_of(kind, one))]

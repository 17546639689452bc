"""Parts of a bundle checked before anything is run: every value that reaches a command has a narrow form."""

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from esante.services.healthnet.bundles.format import BundleRefused, Parts

_TUNNEL = re.compile(r"([A-Za-z0-9_-]{1,63})/(\d{1,9})\.(\d{1,9})")
_SITE = re.compile(r"[A-Za-z0-9_-]{1,63}")
_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9-]{1,63}){1,8}")
_INTERFACE = re.compile(r"hn[0-3]")
_PORTS = re.compile(r"(tcp|udp)/(\d{1,5})(?:-(\d{1,5}))?")
_ELEMENT = re.compile(r"([0-9a-f.:]{2,43}/\d{1,3}) \. (tcp|udp) \. (\d{1,5})(?:-(\d{1,5}))?")
_TABLE = re.compile(r'[A-Za-z0-9_ \t\n{}",.:;/*@-]*')
_CLASS = re.compile(r"[a-z]{1,20}")
_SETS = ("incoming4", "incoming6", "outgoing4", "outgoing6")


@dataclass(frozen=True)
class Peer:
    """The other end of a tunnel; `rank` is higher for newer keys, `psk` in base64, "" without one.

    `carries`: addresses of relayed tunnels that are reached through it; `relay`: the site that relays this tunnel.
    """

    site: str
    rank: tuple[int, int]
    key: str
    networks: tuple[str, ...]
    endpoint: str
    keepalive: int
    psk: str
    carries: tuple[str, ...] = ()
    relay: str = ""

    @property
    def gateway(self) -> str:
        """The address of the gateway at the other end, "" when there are no flows with it."""
        return next((str(ip_network(one)[1]) for one in self.networks if ":" in one), "")


@dataclass(frozen=True)
class Checked:
    """What a bundle asks for, checked."""

    addresses: tuple[str, ...]
    networks: tuple[str, ...]
    mtu: int
    rate_kbit: int
    interfaces: Mapping[str, tuple[int, int]]
    """Generation of the key and UDP port of each interface."""
    peers: Mapping[str, tuple[Peer, ...]]
    """Peers of each interface."""
    firewall: str
    """Input of `nft -f -` that replaces the table."""
    classes: Mapping[str, tuple[int, int, tuple[str, ...]]]
    """Priority, percentage and ports of each class of traffic."""
    hosts: str
    """Names and addresses in the form of /etc/hosts."""
    target: tuple[str, int] | None
    """Address and TCP port that must be reachable."""
    probe_port: int = 0
    """The UDP port at which paths are measured, 0: they are not."""
    relay_address: str = ""
    """The own end of relayed tunnels."""


def check_parts(parts: Parts, sealing_key: bytes) -> Checked:
    """Return what parts ask for. Raises: BundleRefused for anything that has not the expected form."""
    try:
        return _checked(parts, sealing_key)
    except (KeyError, TypeError, ValueError, AttributeError, InvalidTag) as error:
        raise BundleRefused(f"a part has not the expected form: {type(error).__name__} {error}"[:300]) from error


def _checked(parts: Parts, sealing_key: bytes) -> Checked:
    site = parts["site"]
    interfaces = {
        _match(_INTERFACE, name): (_number(one["generation"], 1, 10**9), _number(one["port"], 1, 65_535))
        for name, one in parts.get("interfaces", {}).items()
    }
    peers: dict[str, list[Peer]] = {name: [] for name in interfaces}
    opener = AESSIV(sealing_key)
    for tunnel, one in parts.get("peers", {}).items():
        peers[one["interface"]].append(_peer(tunnel, one, opener))
    networks = tuple(str(ip_network(network)) for network in site["networks"])
    relay = _address6(site["relay_address"]) if "relay_address" in site else ""
    target = parts.get("checks", {}).get("target")
    return Checked(
        addresses=tuple(str(ip_address(address)) for address in site["addresses"]) + ((relay,) if relay else ()),
        networks=networks,
        mtu=_number(site["mtu"], 1280, 9_000),
        rate_kbit=_number(site["rate_kbit"], 64, 100_000_000),
        interfaces=interfaces,
        peers={name: tuple(found) for name, found in peers.items()},
        firewall=_firewall(parts),
        classes=_classes(parts.get("classes", {})),
        hosts=_hosts(parts.get("names", {})),
        target=(str(ip_address(target["address"])), _number(target["port"], 1, 65_535)) if target else None,
        probe_port=_number(site.get("probe_port", 0), 0, 65_535),
        relay_address=relay,
    )


def _match(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(repr(text)[:80])
    return text


def _number(value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{value!r:.40} is not a number from {least} to {most}")
    return value


def _peer(tunnel: str, one: Mapping[str, Any], opener: AESSIV) -> Peer:
    found = _TUNNEL.fullmatch(tunnel)
    if found is None or len(b64decode(one["key"], validate=True)) != 32:
        raise ValueError(repr(tunnel)[:80])
    endpoint = one.get("endpoint", "")
    if endpoint:
        host, _, port = endpoint.rpartition(":")
        address = ip_address(host.strip("[]"))
        number = _number(int(port), 1, 65_535)
        endpoint = f"[{address}]:{number}" if address.version == 6 else f"{address}:{number}"
    psk = ""
    if "psk" in one:
        psk = b64encode(opener.decrypt(bytes.fromhex(one["psk"]), [tunnel.encode()])).decode()
    return Peer(
        site=found[1],
        rank=(int(found[2]) + int(found[3]), int(found[2])),
        key=one["key"],
        networks=tuple(str(ip_network(network)) for network in one["networks"]),
        endpoint=endpoint,
        keepalive=_number(one["keepalive"], 0, 3_600),
        psk=psk,
        carries=tuple(_address6(address) for address in one.get("carries", ())),
        relay=_match(_SITE, one["relay"]) if "relay" in one else "",
    )


def _address6(text: str) -> str:
    return str(IPv6Address(text))


def _firewall(parts: Parts) -> str:
    table = str(parts["firewall"]["table"])
    _match(_TABLE, table)
    head = "table inet healthnet\ndelete table inet healthnet\ntable inet healthnet {\n"
    body = table.removeprefix(head)
    if body == table or not _is_one_block(body) or "include" in table or "flush" in table:
        raise ValueError("the rules are not those of the one table inet healthnet")
    lines = []
    for name in _SETS:
        elements = [_element(text, name[-1]) for text in parts.get(name, {})]
        if elements:
            lines.append(f"add element inet healthnet {name} {{ {', '.join(sorted(elements))} }}\n")
    for name in ("carried6", "relayed6"):
        elements = [" . ".join(map(_address6, text.split(" . "))) for text in parts.get(name, {})]
        if elements:
            lines.append(f"add element inet healthnet {name} {{ {', '.join(sorted(elements))} }}\n")
    return table + "".join(lines)


def _is_one_block(body: str) -> bool:
    """Return whether a text, after its opening brace, closes once and at its very end."""
    depth = 1
    for place, char in enumerate(body):
        depth += (char == "{") - (char == "}")
        if depth == 0:
            return not body[place + 1 :].strip()
    return False


def _element(text: str, version: str) -> str:
    found = _ELEMENT.fullmatch(text)
    if found is None or str(ip_network(found[1]).version) != version:
        raise ValueError(repr(text)[:80])
    _ports(found[3], found[4])
    return text


def _ports(first: str, last: str | None) -> None:
    if not 1 <= int(first) <= int(last or first) <= 65_535:
        raise ValueError(f"ports {first}-{last}")


def _classes(given: Mapping[str, Any]) -> dict[str, tuple[int, int, tuple[str, ...]]]:
    found = {}
    for name, one in given.items():
        for port in one["ports"]:
            if (match := _PORTS.fullmatch(port)) is None:
                raise ValueError(repr(port)[:80])
            _ports(match[2], match[3])
        priority, percentage = _number(one["priority"], 0, 7), _number(one["percentage"], 1, 100)
        found[_match(_CLASS, name)] = (priority, percentage, tuple(one["ports"]))
    return found


def _hosts(names: Mapping[str, Any]) -> str:
    lines = [
        f"{ip_address(address)} {_match(_NAME, name)}" for name, found in sorted(names.items()) for address in found
    ]
    return "\n".join(lines) + "\n"

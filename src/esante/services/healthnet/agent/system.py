"""What an agent does to its machine: WireGuard interfaces, routes, nftables, htb classes, names.

Every command is a list of arguments, never text for a shell; texts for `nft` and `wg` go to their standard input.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from esante.services.healthnet.agent.paths import largest_mtu
from esante.services.healthnet.agent.wanted_state import Checked, Peer

INTERFACES = ("hn0", "hn1", "hn2", "hn3")
FRESH = 185
"""Seconds after a handshake for which a tunnel can carry packets (WireGuard: Reject-After-Time is 180)."""
_SHOWN = ("private-key", "listen-port", "peers", "allowed-ips", "preshared-keys")
_SHAPING_TABLE = "inet healthnet_classes"


class Route(NamedTuple):
    """The way to a network; `source`: the own address, "" for any; `mtu`: 0 for that of the interface."""

    interface: str
    source: str
    mtu: int

    def __str__(self) -> str:
        source = f" src {self.source}" if self.source else ""
        return f"dev {self.interface}{source}" + (f" mtu {self.mtu}" if self.mtu else "")


NO_ROUTE = Route("", "", 0)
RELAY_OVERHEAD = 80
"""Bytes that a tunnel inside another one adds to a packet."""


class CommandFailed(Exception):
    """A command failed; the message has what it said."""


def run(*command: str, given: str | None = None) -> str:
    """Return the output of a command. Raises: CommandFailed."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "LOG_LEVEL": "error"}
    try:
        done = subprocess.run(  # noqa: S603 - a list of arguments
            command, input=given, capture_output=True, text=True, check=False, timeout=60, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandFailed(f"{command[0]}: {error}") from error
    if done.returncode:
        raise CommandFailed(f"{' '.join(command)[:200]}: {done.stderr.strip()[:500]}")
    return done.stdout


class System:
    """The machine of a site. `hosts_file`: where names go, for the resolver of the site."""

    def __init__(self, hosts_file: Path) -> None:
        self._hosts_file = hosts_file
        self._routes: dict[str, Route] = {}
        """The route of each network, as last set."""
        self._mtus: dict[str, int] = {}
        self._is_mtu_new = False
        self._applied: Checked | None = None
        self._private: Mapping[int, str] = {}
        self._fingerprint = ""
        self._shaped: dict[str, str] = {}

    def apply(self, wanted: Checked, private: Mapping[int, str]) -> None:
        """Make the machine what a bundle asks for; `private`: WireGuard keys (base64) by generation.

        The firewall comes first, so that nothing passes in between that the bundle does not allow.
        Raises: CommandFailed; what was done until then stays, and is undone by applying the bundle before.
        """
        gone = [*self._applied.addresses] if self._applied else []
        self._applied, self._private = wanted, private
        run("nft", "-f", "-", given=wanted.firewall + _shaping(wanted))
        _forward()
        for address in wanted.addresses:
            run("ip", "address", "replace", _host(address), "dev", "lo")
        for address in {*gone} - {*wanted.addresses}:
            with contextlib.suppress(CommandFailed):  # somebody did it before
                run("ip", "address", "delete", _host(address), "dev", "lo")
        present = self.interfaces()
        for name, (generation, port) in wanted.interfaces.items():
            if name not in present:
                _create(name)
            run(
                "wg",
                "syncconf",
                name,
                "/dev/stdin",
                given=_configuration(private[generation], port, wanted.peers[name]),
            )
            run("ip", "link", "set", name, "mtu", str(wanted.mtu), "up")
            self._shape(name, wanted)
        self.choose_routes(force=True)
        for name in present - wanted.interfaces.keys():
            run("ip", "link", "delete", name)
            self._shaped.pop(name, None)
        self._hosts_file.write_text(wanted.hosts)
        self._fingerprint = self._read_fingerprint()

    def _shape(self, name: str, wanted: Checked) -> None:
        """Divide the bandwidth of an interface, when that is not done; htb cannot be changed as a whole."""
        classes = _htb(name, wanted)
        if self._shaped.get(name) != classes:
            with contextlib.suppress(CommandFailed):  # there is none before the first time
                run("tc", "qdisc", "delete", "dev", name, "root")
            run("tc", "-batch", "-", given=classes)
            self._shaped[name] = classes

    def remove(self) -> None:
        """Take everything of the network away."""
        for name in self.interfaces():
            run("ip", "link", "delete", name)
        for table in ("inet healthnet", _SHAPING_TABLE):
            family, name = table.split()
            run("nft", "-f", "-", given=f"table {family} {name}\ndelete table {family} {name}\n")
        for address in self._applied.addresses if self._applied else ():
            run("ip", "address", "delete", _host(address), "dev", "lo")
        self._applied, self._fingerprint = None, ""
        self._routes.clear()
        self._shaped.clear()

    def interfaces(self) -> set[str]:
        """Return the interfaces of the network that there are."""
        return {name for name in INTERFACES if Path(f"/sys/class/net/{name}").exists()}

    def choose_routes(self, force: bool = False) -> None:
        """Send packets to each site through its newest tunnel that had a handshake, else through its oldest one.

        Packets are accepted from all tunnels, so the two sides need not choose at the same moment.
        """
        if self._applied is None:
            return
        tunnels = self._tunnels()
        if not force and not self._is_mtu_new and all(len(found) == 1 for found in tunnels.values()):
            return
        ages, own = self.handshakes(), self._applied
        wanted: dict[str, Route] = {}
        for site, found in tunnels.items():
            name, peer = _best(found, ages)
            mtu = self._mtus.get(site) or (own.mtu - RELAY_OVERHEAD if peer.relay else 0)
            for network in peer.networks:
                source = next((one for one in own.addresses if (":" in one) == (":" in network)), "")
                if source:
                    wanted[network] = Route(name, source, mtu)
            wanted |= {f"{address}/128": Route(name, own.relay_address, mtu) for address in peer.carries}
        changed = {network: one for network, one in wanted.items() if force or self._routes.get(network) != one}
        lines = [f"route replace {network} {one}" for network, one in changed.items()]
        lines += [f"route delete {network}" for network in self._routes.keys() - wanted.keys()]
        for version in ("-4", "-6"):
            given = "".join(f"{line}\n" for line in lines if (":" in line.split()[2]) == (version == "-6"))
            if given:
                run("ip", version, "-force", "-batch", "-", given=given)
        self._routes, self._is_mtu_new = wanted, False

    def set_mtus(self, mtus: Mapping[str, int]) -> None:
        """Use these MTUs for packets to sites; without one, that of the bundle."""
        if mtus != self._mtus:
            self._mtus, self._is_mtu_new = dict(mtus), True

    def measured_paths(self) -> dict[str, tuple[str, int]]:
        """Return the gateway of each site that there are flows with, and the largest MTU of the way to it."""
        if self._applied is None:
            return {}
        endpoints, most = {}, self._applied.mtu
        for name in sorted(self.interfaces()):  # with "all", some versions leave the interface out
            for line in run("wg", "show", name, "endpoints").splitlines():
                key, endpoint = line.split("\t")
                endpoints[name, key] = endpoint
        found = {}
        for site, tunnels in self._tunnels().items():
            gateway = tunnels[0][1].gateway
            known = [one for name, peer in tunnels if ":" in (one := endpoints.get((name, peer.key), ""))]
            if gateway:
                found[site] = gateway, min((largest_mtu(one, most) for one in known), default=most)
        return found

    @property
    def probes(self) -> tuple[str, int]:
        """The own address and the port between which paths are measured; a port of 0: they are not."""
        return (self._applied.addresses[0], self._applied.probe_port) if self._applied else ("", 0)

    def _tunnels(self) -> dict[str, list[tuple[str, Peer]]]:
        found: dict[str, list[tuple[str, Peer]]] = {}
        for name, peers in self._applied.peers.items() if self._applied else ():
            for peer in peers:
                found.setdefault(peer.site, []).append((name, peer))
        return found

    def handshakes(self) -> dict[tuple[str, str], float]:
        """Return the seconds since the last handshake of each tunnel that had one, by interface and key."""
        found = {}
        for line in run("wg", "show", "all", "latest-handshakes").splitlines():
            name, key, at = line.split("\t")
            if int(at):
                found[name, key] = max(0.0, time.time() - int(at))
        return found

    def paths(self, figures: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
        """Return each tunnel as heartbeats have it; `figures`: what was measured on the path to each site."""
        ages, bytes_of = self.handshakes(), self._transfers()
        found = []
        for site, tunnels in sorted(self._tunnels().items()):
            for name, peer in tunnels:
                received, sent = bytes_of.get((name, peer.key), (0, 0))
                age = ages.get((name, peer.key))
                in_use = any(self._routes.get(network, NO_ROUTE).interface == name for network in peer.networks)
                found.append({
                    "site": site,
                    "own": peer.rank[1],
                    "rank": peer.rank[0],
                    "handshake_age_s": None if age is None else int(age),
                    "rx_bytes": received,
                    "tx_bytes": sent,
                    "relay": peer.relay,
                    **(figures.get(site, {}) if in_use else {}),
                })  # fmt: skip
        return found

    def _transfers(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Return the bytes that each tunnel received and sent, by interface and key."""
        lines = (line.split("\t") for line in run("wg", "show", "all", "transfer").splitlines())
        return {(name, key): (int(received), int(sent)) for name, key, received, sent in lines}

    def has_drifted(self) -> bool:
        """Return whether somebody or something changed what was applied."""
        return self._applied is not None and self._read_fingerprint() != self._fingerprint

    def mend(self) -> None:
        """Apply again what was applied last."""
        if self._applied is not None:
            self._routes.clear()
            self._shaped.clear()
            self.apply(self._applied, self._private)

    def _read_fingerprint(self) -> str:
        """Return a digest of the state of the machine, without what traffic changes."""
        parts = []
        try:
            listed = json.loads(run("nft", "-j", "list", "table", "inet", "healthnet"))
            parts.append(json.dumps(_without_counts(listed), sort_keys=True))
            for name in sorted(self._applied.interfaces if self._applied else ()):
                shown = [run("wg", "show", name, what) for what in _SHOWN]
                parts += ["\n".join(sorted(text.splitlines())) for text in shown]
                parts += [
                    run("ip", "-o", "link", "show", name).split("state")[0],
                    run("tc", "class", "show", "dev", name),
                ]
            addresses = self._applied.addresses if self._applied else ()
            present = run("ip", "-o", "address", "show", "dev", "lo").split()
            parts += [word for word in present if word.partition("/")[0] in addresses]
            parts.append(self._hosts_file.read_text())
            parts += self._missing_routes()
        except (CommandFailed, OSError, ValueError) as error:
            parts.append(f"{error}")
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def _missing_routes(self) -> list[str]:
        present = set()
        for version in ("-4", "-6"):
            for line in run("ip", version, "route", "show").splitlines():
                words = line.split()
                if "dev" in words:
                    network = words[0] if "/" in words[0] else _host(words[0])
                    present.add((network, words[words.index("dev") + 1]))
        return sorted(network for network, one in self._routes.items() if (network, one.interface) not in present)


def _host(address: str) -> str:
    return f"{address}/{128 if ':' in address else 32}"


def _best(found: Sequence[tuple[str, Peer]], ages: Mapping[tuple[str, str], float]) -> tuple[str, Peer]:
    newest_first = sorted(found, key=lambda one: one[1].rank, reverse=True)
    for name, peer in newest_first:
        if ages.get((name, peer.key), FRESH) < FRESH:
            return name, peer
    return newest_first[-1]


def _create(name: str) -> None:
    """Make a WireGuard interface, in the kernel or else by wireguard-go, which goes on when the agent ends."""
    try:
        run("ip", "link", "add", name, "type", "wireguard")
    except CommandFailed as error:
        if not shutil.which("wireguard-go"):
            raise CommandFailed(f"the kernel has no WireGuard ({error}), and wireguard-go is not installed") from error
        _start_wireguard_go(name)


def _start_wireguard_go(name: str) -> None:
    """Start it; it goes on beside this process and keeps what it has open, so its output goes nowhere."""
    command = ["wireguard-go", name]
    done = subprocess.run(  # noqa: S603 - a list of arguments
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=60,
    )
    if done.returncode:
        raise CommandFailed(f"wireguard-go {name} ended with {done.returncode}")


def _configuration(private: str, port: int, peers: Sequence[Peer]) -> str:
    lines = ["[Interface]", f"PrivateKey = {private}", f"ListenPort = {port}"]
    for peer in peers:
        lines += ["[Peer]", f"PublicKey = {peer.key}", f"AllowedIPs = {', '.join(peer.networks + peer.carries)}"]
        if peer.psk:
            lines.append(f"PresharedKey = {peer.psk}")
        if peer.endpoint:
            lines.append(f"Endpoint = {peer.endpoint}")
        lines.append(f"PersistentKeepalive = {peer.keepalive}")
    return "\n".join(lines) + "\n"


def _shaping(wanted: Checked) -> str:
    """Return the table that gives packets their class: by ports of the service, in both directions."""
    rules = []
    for number, (_, _, ports) in enumerate(wanted.classes.values(), 1):
        for protocol in ("tcp", "udp"):
            listed = ", ".join(port.partition("/")[2] for port in ports if port.startswith(protocol))
            if listed:
                into = f"{{ {listed} }} meta priority set 1:{number + 1}"
                rules += [f'oifname "hn*" {protocol} {direction} {into}' for direction in ("dport", "sport")]
    body = "\n        ".join(rules)
    return f"""\
table {_SHAPING_TABLE}
delete table {_SHAPING_TABLE}
table {_SHAPING_TABLE} {{
    chain classify {{
        type filter hook postrouting priority mangle; policy accept;
        {body}
    }}
}}
"""


def _htb(name: str, wanted: Checked) -> str:
    """Return what gives an interface the bandwidth of the site, divided by class of traffic."""
    rate = wanted.rate_kbit
    lines = [
        f"qdisc add dev {name} root handle 1: htb default 1",
        f"class add dev {name} parent 1: classid 1:ffff htb rate {rate}kbit ceil {rate}kbit",
        f"class add dev {name} parent 1:ffff classid 1:1 htb rate 8kbit ceil {rate}kbit prio 7",
    ]
    for number, (priority, percentage, _) in enumerate(wanted.classes.values(), 1):
        sure = max(8, rate * percentage // 100)
        lines.append(
            f"class add dev {name} parent 1:ffff classid 1:{number + 1} htb rate {sure}kbit ceil {rate}kbit"
            f" prio {priority}"
        )
    return "\n".join(lines) + "\n"


def _forward() -> None:
    """Let the gateway forward, and accept replies that come through another tunnel during a rotation."""
    for path, value in (
        ("ipv6/conf/all/forwarding", "1"),
        ("ipv4/ip_forward", "1"),
        ("ipv4/conf/all/rp_filter", "2"),
    ):
        file = Path("/proc/sys/net") / path
        if os.access(file, os.W_OK) and file.read_text().strip() != value:
            file.write_text(value)


def _without_counts(value: object) -> object:
    if isinstance(value, dict):
        kept = {key: one for key, one in value.items() if key not in ("handle", "packets", "bytes", "metainfo")}
        return {key: _without_counts(one) for key, one in kept.items()}
    if isinstance(value, list):
        found = [_without_counts(one) for one in value]
        return sorted(found, key=lambda one: json.dumps(one, sort_keys=True)) if _is_elements(value) else found
    return value


def _is_elements(value: list[object]) -> bool:
    return bool(value) and all(isinstance(one, dict) and "concat" in one for one in value)

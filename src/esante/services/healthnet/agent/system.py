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
from typing import Any

from esante.services.healthnet.agent.wanted_state import Checked, Peer

INTERFACES = ("hn0", "hn1", "hn2", "hn3")
FRESH = 185
"""Seconds after a handshake for which a tunnel can carry packets (WireGuard: Reject-After-Time is 180)."""
_SHOWN = ("private-key", "listen-port", "peers", "allowed-ips", "preshared-keys")
_SHAPING_TABLE = "inet healthnet_classes"


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
        self._routes: dict[str, str] = {}
        """The interface of each network, as last set."""
        self._applied: Checked | None = None
        self._private: Mapping[int, str] = {}
        self._fingerprint = ""
        self._shaped: dict[str, str] = {}

    def apply(self, wanted: Checked, private: Mapping[int, str]) -> None:
        """Make the machine what a bundle asks for; `private`: WireGuard keys (base64) by generation.

        The firewall comes first, so that nothing passes in between that the bundle does not allow.
        Raises: CommandFailed; what was done until then stays, and is undone by applying the bundle before.
        """
        self._applied, self._private = wanted, private
        run("nft", "-f", "-", given=wanted.firewall + _shaping(wanted))
        _forward()
        for address in wanted.addresses:
            run("ip", "address", "replace", f"{address}/{'128' if ':' in address else '32'}", "dev", "lo")
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
            run("ip", "address", "delete", f"{address}/{'128' if ':' in address else '32'}", "dev", "lo")
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
        if not force and all(len(found) == 1 for found in tunnels.values()):
            return
        ages = self.handshakes()
        lines, wanted = [], {}
        for found in tunnels.values():
            name, peer = _best(found, ages)
            for network in peer.networks:
                wanted[network] = name
                source = next((a for a in self._applied.addresses if (":" in a) == (":" in network)), None)
                if source and (force or self._routes.get(network) != name):
                    lines.append(f"route replace {network} dev {name} src {source}")
        lines += [f"route delete {network}" for network in self._routes.keys() - wanted.keys()]
        for version in ("-4", "-6"):
            given = "".join(f"{line}\n" for line in lines if (":" in line.split()[2]) == (version == "-6"))
            if given:
                run("ip", version, "-force", "-batch", "-", given=given)
        self._routes = wanted

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

    def paths(self) -> list[dict[str, Any]]:
        """Return each tunnel as heartbeats have it: site at its other end, keys, last handshake, bytes."""
        ages, bytes_of = self.handshakes(), self._transfers()
        found = []
        for site, tunnels in sorted(self._tunnels().items()):
            for name, peer in tunnels:
                received, sent = bytes_of.get((name, peer.key), (0, 0))
                age = ages.get((name, peer.key))
                found.append({
                    "site": site,
                    "own": peer.rank[1],
                    "rank": peer.rank[0],
                    "handshake_age_s": None if age is None else int(age),
                    "rx_bytes": received,
                    "tx_bytes": sent,
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
                    network = words[0] if "/" in words[0] else f"{words[0]}/{'128' if ':' in words[0] else '32'}"
                    present.add((network, words[words.index("dev") + 1]))
        return sorted(network for network, name in self._routes.items() if (network, name) not in present)


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
        lines += ["[Peer]", f"PublicKey = {peer.key}", f"AllowedIPs = {', '.join(peer.networks)}"]
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

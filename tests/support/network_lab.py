"""A network of namespaces: a gateway for each site, a router between them, and probes with real packets.

Everything stays inside namespaces of its own, which end with the lab. The links have no neighbour discovery, as those of
WireGuard have none.
"""

import contextlib
import ctypes
import errno
import os
import selectors
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from itertools import count

CLONE_NEWNET = 0x40000000
MAC = "02:00:00:00:00:01"
_LAB = count()
_libc = ctypes.CDLL(None, use_errno=True)


def missing_for_lab(*commands):
    """What this machine lacks for the lab, in words; "" when nothing."""
    absent = [name for name in ("ip", *commands) if not shutil.which(name)]
    if absent:
        return f"{', '.join(absent)} not installed (make healthnet-lab installs them)"
    if os.geteuid() != 0:
        return "namespaces of the network need root"
    name = f"hn{os.getpid()}try"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"namespaces cannot be made here: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return ""


def run(*command, given=None):
    """Run a command; its output. Raises: RuntimeError with what it says when it fails."""
    done = subprocess.run([*map(str, command)], input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))[:200]}: {done.stderr[:500]}")
    return done.stdout


@contextlib.contextmanager
def inside(namespace):
    """This thread in a namespace of the network."""
    home = os.open(f"/proc/{os.getpid()}/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        _enter(there)
        try:
            yield
        finally:
            _enter(home)
    finally:
        os.close(there)
        os.close(home)


def _enter(handle):
    if _libc.setns(handle, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@dataclass(frozen=True)
class Probe:
    """An attempt to reach an address and port from a namespace."""

    source: str
    target: str
    protocol: str
    port: int
    version: int = 6


class NetworkLab:
    """Namespaces of sites: `addresses` are those of their gateways, by site."""

    def __init__(self, addresses):
        self.addresses, self._prefix = addresses, f"hn{os.getpid()}x{next(_LAB)}x"
        self.names = {site: f"{self._prefix}{number}" for number, site in enumerate(addresses)}
        self.router = f"{self._prefix}r"
        self._servers, self._made = [], []
        self.hosts = {}

    def __enter__(self):
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _build(self):
        for name in [self.router, *self.names.values()]:
            self._namespace(name)
        self._sysctl(self.router, "net.ipv6.conf.all.forwarding=1", "net.ipv4.ip_forward=1")
        for number, (site, name) in enumerate(self.names.items()):
            own, port = self.addresses[site], f"s{number}"
            self._link(name, "hn0", self.router, port)
            lines = [f"address add {own.gateway6}/128 dev hn0 nodad", "route add fd00::/8 dev hn0"]
            back = [f"route add {own.v6} dev {port}"]
            if own.v4:
                lines += [f"address add {own.gateway4}/32 dev hn0", f"route add 10.0.0.0/8 dev hn0 src {own.gateway4}"]
                back.append(f"route add {own.v4} dev {port}")
            self._batch(name, lines)
            self._batch(self.router, back)

    def _namespace(self, name):
        run("ip", "netns", "add", name)
        self._made.append(name)
        run("ip", "-n", name, "link", "set", "lo", "up")

    def _link(self, one, first, other, second):
        run("ip", "-n", one, "link", "add", first, "address", MAC, "type", "veth",
            "peer", "name", second, "address", MAC, "netns", other)  # fmt: skip
        for name, device in ((one, first), (other, second)):
            run("ip", "-n", name, "link", "set", device, "arp", "off", "up")

    def _batch(self, name, lines):
        run("ip", "-n", name, "-force", "-batch", "-", given="\n".join(lines) + "\n")

    def _sysctl(self, name, *settings):
        run("ip", "netns", "exec", name, "sysctl", "-q", "-w", *settings)

    def add_host(self, site):
        """A machine behind the gateway of a site; its name is that of the site with +, its address the second one."""
        own, host = self.addresses[site], f"{site}+"
        name, gateway = f"{self._prefix}h{len(self.hosts)}", self.names[site]
        self._namespace(name)
        self._link(name, "eth0", gateway, "lan0")
        self._sysctl(gateway, "net.ipv6.conf.all.forwarding=1", "net.ipv4.ip_forward=1")
        self._batch(gateway, [f"route add {own.v6[2]}/128 dev lan0", f"route add {own.v4[2]}/32 dev lan0"])
        self._batch(
            name,
            [
                f"address add {own.v6[2]}/128 dev eth0 nodad",
                f"address add {own.v4[2]}/32 dev eth0",
                "route add fd00::/8 dev eth0",
                f"route add 10.0.0.0/8 dev eth0 src {own.v4[2]}",
            ],
        )
        self.names[host] = self.hosts[host] = name
        return host

    def address(self, end, version):
        """The address of a gateway, or of a machine behind it."""
        own = self.addresses[end.removesuffix("+")]
        return str((own.v6 if version == 6 else own.v4)[2 if end.endswith("+") else 1])

    def load(self, site, rules):
        """Load input of nft at a site."""
        run("ip", "netns", "exec", self.names[site], "nft", "-f", "-", given=rules)

    def nft(self, site, *arguments):
        """The output of nft at a site."""
        return run("ip", "netns", "exec", self.names[site], "nft", *arguments)

    def serve(self, ends, ports):
        """Open (protocol, port) at gateways and machines: TCP accepts, UDP answers with what it was sent."""
        for end in ends:
            with inside(self.names[end]):
                for protocol, port in ports:
                    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
                    server = socket.socket(socket.AF_INET6, kind)
                    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    server.setblocking(False)
                    server.bind(("::", port))
                    if protocol == "tcp":
                        server.listen(512)
                    self._servers.append(server)

    def reached(self, probes, expected=()):
        """The probes that were answered. Waits until all the expected ones are, and then for others that should not."""
        with Round(self, self._servers) as round_:
            return round_.run(list(probes), set(expected))

    def talk(self, source, target, port):
        """An established TCP connection between two gateways, on a port that nothing serves."""
        return Talk(self, source, target, port)

    def spoofed(self, source, address, target, port):
        """Whether a datagram that leaves a gateway with a foreign address of its own arrives at a UDP port."""
        self._batch(self.names[source], [f"address add {address}/128 dev lo nodad"])
        with inside(self.names[target]):
            server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            server.bind((self.address(target, 6), port))
            server.settimeout(1.0)
        with inside(self.names[source]), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client:
            client.bind((str(address), 0))
            with contextlib.suppress(PermissionError):
                client.sendto(b"spoofed", (self.address(target, 6), port))
        with server:
            try:
                return server.recv(100) == b"spoofed"
            except TimeoutError:
                return False
            finally:
                self._batch(self.names[source], [f"address del {address}/128 dev lo"])

    def __exit__(self, *_):
        for server in self._servers:
            server.close()
        for name in self._made:
            subprocess.run(["ip", "netns", "del", name], check=False)
        self._made.clear()


class Talk:
    """A TCP connection that stays open."""

    def __init__(self, lab, source, target, port):
        with inside(lab.names[target]):
            listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((lab.address(target, 6), port))
            listener.listen(1)
        with inside(lab.names[source]):
            self._client = socket.create_connection((lab.address(target, 6), port), timeout=10)
        with listener:
            self._server = listener.accept()[0]

    def answers(self, text, *, backwards=False, within=1.5):
        """Whether a text arrives at the other end, perhaps after those that were held up before."""
        one, other = (self._server, self._client) if backwards else (self._client, self._server)
        one.sendall(text.encode())
        other.settimeout(within)
        data = b""
        try:
            while not data.endswith(text.encode()):
                data += other.recv(100)
        except TimeoutError:
            return False
        return True

    def close(self):
        """Close both ends."""
        self._client.close()
        self._server.close()


class Round:
    """A number of probes at a time."""

    QUIET, LONGEST = 0.4, 20.0

    def __init__(self, lab, servers):
        self._lab, self._open = lab, []
        self._selector = selectors.DefaultSelector()
        for server in servers:
            self._selector.register(server, selectors.EVENT_READ, None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._selector.close()
        for one in self._open:
            one.close()

    def run(self, probes, expected):
        """Send all, and gather answers."""
        found = set()
        for source in {probe.source for probe in probes}:
            with inside(self._lab.names[source]):
                for probe in (one for one in probes if one.source == source):
                    self._send(probe)
        began = last = time.monotonic()
        while True:
            now = time.monotonic()
            if now - began > self.LONGEST or (expected <= found and now - last > self.QUIET):
                return found
            for key, _ in self._selector.select(0.05):
                if (probe := self._handle(key)) is not None:
                    found.add(probe)
                    last = time.monotonic()

    def _send(self, probe):
        family = socket.AF_INET6 if probe.version == 6 else socket.AF_INET
        kind = socket.SOCK_STREAM if probe.protocol == "tcp" else socket.SOCK_DGRAM
        client = socket.socket(family, kind)
        client.setblocking(False)
        self._open.append(client)
        place = (self._lab.address(probe.target, probe.version), probe.port)
        try:
            if probe.protocol == "tcp":
                if client.connect_ex(place) not in (0, errno.EINPROGRESS):
                    return
            else:
                client.connect(place)
                client.send(b"probe")
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EACCES, errno.ENETUNREACH, errno.EHOSTUNREACH):
                raise
            return
        event = selectors.EVENT_WRITE if probe.protocol == "tcp" else selectors.EVENT_READ
        self._selector.register(client, event, probe)

    def _handle(self, key):
        one, probe = key.fileobj, key.data
        if probe is None:
            with contextlib.suppress(BlockingIOError):
                if one.type == socket.SOCK_STREAM:
                    one.accept()[0].close()
                else:
                    data, sender = one.recvfrom(100)
                    with contextlib.suppress(OSError):
                        one.sendto(data, sender)
            return None
        self._selector.unregister(one)
        if probe.protocol == "tcp":
            return probe if one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 else None
        try:
            return probe if one.recv(100) == b"probe" else None
        except OSError:
            return None

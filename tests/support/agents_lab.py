"""A country in namespaces: real agents, real WireGuard, real nftables, an Internet between them, a real controller.

Each namespace has a folder of its own for the sockets of wireguard-go, so a process (`sleep`) holds its mounts; agents and
commands enter by its number. Everything ends with the lab.
"""

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address
from itertools import count
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from esante.services.healthnet.addresses.model import SiteAddresses
from esante.services.healthnet.agent.archive import agent_file
from esante.services.healthnet.controller.model import SiteFacts
from tests.support.network_lab import inside, run

ROOT = Path(__file__).parents[2]
CONTROLLER = "100.64.0.2"
PORT = 8443
_LAB = count()
PORTS = (8443, 9102, 5353, 11112)


def agent_python():
    """Debian's Python where it has `cryptography`, else this one."""
    debian = "/usr/bin/python3"
    if Path(debian).exists():
        done = subprocess.run([debian, "-I", "-c", "import cryptography"], capture_output=True, check=False)
        if done.returncode == 0:
            return debian
    return sys.executable


def wait_until(what, seconds=240.0, pause=0.1):
    """Wait until something is true; what it is then. Raises: AssertionError.

    The time is that of a machine with much else to do: what is wrong shows later, and nothing fails for being slow.
    """
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(pause)
    return found


def server_certificate(folder, address):
    """Write `server.pem` (key and certificate) and `ca.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "controller")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    (folder / "ca.pem").write_bytes(pem)
    (folder / "server.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + pem)


def _send_all(client, amount):
    with contextlib.suppress(OSError):
        client.sendall(bytes(amount))


class AgentsLab:
    """Sites by key with their kind and profession; `relay`: delay (s) and loss of a relay between their tunnels.

    `nat`: sites behind a router that translates addresses and lets nothing in that was not asked for.
    """

    def __init__(self, folder, dsn, sites, relay=None, nat=()):
        self.folder, self.dsn, self.sites, self.relay, self.nat = folder, dsn, sites, relay, nat
        self._prefix = f"ha{os.getpid()}x{next(_LAB)}x"
        self.numbers = {site: number for number, site in enumerate(sites, 1)}
        self.names = {site: f"{self._prefix}{number}" for site, number in self.numbers.items()}
        self.internet, self.control = f"{self._prefix}i", f"{self._prefix}c"
        self._made, self._holders, self._servers = [], {}, []
        self.agents, self.controller, self._relay = {}, None, None
        self._logs, self._ended, self._accepting = [], threading.Event(), None
        self.file = folder / "healthnet-agent.pyz"
        self.python = agent_python()

    def __enter__(self):
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _build(self):
        self.folder.mkdir(exist_ok=True)
        server_certificate(self.folder, CONTROLLER)
        (self.folder / "root.key").write_bytes(bytes(range(64)))
        self.file.write_bytes(agent_file())
        for name in (self.internet, self.control, *self.names.values()):
            run("ip", "netns", "add", name)
            self._made.append(name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "netns", "exec", self.internet, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        for number, name in [(0, self.control), *((self.numbers[site], self.names[site]) for site in self.sites)]:
            run("ip", "-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", f"s{number}",
                "netns", self.internet)  # fmt: skip
            lines = [f"address add 100.64.{number}.2/24 dev eth0", "link set eth0 up",
                     f"route add default via 100.64.{number}.1"]  # fmt: skip
            run("ip", "-n", name, "-batch", "-", given="\n".join(lines) + "\n")
            lines = [f"address add 100.64.{number}.1/24 dev s{number}", f"link set s{number} up"]
            run("ip", "-n", self.internet, "-batch", "-", given="\n".join(lines) + "\n")
        if self.nat:
            self._translate()
        if self.relay:
            self._start_relay()
        Path("/run/wireguard").mkdir(exist_ok=True)
        for site in self.sites:
            script = "mount -t tmpfs tmpfs /run/wireguard && echo && exec sleep 3600"
            holder = subprocess.Popen(
                ["ip", "netns", "exec", self.names[site], "sh", "-c", script], stdout=subprocess.PIPE
            )
            self._holders[site] = holder
            assert holder.stdout.readline() == b"\n"
        for site in self.sites:
            with inside(self.names[site]):
                for port in PORTS:
                    server = socket.create_server(
                        ("::", port), family=socket.AF_INET6, backlog=64, dualstack_ipv6=True
                    )
                    self._servers.append(server)
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _translate(self):
        """Translate addresses of sites behind NAT, each to that of the port at which a packet leaves."""
        nets = ", ".join(f"100.64.{self.numbers[site]}.0/24" for site in self.nat)
        rules = f"""table ip nat {{
            chain translate {{ type nat hook postrouting priority srcnat; ip saddr {{ {nets} }} masquerade; }}
            chain guard {{ type filter hook forward priority filter; ip daddr {{ {nets} }} ct state new drop; }}
        }}"""
        run("ip", "netns", "exec", self.internet, "nft", "-f", "-", given=rules)

    def narrow(self, site, mtu):
        """Let only packets of this size pass between a site and the Internet, without a word about larger ones."""
        rules = """table ip narrow {
            chain silence { type filter hook output priority filter; icmp type destination-unreachable drop; }
        }"""
        run("ip", "netns", "exec", self.internet, "nft", "-f", "-", given=rules)
        run("ip", "-n", self.internet, "link", "set", f"s{self.numbers[site]}", "mtu", mtu)

    def _accept(self):
        """Accept and close every connection, until the lab ends."""
        with selectors.DefaultSelector() as selector:
            for server in self._servers:
                selector.register(server, selectors.EVENT_READ)
            while not self._ended.is_set():
                for key, _ in selector.select(0.2):
                    key.fileobj.accept()[0].close()

    def _start_relay(self):
        """Start the relay between sites: (seconds of delay, part of packets that is lost)."""
        pairs = [f"100.64.{number}.1=100.64.{number}.2" for number in self.numbers.values()]
        command = ["ip", "netns", "exec", self.internet, sys.executable, str(ROOT / "tests/support/udp_relay.py"),
                   *map(str, self.relay), *pairs]  # fmt: skip
        self._relay = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._relay.stdout.readline() == b"ready\n"

    def addresses(self, site):
        """The networks of a site."""
        number = self.numbers[site]
        return SiteAddresses(
            IPv6Network((int(IPv6Network("fd0e:5a17::/48")[0]) + (number << 64), 64)),
            IPv4Network((int(IPv4Network("10.99.0.0/16")[0]) + number * 8, 29)),
        )

    def facts(self, site):
        """What the controller is told of a site."""
        kind, profession = self.sites[site]
        host = "" if site in self.nat else f"100.64.{self.numbers[site]}.{1 if self.relay else 2}"
        return SiteFacts(
            site=site,
            kind=kind,
            profession=profession,
            addresses=self.addresses(site),
            endpoint=host,
            rate_kbit=50_000,
        )

    def _log(self, name):
        file = (self.folder / f"{name}.log").open("ab")
        self._logs.append(file)
        return file

    def log(self, name):
        """What a process wrote."""
        return (self.folder / f"{name}.log").read_text()

    def start_controller(self):
        """Start the controller, and wait until it listens."""
        command = ["ip", "netns", "exec", self.control, sys.executable, "-m", "tests.support.healthnet_controller",
                   self.dsn, str(self.folder), CONTROLLER, str(PORT)]  # fmt: skip
        self.controller = subprocess.Popen(command, cwd=ROOT, stderr=self._log("controller"))
        wait_until(self._listens)

    def _listens(self):
        assert self.controller.poll() is None, self.log("controller")
        with inside(self.control), socket.socket() as client:
            client.settimeout(0.5)
            return client.connect_ex((CONTROLLER, PORT)) == 0

    def kill_controller(self):
        """End the controller without notice."""
        self.controller.send_signal(signal.SIGKILL)
        self.controller.wait()

    def enter(self, site, *command):
        """A command that runs in the namespaces of a site."""
        return ["nsenter", "-t", str(self._holders[site].pid), "-n", "-m", *map(str, command)]

    def home(self, site):
        """The folder of an agent."""
        return self.folder / "homes" / site

    def enrol(self, site, token):
        """Enrol an agent; what the command says. Raises: RuntimeError."""
        command = self.enter(site, self.python, "-I", self.file, "enrol", "--folder", self.home(site),
                             "--controller", f"https://{CONTROLLER}:{PORT}", "--ca", self.folder / "ca.pem")  # fmt: skip
        return run(*command, given=token + "\n")

    def start_agent(self, site, command="run", patience=40.0):
        """Start an agent."""
        given = self.enter(site, self.python, "-I", self.file, command, "--folder", self.home(site),
                           "--patience", str(patience))  # fmt: skip
        environment = {**os.environ, "HEALTHNET_PATIENCE": str(patience)}
        self.agents[site] = subprocess.Popen(given, stderr=self._log(site), stdout=subprocess.DEVNULL, env=environment)

    def stop_agent(self, site, how=signal.SIGTERM):
        """End an agent; its tunnels stay."""
        agent = self.agents.pop(site)
        agent.send_signal(how)
        agent.wait(120)

    def reaches(self, source, target, port=8443, version=6, timeout=6.0):
        """Whether a TCP connection through the network is accepted."""
        own = self.addresses(target)
        family = socket.AF_INET6 if version == 6 else socket.AF_INET
        with inside(self.names[source]), socket.socket(family, socket.SOCK_STREAM) as client:
            client.settimeout(timeout)
            return client.connect_ex((str(own.gateway6 if version == 6 else own.gateway4), port)) == 0

    def sends(self, source, target, port, amount=300_000, timeout=15.0):
        """Whether so many bytes arrive through the network, at a port that nothing serves."""
        place = (str(self.addresses(target).gateway6), port)
        with inside(self.names[target]):
            listener = socket.create_server(place, family=socket.AF_INET6)
        with listener, inside(self.names[source]), socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as client:
            client.settimeout(timeout)
            listener.settimeout(timeout)
            client.connect(place)
            server = listener.accept()[0]
            with server:
                server.settimeout(timeout)
                thread = threading.Thread(target=_send_all, args=(client, amount))
                thread.start()
                received = 0
                with contextlib.suppress(TimeoutError):
                    while received < amount and (data := server.recv(65_536)):
                        received += len(data)
                thread.join()
        return received == amount

    def show(self, site, *command):
        """The output of a command at a site."""
        return run(*self.enter(site, *command))

    def serial(self, site):
        """The serial of the last good bundle of an agent."""
        import json

        try:
            return json.loads((self.home(site) / "good.json").read_text())["head"]["serial"]
        except (FileNotFoundError, ValueError):
            return 0

    def __exit__(self, *_):
        for agent in [*self.agents.values(), self.controller, self._relay]:
            if agent is not None and agent.poll() is None:
                agent.kill()
                agent.wait()
        self._ended.set()
        if self._accepting:
            self._accepting.join()
        for server in self._servers:
            server.close()
        for name in self._made:
            done = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False)
            for pid in done.stdout.split():
                if int(pid) != os.getpid():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
        for holder in self._holders.values():
            holder.wait(10)
            holder.stdout.close()
        for name in self._made:
            subprocess.run(["ip", "netns", "del", name], check=False)
        for log in self._logs:
            log.close()
        self._made.clear()

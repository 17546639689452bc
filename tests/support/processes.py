"""`esante` processes: commands, and servers that are started, stopped and killed."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

SOURCE = Path(__file__).resolve().parents[2] / "src"
READY_SECONDS = 90


def environment(**extra: str) -> dict[str, str]:
    """Return the environment for a process: that of the tests without settings of esante, and `extra`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ESANTE_")}
    return {**inherited, "PYTHONPATH": str(SOURCE), **extra}


def run_esante(*arguments: str | Path, check: bool = True, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run an `esante` command and wait for its end."""
    done = subprocess.run(
        [sys.executable, "-m", "esante.cli", *map(str, arguments)],
        env=environment(**extra),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert not check or done.returncode == 0, f"esante {arguments}: {done.stdout}\n{done.stderr}"
    return done


def free_port() -> int:
    """Return a free TCP port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """An `esante serve` process over a data folder; `log` is its standard output and error."""

    def __init__(self, data: Path, *, port: int = 0, **extra: str) -> None:
        self.data = data
        self.port = port or free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self._extra = extra
        data.mkdir(parents=True, exist_ok=True)
        self._log = data.parent / f"{data.name}-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """The output of the server so far."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    def start(self, *, wait: bool = True) -> "Server":
        """Start the server, and wait until it is ready."""
        command = ["-m", "esante.cli", "serve", "--data", str(self.data), "--port", str(self.port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *command],
                env=environment(**self._extra),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if wait:
            self.wait()
        return self

    def wait(self) -> None:
        """Wait until /health answers 200."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            assert self._process is not None and self._process.poll() is None, f"the server ended:\n{self.log}"
            try:
                if httpx.get(f"{self.base}/health", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"the server is not ready:\n{self.log}")

    def kill(self) -> None:
        """Kill the server (SIGKILL), as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Terminate the server, wait, and return its exit status."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.terminate()
        return self._process.wait(60)

    def peak_memory(self) -> int:
        """Return the peak resident memory of the server, in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024

    def __enter__(self) -> "Server":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

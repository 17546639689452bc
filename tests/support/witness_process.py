"""An `esante witness` process that is started, stopped and killed."""

import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.support.processes import READY_SECONDS, environment, free_port

NAME = "witness.example/w1"


class WitnessProcess:
    """A witness of the log of a key, with its state in a folder."""

    def __init__(self, folder: Path, log_key: str, port: int = 0) -> None:
        self.folder, self.port = folder, port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log_key = log_key
        self._output = folder.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "WitnessProcess":
        """Start the witness, and wait until it answers."""
        options = ["--name", NAME, "--log", self._log_key, "--state", str(self.folder), "--port", str(self.port)]
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-u", "-m", "esante.cli", "witness", *options],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            assert self._process.poll() is None, f"the witness ended:\n{self.output}"
            try:
                httpx.get(self.url, timeout=5)
                return self
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(f"the witness is not ready:\n{self.output}")

    @property
    def output(self) -> str:
        """What it printed so far."""
        return self._output.read_text("utf-8", "replace") if self._output.exists() else ""

    @property
    def key(self) -> str:
        """The key that it printed when it started."""
        line = next(line for line in self.output.splitlines() if line.startswith("witness key: "))
        return line.removeprefix("witness key: ")

    def heads(self) -> list[str]:
        """Return the checkpoints that it signed last, as it stores them."""
        return [path.read_text("utf-8") for path in self.folder.glob("*.checkpoint")]

    def kill(self) -> None:
        """Kill the process (SIGKILL)."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Terminate the process, and wait."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait(60)

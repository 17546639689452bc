"""A mock of the health insurance as a process of its own: `esante mock cns`."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from tests.support.processes import READY_SECONDS, environment, free_port


class MockProcess:
    """A mock that is started, told what goes wrong, and stopped; `kind`: cns."""

    def __init__(self, folder: Path, kind: str, *options: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._output = folder / f"{kind}-{self.port}.log"
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-u", "-m", "esante.cli", "mock", kind, "--port", str(self.port), *options],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            assert self._process.poll() is None, f"the mock ended:\n{self.output}"
            try:
                httpx.get(f"{self.url}/control/notes", timeout=5)
                return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(f"the mock is not ready:\n{self.output}")

    @property
    def output(self) -> str:
        """What it printed so far."""
        return self._output.read_text("utf-8", "replace")

    def notes(self) -> dict[str, dict[str, Any]]:
        """Return the notes that it has, by their UUIDs."""
        return {one["note"]: one for one in httpx.get(f"{self.url}/control/notes", timeout=10).json()}

    def messages(self) -> list[dict[str, str]]:
        """Return the messages that it got."""
        found: list[dict[str, str]] = httpx.get(f"{self.url}/control/messages", timeout=10).json()
        return found

    def set_faults(self, **faults: object) -> None:
        """Set what goes wrong from now on."""
        httpx.put(f"{self.url}/control/faults", json=faults, timeout=10).raise_for_status()

    def set_insured(self, matricule: str, covers: list[dict[str, Any]]) -> None:
        """Set how somebody is insured."""
        httpx.put(f"{self.url}/control/insured/{matricule}", json={"covers": covers}, timeout=10).raise_for_status()

    def stop(self) -> None:
        """Terminate the process, and wait."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:  # it holds connections of silent answers
            self._process.kill()
            self._process.wait(10)

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
        self._client = httpx.Client(base_url=self.url, timeout=10)
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
                self._client.get("/control/notes")
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
        return {one["note"]: one for one in self._client.get("/control/notes").json()}

    def messages(self) -> list[dict[str, str]]:
        """Return the messages that it got."""
        found: list[dict[str, str]] = self._client.get("/control/messages").json()
        return found

    def set_faults(self, **faults: object) -> None:
        """Set what goes wrong from now on."""
        self._client.put("/control/faults", json=faults).raise_for_status()

    def take_down(self, seconds: float) -> None:
        """Let it answer nothing for so many seconds from now on."""
        self.set_faults(down_after=1, down_for=seconds)
        self._client.get("/notes/none")

    def set_insured(self, matricule: str, covers: list[dict[str, Any]]) -> None:
        """Set how somebody is insured."""
        self._client.put(f"/control/insured/{matricule}", json={"covers": covers}).raise_for_status()

    def set_approvals(self, matricule: str, approvals: list[dict[str, Any]]) -> None:
        """Set what the medical control has approved for somebody."""
        self._client.put(f"/control/insured/{matricule}", json={"approvals": approvals}).raise_for_status()

    def stop(self) -> None:
        """Terminate the process, and wait."""
        self._client.close()
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:  # it holds connections of silent answers
            self._process.kill()
            self._process.wait(10)

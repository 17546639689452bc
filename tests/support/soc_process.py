"""`esante soc intake` as a real process over the database of a test, that is started, killed and started again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.support.certificates import self_signed
from tests.support.processes import environment, free_port
from tests.support.soc_intake import write_rules

READY_SECONDS = 120


class IntakeProcess:
    """An intake process; `log` is its output."""

    def __init__(self, folder: Path, dsn: str, *, rules: bool = True) -> None:
        self.folder = folder
        self.syslog, self.syslog_tls, self.https = free_port(), free_port(), free_port()
        self.certificate, key = self_signed(folder, "localhost", "127.0.0.1")
        self._environment = environment(
            ESANTE_DATABASE_URL=dsn,
            ESANTE_SOC_CERTIFICATE=str(self.certificate),
            ESANTE_SOC_KEY=str(key),
            ESANTE_SOC_RULES=str(write_rules(folder / "rules")) if rules else "",
        )
        self._log = folder / "intake.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """The output so far."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    def start(self, workers: int = 1) -> None:
        """Start the process, and wait until it is ready."""
        ready = self.log.count("the intake is ready")
        addresses = ["--syslog", self.syslog, "--syslog-tls", self.syslog_tls, "--https", self.https]
        words = [word if isinstance(word, str) else f"127.0.0.1:{word}" for word in addresses]
        command = [sys.executable, "-m", "esante.cli", "soc", "intake", "--workers", str(workers), *words]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--data", str(self.folder / "data")],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + READY_SECONDS
        while self.log.count("the intake is ready") < ready + workers:
            assert self._process.poll() is None, f"the intake ended:\n{self.log}"
            assert time.monotonic() < end, f"the intake is not ready:\n{self.log}"
            time.sleep(0.05)

    def workers(self) -> list[int]:
        """Return the ids of the processes that the process started."""
        assert self._process is not None
        found = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return [int(one) for one in found if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]

    def kill(self) -> None:
        """Kill the process and its workers (SIGKILL)."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        """Terminate the process; return its exit status."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(60)

"""Two demos beside each other as two countries, each with its server and its contact point, as `esante demo` runs them."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.processes import READY_SECONDS, Server, environment, free_port, run_esante


@dataclass(frozen=True)
class Neighbours:
    """The addresses of both, and the data folders."""

    first: str
    second: str
    data: Path
    second_data: Path


@contextmanager
def neighbouring_demos(folder: Path, persons: int) -> Iterator[Neighbours]:
    """Load and serve a demo, and a second country beside it."""
    data, other = folder / "first", folder / "second"
    run_esante("demo", "--load-only", "--history", "0", "--persons", str(persons), "--data", data)
    ports = [free_port() for _ in range(3)]
    options = ["--country", "b", "--neighbour", data, "--data", other, "--persons", str(persons)]
    options += ["--port", ports[0], "--exchange-ports", ports[1], ports[2]]
    with Server(data, ESANTE_DEMO="1") as server, (folder / "second.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "esante.cli", "demo", *map(str, options)],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            _wait(process, ports, folder / "second.log")
            yield Neighbours(server.base, f"http://localhost:{ports[0]}", data, other)
        finally:
            process.terminate()
            process.wait(60)


def _wait(process: subprocess.Popen[bytes], ports: list[int], log: Path) -> None:
    deadline = time.monotonic() + 3 * READY_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text("utf-8", "replace")
        if all(_answers(port) for port in ports):
            return
        time.sleep(0.1)
    raise AssertionError(f"the second country is not ready:\n{log.read_text('utf-8', 'replace')}")


def _answers(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/health", timeout=5)
    except httpx.RemoteProtocolError:  # it speaks TLS only
        return True
    except httpx.TransportError as error:
        return "disconnected" in str(error) or isinstance(error, httpx.ReadError)
    return True

"""The mocks of partners outside run for as long as the demo, and not where somebody named the partner."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from esante.packages import declared_services
from tests.support.processes import READY_SECONDS, environment, free_port

PARTNERS = {process.variable: process for service in declared_services() for process in service.demo_processes}


def children_of(pid: int) -> dict[int, str]:
    """The running child processes with their command lines."""
    found = {}
    for one in Path("/proc").iterdir():
        if not one.name.isdecimal():
            continue
        try:
            status, line = (one / "stat").read_text(), (one / "cmdline").read_bytes()
        except OSError:
            continue
        state, parent = status.rpartition(")")[2].split()[:2]
        if int(parent) == pid and state != "Z":
            found[int(one.name)] = line.replace(b"\0", b" ").decode()
    return found


def start_demo(tmp_path: Path, **extra: str) -> subprocess.Popen:
    """Start a demo; return it when it serves."""
    port = free_port()
    options = ["--data", tmp_path / "data", "--port", str(port), "--persons", "20", "--history", "0"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "esante.cli", "demo", *map(str, options)],
            env=environment(**extra),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    if not answers(port):
        process.kill()
        raise AssertionError((tmp_path / "log").read_text())
    return process


def answers(port: int) -> bool:
    """Whether something answers at a port, now or in a while."""
    until = time.monotonic() + 4 * READY_SECONDS
    while time.monotonic() < until:
        try:
            httpx.get(f"http://127.0.0.1:{port}/signin", timeout=5)
            return True
        except httpx.TransportError:
            time.sleep(0.2)
    return False


def mocks_of(process: subprocess.Popen) -> dict[str, int]:
    """The ports of the mocks that a demo runs, by kind."""
    found = [re.search(r" mock (\w+) --port (\d+)", line) for line in children_of(process.pid).values()]
    return {match[1]: int(match[2]) for match in found if match}


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_mocks_run_beside_demo_and_end_with_it(tmp_path, by):
    process = start_demo(tmp_path, ESANTE_CNS_URL="http://127.0.0.1:9")
    try:
        mocks = mocks_of(process)
        assert set(mocks) == {"bank"}
        assert answers(mocks["bank"])
        children = children_of(process.pid)
        os.kill(process.pid, by)
        process.wait(60)
    finally:
        process.kill()
        process.wait()
    until = time.monotonic() + 30
    while any(Path(f"/proc/{pid}/cmdline").exists() for pid in children) and time.monotonic() < until:
        time.sleep(0.1)
    assert [line for pid, line in children.items() if Path(f"/proc/{pid}/cmdline").exists()] == []


def test_billing_declares_its_partners():
    assert {name: one.command for name, one in PARTNERS.items()} == {
        "ESANTE_CNS_URL": ("mock", "cns"),
        "ESANTE_BANK_URL": ("mock", "bank"),
    }

"""The embedded PostgreSQL when its processes are killed."""

import os
import signal
from pathlib import Path

from esante.core.storage.embedded import start, stop
from tests.support.embedded_servers import (
    is_alive,
    query_value,
    read_address,
    running_server,
    start_other_process,
    wait_until_dead,
)


def test_server_ends_when_its_only_process_is_killed(tmp_path: Path) -> None:
    with start_other_process(tmp_path) as process:
        _, pid = read_address(process)
        process.kill()
    assert wait_until_dead(pid)


def test_server_stays_for_other_processes_when_its_starter_is_killed(tmp_path: Path) -> None:
    with start_other_process(tmp_path) as process:
        read_address(process)
        with running_server(tmp_path) as server:
            process.kill()
            process.wait()
            query_value(server, "CREATE TABLE kept AS SELECT 1 AS n")
            assert start(tmp_path) == server
            stop(tmp_path)
            assert query_value(server, "SELECT n FROM kept") == 1


def test_killed_server_is_restarted_with_all_committed_data(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        query_value(server, "CREATE TABLE kept AS SELECT 42 AS n")
        os.kill(server.pid, signal.SIGKILL)
        assert wait_until_dead(server.pid)
        with running_server(tmp_path) as again:
            assert again.pid != server.pid
            assert query_value(again, "SELECT n FROM kept") == 42
    assert not is_alive(again.pid)


def test_server_without_supervisor_is_still_shared_and_stopped(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        status = Path(f"/proc/{server.pid}/status").read_text()
        supervisor = int(next(line for line in status.splitlines() if line.startswith("PPid:")).split()[1])
        os.kill(supervisor, signal.SIGKILL)
        with running_server(tmp_path) as again:
            assert again == server
        assert query_value(server, "SELECT 1") == 1
    assert not is_alive(server.pid)

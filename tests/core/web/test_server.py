"""The connections of clients are distributed over the workers."""

import asyncio
import os
import socket
import sys
from collections import Counter

SERVE = "import sys; from esante.core.web.server import serve; serve('tests.support.pid_application:app', sys.argv[1], int(sys.argv[2]), 2)"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


async def answering_pid(port: int) -> bytes:
    """The process id in the response to a connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.rpartition(b"\r\n")[2]


async def until_ready(port: int) -> None:
    for _ in range(300):
        try:
            await answering_pid(port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            return
    raise AssertionError("the server did not become ready")


async def test_early_clients_are_distributed_over_all_workers(tmp_path):
    port = free_port()
    environment = {**os.environ, "PIDS_FOLDER": str(tmp_path)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, "127.0.0.1", str(port), env=environment
    )
    try:
        await until_ready(port)
        answers = Counter(await asyncio.gather(*(answering_pid(port) for _ in range(64))))
    finally:
        process.terminate()
        await process.wait()
    assert len(answers) == 2
    assert min(answers.values()) > 10


async def test_address_in_use_ends_the_server_with_a_message():
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        port = occupant.getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SERVE, "127.0.0.1", str(port), stderr=asyncio.subprocess.PIPE
        )
        _, message = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode
    assert b"already in use" in message

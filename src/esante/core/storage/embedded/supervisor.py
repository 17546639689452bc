"""The parent of the embedded PostgreSQL, run as a program by `embedded.py`; needs only the standard library.

Its one argument is a JSON object: `command` (argv of the server), `cluster` (its working directory), `users`
(path of the lock that every user of the server holds shared), `lock` (open file that the server inherits),
`identity` and `environment` (of the server, as `subprocess` takes them).

It returns at once and leaves a child without a parent, the supervisor. That one stops the server when no process
holds `users` any more, and restarts it when it was killed.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from types import FrameType
from typing import Any, NoReturn

POLL_SECONDS = 0.2
# After a crash the server's old processes need a moment to end, and until then a new one refuses to start.
RESTART_SECONDS = 0.5
RESTART_ATTEMPTS = 120


def main() -> int:
    """Supervise the server; return its exit status, 0 when it was stopped on purpose."""
    configuration = json.loads(sys.argv[1])
    users = os.open(configuration["users"], os.O_RDWR)
    if os.fork() != 0:
        return 0
    signal.signal(signal.SIGTERM, _exit)
    status = _run_server(configuration, users)
    attempts = RESTART_ATTEMPTS if status < 0 else 0  # one that ends by itself has logged its reason
    while status != 0 and attempts > 0 and not _lock_unused(users):
        time.sleep(RESTART_SECONDS)
        status = _run_server(configuration, users)
        attempts = RESTART_ATTEMPTS if status < 0 else attempts - 1
    return abs(status)


def _run_server(configuration: dict[str, Any], users: int) -> int:
    """Run the server once, until it ends or no process uses it; return its exit status, negative for a signal."""
    server = subprocess.Popen(  # noqa: S603 - the command of embedded.py, no shell
        configuration["command"],
        cwd=configuration["cluster"],
        env=configuration["environment"],
        stdin=subprocess.DEVNULL,
        pass_fds=(configuration["lock"],),
        umask=0o077,
        **configuration["identity"],
    )
    try:
        while True:
            try:
                return server.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                if _lock_unused(users):
                    return 0
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown: end the sessions, write everything, stop
            server.wait()


def _lock_unused(users: int) -> bool:
    """Return whether no process uses the server; one that wants to use it from now on waits until this one ends."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _exit(signum: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())

"""The parent of the embedded PostgreSQL, run as a program by `embedded.py`; needs only the standard library.

Its one argument is a JSON object: `command` (argv of the server), `cluster` (its working directory), `users`
(path of the lock that every user of the server holds shared), `lock` (open file that the server inherits),
`identity` and `environment` (of the server, as `subprocess` takes them).

It returns at once and leaves a child, which belongs to nobody. That one ends the server when nobody holds
`users` any more, and raises it again when it was killed.
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

LOOK_SECONDS = 0.2
# After a crash the server's old processes need a moment to go, and until then a new one refuses to start.
RAISE_SECONDS = 0.5
RAISE_ATTEMPTS = 120


def main() -> int:
    """Exit status of the server, 0 when it was stopped in order."""
    order = json.loads(sys.argv[1])
    users = os.open(order["users"], os.O_RDWR)
    if os.fork() != 0:
        return 0
    signal.signal(signal.SIGTERM, _end)
    status = _keep(order, users)
    attempts = RAISE_ATTEMPTS if status < 0 else 0  # one that ends by itself has told its reason
    while status != 0 and attempts > 0 and not _alone(users):
        time.sleep(RAISE_SECONDS)
        status = _keep(order, users)
        attempts = RAISE_ATTEMPTS if status < 0 else attempts - 1
    return abs(status)


def _keep(order: dict[str, Any], users: int) -> int:
    """Run the server once, until it ends or nobody uses it."""
    server = subprocess.Popen(  # noqa: S603 - what our starter ordered, no shell
        order["command"],
        cwd=order["cluster"],
        env=order["environment"],
        stdin=subprocess.DEVNULL,
        pass_fds=(order["lock"],),
        umask=0o077,
        **order["identity"],
    )
    try:
        while True:
            try:
                return server.wait(LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                if _alone(users):
                    return 0
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGINT)  # to PostgreSQL: end the sessions, write everything, stop
            server.wait()


def _alone(users: int) -> bool:
    """True when nobody uses the server; whoever wants to start using it now waits until we are gone."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _end(signum: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())

"""The command of the agent: `enrol`, `supervise` (by systemd), `run`, `status`."""

import argparse
import logging
import os
import signal
import sys
from pathlib import Path

from esante.services.healthnet.agent import VERSION
from esante.services.healthnet.agent.client import Rejected, Unreachable, enrol
from esante.services.healthnet.agent.loop import Agent
from esante.services.healthnet.agent.state import State, StateError
from esante.services.healthnet.agent.system import System
from esante.services.healthnet.agent.update import Supervisor

FOLDER = Path("/var/lib/healthnet")


def main() -> int:
    """Run a command; return the exit status."""
    parser = argparse.ArgumentParser(prog="healthnet-agent", description="Agent of the national health network.")
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in (
        ("enrol", "enrol this site; the token is read from standard input"),
        ("supervise", "run the agent and its updates (systemd does)"),
        ("run", "run this version of the agent"),
        ("status", "say what is in force"),
    ):
        command = commands.add_parser(name, help=about)
        command.add_argument("--folder", type=Path, default=FOLDER)
        if name == "enrol":
            command.add_argument("--controller", required=True, help="address of the controller, https://...")
            command.add_argument("--ca", default="", help="file with the CA of the controller's certificate")
        if name in ("run", "supervise"):
            command.add_argument("--patience", type=float, default=float(os.environ.get("HEALTHNET_PATIENCE", "30")))
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        return _run(given)
    except (StateError, ValueError, Unreachable) as error:
        print(f"healthnet-agent: {error}", file=sys.stderr)
    except Rejected as error:
        print(f"healthnet-agent: the controller refused ({error.status}): {error}", file=sys.stderr)
    return 1


def _run(given: argparse.Namespace) -> int:
    if given.command == "supervise":
        return Supervisor(given.folder, Path(sys.argv[0]).resolve()).run()
    state = State(given.folder)
    if given.command == "enrol":
        enrol(state, given.controller, given.ca, sys.stdin.readline())
        print("enrolled")
    elif given.command == "status":
        bundle = state.bundle("good.json")
        print(f"site {state.site()['site']}, version {VERSION}, bundle {bundle.head.serial if bundle else 'none'}")
    else:
        agent = Agent(state, System(given.folder / "hosts"), patience=given.patience)
        signal.signal(signal.SIGTERM, lambda *_: agent.stop.set())
        return agent.run()
    return 0

"""Updates of the agent's file: signed, confirmed by a heartbeat, and undone when they do not come that far.

The installed file is a supervisor and is never replaced: it runs the newest file of the folder, and returns to the one
before when the newest ends or stays silent.

| file | holds |
|---|---|
| `release-S.pyz` | the agent of release number S |
| `release.json` | `current`, `previous` (numbers, 0: the installed file), `is_confirmed` |
| `bad_release.json` | the highest number of a release that failed |
"""

import hashlib
import json
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from esante.services.healthnet.agent.state import State
from esante.services.healthnet.bundles.format import VERIFIERS

log = logging.getLogger("healthnet")
DOMAIN = b"esante healthnet agent 1\n"
RESTART = 75
"""The exit status of an agent that made way for an update."""
CONFIRM_WITHIN = 90.0
"""Seconds within which a new release must have sent a heartbeat."""


class ReleaseRefused(Exception):
    """An update that is not installed; the message says why."""


def verify_release(envelope: Any, keys: Mapping[str, Mapping[str, str]], content: bytes, installed: int) -> int:
    """Return the number of a release. Raises: ReleaseRefused for one that is forged, damaged, or not newer."""
    try:
        text = envelope["manifest"].encode()
        _verify(text, envelope["signature"], keys)
        manifest = json.loads(text)
        number, digest = int(manifest["number"]), str(manifest["sha256"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReleaseRefused(f"this is no release: {type(error).__name__}") from error
    except Exception as error:  # InvalidSignature has no useful base
        raise ReleaseRefused("the signature of the release is wrong") from error
    if number <= installed:
        raise ReleaseRefused(f"release {number!r} is not after {installed}")
    if hashlib.sha256(content).hexdigest() != digest:
        raise ReleaseRefused("the file is not the one that was signed")
    return number


def _verify(text: bytes, signature: Any, keys: Mapping[str, Mapping[str, str]]) -> None:
    key = keys[signature["key"]]
    if signature["algorithm"] != key["algorithm"]:
        raise ValueError("algorithm")
    VERIFIERS[key["algorithm"]](bytes.fromhex(key["public"]), bytes.fromhex(signature["value"]), DOMAIN + text)


def release_state(state: State) -> dict[str, Any]:
    """Return which releases are current and previous."""
    found = state.read_json("release.json")
    return found if isinstance(found, dict) else {"current": 0, "previous": 0, "is_confirmed": True}


def newest_tried(state: State) -> int:
    """Return the highest number of a release that was installed or has failed."""
    bad = state.read_json("bad_release.json")
    return max(int(release_state(state)["current"]), bad if isinstance(bad, int) else 0)


def install(state: State, number: int, content: bytes) -> None:
    """Make a verified release the current one; the agent then ends with `RESTART`."""
    state.write(f"release-{number}.pyz", content, 0o700)
    state.write_json(
        "release.json", {"current": number, "previous": release_state(state)["current"], "is_confirmed": False}
    )


def confirm(state: State) -> None:
    """Say that the release that runs works."""
    found = release_state(state)
    if not found["is_confirmed"]:
        state.write_json("release.json", {**found, "is_confirmed": True})


def undo(state: State) -> None:
    """Return to the release before the current one."""
    found = release_state(state)
    state.write_json("bad_release.json", newest_tried(state))
    state.write_json("release.json", {"current": found["previous"], "previous": 0, "is_confirmed": True})


class Supervisor:
    """Runs the current release, and the one before when it fails; `installed`: the file that came with the package."""

    def __init__(self, folder: Path, installed: Path, confirm_within: float = CONFIRM_WITHIN) -> None:
        self._folder, self._installed, self._within = folder, installed, confirm_within
        self._child: subprocess.Popen[bytes] | None = None
        self._is_ending = False

    def run(self) -> int:
        """Run until the end is asked for."""
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, self._end)
        while not self._is_ending:
            began = time.monotonic()
            self._run_once()
            if not self._is_ending and time.monotonic() - began < 2.0:
                time.sleep(2.0)
        return 0

    def _end(self, *_: Any) -> None:
        self._is_ending = True
        if self._child is not None:
            self._child.terminate()

    def _run_once(self) -> None:
        state = State(self._folder)
        current = release_state(state)
        file = self._folder / f"release-{current['current']}.pyz" if current["current"] else self._installed
        command = [sys.executable, str(file), "run", "--folder", str(self._folder)]
        began = time.monotonic()
        self._child = subprocess.Popen(command)  # noqa: S603 - files of this folder
        while self._child.poll() is None:
            time.sleep(0.2)
            is_silent = time.monotonic() - began > self._within and not release_state(state)["is_confirmed"]
            if is_silent and release_state(state)["current"] == current["current"]:
                self._child.kill()
        self._child.wait()
        after = release_state(state)
        if not self._is_ending and after["current"] == current["current"] and not after["is_confirmed"]:
            log.error("release %s of the agent did not work; the one before is used", after["current"])
            undo(state)

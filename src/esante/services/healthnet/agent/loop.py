"""The agent at work: asks for bundles, tries them, sends heartbeats, mends what drifted."""

import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from esante.services.healthnet.agent import VERSION, certificate, update
from esante.services.healthnet.agent.client import WAIT, Client, Rejected, Unreachable
from esante.services.healthnet.agent.paths import Paths
from esante.services.healthnet.agent.probe import Probe
from esante.services.healthnet.agent.state import State
from esante.services.healthnet.agent.system import CommandFailed, System
from esante.services.healthnet.agent.trial import Trials
from esante.services.healthnet.bundles.format import Bundle, BundleRefused, ChangesDoNotFit, open_envelope

log = logging.getLogger("healthnet")
LONGEST_PAUSE = 30.0
"""Seconds between tries to reach a controller that does not answer."""
PATHS_EVERY = 15.0
"""Seconds between looks at the paths that there are."""
DRIFT_EVERY = 10.0
"""Seconds between looks at what was applied."""


class Agent:
    """The agent of a site; `run` works until `stop` is set."""

    def __init__(self, state: State, system: System, patience: float = 30.0, doubt: float = 300.0) -> None:
        kept = state.site()
        self._state, self._system, self._site = state, system, kept["site"]
        self._enrolled_trust, self._release_keys = kept["trusted"], kept["release_keys"]
        self._client = Client(kept["controller"], kept["ca_file"])
        self._trials = Trials(state, system, Probe(), self.is_controller_there, patience, doubt)
        self.stop = threading.Event()
        self._found: queue.Queue[Any] = queue.Queue(1)
        self._handled = threading.Event()
        self._needs_whole = False
        self._drifted = 0
        self._every = 30.0
        self._certificate_at = self._paths_at = 0.0
        self._paths, self._probed = Paths(), ("", 0)
        self._must_restart = False
        self._receipts: dict[int, dict[str, Any]] = {}

    def run(self) -> int:
        """Work; return the exit status."""
        try:
            if reason := self._trials.resume():
                self._note(self._state.refused_serial, "rolled_back", reason)
        except (CommandFailed, BundleRefused) as error:
            log.error("the last good bundle could not be applied: %s", error)
        threading.Thread(target=self._poll, daemon=True).start()
        threading.Thread(target=self._paths.run, args=(self.stop,), daemon=True).start()
        next_heartbeat = next_drift = 0.0
        while not self.stop.is_set() and not self._must_restart:
            self._take_found()
            now = time.monotonic()
            self.keep_certificate(now)
            if now >= next_heartbeat:
                self._guarded(self._send_receipts)
                self._guarded(self._heartbeat)
                next_heartbeat = time.monotonic() + self._every * random.uniform(0.9, 1.1)  # noqa: S311 - no secret
            if now >= next_drift:
                self._guarded(self._mend_drift)
                next_drift = time.monotonic() + DRIFT_EVERY
            self._guarded(self._measure_paths)
            self._guarded(self._system.choose_routes)
            if reason := self._guarded(self._trials.settle):
                self._note(self._state.refused_serial, "rolled_back", reason)
        return update.RESTART if self._must_restart else 0

    def _guarded(self, work: Callable[[], Any]) -> Any:
        """Do something that may fail and is done again later."""
        try:
            return work()
        except (Unreachable, Rejected, CommandFailed, BundleRefused, OSError) as error:
            log.warning("%s: %s", work.__name__.strip("_"), error)
        except (KeyError, TypeError, ValueError) as error:  # an answer that is not what it should be
            log.warning("%s: %r", work.__name__.strip("_"), error)
        return None

    @property
    def _serial(self) -> int:
        return self._trials.good.head.serial if self._trials.good else 0

    @property
    def _trusted(self) -> dict[str, Any]:
        """The keys of the last good bundle, which its signature covers: so keys are replaced by bundles."""
        good = self._trials.good
        return good.parts["trusted"] if good else self._enrolled_trust

    def _ask(self, method: str, path: str, value: Any = None, timeout: float = 10.0) -> Any:
        return self._client.signed(self._state, self._site, method, path, value, timeout)

    def is_controller_there(self) -> bool:
        """Return whether the controller answers this site, be it with a refusal."""
        try:
            self._ask("GET", "/time", timeout=3.0)
        except Rejected:
            return True
        except Unreachable:
            return False
        return True

    def _poll(self) -> None:
        """Ask for bundles, in a thread of its own: a request waits until there is one."""
        pause = 1.0
        while not self.stop.is_set():
            try:
                base = 0 if self._needs_whole else self._serial
                after = max(self._serial, self._state.refused_serial)
                envelope = self._ask("GET", f"/bundle?have={base}&after={after}&wait={WAIT}", timeout=WAIT + 10.0)
                pause = 1.0
            except (Unreachable, Rejected) as error:
                log.warning("no answer to a request for a bundle: %s", error)
                self.stop.wait(pause * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
                pause = min(LONGEST_PAUSE, pause * 2)
                continue
            if envelope is not None:
                self._handled.clear()
                self._found.put(envelope)
                self._handled.wait()

    def _take_found(self) -> None:
        try:
            envelope = self._found.get(timeout=1.0)
        except queue.Empty:
            return
        try:
            self._take(envelope)
        except BundleRefused as error:
            log.error("bundle refused: %s", error)
            self._note(0, "refused", str(error))
            self.stop.wait(1.0)
        finally:
            self._handled.set()
        self._guarded(self._send_receipts)

    def _take(self, envelope: Any) -> None:
        try:
            bundle = open_envelope(envelope, self._trusted, self._site, self._client.now(), self._trials.good)
        except ChangesDoNotFit:
            if self._needs_whole:
                raise
            self._needs_whole = True
            return
        self._needs_whole = False
        try:
            self._trials.check(bundle)
        except BundleRefused as error:
            self._state.write_json("refused.json", max(bundle.head.serial, self._state.refused_serial))
            log.error("bundle %s refused: %s", bundle.head.serial, error)
            self._note(bundle.head.serial, "refused", str(error))
            return
        reason = self._trials.take(bundle)
        self._paths_at = 0.0
        log.info("bundle %s: %s", bundle.head.serial, reason or "applied")
        self._note(bundle.head.serial, "rolled_back" if reason else "applied", reason)

    def _note(self, serial: int, outcome: str, reason: str) -> None:
        """Keep a receipt until the controller has it."""
        self._receipts[serial] = {
            "serial": serial,
            "outcome": outcome,
            "reason": reason[:500],
            "in_force": self._serial,
        }

    def _send_receipts(self) -> None:
        for serial, receipt in sorted(self._receipts.items()):
            self._ask("POST", "/receipts", receipt)
            del self._receipts[serial]

    def _mend_drift(self) -> None:
        if self._system.has_drifted():
            self._drifted += 1
            log.warning("something changed the network of this machine: it is applied again")
            self._system.mend()

    def _measure_paths(self) -> None:
        """Use the MTUs that were found; look again and again whether there are other paths."""
        figures = self._paths.figures()
        self._system.set_mtus({site: one["mtu"] for site, one in figures.items() if one["mtu"]})
        if time.monotonic() >= self._paths_at or self._system.probes != self._probed:
            self._probed, self._paths_at = self._system.probes, time.monotonic() + PATHS_EVERY
            self._paths.follow(*self._probed, self._system.measured_paths())

    def keep_certificate(self, now: float) -> None:
        """Renew the certificate in time; a try that failed is made again after some minutes. `now`: monotonic."""
        if now >= self._certificate_at and certificate.is_due(self._state, self._client.now()):
            self._certificate_at = now + certificate.RETRY
            self._guarded(self._renew_certificate)

    def _renew_certificate(self) -> None:
        asked = {"request": certificate.request_for(self._state, self._site)}
        answer = self._client.signed(self._state, self._site, "POST", certificate.RENEWALS, asked, base="")
        certificate.keep(self._state, answer)
        log.info("certificate renewed")

    def _heartbeat(self) -> None:
        target = self._trials.target()
        if target:
            self._trials.probe.reach(target)
        generations = self._state.generations()
        answer = self._ask(
            "POST",
            "/heartbeats",
            {
                "version": VERSION,
                "release": update.release_state(self._state)["current"],
                "serial": self._serial,
                "drifted": self._drifted,
                "certificate_not_after": certificate.not_after(self._state),
                "target": self._trials.probe.figures() if target else {},
                "paths": self._system.paths(self._paths.figures()),
                "offset": int(self._client.offset),
            },
        )
        update.confirm(self._state)
        self._every = min(600.0, max(1.0, float(answer["every"])))
        if answer["generation"] < max(generations) or answer.get("rotate_to") == max(generations) + 1:
            generation = max(*generations, int(answer.get("rotate_to") or 0))
            self._ask("POST", "/keys", {"generation": generation, "public": self._state.tunnel_public(generation)})
        if answer.get("release", 0) > update.newest_tried(self._state):
            self._update()

    def _update(self) -> None:
        envelope = self._ask("GET", "/release")
        content = bytes.fromhex(self._ask("GET", "/release/file", timeout=120.0)["content"])
        try:
            number = update.verify_release(envelope, self._release_keys, content, update.newest_tried(self._state))
        except update.ReleaseRefused as error:
            log.error("update refused: %s", error)
            self._note(0, "release_refused", str(error))
            return
        update.install(self._state, number, content)
        self._must_restart = True


def kept_bundle(state: State) -> Bundle | None:
    """Return the bundle in force."""
    return state.bundle("good.json")

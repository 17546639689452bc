"""A new bundle tried at a site: applied, confirmed by what it can still reach, or undone."""

import logging
import time
from collections.abc import Callable

from esante.services.healthnet.agent.probe import Probe
from esante.services.healthnet.agent.state import State
from esante.services.healthnet.agent.system import CommandFailed, System
from esante.services.healthnet.agent.wanted_state import Checked, check_parts
from esante.services.healthnet.bundles.format import Bundle, BundleRefused

log = logging.getLogger("healthnet")


class Trials:
    """Applies bundles to a machine, so that one that cuts the site off does not stay.

    `is_controller_there` asks the controller once; `patience`: seconds for which a new bundle may take to work;
    `doubt`: seconds after which the bundle before is tried, when the controller does not answer any more.
    """

    def __init__(
        self,
        state: State,
        system: System,
        probe: Probe,
        is_controller_there: Callable[[], bool],
        patience: float = 30.0,
        doubt: float = 300.0,
    ) -> None:
        self._state, self._system, self.probe = state, system, probe
        self._is_controller_there, self._patience, self._doubt = is_controller_there, patience, doubt
        self.good: Bundle | None = state.bundle("good.json")
        self._before: Bundle | None = None
        self._doubted_at = 0.0

    def resume(self) -> str:
        """Apply the last good bundle at a start; return why a try of before failed, "" without one.

        A try that the agent or the machine did not survive has failed.
        """
        failed = self._state.bundle("trial.json")
        if failed is not None:
            self._refuse(failed)
        if self.good is not None:
            self._apply(self.good)
        return "the agent ended while it tried the bundle" if failed else ""

    def check(self, bundle: Bundle) -> Checked:
        """Return what a bundle asks for. Raises: BundleRefused, also for one whose try failed before."""
        if bundle.head.serial <= self._state.refused_serial:
            raise BundleRefused("its try failed before")
        checked = check_parts(bundle.parts, self._state.sealing_key())
        missing = {one[0] for one in checked.interfaces.values()} - set(self._state.generations())
        if missing:
            raise BundleRefused(f"this site has no key of generation {min(missing)}")
        return checked

    def take(self, bundle: Bundle) -> str:
        """Try a bundle that was verified and checked; return "", or why it was undone."""
        target = self._target(bundle)
        is_required = target is not None and target == self._target(self.good) and self.probe.reach(target)
        self._state.keep_bundle("trial.json", bundle)
        try:
            self._apply(bundle)
            reason = self._wait(target if is_required else None)
        except CommandFailed as error:
            reason = str(error)
        if reason:
            self._undo(bundle)
            return reason
        self._before, self.good = self.good, bundle
        self._confirm()
        return ""

    def _confirm(self) -> None:
        if self.good is not None:
            self._state.keep_bundle("good.json", self.good)
            used = {one["generation"] for one in self.good.parts.get("interfaces", {}).values()}
            self._state.forget_generations(used)
        self._state.remove("trial.json")

    def _wait(self, target: tuple[str, int] | None) -> str:
        """Wait until the controller and the target answer; return what does not."""
        until = time.monotonic() + self._patience
        while True:
            is_target_there = target is None or self.probe.reach(target)
            is_controller_there = self._is_controller_there()
            if is_target_there and is_controller_there:
                return ""
            if time.monotonic() >= until:
                break
            self._system.choose_routes()
            time.sleep(0.5)
        if not is_target_there:
            return "the check target does not answer any more"
        if target is None:
            return "the controller does not answer any more"
        self._doubted_at = time.monotonic()  # the tunnels work: the controller itself may be gone
        return ""

    def settle(self) -> str:
        """Decide, after some time, about a bundle since which the controller did not answer; return why it was undone.

        The controller may be gone for everybody, or this bundle may have cut it off: the bundle before tells.
        """
        if not self._doubted_at:
            return ""
        if self._is_controller_there():
            self._doubted_at = 0.0
        elif time.monotonic() - self._doubted_at > self._doubt:
            self._doubted_at = 0.0
            return self._compare_with_before()
        return ""

    def _compare_with_before(self) -> str:
        doubted, before = self.good, self._before
        if doubted is None or before is None:
            return ""
        self._state.keep_bundle("trial.json", doubted)
        self._apply(before)
        until = time.monotonic() + min(self._patience, 15.0)
        while time.monotonic() < until:
            if self._is_controller_there():
                self.good = before
                self._confirm()
                self._refuse(doubted)
                return "it cut the controller off"
            time.sleep(1.0)
        self._apply(doubted)
        self._state.remove("trial.json")
        return ""

    def _undo(self, bundle: Bundle) -> None:
        try:
            if self.good is not None:
                self._apply(self.good)
            else:
                self._system.remove()
        except CommandFailed as error:
            log.error("the bundle before cannot be applied, it is tried again: %s", error)
        self._refuse(bundle)

    def _refuse(self, bundle: Bundle) -> None:
        self._state.write_json("refused.json", max(bundle.head.serial, self._state.refused_serial))
        self._state.remove("trial.json")

    def _apply(self, bundle: Bundle) -> None:
        checked = check_parts(bundle.parts, self._state.sealing_key())
        private = {one[0]: self._state.tunnel_key(one[0]) for one in checked.interfaces.values()}
        self._system.apply(checked, private)

    def target(self) -> tuple[str, int] | None:
        """Return the check target of the bundle in force."""
        return self._target(self.good)

    def _target(self, bundle: Bundle | None) -> tuple[str, int] | None:
        target = bundle.parts.get("checks", {}).get("target") if bundle else None
        return (target["address"], target["port"]) if target else None

"""A new bundle at a site: kept when the site still reaches what it must, undone otherwise."""

import pytest

from esante.services.healthnet.agent.probe import Probe
from esante.services.healthnet.agent.state import State
from esante.services.healthnet.agent.system import CommandFailed
from esante.services.healthnet.agent.trial import Trials
from esante.services.healthnet.bundles.format import Bundle, BundleRefused, Head
from esante.services.healthnet.bundles.secrets import Secrets
from tests.services.healthnet.bundles.test_compiler import connection, country

SEALING = Secrets(b"r" * 64).sealing_key(connection(0).token_id)


class Machine:
    """What stands for the machine: the serials that were applied; `works` says which bundles let packets through."""

    def __init__(self):
        self.mtus, self.fails = [], False

    def apply(self, checked, private):
        if self.fails:
            raise CommandFailed("nft: no")
        self.mtus.append(checked.mtu)

    def choose_routes(self, force=False):
        pass

    def remove(self):
        self.mtus.append(0)


class Reach(Probe):
    """A check target that answers under some MTUs."""

    def __init__(self, machine, broken):
        super().__init__()
        self.machine, self.broken = machine, broken

    def reach(self, target, timeout=2.0):
        return bool(self.machine.mtus) and self.machine.mtus[-1] not in self.broken


class Site:
    """An agent's trials; bundles are told by their MTU. `silent`: MTUs under which the controller does not answer."""

    def __init__(self, folder, doubt=300.0):
        self.folder, self.doubt = folder, doubt
        self.state, self.machine = State(folder), Machine()
        self.state.write("sealing.key", SEALING)
        self.state.tunnel_key(1)
        self.broken, self.silent = set(), set()
        self.restart()

    def restart(self):
        self.trials = Trials(
            self.state, self.machine, Reach(self.machine, self.broken), self.is_controller_there, 0.0, self.doubt
        )

    def is_controller_there(self):
        return bool(self.machine.mtus) and self.machine.mtus[-1] not in self.silent

    def bundle(self, serial, mtu):
        parts = country([connection(number) for number in range(30)]).parts("S0")
        parts["site"]["mtu"] = mtu
        return Bundle(Head("S0", serial, 0, 0, 2**40, "", 0), parts)

    def take(self, serial, mtu):
        bundle = self.bundle(serial, mtu)
        self.trials.check(bundle)
        return self.trials.take(bundle)


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path / "home")


def test_bundle_that_works_is_kept_over_a_restart(site):
    assert site.take(1, 1400) == "" and site.take(2, 1500) == ""
    site.restart()
    assert site.trials.resume() == ""
    assert site.trials.good.head.serial == 2
    assert site.machine.mtus[-1] == 1500


def test_bundle_that_cuts_the_target_off_is_undone_and_not_tried_again(site):
    site.take(1, 1400)
    site.broken.add(1500)
    assert "target" in site.take(2, 1500)
    assert site.machine.mtus[-1] == 1400
    with pytest.raises(BundleRefused):
        site.take(2, 1500)
    assert site.take(3, 1450) == ""


def test_bundle_with_which_a_command_fails_is_undone(site):
    site.take(1, 1400)
    site.machine.fails = True
    assert "nft" in site.take(2, 1500)
    assert site.trials.good.head.serial == 1


def test_first_bundle_that_cuts_the_controller_off_leaves_nothing(site):
    site.silent.add(1400)
    assert "controller" in site.take(1, 1400)
    assert site.machine.mtus[-1] == 0


def test_try_that_the_agent_did_not_survive_has_failed(site):
    site.take(1, 1400)
    site.state.keep_bundle("trial.json", site.bundle(2, 1500))
    site.restart()
    assert site.trials.resume() != ""
    assert site.machine.mtus[-1] == 1400
    assert site.state.refused_serial == 2


def test_controller_that_is_gone_for_everybody_undoes_no_bundle(tmp_path):
    site = Site(tmp_path / "home", doubt=0.0)
    site.take(1, 1400)
    site.silent |= {1400, 1500}
    assert site.take(2, 1500) == ""
    assert site.trials.settle() == ""
    assert site.machine.mtus[-1] == 1500 and site.trials.good.head.serial == 2


def test_bundle_that_cut_only_the_controller_off_is_undone_after_a_time(tmp_path):
    site = Site(tmp_path / "home", doubt=0.0)
    site.trials._patience = 0.5
    site.take(1, 1400)
    site.silent.add(1500)
    assert site.take(2, 1500) == ""
    assert site.trials.settle() == "it cut the controller off"
    assert site.machine.mtus[-1] == 1400 and site.trials.good.head.serial == 1
    assert site.state.refused_serial == 2


def test_bundle_for_a_key_that_the_site_lost_is_refused(site):
    site.state.remove("tunnel-1.key")
    with pytest.raises(BundleRefused, match="generation 1"):
        site.take(1, 1400)


def test_numbers_of_requests_rise_over_restarts(tmp_path):
    numbers = []
    for _ in range(3):
        state = State(tmp_path / "home")
        numbers += [state.next_sequence() for _ in range(3)]
    assert numbers == sorted(set(numbers))

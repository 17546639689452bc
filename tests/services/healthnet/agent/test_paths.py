"""What probes say of a path: latency, loss, the largest packet that passes; over lines that are simulated."""

import random

import pytest

from esante.services.healthnet.agent.paths import LEAST, SEARCH_EVERY, Path, Paths, largest_mtu


class Line:
    """A line over which packets up to a size pass, with a time and a part that is lost."""

    def __init__(self, passes, time=0.02, loss=0.0, is_up=True):
        self.passes, self.time, self.loss, self.is_up = passes, time, loss, is_up
        self.random = random.Random(3)

    def run(self, path, seconds, now=0.0):
        """Probe for some time; the time afterwards."""
        until = now + seconds
        while now < until:
            now = max(now, path.next_at)
            for number, size in enumerate(path.begin(now)):
                probe = bytes([number])
                path.sent[probe] = (size, now)
            lost = [p for p, (size, _) in path.sent.items() if not self._passes(size)]
            for probe in [p for p in path.sent if p not in lost]:
                path.answered(probe, now + self.time)
            now += 3.0 if lost else self.time
            path.end(now)
        return now

    def _passes(self, size):
        return self.is_up and size <= self.passes and self.random.random() >= self.loss


@pytest.mark.parametrize("passes", [9_000, 1420, 1419, 1400, 1350, 1290, 1280])
@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_largest_packet_that_passes_is_found(passes, loss):
    path = Path("fd00::1", 1420)
    Line(passes, loss=loss).run(path, 300)
    assert min(passes, 1420) - 8 < path.mtu <= min(passes, 1420)


def test_path_that_is_down_says_nothing_of_its_mtu():
    path = Path("fd00::1", 1420)
    now = Line(1420).run(path, 100)
    now = Line(1420, is_up=False).run(path, 500, now)
    assert (path.mtu, path.figures()) == (1420, {"loss": 100, "mtu": 1420})
    Line(1420).run(path, 300, now)
    assert path.figures() == {"loss": 0, "mtu": 1420, "latency_ms": 20}


def test_path_that_becomes_narrower_is_found_soon_and_wider_later():
    path = Path("fd00::1", 1420)
    now = Line(1420).run(path, 100)
    now = Line(1300).run(path, 200, now)
    assert 1292 < path.mtu <= 1300
    Line(1420).run(path, SEARCH_EVERY + 100, now)
    assert path.mtu == 1420


def test_limit_that_the_kernel_knows_is_kept():
    path = Path("fd00::1", 1420)
    now = Line(1420).run(path, 100)
    path.limit(1340)
    assert path.mtu == 1340
    Line(1420).run(path, 100, now)
    assert path.mtu == 1340


def test_packet_that_this_machine_refuses_is_no_loss():
    path = Path("fd00::1", 1420)
    for moment in range(8):
        path.begin(float(moment))
        path.end(float(moment), is_too_large=True)
    assert path.mtu == LEAST
    assert path.figures() == {}


def test_latency_is_the_median_and_loss_a_percentage_of_the_last_probes():
    path = Path("fd00::1", 1420)
    Line(1420, time=0.123).run(path, 400)
    assert path.figures() == {"latency_ms": 123, "loss": 0, "mtu": 1420}
    assert Path("fd00::1", 1420).figures() == {}


def test_answer_that_nobody_waits_for_and_noise_change_nothing():
    paths = Paths()
    paths.follow("::1", 51829, {"L0": ("fd00::1", 1420)})
    for data in (b"", b"hnp1!", b"hnp1!" + bytes(8), b"hnp1?", b"\xff" * 1_400):
        paths._take(None, data, ("fd00::1", 51829, 0, 0))
    paths._take(None, b"hnp1?" + bytes(8), ("fd00::1", 53, 0, 0))
    assert paths.figures() == {}


def test_largest_mtu_is_that_of_the_way_without_what_a_tunnel_adds():
    assert largest_mtu("127.0.0.1:51820", 1420) == 1420
    assert largest_mtu("127.0.0.1:51820", 100_000) == 65_535 - 60
    assert largest_mtu("[::1]:51820", 100_000) == 65_536 - 80
    assert largest_mtu("192.0.2.999:1", 1420) == 1420

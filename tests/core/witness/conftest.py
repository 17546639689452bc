"""A witness of one log, in a folder of a test's own."""

import pytest

from esante.core.journal import Cosigner
from esante.core.witness import Witness, WitnessState
from tests.support.witnessed_log import WitnessedLog


@pytest.fixture
def log():
    """A log of 100 leaves."""
    return WitnessedLog(100)


@pytest.fixture
def cosigner(tmp_path):
    """The key of the witness."""
    return Cosigner.open(tmp_path / "key.pem", "witness.example/w1")


@pytest.fixture
def restart(log, cosigner, tmp_path):
    """`restart()` returns the witness as a new process would start it."""
    states = []

    def start():
        while states:
            states.pop().close()
        states.append(WitnessState.open(tmp_path / "state"))
        return Witness(cosigner, [log.signer.verifier], states[-1])

    yield start
    while states:
        states.pop().close()


@pytest.fixture
def witness(restart):
    """A witness that has signed nothing yet."""
    return restart()

"""The commands of the client, killed at every step, and its queue."""

import subprocess
import sys

import pytest

from esante.services.billing.client import NoteQueue, State, Way
from tests.support.billing_server import EHEALTH_ID, note_file
from tests.support.processes import environment, run_esante


@pytest.fixture
def folder(tmp_path, billing):
    """A folder with a token."""
    (tmp_path / "token").write_text(f"{billing.token}\n")
    return tmp_path


def arguments(folder, proxy, *files, confirmed=True):
    """Return the arguments of `esante billing send`."""
    options = ["--url", proxy.base, "--token-file", folder / "token", "--ehealth-id", EHEALTH_ID]
    flags = ["--confirmed"] if confirmed else []
    return [str(one) for one in ("billing", "send", *files, *options, "--queue", folder / "queue.db", *flags)]


def test_note_is_sent_and_listed(folder, proxy, billing):
    file = folder / "note.xml"
    file.write_bytes(note_file(billing.matricule()))
    shown = run_esante(*arguments(folder, proxy, file, confirmed=False), check=False)
    assert (shown.returncode, "simulated" in shown.stdout) == (2, True)
    assert "patient " in shown.stdout
    done = run_esante(*arguments(folder, proxy, file))
    assert "paid" in done.stdout
    listed = run_esante("billing", "queue", "--queue", folder / "queue.db").stdout
    assert listed == done.stdout
    assert run_esante("billing", "queue", "--queue", folder / "queue.db", "--state", "queued").stdout == ""


def test_printed_note_has_its_code_and_exit_status_2(folder, proxy, billing):
    file = folder / "note.xml"
    file.write_bytes(note_file(billing.matricule()))
    proxy.down = True
    printed = run_esante(*arguments(folder, proxy, file), check=False)
    assert printed.returncode == 2
    assert "2D code: MH1:" in printed.stdout


@pytest.mark.parametrize("content", [b"nonsense", b"<memoireHonoraire/>"])
def test_file_that_is_no_note_is_told_without_trace(folder, proxy, content):
    file = folder / "note.xml"
    file.write_bytes(content)
    done = run_esante(*arguments(folder, proxy, file), check=False)
    assert done.returncode == 1
    assert "note.xml" in done.stderr
    assert "Traceback" not in done.stderr


long = pytest.mark.long
KILLS = [
    pytest.param("POST /pid/v1/simulations", "before", Way.PID, State.PAID, marks=long),
    pytest.param("POST /pid/v1/simulations", "after", Way.PID, State.PAID, marks=long),
    pytest.param("POST /pid/v1/payments", "before", Way.PID, State.PAID, marks=long),
    ("POST /pid/v1/payments", "after", Way.PID, State.PAID),
    pytest.param("POST /ra/v1/", "before", Way.RA, State.DEPOSITED, marks=long),
    ("POST /ra/v1/", "after", Way.RA, State.DEPOSITED),
]


@pytest.mark.parametrize(("path", "side", "way", "state"), KILLS, ids=lambda value: str(value).replace("/", "_"))
def test_killed_client_catches_up_exactly_once(folder, proxy, billing, path, side, way, state):
    file = folder / "note.xml"
    file.write_bytes(note_file(billing.matricule()))
    if way is Way.RA:
        proxy.cut("POST /pid/v1/simulations", "before")
    proxy.hold(path, side)
    command = [sys.executable, "-m", "esante.cli", *arguments(folder, proxy, file)]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert proxy.reached.wait(60), process.stderr.read()
    process.kill()
    process.wait()
    proxy.released.set()
    done = run_esante(*arguments(folder, proxy, file))
    assert state.value in done.stdout
    (entry,) = NoteQueue(folder / "queue.db").entries()
    assert entry.state is state
    other = "/ra/v1/" if state is State.PAID else "/pid/v1/payments"
    assert not any(other in line for line in proxy.log if line.startswith("POST"))

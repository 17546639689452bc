"""Updates of the agent: what is installed, what is refused, what is undone."""

import hashlib
import threading
import time

import pytest

from esante.services.healthnet.agent.archive import agent_file, unit_file
from esante.services.healthnet.agent.state import State
from esante.services.healthnet.agent.update import (
    DOMAIN,
    ReleaseRefused,
    Supervisor,
    install,
    newest_tried,
    release_state,
    verify_release,
)
from esante.services.healthnet.bundles.format import canonical
from esante.services.healthnet.bundles.signer import BundleSigner

SIGNER, STRANGER = BundleSigner(b"s" * 32), BundleSigner(b"t" * 32)


def released(number=5, content=b"file", signer=SIGNER, domain=DOMAIN):
    manifest = canonical({"number": number, "sha256": hashlib.sha256(content).hexdigest()})
    return {"manifest": manifest.decode(), "signature": signer.sign(manifest, domain)}


def test_release_that_is_signed_and_newer_is_accepted():
    assert verify_release(released(), SIGNER.trusted, b"file", 4) == 5


REFUSED = {
    "another key": (released(signer=STRANGER), b"file"),
    "a signature of a bundle": (released(domain=b""), b"file"),
    "the same number": (released(4), b"file"),
    "an earlier number": (released(3), b"file"),
    "another file": (released(), b"other"),
    "no release": ({}, b"file"),
    "another number": ({**released(), "manifest": released(9)["manifest"]}, b"file"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_forged_old_or_damaged_release_is_refused(what):
    envelope, content = REFUSED[what]
    with pytest.raises(ReleaseRefused):
        verify_release(envelope, SIGNER.trusted, content, 4)


SILENT = b"import time\ntime.sleep(60)\n"
BROKEN = b"this is no program\n"


@pytest.mark.parametrize("content", [SILENT, BROKEN])
def test_release_that_stays_silent_or_ends_is_undone_and_not_tried_again(tmp_path, monkeypatch, content):
    monkeypatch.setattr("signal.signal", lambda *_: None)  # this is no main thread
    installed = tmp_path / "installed.pyz"
    installed.write_text(f"import pathlib, time\npathlib.Path({str(tmp_path / 'ran')!r}).touch()\ntime.sleep(60)\n")
    state = State(tmp_path / "home")
    install(state, 7, content)
    supervisor = Supervisor(tmp_path / "home", installed, confirm_within=1.0)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    until = time.monotonic() + 30
    while not (tmp_path / "ran").exists() and time.monotonic() < until:
        time.sleep(0.05)
    supervisor._end()
    thread.join(30)
    assert (tmp_path / "ran").exists()
    assert release_state(state)["current"] == 0
    assert newest_tried(state) == 7


def test_file_of_the_agent_has_the_same_bytes_each_time():
    assert agent_file() == agent_file()
    assert b"esante/core" not in agent_file()
    assert "healthnet-agent.pyz supervise" in unit_file()

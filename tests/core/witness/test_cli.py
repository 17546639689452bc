"""The `esante witness` process: its key, and what it remembers when it is killed."""

import asyncio
import random
import stat

import httpx
import pytest

from esante.core.journal import CosignatureVerifier
from tests.support.processes import run_esante
from tests.support.witness_process import NAME, WitnessProcess
from tests.support.witnessed_log import WitnessedLog

KILLS = 3


@pytest.fixture
def process(tmp_path, log):
    """The witness of the log as a process."""
    witness = WitnessProcess(tmp_path / "state", str(log.signer.verifier)).start()
    yield witness
    witness.stop()


async def grow_until_killed(witness: WitnessProcess, log: WitnessedLog, old: int) -> int:
    """Submit checkpoint after checkpoint until the witness is gone; return the last size that it answered for."""
    async with httpx.AsyncClient(base_url=witness.url, timeout=30) as http:
        while True:
            log.grow(1)
            size = old + 1
            try:
                answer = await http.post("/add-checkpoint", content=log.body(old, size))
            except httpx.TransportError:
                return old
            assert answer.status_code == 200, answer.text
            old = size


async def test_killed_witness_remembers_every_checkpoint_that_it_answered_for(process, log, tmp_path):
    chance, remembered = random.Random(4), 0
    for _ in range(KILLS):
        growing = asyncio.create_task(grow_until_killed(process, log, remembered))
        await asyncio.sleep(chance.uniform(0.05, 0.5))
        await asyncio.to_thread(process.kill)
        answered = await growing
        await asyncio.to_thread(process.start)
        log.grow(1)
        reply = httpx.post(f"{process.url}/add-checkpoint", content=log.body(0, log.size))
        remembered = int(reply.text) if reply.status_code == 409 else 0
        assert answered <= remembered <= answered + 1
        remembered = remembered or log.size  # it has signed this one
    fork = WitnessedLog(remembered, key=log.key, leaf="other")
    assert httpx.post(f"{process.url}/add-checkpoint", content=fork.body(0, remembered)).status_code == 409


async def test_key_is_made_once_and_readable_by_its_owner_only(process, tmp_path):
    key = process.key
    assert CosignatureVerifier.parse(key).name == NAME
    assert stat.S_IMODE((tmp_path / "state" / "key.pem").stat().st_mode) == 0o600
    process.stop()
    process.start()
    assert process.output.count(f"witness key: {key}\n") == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--name", "a b", "--log", "KEY"), "not a verifier key"),
        (("--name", "w", "--log", "nonsense"), "not a verifier key"),
        (("--name", "w"), "Missing option"),
    ],
)
def test_wrong_option_is_an_error_without_a_trace(tmp_path, log, options, message):
    given = [str(log.signer.verifier) if option == "KEY" else option for option in options]
    done = run_esante("witness", *given, "--state", tmp_path / "state", check=False)
    assert done.returncode != 0
    assert message in done.stderr and "Traceback" not in done.stderr


def test_second_witness_on_a_folder_is_refused(process, tmp_path, log):
    options = ["--name", NAME, "--log", str(log.signer.verifier), "--state", tmp_path / "state"]
    done = run_esante("witness", *options, check=False)
    assert (done.returncode, "another witness runs" in done.stderr) == (1, True)

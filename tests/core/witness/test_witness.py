"""A witness signs what goes on from what it signed before, and nothing else, whatever happens."""

import asyncio
import logging
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esante.core.journal import Cosigner, merkle
from esante.core.journal.signed_note import Signer
from esante.core.witness import Refusal, Witness, WitnessState
from tests.support.witnessed_log import WitnessedLog


async def refusal(witness, body):
    """The refusal of a request: status and text."""
    with pytest.raises(Refusal) as refused:
        await witness.add_checkpoint(body)
    return refused.value.status, refused.value.text


async def test_growing_log_is_cosigned_over_its_text_with_the_time(witness, log, cosigner):
    for old, size in ((0, 40), (40, 64), (64, 64), (64, 99), (99, 100)):
        line = await witness.add_checkpoint(log.body(old, size))
        time, _ = cosigner.verifier.verify(log.note(size) + line)
        assert time > 1_700_000_000


async def test_extension_lines_are_cosigned(witness, log, cosigner):
    note = log.note(40, "sealed 2026-03-01")
    line = await witness.add_checkpoint(log.body(0, 40, note=note))
    assert cosigner.verifier.verify(note + line)
    with pytest.raises(ValueError, match="invalid"):
        cosigner.verifier.verify(log.note(40) + line)


@pytest.mark.parametrize("old", [0, 39, 41])
async def test_wrong_old_size_is_answered_with_the_size_signed_last(witness, log, old):
    await witness.add_checkpoint(log.body(0, 40))
    assert await refusal(witness, log.body(old, 60)) == (409, "40\n")


async def test_old_size_larger_than_the_checkpoint_is_malformed(witness, log):
    await witness.add_checkpoint(log.body(0, 40))
    assert (await refusal(witness, log.body(40, 30)))[0] == 400
    assert (await refusal(witness, b"old 40"))[0] == 400


async def test_log_of_another_origin_is_unknown(witness, log):
    other = WitnessedLog(5, origin="log.example/b", key=log.key)
    assert (await refusal(witness, other.body(0, 5)))[0] == 404


@pytest.mark.parametrize("kind", ["another key", "another name", "changed text", "second line"])
async def test_checkpoint_without_a_valid_signature_of_the_log_is_refused(witness, log, kind):
    lines = log.text(40).splitlines()
    note = {
        "another key": WitnessedLog(1).signer.sign(*lines),
        "another name": Signer(log.key, "log.example/other").sign(*lines),
        "changed text": log.note(40).replace("\n40\n", "\n41\n"),
        "second line": log.note(40) + log.note(39).rpartition("\n\n")[2],
    }[kind]
    assert (await refusal(witness, log.body(0, 40, note=note)))[0] == 403
    assert await witness.add_checkpoint(log.body(0, 40))


async def test_signatures_of_unknown_keys_are_ignored(witness, log, cosigner):
    stranger = WitnessedLog(1).signer.sign(*log.text(40).splitlines()).rpartition("\n\n")[2]
    own = cosigner.cosign("another text\n", 5)
    assert await witness.add_checkpoint(log.body(0, 40, note=f"{log.note(40)}{stranger}{own}"))


async def test_forged_line_of_the_witness_in_a_request_does_not_damage_what_it_remembers(restart, log, cosigner):
    note = f"{log.note(40)}{cosigner.cosign('another text', 5)}"
    await restart().add_checkpoint(log.body(0, 40, note=note))
    assert await restart().add_checkpoint(log.body(40, 60))


@pytest.mark.parametrize("proof", [[], [b"x" * 32], "of another size", "too long"])
async def test_checkpoint_without_a_valid_proof_is_refused(witness, log, proof):
    await witness.add_checkpoint(log.body(0, 40))
    hashes = {"of another size": log.proof(39, 60), "too long": [*log.proof(40, 60), b"x" * 32]}.get(str(proof), proof)
    assert (await refusal(witness, log.body(40, 60, proof=hashes)))[0] == 422
    assert await refusal(witness, log.body(39, 60)) == (409, "40\n")  # nothing was remembered


async def test_first_checkpoint_comes_without_a_proof(witness, log):
    assert (await refusal(witness, log.body(0, 40, proof=log.proof(20, 40))))[0] == 422


async def test_empty_tree_has_the_root_of_the_empty_tree_only(witness, log):
    assert (await refusal(witness, log.body(0, 0, note=WitnessedLog(0, key=log.key).note(0).replace("47D", "47E"))))[
        0
    ] == 403
    wrong = log.signer.sign(log.origin, "0", "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    assert (await refusal(witness, log.body(0, 0, note=wrong)))[0] == 422
    assert log.root(0) == merkle.EMPTY_ROOT
    assert await witness.add_checkpoint(log.body(0, 0))


@pytest.mark.parametrize("size", [40, 60])
async def test_fork_is_refused_and_written_into_the_log_file_once(witness, log, caplog, size):
    await witness.add_checkpoint(log.body(0, 40))
    fork = WitnessedLog(100, key=log.key, leaf="other")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert (await refusal(witness, fork.body(40, size)))[0] == 422
    (record,) = caplog.records
    assert repr(fork.note(size)) in record.getMessage()
    assert await witness.add_checkpoint(log.body(40, 60))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.booleans(), st.booleans()), max_size=30))
async def test_signed_checkpoints_are_always_of_one_history(tmp_path_factory, requests):
    """Random requests of a log and its fork, with and without proofs: all that is signed is consistent."""
    folder = tmp_path_factory.mktemp("witness")
    log = WitnessedLog(60)
    fork = WitnessedLog(60, key=log.key, leaf="other")
    state = WitnessState.open(folder / "state")
    witness = Witness(Cosigner.open(folder / "key.pem", "w"), [log.signer.verifier], state)
    signed = []
    for old, size, of_fork, has_proof in requests:
        source = fork if of_fork else log
        try:
            await witness.add_checkpoint(source.body(old, size, proof=None if has_proof else []))
        except Refusal:
            continue
        signed.append((source, size))
    state.close()
    assert [size for _, size in signed] == sorted(size for _, size in signed)
    assert len({source for source, size in signed if size}) <= 1


async def test_concurrent_submissions_of_a_log_are_decided_one_after_the_other(witness, log):
    await witness.add_checkpoint(log.body(0, 40))
    answers = await asyncio.gather(
        *(witness.add_checkpoint(log.body(40, size)) for size in range(41, 80)), return_exceptions=True
    )
    assert [type(answer) for answer in answers].count(str) == 1
    assert {answer.status for answer in answers if not isinstance(answer, str)} == {409}


async def test_logs_are_remembered_apart(log, cosigner, tmp_path):
    other = WitnessedLog(50, origin="log.example/b")
    state = WitnessState.open(tmp_path / "state")
    witness = Witness(cosigner, [log.signer.verifier, other.signer.verifier], state)
    await witness.add_checkpoint(log.body(0, 40))
    await witness.add_checkpoint(other.body(0, 50))
    assert await refusal(witness, other.body(40, 50)) == (409, "50\n")
    state.close()


async def test_log_may_change_its_key(log, cosigner, tmp_path):
    renewed = WitnessedLog(100)
    state = WitnessState.open(tmp_path / "state")
    witness = Witness(cosigner, [log.signer.verifier, renewed.signer.verifier], state)
    await witness.add_checkpoint(log.body(0, 40))
    await witness.add_checkpoint(renewed.body(40, 60))
    state.close()


async def test_restarted_witness_goes_on_from_what_it_signed_last(restart, log):
    await restart().add_checkpoint(log.body(0, 40))
    witness = restart()
    assert await refusal(witness, log.body(0, 60)) == (409, "40\n")
    await witness.add_checkpoint(log.body(40, 60))
    assert await refusal(restart(), log.body(40, 70)) == (409, "60\n")


async def test_checkpoint_is_on_disk_before_the_signature_is_returned(witness, log, tmp_path, monkeypatch):
    synced = []

    def fsync(handle):
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))

    monkeypatch.setattr(os, "fsync", fsync)
    await witness.add_checkpoint(log.body(0, 40))
    (file,) = (tmp_path / "state").glob("*.checkpoint")
    assert synced == [str(file.with_suffix(".part")), str(tmp_path / "state")]
    assert log.text(40) in file.read_text()


async def test_checkpoint_that_cannot_be_stored_is_not_signed(witness, log, monkeypatch):
    def refuse(handle):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="no space"):
        await witness.add_checkpoint(log.body(0, 40))
    monkeypatch.undo()
    assert await witness.add_checkpoint(log.body(0, 50))

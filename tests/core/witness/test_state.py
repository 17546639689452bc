"""What a witness remembers is its own, whole, and used by one process."""

import pytest

from esante.core.journal import Cosigner
from esante.core.witness import StateError, Witness, WitnessState


async def test_folder_is_used_by_one_witness_at_a_time(tmp_path):
    state = WitnessState.open(tmp_path / "state")
    with pytest.raises(StateError, match="another witness runs"):
        WitnessState.open(tmp_path / "state")
    state.close()
    WitnessState.open(tmp_path / "state").close()


@pytest.mark.parametrize(
    "change",
    [
        lambda note: "",
        lambda note: note[: len(note) // 2],
        lambda note: note.replace("\n40\n", "\n30\n"),
        lambda note: note.replace("log.example/a\n", "log.example/b\n", 1),
    ],
)
async def test_damaged_file_stops_the_witness(restart, log, tmp_path, change):
    await restart().add_checkpoint(log.body(0, 40))
    (file,) = (tmp_path / "state").glob("*.checkpoint")
    file.write_text(change(file.read_text()))
    with pytest.raises(StateError, match="not a checkpoint that this witness signed"):
        restart()


async def test_file_of_another_key_stops_the_witness(restart, log, tmp_path):
    await restart().add_checkpoint(log.body(0, 40))
    other = Cosigner.open(tmp_path / "other.pem", "witness.example/w1")
    state = WitnessState.open(tmp_path / "copy")
    (file,) = (tmp_path / "state").glob("*.checkpoint")
    (tmp_path / "copy" / file.name).write_bytes(file.read_bytes())
    with pytest.raises(StateError, match="did not co-sign"):
        Witness(other, [log.signer.verifier], state)
    state.close()

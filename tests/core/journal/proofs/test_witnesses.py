"""A proof carries the co-signatures of witnesses; the verifier checks them under the keys that it is given."""

import pytest

from esante.core.journal import Cosigner
from tests.support.cosigned_journal import NAME
from tests.support.journal_entries import append_texts
from tests.support.proof_verifier import prove, run_verifier


@pytest.fixture
async def key(cosigned_journal):
    """The key of the witness, which has co-signed the first 40 of 45 entries."""
    await cosigned_journal.witness.cosign()
    await append_texts(cosigned_journal, cosigned_journal.person, *"abcde")
    await cosigned_journal.sealer.seal_all()
    return str(cosigned_journal.witness.cosigner.verifier)


async def test_cosignature_on_an_older_tree_is_verified_by_consistency(cosigned_journal, key, tmp_path):
    proof = await prove(cosigned_journal, cosigned_journal.person)
    result = await run_verifier(tmp_path, proof, "--witness", key)
    assert result.returncode == 0, result.stdout
    assert f"co-signed by {NAME} at 20" in result.stdout
    assert "the tree of 40\n" in result.stdout
    assert "all 45 entries are here and unaltered" in result.stdout


async def test_cosignature_on_the_tree_of_the_proof_is_verified(cosigned_journal, key, tmp_path):
    await cosigned_journal.witness.cosign()
    proof = await prove(cosigned_journal, cosigned_journal.person)
    assert proof["witnesses"][0]["consistency"] == []
    result = await run_verifier(tmp_path, proof, "--witness", key)
    assert (result.returncode, "the tree of 45\n" in result.stdout) == (0, True)


async def test_cosignature_without_a_given_key_is_named_as_not_checked(cosigned_journal, key, tmp_path):
    result = await run_verifier(tmp_path, await prove(cosigned_journal, cosigned_journal.person))
    assert result.returncode == 0
    assert f"not checked, give its key with --witness: the co-signature of {key}" in result.stdout


async def test_proof_without_the_cosignature_of_a_given_witness_is_not_verified(cosigned_journal, key, tmp_path):
    proof = await prove(cosigned_journal, cosigned_journal.person)
    other = str(Cosigner.open(tmp_path / "other.pem", NAME).verifier)
    result = await run_verifier(tmp_path, proof, "--witness", key, "--witness", other)
    assert (result.returncode, "there is no co-signature of the witness" in result.stdout) == (1, True)
    result = await run_verifier(tmp_path, {**proof, "witnesses": []}, "--witness", key)
    assert result.returncode == 1


async def test_proof_made_before_the_first_cosignature_has_none(cosigned_journal):
    assert (await prove(cosigned_journal, cosigned_journal.person))["witnesses"] == []


async def test_key_of_the_log_is_taken_in_both_forms(cosigned_journal, key, tmp_path):
    proof = await prove(cosigned_journal, cosigned_journal.person)
    own, other = cosigned_journal.signer.verifier, Cosigner.open(tmp_path / "other.pem", NAME).verifier
    for text, status in ((proof["key"]["ed25519"], 0), (str(own), 0), (str(other), 1), ("nonsense", 1), ("-", 2)):
        assert (await run_verifier(tmp_path, proof, "--key", text)).returncode == status

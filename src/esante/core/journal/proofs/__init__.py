"""Proofs for persons: that the entries about them are complete and unaltered."""

from esante.core.journal.proofs.inclusion import EntryProof, ProvedEntry, entry_proof, verify_entry
from esante.core.journal.proofs.job import ProofJob
from esante.core.journal.proofs.proof import ProofWriter, verifier_source
from esante.core.journal.proofs.service import Proofs

__all__ = [
    "EntryProof",
    "ProofJob",
    "ProofWriter",
    "Proofs",
    "ProvedEntry",
    "entry_proof",
    "verifier_source",
    "verify_entry",
]

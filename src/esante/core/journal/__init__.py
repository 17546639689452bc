"""The append-only journal: every act on the platform is one entry, sealed into a Merkle tree, and can be proved."""

from esante.core.journal.consumers import Consumer, advance, run_consumers
from esante.core.journal.cosignature import CosignatureVerifier, Cosigner
from esante.core.journal.merkle import EMPTY_ROOT, Frontier, is_consistent, leaf_hash
from esante.core.journal.model import EVENTS, SYSTEM, Actor, Checkpoint, Entry, Event, Initiator, SealedEntry, event
from esante.core.journal.proofs import EntryProof, ProofJob, ProvedEntry, verifier_source, verify_entry
from esante.core.journal.service import Journal
from esante.core.journal.signed_note import NoteVerifier, Signer, split_note
from esante.core.journal.verification import VerificationReport

__all__ = [
    "EMPTY_ROOT",
    "EVENTS",
    "SYSTEM",
    "Actor",
    "Checkpoint",
    "Consumer",
    "CosignatureVerifier",
    "Cosigner",
    "Entry",
    "EntryProof",
    "Event",
    "Frontier",
    "Initiator",
    "Journal",
    "NoteVerifier",
    "ProofJob",
    "ProvedEntry",
    "SealedEntry",
    "Signer",
    "VerificationReport",
    "advance",
    "event",
    "is_consistent",
    "leaf_hash",
    "run_consumers",
    "split_note",
    "verifier_source",
    "verify_entry",
]

"""The append-only journal: every act on the platform is one entry, sealed into a Merkle tree, and can be proved."""

from esante.core.journal.consumers import Consumer, advance, run_consumers
from esante.core.journal.model import EVENTS, SYSTEM, Actor, Checkpoint, Entry, Event, Initiator, SealedEntry, event
from esante.core.journal.proof import verifier_source
from esante.core.journal.service import Journal, ProofRunning
from esante.core.journal.verification import VerificationReport

__all__ = [
    "EVENTS",
    "SYSTEM",
    "Actor",
    "Checkpoint",
    "Consumer",
    "Entry",
    "Event",
    "Initiator",
    "Journal",
    "ProofRunning",
    "SealedEntry",
    "VerificationReport",
    "advance",
    "event",
    "run_consumers",
    "verifier_source",
]

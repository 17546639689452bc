"""The append-only journal: everything that happens is told here, sealed, and can be proved."""

from esante.core.journal.consumers import Consumer, advance, run_consumers
from esante.core.journal.model import EVENTS, SYSTEM, Actor, Checkpoint, Entry, Event, Sealed, event
from esante.core.journal.proof import verifier_source
from esante.core.journal.service import Journal
from esante.core.journal.verification import Report

__all__ = [
    "EVENTS",
    "SYSTEM",
    "Actor",
    "Checkpoint",
    "Consumer",
    "Entry",
    "Event",
    "Journal",
    "Report",
    "Sealed",
    "advance",
    "event",
    "run_consumers",
    "verifier_source",
]

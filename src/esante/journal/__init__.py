"""The append-only journal: everything that happens is told here, sealed, and can be proved."""

from esante.journal.model import EVENTS, SYSTEM, Actor, Checkpoint, Entry, Event, Sealed, event
from esante.journal.proof import verifier_source
from esante.journal.readers import Reader, advance, run_readers
from esante.journal.service import Journal
from esante.journal.verify import Report

__all__ = [
    "EVENTS",
    "SYSTEM",
    "Actor",
    "Checkpoint",
    "Entry",
    "Event",
    "Journal",
    "Reader",
    "Report",
    "Sealed",
    "advance",
    "event",
    "run_readers",
    "verifier_source",
]

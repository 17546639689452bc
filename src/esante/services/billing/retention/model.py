"""Types of the end of fee notes."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from esante.core.journal import event
from esante.core.web import N_
from esante.services.billing.note.model import NoteEvent


@dataclass(frozen=True, slots=True)
class OldNote:
    """A note that came long ago."""

    person_id: UUID
    note_id: UUID
    received_at: datetime


@event("billing.notes_deleted")
class NotesDeleted(NoteEvent, frozen=True, kw_only=True):
    """Fee notes of a person were deleted with all that was kept for them: their time of keeping was over."""

    ACTION: ClassVar[str] = "D"
    FOLDS: ClassVar[bool] = False
    WORDS: ClassVar[str] = N_("Old fee notes of yours were deleted, because the time for keeping them was over.")

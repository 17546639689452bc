"""Types of findings: what a detection found, how sure, and its explanation in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class Detection(StrEnum):
    """The detections."""

    OWN = "own_record"
    FAMILY = "family"
    COLLEAGUE = "colleague"
    WATCHED = "watched_person"
    NO_CONTEXT = "no_care_context"
    BREAK_GLASS = "break_glass"
    ADMISSION = "admission_without_care"
    MASS_READING = "mass_reading"
    SHARED_CREDENTIALS = "shared_credentials"
    IMPOSSIBLE_PLACE = "impossible_place"
    PROBING = "probing"
    NOTE_DUPLICATE = "note_duplicate"
    NOTE_VOLUME = "note_volume"
    NOTE_ABSENT = "note_absent"
    NOTE_DECEASED = "note_deceased"
    INVENTED = "invented_record"
    AFTER_DEATH = "after_death"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an explanation: a msgid with its parameters; keys of people are shown as names."""

    text: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a detection found: `score` is 0 to 100, `key` the same for the same finding.

    `user_id`: who is questioned (a professional, an organisation, a biller); `organization_id`: for whom they acted.
    """

    detection: Detection
    key: str
    score: int
    first_at: datetime
    last_at: datetime
    user_id: UUID
    organization_id: UUID | None
    person_id: UUID | None = None
    sentences: tuple[Sentence, ...]
    evidence: tuple[UUID, ...] = ()


def bounded(points: float) -> int:
    """Return points as a score."""
    return max(0, min(100, round(points)))

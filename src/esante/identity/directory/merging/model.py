"""A merge of two entries, and its journal events."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_


class MergeState(StrEnum):
    """How far a merge has come."""

    PROPOSED = "proposed"
    MERGED = "merged"
    WITHDRAWN = "withdrawn"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """A merge, from its proposal to its end: who did what, when and why.

    `decided_...` is of the confirmation or of the withdrawal.
    """

    id: UUID
    losing_id: UUID
    surviving_id: UUID
    state: MergeState
    reason: str
    proposed_at: datetime
    proposed_by: UUID
    proposer: str
    decided_at: datetime | None = None
    decided_by: UUID | None = None
    decider: str = ""
    decision_reason: str = ""
    undone_at: datetime | None = None
    undone_by: UUID | None = None
    undoer: str = ""
    undo_reason: str = ""


@dataclass(frozen=True, slots=True)
class MergeLinks:
    """The entry to which an entry leads (None: it stands for itself), and those that lead to it."""

    replaced_by: UUID | None = None
    replaces: tuple[UUID, ...] = ()


@event("directory.merge_proposed")
class MergeProposed(Event, frozen=True, kw_only=True):
    """An operator proposed to merge two entries; filed under both persons."""

    merge_id: UUID
    losing_id: UUID
    surviving_id: UUID
    reason: str


@event("directory.merge_withdrawn")
class MergeWithdrawn(Event, frozen=True, kw_only=True):
    """An operator withdrew a proposal to merge two entries; filed under both persons."""

    merge_id: UUID
    reason: str


@event("directory.persons_merged")
class PersonsMerged(Event, frozen=True, kw_only=True):
    """A second operator confirmed that two entries are of one person; filed under both."""

    WORDS: ClassVar[str] = N_("%(actor)s joined two entries of yours in the patient directory.")

    merge_id: UUID
    losing_id: UUID
    surviving_id: UUID
    proposed_by: UUID


@event("directory.persons_separated")
class PersonsSeparated(Event, frozen=True, kw_only=True):
    """An operator undid a merge: the entries are of two persons, or were joined too early; filed under both."""

    WORDS: ClassVar[str] = N_("%(actor)s separated two entries in the patient directory that had been joined.")

    merge_id: UUID
    losing_id: UUID
    surviving_id: UUID
    reason: str

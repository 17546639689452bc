"""The journal events of the search for duplicates and of what operators say of pairs."""

from typing import ClassVar
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_


@event("directory.duplicates_searched")
class DuplicatesSearched(Event, frozen=True, kw_only=True):
    """All entries of persons were compared: how many there are, and how many pairs may be of one person."""

    entries: int
    pairs: int


@event("directory.pair_judged")
class PairJudged(Event, frozen=True, kw_only=True):
    """An operator said that two entries are of two people (`different`), or that this is open again; under both."""

    WORDS: ClassVar[str] = N_("%(actor)s compared your entry in the patient directory with a similar one.")

    first_id: UUID
    second_id: UUID
    different: bool
    reason: str

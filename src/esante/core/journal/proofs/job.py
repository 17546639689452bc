"""A proof that is made in the background."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from esante.core.journal.proofs.proof import Place
from esante.core.storage import JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofJob:
    """A person's proof. `size` is that of the tree, None until it was chosen; `count` is how many entries there are.

    It contains what happened until `asked_at`: when it was asked for, or begun anew.
    The file lies in the object store in so many `segments`, of `bytes` in all.
    """

    id: UUID
    person_id: UUID
    state: JobState = JobState.RUNNING
    asked_at: datetime
    size: int | None = None
    count: int = 0
    place: Place = field(default_factory=Place)
    segments: int = 0
    bytes: int = 0
    failures: int = 0
    ended_at: datetime | None = None
    expires_at: datetime | None = None

    @property
    def folder(self) -> str:
        """The folder of its segments in the object store."""
        return f"proof/{self.id.hex}"

    @property
    def percent(self) -> int:
        """How much is written, in percent; at most 99 while it is running."""
        return min(99, 100 * (self.place.entries or 0) // max(1, self.count))

    def segment_name(self, number: int) -> str:
        """Return the name of a segment in the object store."""
        return f"{self.folder}/{number}"

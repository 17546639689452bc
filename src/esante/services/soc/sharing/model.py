"""Types of advisories."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core.journal import Event, event
from esante.services.soc.intelligence.model import Tlp
from esante.services.soc.intelligence.observables import Observable


@dataclass(frozen=True, slots=True)
class AdvisoryText:
    """Title and text of an advisory in a language."""

    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """What the agency tells members: in each language, with a TLP; `is_exercise`: it is none in earnest.

    `receipts`, `acknowledged`: members who got it, and who confirmed it. `own_at`: when the member that looks did.
    """

    advisory_id: UUID
    tlp: Tlp
    is_exercise: bool
    to_all: bool
    texts: Mapping[str, AdvisoryText]
    indicators: Sequence[Observable]
    written_by: str
    published_at: datetime
    withdrawn_at: datetime | None = None
    receipts: int = 0
    acknowledged: int = 0
    own_at: datetime | None = None

    def in_language(self, language: str) -> AdvisoryText:
        """Return title and text in a language."""
        return self.texts[language]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A member who got an advisory, and when somebody there confirmed it."""

    tenant_id: UUID
    name: str
    acknowledged_by: str | None
    acknowledged_at: datetime | None


@event("soc.advisory_published")
class AdvisoryPublished(Event, frozen=True, kw_only=True):
    """The agency sent an advisory to so many members; figures count those that are no exercise."""

    advisory_id: UUID
    tlp: str
    members: int
    is_exercise: bool


@event("soc.advisory_acknowledged")
class AdvisoryAcknowledged(Event, frozen=True, kw_only=True):
    """A contact confirmed that their member has read an advisory."""

    advisory_id: UUID
    tenant_id: UUID
    is_exercise: bool


@event("soc.advisory_withdrawn")
class AdvisoryWithdrawn(Event, frozen=True, kw_only=True):
    """The agency withdrew an advisory."""

    advisory_id: UUID
    is_exercise: bool

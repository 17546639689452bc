"""A study that a requester may see."""

from dataclasses import dataclass
from uuid import UUID

from esante.identity.access import Verdict
from esante.services.record import Document


@dataclass(frozen=True, slots=True)
class VisibleStudy:
    """A study that a requester may see: the document of the record that stands for it, and why they may."""

    study_uid: str
    document: Document
    verdict: Verdict

    @property
    def person_id(self) -> UUID:
        """Whose study it is."""
        return self.document.person_id

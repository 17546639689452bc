"""The types of notices."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.contract import NoticeKind
from esante.core.journal import Event, event


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message to a person about an event in their record; `id` is that of the journal entry it was made from.

    `categories` are codes of categories of data.
    """

    person_id: UUID
    id: UUID
    at: datetime
    kind: NoticeKind
    actor: str = ""
    categories: tuple[str, ...] = ()
    document_id: UUID | None = None
    read_at: datetime | None = None

    @property
    def link(self) -> str:
        """The address that marks the notice as read and leads to its page."""
        return f"/notices/{self.id}"

    @property
    def url(self) -> str:
        """The page that the notice is about."""
        if self.kind.link != "document":
            return self.kind.link
        return f"/record/{self.document_id}" if self.document_id else "/record"


@event("notices.read")
class NoticesRead(Event, frozen=True, kw_only=True):
    """The person marked notices as read."""

    count: int

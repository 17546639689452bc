"""The types of notices: what a person is told, and in which words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of notice: its text (a msgid; may name %(actor)s and %(categories)s), and how it looks.

    `link` is where it leads: "document" (the one it tells of), or a page of the portal.
    """

    text: str
    icon: str
    tone: str
    link: str
    urgent: bool = False
    """Shown above everything else until it is read."""


KINDS: Mapping[str, Kind] = {
    "emergency": Kind(
        N_("%(actor)s opened your record in an emergency, without asking you first."),
        "emergency",
        "danger",
        "/log",
        urgent=True,
    ),
    "emergency_reviewed": Kind(
        N_("The agency has examined an emergency access to your record."), "check", "good", "/log"
    ),
    "deposited": Kind(N_("New in your record from %(actor)s: %(categories)s."), "document", "act", "document"),
    "replaced": Kind(
        N_("%(actor)s replaced a document by a new version: %(categories)s."), "document", "act", "document"
    ),
    "withdrawn": Kind(N_("%(actor)s withdrew a document: %(categories)s."), "close", "warn", "document"),
    "misfiled": Kind(
        N_("A document of another person was in your record by mistake. %(actor)s has taken it out."),
        "warning",
        "warn",
        "/record",
    ),
    "refiled": Kind(
        N_("A document of yours had been filed with another person. It is in your record now: %(categories)s."),
        "warning",
        "warn",
        "document",
    ),
    "code_used": Kind(N_("%(actor)s used the code you gave and may now see your record."), "key", "act", "/sharing"),
    "stay": Kind(N_("%(actor)s may see your record during your stay."), "hospital", "act", "/sharing"),
    "announced": Kind(N_("Your record will be opened soon. You may object until then."), "letter", "act", "/sharing"),
    "opened": Kind(N_("Your record is open."), "record", "good", "/sharing"),
    "closed": Kind(N_("Your record is closed. Nobody can see or add anything."), "lock", "warn", "/sharing"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something a person is told of; `id` is that of the journal entry it was made from."""

    person_id: UUID
    id: UUID
    at: datetime
    kind: str
    actor: str = ""
    categories: tuple[str, ...] = ()
    document_id: UUID | None = None
    read_at: datetime | None = None

    @property
    def looks(self) -> Kind:
        """The kind with its words."""
        return KINDS[self.kind]

    @property
    def url(self) -> str:
        """Where the notice leads."""
        if self.looks.link != "document":
            return self.looks.link
        return f"/record/{self.document_id}" if self.document_id else "/record"


@event("notices.read")
class NoticesRead(Event, frozen=True, kw_only=True):
    """The person marked notices as read."""

    count: int

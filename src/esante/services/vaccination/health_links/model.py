"""The types of health links: a link as its owner sees it, its files, journal events."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from esante.core.journal import event
from esante.core.web import N_
from esante.identity.access import AccessEvent

MAX_ATTEMPTS = 5
"""Wrong PINs in the life of a link; with the last one it ends. A PIN has a million values."""
MAX_ACTIVE = 20
"""Links of a person that work at the same time."""
MAX_RECIPIENT = 80
"""Characters of the name that a recipient gives."""
MAX_LABEL = 80
"""Characters of a label (SMART Health Links, "Construct a SMART Health Link Payload")."""
LOCATION_LIFETIME = timedelta(minutes=10)
"""How long the address of a single file works; the specification allows an hour."""
DURATIONS = {
    1: N_("1 day"),
    7: N_("1 week"),
    30: N_("30 days"),
    365: N_("1 year"),
}
"""How long a link can work, in days."""


@event("vaccination.health_link_created")
class HealthLinkCreated(AccessEvent, frozen=True, kw_only=True):
    """The person made a SMART Health Link to some of their doses; its address and key are not in the journal."""

    ACTION: ClassVar[str] = "C"
    RESOURCE: ClassVar[str] = "Immunization"
    OWN_WORDS: ClassVar[str] = N_("You made a link to your vaccinations.")

    link_id: UUID
    doses: int
    until: datetime


@event("vaccination.health_link_opened")
class HealthLinkOpened(AccessEvent, frozen=True, kw_only=True):
    """Somebody opened a link, or tried to; the actor has the name that they gave, which nobody has checked."""

    ACTION: ClassVar[str] = "R"
    RESOURCE: ClassVar[str] = "Immunization"
    FOLDS: ClassVar[bool] = False
    WORDS: ClassVar[str] = N_("%(actor)s opened your link to your vaccinations. Nobody has checked this name.")
    REFUSED_WORDS: ClassVar[str] = N_(
        "%(actor)s could not open your link to your vaccinations. Nobody has checked this name."
    )

    link_id: UUID


@event("vaccination.health_link_ended")
class HealthLinkEnded(AccessEvent, frozen=True, kw_only=True):
    """A link was ended: by the person, or by too many wrong PINs (`cause`: patient, attempts)."""

    ACTION: ClassVar[str] = "D"
    RESOURCE: ClassVar[str] = "Immunization"
    FOLDS: ClassVar[bool] = False
    WORDS: ClassVar[str] = N_("A link to your vaccinations was ended after too many wrong PINs.")
    OWN_WORDS: ClassVar[str] = N_("You ended a link to your vaccinations.")

    link_id: UUID
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthLink:
    """A link as its owner sees it; `end_cause`: patient, attempts, "" while it has not been ended."""

    link_id: UUID
    person_id: UUID
    label: str
    doses: int
    attempts_left: int
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    end_cause: str
    openings: int
    opened_at: datetime | None

    def is_active(self, at: datetime) -> bool:
        """Return whether the link works at a moment."""
        return self.ended_at is None and at < self.expires_at


@dataclass(frozen=True, slots=True)
class EncryptedFile:
    """A file of a link: its media type, and its content as a compact JWE."""

    content_type: str
    jwe: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLink:
    """A link as it is given to its owner, once: the address with the key in it, and the PIN."""

    link: HealthLink
    uri: str
    pin: str

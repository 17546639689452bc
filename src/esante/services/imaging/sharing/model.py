"""The types of shared studies: a link as its owner sees it, a visit of a recipient, journal events."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from esante.core.journal import Actor, event
from esante.core.web import N_
from esante.services.imaging.archive.visible_study import VisibleStudy
from esante.services.imaging.modality_words import modality_words
from esante.services.imaging.model import ImagingEvent

MAX_ATTEMPTS = 5
"""Wrong PINs in the life of a link; with the last one it ends. A PIN has a million values."""
MAX_ACTIVE = 20
"""Links to a study that work at the same time."""
MAX_LABEL = MAX_RECIPIENT = 80
"""Characters of what a link is for, and of the name that a recipient gives."""
VISIT = timedelta(hours=2)
"""How long the images can be seen after the PIN was entered."""


@event("imaging.share_created")
class ShareCreated(ImagingEvent, frozen=True, kw_only=True):
    """The person made a link to a study; neither its address nor its PIN is in the journal."""

    ACTION: ClassVar[str] = "C"
    OWN_WORDS: ClassVar[str] = N_("You made a link to images.")

    share_id: UUID
    until: datetime


@event("imaging.share_opened")
class ShareOpened(ImagingEvent, frozen=True, kw_only=True):
    """Somebody opened a link, or tried to; the actor has the name that they gave, which nobody has checked.

    `series_uid`: the series that was opened, "" for the link itself; `form`: what was sent (rendered, download).
    """

    ACTION: ClassVar[str] = "R"
    FOLDS: ClassVar[bool] = False
    WORDS: ClassVar[str] = N_("%(actor)s opened images with your link. Nobody has checked this name.")
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s could not open images with your link. Nobody has checked this name.")

    share_id: UUID
    series_uid: str = ""
    modality: str = ""
    form: str = ""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What kind of images they are, for the access log (msgids)."""
        return modality_words((self.modality,))


@event("imaging.share_ended")
class ShareEnded(ImagingEvent, frozen=True, kw_only=True):
    """A link was ended: by the person, or by too many wrong PINs (`cause`: patient, attempts)."""

    ACTION: ClassVar[str] = "D"
    FOLDS: ClassVar[bool] = False
    WORDS: ClassVar[str] = N_("A link to your images was ended after too many wrong PINs.")
    OWN_WORDS: ClassVar[str] = N_("You ended a link to images.")

    share_id: UUID
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A link to a study as its owner sees it; `downloads`: the recipient may have the original files.

    `end_cause`: patient, attempts, "" while it has not been ended.
    """

    share_id: UUID
    person_id: UUID
    study_uid: str
    label: str
    downloads: bool
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


@dataclass(frozen=True, slots=True, kw_only=True)
class NewShare:
    """A link as it is given to its owner, once: its address, and the PIN."""

    share: Share
    url: str
    pin: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who opens a link: the name that they give, and the address that they come from."""

    recipient: str
    origin: str

    @property
    def actor(self) -> Actor:
        """The caller as the actor of journal entries: nobody has signed in."""
        return Actor(kind="", name=self.recipient)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A recipient who has entered the PIN: what they see, and by which link."""

    key: bytes
    caller: Caller
    share: Share
    study: VisibleStudy

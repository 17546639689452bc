"""The types of transfers: a copy for another provider as its person sees it, and journal events."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from esante.core.journal import Actor, event
from esante.core.web import N_
from esante.identity.access import AccessEvent

MAX_ATTEMPTS = 5
"""Wrong PINs in the life of a transfer; with the last one it ends. A PIN has a million values."""
MAX_ACTIVE = 10
"""Transfers of a person that wait at the same time."""
MAX_LABEL = MAX_RECIPIENT = 80
"""Characters of whom a transfer is for, and of the name that a recipient gives."""
DURATIONS = (1, 7, 30)
"""How long a transfer can wait for its recipient, in days."""


@event("ehds.transfer_prepared")
class TransferPrepared(AccessEvent, frozen=True, kw_only=True):
    """The person prepared a copy of their record for another provider; neither address nor PIN is in the journal.

    `hidden`: with what is hidden from others.
    """

    ACTION: ClassVar[str] = "C"
    OWN_WORDS: ClassVar[str] = N_("You prepared a copy of your record for another provider.")

    transfer_id: UUID
    until: datetime
    hidden: bool


@event("ehds.transfer_fetched")
class TransferFetched(AccessEvent, frozen=True, kw_only=True):
    """Somebody fetched the copy, or tried to; the actor has the name that they gave, which nobody has checked."""

    ACTION: ClassVar[str] = "R"
    FOLDS: ClassVar[bool] = False
    WORDS: ClassVar[str] = N_(
        "%(actor)s fetched the copy of your record that you prepared: %(categories)s. Nobody has checked this name."
    )
    REFUSED_WORDS: ClassVar[str] = N_(
        "%(actor)s could not fetch the copy of your record that you prepared. Nobody has checked this name."
    )

    transfer_id: UUID


@event("ehds.transfer_ended")
class TransferEnded(AccessEvent, frozen=True, kw_only=True):
    """A transfer ended (`cause`: received, patient, attempts).

    Of one that was received: the number of files, and size and SHA-256 of what was sent.
    """

    ACTION: ClassVar[str] = "U"
    FOLDS: ClassVar[bool] = False
    WORDS: ClassVar[str] = N_("The copy of your record for another provider was sent, or its link has ended.")
    OWN_WORDS: ClassVar[str] = N_("You ended the link to a copy of your record.")

    transfer_id: UUID
    cause: str
    files: int = 0
    size: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a copy is made of: the documents of some categories (none: of all), and what is hidden from others or not.

    `language`: of the texts in it.
    """

    categories: tuple[str, ...] = ()
    hidden: bool = False
    language: str = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A transfer as its person sees it.

    `end_cause`: received, patient, attempts; "" while it has not ended. `recipient`: the name that whoever received it
    gave; `files`, `size` and `sha256`: what they were sent.
    """

    transfer_id: UUID
    person_id: UUID
    label: str
    choice: Choice
    attempts_left: int
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    end_cause: str = ""
    recipient: str = ""
    files: int = 0
    size: int = 0
    sha256: str = ""

    def is_active(self, at: datetime) -> bool:
        """Return whether it can be fetched at a moment."""
        return self.ended_at is None and at < self.expires_at


@dataclass(frozen=True, slots=True)
class NewTransfer:
    """A transfer as it is given to its person, once: its address, and the PIN."""

    transfer: Transfer
    url: str
    pin: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who fetches a copy: the name that they give, and the address that they come from."""

    name: str
    origin: str

    @property
    def actor(self) -> Actor:
        """The recipient as the actor of journal entries: nobody has signed in."""
        return Actor(kind="", name=self.name)

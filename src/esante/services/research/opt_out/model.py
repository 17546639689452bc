"""Types of the opt-out from secondary use, and its journal events."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from esante.core.journal import event
from esante.core.web import N_
from esante.identity.access import AccessEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOut:
    """A time in which data of a person are not used for secondary purposes; `until` None: it lasts."""

    person_id: UUID
    since: datetime
    until: datetime | None = None


@event("research.opted_out")
class OptedOut(AccessEvent, frozen=True, kw_only=True):
    """A person opted out of the secondary use of their data (Article 71)."""

    ACTION: ClassVar[str] = "C"
    RESOURCE: ClassVar[str] = "Consent"
    FOLDS: ClassVar[bool] = False
    CHOICE: ClassVar[bool] = True
    WORDS: ClassVar[str] = N_("%(actor)s decided for you that your data are not used for research.")
    OWN_WORDS: ClassVar[str] = N_("You decided that your data are not used for research.")


@event("research.opted_in")
class OptedIn(AccessEvent, frozen=True, kw_only=True):
    """A person ended their opt-out: extractions from now on may hold their data again."""

    ACTION: ClassVar[str] = "D"
    RESOURCE: ClassVar[str] = "Consent"
    FOLDS: ClassVar[bool] = False
    CHOICE: ClassVar[bool] = True
    WORDS: ClassVar[str] = N_("%(actor)s decided for you that your data may be used for research again.")
    OWN_WORDS: ClassVar[str] = N_("You decided that your data may be used for research again.")

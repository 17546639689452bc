"""What the journal tells of access itself: the life of a record, grants, restrictions, sign-ins."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_
from esante.identity.access.model import AccessEvent


@event("access.state_changed")
class StateChanged(Event, frozen=True, kw_only=True):
    """The record went from one state of its life to another (`model.RecordState`)."""

    before: str
    after: str
    until: datetime | None = None
    """After an announcement: when the time to object ends."""


@event("access.sharing_changed")
class SharingChanged(Event, frozen=True, kw_only=True):
    """The person opted out of sharing, or in again."""

    sharing: bool


@event("access.block_changed")
class BlockChanged(Event, frozen=True, kw_only=True):
    """The person blocked a practitioner or an organisation, or lifted the block."""

    subject_kind: str
    subject_id: UUID
    subject: str
    blocked: bool


@event("access.code_issued")
class CodeIssued(Event, frozen=True, kw_only=True):
    """The person made a presence code; the code itself is told nowhere."""

    hours: float
    redeem_until: datetime


@event("access.granted")
class Granted(Event, frozen=True, kw_only=True):
    """A practitioner or an organisation got access (for an emergency see `EmergencyDeclared`)."""

    grant_id: UUID
    kind: str
    holder_kind: str
    holder_id: UUID
    holder: str
    until: datetime | None = None


@event("access.grant_ended")
class GrantEnded(Event, frozen=True, kw_only=True):
    """A grant was revoked, or a stay was given its end (`until`, which may still come)."""

    grant_id: UUID
    kind: str
    holder_kind: str
    holder_id: UUID
    holder: str
    until: datetime


@event("access.code_refused")
class CodeRefused(AccessEvent, frozen=True, kw_only=True):
    """Someone entered a code that is wrong (filed under no person), expired or used, or that may not serve."""

    ACTION: ClassVar[str] = "E"
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s entered a code of yours that no longer serves.")


@event("access.emergency")
class EmergencyDeclared(AccessEvent, frozen=True, kw_only=True):
    """A practitioner opened the record in an emergency; `justification` is the reason in his or her words."""

    ACTION: ClassVar[str] = "E"
    WORDS: ClassVar[str] = N_("%(actor)s opened your record in an emergency.")
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s declared an emergency and was refused.")

    justification: str = ""
    until: datetime | None = None


@event("access.stay_refused")
class StayRefused(AccessEvent, frozen=True, kw_only=True):
    """A hospital told of a stay, or of its end, and was refused."""

    ACTION: ClassVar[str] = "E"
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s told of a hospital stay of yours and was refused.")


@event("access.stay_read")
class StayRead(AccessEvent, frozen=True, kw_only=True):
    """A hospital looked up a stay, or all stays, of a person with itself."""

    ACTION: ClassVar[str] = "E"
    RESOURCE: ClassVar[str] = "Encounter"
    WORDS: ClassVar[str] = N_("%(actor)s looked up your stays there.")
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s asked for a hospital stay and was refused.")


@event("access.emergency_reviewed")
class EmergencyReviewed(Event, frozen=True, kw_only=True):
    """An operator judged an emergency access; the note about it stays in the review."""

    grant_id: UUID
    verdict: str


@event("access.log_read")
class LogRead(Event, frozen=True, kw_only=True):
    """The person looked at her log (`face`: page, api or proof)."""

    face: str


@event("access.signed_in")
class SignedIn(Event, frozen=True, kw_only=True):
    """Someone signed in at the portal (`method`: demo)."""

    method: str


@event("access.signed_out")
class SignedOut(Event, frozen=True, kw_only=True):
    """Someone signed out."""


@event("access.sign_in_refused")
class SignInRefused(Event, frozen=True, kw_only=True):
    """A sign-in was refused; `subject` is what it claimed to be, as far as that is known here."""

    method: str
    subject: str
    reason: str


@event("access.token_issued", version=2)
class TokenIssued(Event, frozen=True, kw_only=True):
    """A bearer token was issued: to software that signed in, to an app, or to somebody by an operator."""

    scopes: str
    until: datetime
    client_id: str = ""


@event("access.turned_away")
class RequestRejected(Event, frozen=True, kw_only=True):
    """Requests were refused before anything was asked of anybody; told of the first of their kind only (`limits`).

    `reason`: token (one that is unknown or over), scope (`needed` is missing), limit (too many attempts).
    """

    reason: str
    needed: str = ""


@event("access.client_registered", version=2)
class ClientRegistered(Event, frozen=True, kw_only=True):
    """Software was registered, or its registration was changed."""

    client_id: str
    organization_id: UUID | None = None
    scopes: str
    disabled: bool = False
    redirect_uris: tuple[str, ...] = ()
    launch_url: str = ""


@event("access.app_allowed")
class AppAllowed(Event, frozen=True, kw_only=True):
    """Somebody let an app see data until a moment: of the person it is filed under, of nobody in particular else.

    `again`: it was allowed before, and the person was not asked anew.
    """

    client_id: str
    app: str
    scopes: str
    until: datetime
    again: bool = False


@event("access.app_refused")
class AppRefused(Event, frozen=True, kw_only=True):
    """Somebody did not let an app see what it asked for."""

    client_id: str
    app: str
    scopes: str


@event("access.app_ended")
class AppEnded(Event, frozen=True, kw_only=True):
    """What an app was allowed ended.

    `cause`: revoked (by whom it was given), replaced (by another permission), reused (a code or a refresh token came a
    second time, which may mean that it was stolen: this coming of the app ended), returned (the app gave it back).
    """

    client_id: str
    app: str
    cause: str

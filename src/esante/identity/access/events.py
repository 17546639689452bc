"""The journal events of access control: record states, grants, restrictions, authentication, apps."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_
from esante.identity.access.model import AccessEvent, Purpose


@event("access.state_changed", version=2)
class StateChanged(Event, frozen=True, kw_only=True):
    """The record went from one state to another (`model.RecordState`)."""

    before: str
    after: str
    until: datetime | None = None
    """After an announcement: when the period of objection ends."""
    cause: str = ""
    """Why, where the person did not change it: death, inactivity, correction (of a death reported in error)."""


@event("access.first_access")
class FirstAccess(Event, frozen=True, kw_only=True):
    """A professional had access to the record for the first time (RGD of 6 December 2019, article 3(3))."""

    WORDS: ClassVar[str] = N_("%(actor)s was the first professional to use your record.")

    organization: str = ""


@event("access.disposition_changed")
class DispositionChanged(Event, frozen=True, kw_only=True):
    """What happens at the end of a period (`disposition.model`) was planned, announced, held, done ... (`change`).

    `change`: planned, announced, held, resumed, cancelled, approved or done. `count`: of items. `categories`: of the
    data that it concerns, where they are known.
    """

    disposition_id: UUID
    act: str
    rule: str
    change: str
    due_at: datetime | None = None
    count: int = 0
    cause: str = ""
    categories: tuple[str, ...] = ()


@event("access.dispositions_approved")
class DispositionsApproved(Event, frozen=True, kw_only=True):
    """An operator approved the deletions that wait; `complete`: as the second one, and they may begin."""

    approval_id: UUID
    dispositions: int
    items: int
    complete: bool


@event("access.code_issued")
class CodeIssued(Event, frozen=True, kw_only=True):
    """The person issued a presence code, which gives a grant of `hours`; the code itself is not in the journal."""

    hours: float
    redeem_until: datetime


@event("access.granted", version=2)
class Granted(Event, frozen=True, kw_only=True):
    """A practitioner or an organisation was given a grant (for an emergency see `EmergencyDeclared`).

    `context`: its context of care, "" in entries of before.
    """

    grant_id: UUID
    kind: str
    holder_kind: str
    holder_id: UUID
    holder: str
    until: datetime | None = None
    context: str = ""


@event("access.grant_ended", version=2)
class GrantEnded(Event, frozen=True, kw_only=True):
    """A grant was revoked, or the end of the grant of a stay was set (`until`, which may be in the future).

    `cause` "ceiling": its end was set to the longest duration that its context of care allows.
    """

    grant_id: UUID
    kind: str
    holder_kind: str
    holder_id: UUID
    holder: str
    until: datetime
    cause: str = ""


@event("access.stay_renewed")
class StayRenewed(Event, frozen=True, kw_only=True):
    """The access of a stay was renewed: by the organisation while the stay goes on, or by the person."""

    grant_id: UUID
    organization_id: UUID
    organization: str
    until: datetime


@event("access.stay_reported")
class StayReported(Event, frozen=True, kw_only=True):
    """A hospital reported a stay that gives it no access (else: `Granted`); `cause`: refused, unproved."""

    grant_id: UUID
    organization_id: UUID
    organization: str
    cause: str


@event("access.stay_ended")
class StayEnded(Event, frozen=True, kw_only=True):
    """A hospital reported the discharge, or that the admission was reported in error (`status`, FHIR)."""

    stay_id: UUID
    organization_id: UUID
    organization: str
    status: str
    began_at: datetime
    ended_at: datetime


@event("access.stay_refusal_changed")
class StayRefusalChanged(Event, frozen=True, kw_only=True):
    """The person refused the access of an organisation's stays, or it was lifted (`cause`: patient, code, review)."""

    organization_id: UUID
    organization: str
    refused: bool
    cause: str


@event("access.stay_proved")
class StayProved(Event, frozen=True, kw_only=True):
    """The presence of the person at a reported stay was proved (`cause`: code, patient, review)."""

    grant_id: UUID
    organization_id: UUID
    organization: str
    cause: str


@event("access.stay_reviewed")
class StayReviewed(Event, frozen=True, kw_only=True):
    """An operator reviewed an admission without proof of presence; the note is in the review only.

    After the verdict "unjustified" the access has ended and later stays there are refused: the events of that follow.
    """

    grant_id: UUID
    organization_id: UUID
    organization: str
    verdict: str


@event("access.admissions_unusual")
class AdmissionsUnusual(Event, frozen=True, kw_only=True):
    """An organisation reported unusually many admissions within `hours`; beyond `most` they are refused."""

    organization_id: UUID
    organization: str
    admissions: int
    most: int
    hours: int


@event("access.code_refused", version=2)
class CodeRefused(AccessEvent, frozen=True, kw_only=True):
    """A presence code was refused: wrong (filed under no person), expired, used, or not for this requester."""

    ACTION: ClassVar[str] = "E"
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s entered one of your codes that is no longer valid.")


@event("access.emergency", version=2)
class EmergencyDeclared(AccessEvent, frozen=True, kw_only=True):
    """A practitioner opened the record in an emergency, or was refused; `justification` is the reason they wrote."""

    ACTION: ClassVar[str] = "E"
    FOLDS: ClassVar[bool] = False
    WORDS: ClassVar[str] = N_("%(actor)s used emergency access to open your record.")
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s tried to open your record in an emergency. Access was refused.")

    justification: str = ""
    until: datetime | None = None


@event("access.stay_refused", version=2)
class StayRefused(AccessEvent, frozen=True, kw_only=True):
    """The report of a hospital stay, or of its end, was refused."""

    ACTION: ClassVar[str] = "E"
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s tried to register a hospital stay for you. This was refused.")


@event("access.stay_read", version=2)
class StayRead(AccessEvent, frozen=True, kw_only=True):
    """A hospital read one or all of a person's stays there, or was refused."""

    ACTION: ClassVar[str] = "E"
    RESOURCE: ClassVar[str] = "Encounter"
    WORDS: ClassVar[str] = N_("%(actor)s viewed your stays with them.")
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s tried to view one of your hospital stays. Access was refused.")


@event("access.emergency_reviewed")
class EmergencyReviewed(Event, frozen=True, kw_only=True):
    """An operator reviewed an emergency access of a practitioner; the note is in the review only.

    After the verdict "unjustified" the access has ended: a `GrantEnded` follows if it had not ended before.
    """

    grant_id: UUID
    verdict: str
    practitioner_id: UUID | None = None
    practitioner: str = ""


@event("access.review_question_asked")
class ReviewQuestionAsked(Event, frozen=True, kw_only=True):
    """An operator asked the professional about an emergency access under review; the text is in the review only."""

    grant_id: UUID
    question_id: UUID
    practitioner_id: UUID


@event("access.review_question_answered")
class ReviewQuestionAnswered(Event, frozen=True, kw_only=True):
    """The professional replied to a question about their emergency access."""

    grant_id: UUID
    question_id: UUID


@event("access.review_read")
class ReviewRead(AccessEvent, frozen=True, kw_only=True):
    """An operator looked at the review of an access (`grant_id`) with what was read by it."""

    RESOURCE: ClassVar[str] = "AuditEvent"
    WORDS: ClassVar[str] = N_("%(actor)s checked an access to your record for the agency.")

    purpose: str = Purpose.OPERATIONS.value


@event("access.reviews_listed")
class ReviewsListed(Event, frozen=True, kw_only=True):
    """An operator looked at a page of reviews of a kind, with the names of the persons: of these grants."""

    kind: str
    grants: tuple[UUID, ...]


@event("access.patients_listed")
class PatientsListed(Event, frozen=True, kw_only=True):
    """A professional looked at a page of the persons whose records they may open: their names, or their keys alone.

    `persons`: whose names were shown; none for a group, which holds the keys of all `count` who gave access then.
    """

    count: int
    persons: tuple[UUID, ...] = ()


@event("access.verdict_read")
class VerdictRead(Event, frozen=True, kw_only=True):
    """A practitioner read the verdict on their emergency access."""

    grant_id: UUID
    verdict: str


@event("access.log_read")
class LogRead(Event, frozen=True, kw_only=True):
    """The person read their access log (`face`: page, api or proof)."""

    face: str


@event("access.log_viewed")
class LogViewed(AccessEvent, frozen=True, kw_only=True):
    """A professional read the person's access log, or was refused."""

    ACTION: ClassVar[str] = "E"
    RESOURCE: ClassVar[str] = "AuditEvent"
    WORDS: ClassVar[str] = N_("%(actor)s viewed your access history.")
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s tried to view your access history. Access was refused.")


@event("access.signed_in", version=2)
class SignedIn(Event, frozen=True, kw_only=True):
    """A session was started at the portal (`method`, `assurance`, `provider`: see `Authentication`).

    `method` is also delegation or workplace, where somebody who is signed in goes on as another.
    """

    method: str
    assurance: str = ""
    provider: str = ""


@event("access.authentication_confirmed")
class AuthenticationConfirmed(Event, frozen=True, kw_only=True):
    """Somebody who is signed in was authenticated again before a sensitive act."""

    method: str
    assurance: str = ""


@event("access.signed_out")
class SignedOut(Event, frozen=True, kw_only=True):
    """A session was ended."""


@event("access.sign_in_refused")
class SignInRefused(Event, frozen=True, kw_only=True):
    """An authentication was refused; `subject` is the claimed identity, where it is known."""

    method: str
    subject: str
    reason: str


@event("access.sign_ins_ended")
class SignInsEnded(Event, frozen=True, kw_only=True):
    """All sessions, tokens and apps of a requester ended at once; for each app an `AppEnded` stands beside it."""

    subject_id: UUID
    sessions: int
    tokens: int
    apps: int


@event("access.token_issued", version=2)
class TokenIssued(Event, frozen=True, kw_only=True):
    """A bearer token was issued: to authenticated software, to an app, or to a requester by an operator."""

    scopes: str
    until: datetime
    client_id: str = ""


@event("access.turned_away")
class RequestRejected(Event, frozen=True, kw_only=True):
    """Requests were rejected before any access decision; the first of their kind only (see `authn.rate_limits`).

    `reason`: token (unknown or expired), scope (`needed` is missing), limit (too many attempts), suspended (the
    requester may not use the platform any more).
    """

    reason: str
    needed: str = ""


@event("access.client_registered", version=2)
class ClientRegistered(Event, frozen=True, kw_only=True):
    """A software client was registered, or its registration was changed."""

    client_id: str
    organization_id: UUID | None = None
    scopes: str
    disabled: bool = False
    redirect_uris: tuple[str, ...] = ()
    launch_url: str = ""


@event("access.app_allowed")
class AppAllowed(Event, frozen=True, kw_only=True):
    """An app was authorised until a moment, for the data of the person under whom the event is filed.

    Filed under no person: for no particular person. `again`: it was authorised before, and nobody was asked again.
    """

    client_id: str
    app: str
    scopes: str
    until: datetime
    again: bool = False


@event("access.app_refused")
class AppRefused(Event, frozen=True, kw_only=True):
    """The authorisation of an app was refused."""

    client_id: str
    app: str
    scopes: str


@event("access.app_ended")
class AppEnded(Event, frozen=True, kw_only=True):
    """The authorisation of an app ended.

    `cause`: revoked (by whoever gave it), replaced (by another authorisation), reused (a code or a refresh token was
    used a second time and may be stolen: the tokens that were issued for it ended), returned (the app revoked it),
    suspended (whoever gave it may not use the platform any more).
    """

    client_id: str
    app: str
    cause: str

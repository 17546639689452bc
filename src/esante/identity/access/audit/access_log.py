"""The access log: a person's journal entries in plain words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from esante.core.journal import Entry, Event
from esante.core.web import N_, P_
from esante.identity.access.audit.choice_words import choice_text, risk_remark, role_words
from esante.identity.access.audit.log_scan import Visit, is_by_another
from esante.identity.access.choice_events import (
    BlockChanged,
    CapacityChanged,
    OppositionChanged,
    RepresentationChanged,
    SharingChanged,
)
from esante.identity.access.consent.break_glass import VERDICTS
from esante.identity.access.consent.ceilings import CEILING
from esante.identity.access.events import (
    AppAllowed,
    AppEnded,
    AppRefused,
    CodeIssued,
    DispositionChanged,
    EmergencyDeclared,
    EmergencyReviewed,
    FirstAccess,
    Granted,
    GrantEnded,
    LogRead,
    SignedIn,
    StateChanged,
    StayEnded,
    StayProved,
    StayRefusalChanged,
    StayRenewed,
    StayReported,
    StayReviewed,
)
from esante.identity.access.model import AccessEvent, GrantKind, access_types
from esante.identity.access.reasons import CONTEXTS, REASONS
from esante.identity.access.regulation.policy_set import policy_set
from esante.identity.access.smart.scope_labels import label_scopes
from esante.identity.directory import (
    HolderRestored,
    HolderSuspended,
    PersonDeceased,
    PersonRead,
    PersonSearched,
    PersonUpdated,
    ReferringDoctorChanged,
)

Gettext = Callable[[str], str]

KINDS = {
    "": P_("entries", "All"),
    "looked": N_("Viewed"),
    "documents": N_("Changes to documents"),
    "emergency": P_("several", "Emergency access"),
    "sharing": N_("Your choices"),
    "refused": P_("several", "Refused"),
}
GRANT_KINDS = {
    GrantKind.PRESENCE: N_("Presence code"),
    GrantKind.CIRCLE: N_("Circle of care"),
    GrantKind.STAY: N_("Hospital stay"),
    GrantKind.EMERGENCY: N_("Emergency access"),
}
PURPOSES = {
    "TREAT": N_("Treatment"),
    "ETREAT": N_("Emergency treatment"),
    "PATRQT": N_("At the patient's request"),
    "HOPERAT": N_("Running the service"),
}
_SHARING: Sequence[type[Event]] = (
    StateChanged,
    DispositionChanged,
    FirstAccess,
    SharingChanged,
    BlockChanged,
    OppositionChanged,
    RepresentationChanged,
    CapacityChanged,
    CodeIssued,
    Granted,
    GrantEnded,
    StayReported,
    StayEnded,
    StayRenewed,
    StayRefusalChanged,
    StayProved,
    StayReviewed,
    EmergencyReviewed,
    SignedIn,
    AppAllowed,
    AppRefused,
    AppEnded,
)
_LOOKED_UP: tuple[type[Event], ...] = (PersonRead, PersonSearched)
_DIRECTORY: tuple[type[Event], ...] = (
    *_LOOKED_UP,
    PersonUpdated,
    PersonDeceased,
    HolderSuspended,
    HolderRestored,
    ReferringDoctorChanged,
)
"""The events of the directory about a person; each type has its words."""
_STATE_WORDS = {
    "announced": N_("The letter about your record has been sent."),
    "open": N_("Your record was opened."),
    "objected": N_("You objected to having a record."),
    "closed": N_("You closed your record."),
    "closed-death": N_("The record was closed because the death was reported."),
    "closed-inactivity": N_("The record was closed because it had not been used for ten years."),
    "deleted": N_("What the record contained was deleted."),
}
_DISPOSITION_WORDS = {
    "close": N_("the closing of the record"),
    "delete": N_("the deletion of what the record contains"),
    "expire": N_("the deletion of documents whose storage period ends"),
    "log": N_("the deletion of entries about deleted documents"),
}
_CHANGE_WORDS = {
    "planned": N_("Planned: %(subject)s."),
    "announced": N_("Planned, and you were notified: %(subject)s."),
    "held": N_("On hold: %(subject)s."),
    "resumed": N_("No longer on hold: %(subject)s."),
    "cancelled": N_("Cancelled: %(subject)s."),
    "done": N_("Done: %(subject)s."),
}
_GRANTED_WORDS = {
    GrantKind.PRESENCE: N_("%(subject)s entered your presence code and got access."),
    GrantKind.CIRCLE: N_("You added %(subject)s to your circle of care."),
    GrantKind.STAY: N_("%(subject)s reported a stay of yours and got access."),
}
_ENDED_WORDS = {
    "suspended": N_("The access of the app %(subject)s ended: whoever used it may not use the platform any more."),
    "revoked": N_("You removed the access of the app %(subject)s."),
    "replaced": N_("You changed what the app %(subject)s can do."),
    "reused": N_(
        "We ended the access of the app %(subject)s because one of its keys was used twice. "
        "Someone else may have used it."
    ),
    "returned": N_("The app %(subject)s ended its own access."),
}
_REPORTED_WORDS = {
    "refused": N_("%(subject)s reported a stay of yours. It gets no access: it was ended before."),
    "unproved": N_("%(subject)s reported a stay of yours. It gets access when it is confirmed that you are there."),
}
_REFUSAL_WORDS = {
    "review": N_("%(subject)s lost access during hospital stays, after a review by %(agency)s."),
    "refused": N_("You refused %(subject)s access during hospital stays."),
    "patient": N_("You allowed %(subject)s access during hospital stays again."),
    "code": N_("%(actor)s entered a presence code, so %(subject)s has access during hospital stays again."),
}
_ICONS = {"C": "upload", "R": "eye", "U": "document", "D": "close", "E": "eye"}
_OWN_WORDS = {
    "C": N_("You added to your record: %(categories)s."),
    "R": N_("You viewed your record: %(categories)s."),
    "E": N_("You viewed your record: %(categories)s."),
    "U": N_("You made a change in your record: %(categories)s."),
    "D": N_("You deleted something from your record: %(categories)s."),
}
"""The words of an access of the person themselves, by the letter of its action."""
_OWN_REFUSED = N_("You tried something that the rules do not allow. Access was refused.")
_MAX_NAMES = 3
"""How many categories of documents a line names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """An entry or a visit as the page shows it; texts are in the reader's language.

    `who` is "" for the person of the log. Of a visit, `at` is its end, `since` its beginning, `parts` its entries.
    `context`: the context of intervention, as a sentence. `delegate`: who acted in the name of `who`. `purpose`: of
    an access, or the motive of a look-up in the directory, for which there is a `file_reference` too.
    """

    id: UUID
    at: datetime
    since: datetime
    text: str
    icon: str
    tone: str
    who: str
    role: str
    organization: str
    client: str
    origin: str
    purpose: str = ""
    file_reference: str = ""
    grant: str = ""
    context: str = ""
    delegate: str = ""
    reason: str = ""
    justification: str = ""
    remarks: tuple[str, ...] = ()
    refused: bool = False
    documents: tuple[UUID, ...] = ()
    categories: tuple[str, ...] = ()
    """All accessed categories of documents, of which `text` names only the first ones; or what an app may do."""
    until: date | datetime | None = None
    parts: tuple["LogLine", ...] = ()


def log_types(kind: str = "") -> list[type[Event]]:
    """Return the event types that a filter of the log (a key of `KINDS`) shows."""
    accesses = access_types()
    if kind == "looked":
        looks = [type_ for type_ in accesses if type_.ACTION in "RE" and type_ is not EmergencyDeclared]
        return [*looks, *_LOOKED_UP]
    if kind == "documents":
        return [type_ for type_ in accesses if type_.ACTION in "CUD"]
    if kind == "emergency":
        return [EmergencyDeclared, EmergencyReviewed]
    if kind == "sharing":
        return [*_SHARING, *(type_ for type_ in accesses if type_.CHOICE)]
    if kind == "refused":
        return [*accesses, PersonRead]
    return [*accesses, *_SHARING, *_DIRECTORY]


def is_refused(event: Any) -> bool:
    """Return whether an event is a refused access."""
    return isinstance(event, AccessEvent | PersonRead) and not event.allowed


def describe_visit(visit: Visit, _: Gettext, labels: Mapping[str, str], roles: Mapping[str, str]) -> LogLine:
    """Return a visit in words (parameters as of `describe_entry`)."""
    line = describe_entry(visit.newest, _, labels, roles)
    if len(visit.entries) == 1:
        return line
    names = _list_names([_(labels.get(key, key)) for key in visit.categories], _)
    own = not is_by_another(visit.newest)
    words = _OWN_WORDS["R"] if own else visit.words
    return replace(
        line,
        since=visit.entries[-1].at,
        text=_(words) % {"actor": visit.newest.actor.name, "categories": names},
        documents=visit.documents,
        categories=tuple(_(labels.get(key, key)) for key in visit.categories),
        parts=tuple(describe_entry(entry, _, labels, roles) for entry in visit.entries),
    )


def describe_entry(entry: Entry, _: Gettext, labels: Mapping[str, str], roles: Mapping[str, str]) -> LogLine:
    """Return an entry in words; `labels` and `roles` are the msgids of categories and professions by their keys."""
    event, actor = entry.event, entry.actor
    access, by_another = event if isinstance(event, AccessEvent) else None, actor.id != entry.person_id
    return LogLine(
        id=entry.id,
        at=entry.at,
        since=entry.at,
        text=_text(entry, _, labels),
        icon=_icon(event),
        tone="danger" if isinstance(event, EmergencyDeclared) else "warn" if is_refused(event) else "",
        who=actor.name if by_another else "",
        role=role_words(entry, _, roles),
        organization=actor.organization if actor.organization != actor.name else "",
        client=actor.client,
        origin=entry.origin,
        purpose=_(purpose_words(event, entry.at)) if by_another else "",
        file_reference=getattr(event, "file_reference", "") if by_another else "",
        grant=_grant_name(access, _),
        context=_(context_words(access.context, entry.at)) if access else "",
        delegate=actor.delegate,
        reason=_(REASONS[access.reason]) if access and access.reason in REASONS else "",
        justification=getattr(event, "justification", ""),
        remarks=(*(map(_, _remarks(event)) if by_another or access else ()), *risk_remark(entry, _)),
        refused=is_refused(event),
        documents=access.documents if access and access.allowed else (),
        categories=_category_names(event, _, labels),
        until=getattr(event, "until", None),
    )


def context_words(key: str, at: datetime) -> str:
    """Return the sentence (a msgid) of a context of intervention at a moment; "" for none and for an unknown one."""
    if (context := policy_set().at(at).contexts.get(key)) is not None:
        return context.words
    return CONTEXTS.get(key, "")


def purpose_words(event: Any, at: datetime) -> str:
    """Return the name (a msgid) of the purpose of an access, or of the motive of a look-up; "" where there is none."""
    if isinstance(event, AccessEvent):
        return PURPOSES.get(event.purpose, "")
    if isinstance(event, _LOOKED_UP):
        labels = {one.purpose: one.label for one in policy_set().at(at).policy.motives}
        return labels.get(getattr(event, "motive", ""), "")
    return ""


def _remarks(event: Any) -> Sequence[str]:
    """Return what the log says beside the words of an event (msgids)."""
    if isinstance(event, _LOOKED_UP) and not getattr(event, "motive", ""):
        return (N_("No reason was stated for this look-up."),)
    return event.remarks if isinstance(event, AccessEvent) else ()


def matches_words(line: LogLine, words: Sequence[str]) -> bool:
    """Return whether a line contains all `words` (casefolded)."""
    text = " ".join(
        (
            line.text,
            line.who,
            line.role,
            line.organization,
            line.delegate,
            line.client,
            line.grant,
            line.reason,
            line.purpose,
            line.file_reference,
        )
    )
    return all(word in text.casefold() for word in words)


def _text(entry: Entry, _: Gettext, labels: Mapping[str, str]) -> str:
    event: Any = entry.event
    if event is None:
        return _(N_("This entry was deleted at the end of its retention period."))
    own = entry.actor.id == entry.person_id
    if isinstance(event, AccessEvent):
        names = _list_names([_(labels.get(key, key)) for key in event.categories], _)
        words = event.WORDS if event.allowed else event.REFUSED_WORDS
        if own:
            words = (event.OWN_WORDS or _OWN_WORDS[event.ACTION]) if event.allowed else _OWN_REFUSED
        return _(words) % {"actor": entry.actor.name, "categories": names}
    if isinstance(event, AppAllowed | AppRefused | AppEnded):
        return _(_app_words(event, own=own)) % {
            "actor": entry.actor.name,
            "subject": event.app,
        }
    if own and isinstance(event, PersonRead | PersonSearched):
        return _(N_("You viewed your personal details."))
    return _other_text(event, entry.actor.name, _)


def _app_words(event: AppAllowed | AppRefused | AppEnded, *, own: bool) -> str:
    """Return the words (a msgid) of an event of an app; `own`: the person of the log is the actor."""
    match event:
        case AppAllowed():
            if not own:
                return N_("%(actor)s used the app %(subject)s with your record.")
            return (
                N_("The app %(subject)s renewed its access.")
                if event.again
                else N_("You gave access to the app %(subject)s.")
            )
        case AppRefused():
            return N_("You refused access to the app %(subject)s.")
    if event.cause == "revoked" and not own:
        return N_("%(actor)s removed the access of the app %(subject)s.")
    return _ENDED_WORDS.get(event.cause, N_("The app %(subject)s no longer has access."))


def _category_names(event: Any, _: Gettext, labels: Mapping[str, str]) -> tuple[str, ...]:
    if isinstance(event, AppAllowed):
        return tuple(label.title for label in label_scopes(event.scopes.split(), "patient", _))
    return tuple(_(labels.get(key, key)) for key in event.categories) if isinstance(event, AccessEvent) else ()


def _list_names(names: Sequence[str], _: Gettext) -> str:
    """Return the names of categories for a sentence: all, or the first few and how many more."""
    if len(names) <= _MAX_NAMES:
        return ", ".join(names) or _(N_("no documents"))
    return _(N_("%(names)s and %(count)s other types")) % {
        "names": ", ".join(names[: _MAX_NAMES - 1]),
        "count": len(names) - _MAX_NAMES + 1,
    }


def _other_text(event: Any, actor: str, _: Gettext) -> str:
    """Return the words of an event that is neither an access nor of an app."""
    match event:
        case PersonRead(allowed=False):
            return _(event.REFUSED_WORDS) % {"actor": actor}
        case (
            PersonRead() | PersonSearched() | PersonUpdated() | PersonDeceased() | HolderSuspended() | HolderRestored()
        ):
            return _(event.WORDS) % {"actor": actor}
        case StateChanged():
            words = _STATE_WORDS.get(f"{event.after}-{event.cause}") or _STATE_WORDS.get(event.after)
            return _(words or N_("The record changed."))
        case DispositionChanged():
            subject = _(_DISPOSITION_WORDS.get(event.act, event.act))
            return _(_CHANGE_WORDS.get(event.change, _CHANGE_WORDS["planned"])) % {"subject": subject, "actor": actor}
        case FirstAccess():
            return _(event.WORDS) % {"actor": actor}
        case StayEnded():
            words = N_("%(subject)s reported the end of your stay.")
            if event.status == "entered-in-error":
                words = N_("%(subject)s withdrew the report of a stay of yours.")
            return _(words) % {"subject": event.organization}
        case SharingChanged() | BlockChanged() | OppositionChanged() | RepresentationChanged() | CapacityChanged():
            return choice_text(event, actor, _)
        case CodeIssued():
            return _(N_("You created a presence code."))
        case Granted():
            words = _GRANTED_WORDS.get(GrantKind(event.kind), N_("%(subject)s got access."))
            return _(words) % {"subject": event.holder}
        case GrantEnded():
            words = N_("%(subject)s no longer has access.")
            if event.cause == CEILING:
                words = N_("The access of %(subject)s is limited to the longest duration that is allowed.")
            return _(words) % {"subject": event.holder}
        case StayRenewed():
            words = N_("The access of %(subject)s for a stay of yours was extended.")
            return _(words) % {"subject": event.organization}
        case ReferringDoctorChanged():
            words = event.ENDED_WORDS if event.until else event.WORDS
            return _(words) % {"actor": actor, "doctor": event.practitioner}
        case StayReported():
            return _(_REPORTED_WORDS.get(event.cause, _REPORTED_WORDS["unproved"])) % {"subject": event.organization}
        case StayProved():
            words = N_("It was confirmed that you are a patient of %(subject)s.")
            return _(words) % {"subject": event.organization}
        case StayReviewed():
            verdict = _(VERDICTS.get(event.verdict, event.verdict))
            words = N_("The stay that %(subject)s reported was reviewed by %(agency)s: %(verdict)s.")
            return _(words) % {"verdict": verdict, "subject": event.organization}
        case StayRefusalChanged():
            cause = "refused" if event.refused and event.cause == "patient" else event.cause
            words = _REFUSAL_WORDS.get(cause, _REFUSAL_WORDS["patient"])
            return _(words) % {"subject": event.organization, "actor": actor}
        case EmergencyReviewed():
            verdict = _(VERDICTS.get(event.verdict, event.verdict))
            words = N_("The emergency access of %(subject)s was reviewed by %(agency)s: %(verdict)s.")
            if not event.practitioner:
                words = N_("An emergency access was reviewed by %(agency)s. Conclusion: %(verdict)s.")
            return _(words) % {"verdict": verdict, "subject": event.practitioner}
        case SignedIn():
            return _(N_("You signed in."))
        case LogRead():
            return _(N_("You viewed this access history."))
    return _(N_("Another event took place."))


def _icon(event: Any) -> str:
    if isinstance(event, EmergencyDeclared):
        return "emergency"
    if isinstance(event, AccessEvent):
        return _ICONS[event.ACTION]
    return "person" if isinstance(event, SignedIn | PersonRead | PersonSearched) else "sharing"


def _grant_name(access: AccessEvent | None, _: Gettext) -> str:
    if access is None or not access.grant_kind or access.grant_kind not in set(GrantKind):
        return ""
    return _(GRANT_KINDS[GrantKind(access.grant_kind)])

"""The access log: a person's journal entries in plain words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from esante.core.journal import Entry, Event
from esante.core.web import N_, P_
from esante.identity.access.audit.choice_words import risk_remark, role_words
from esante.identity.access.audit.entry_words import OWN_WORDS, Gettext, entry_text, list_names
from esante.identity.access.audit.log_scan import Visit, is_by_another
from esante.identity.access.choice_events import (
    BlockChanged,
    CapacityChanged,
    OppositionChanged,
    RepresentationChanged,
    SharingChanged,
)
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
    GrantKind.COUNTRY: N_("Care abroad"),
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
_ICONS = {"C": "upload", "R": "eye", "U": "document", "D": "close", "E": "eye"}


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
    names = list_names([_(labels.get(key, key)) for key in visit.categories], _)
    own = not is_by_another(visit.newest)
    words = OWN_WORDS["R"] if own else visit.words
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
        text=entry_text(entry, _, labels),
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


def _category_names(event: Any, _: Gettext, labels: Mapping[str, str]) -> tuple[str, ...]:
    if isinstance(event, AppAllowed):
        return tuple(label.title for label in label_scopes(event.scopes.split(), "patient", _))
    return tuple(_(labels.get(key, key)) for key in event.categories) if isinstance(event, AccessEvent) else ()


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

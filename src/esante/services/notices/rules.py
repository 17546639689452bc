"""Which journal entries a person is told of."""

from esante.core.journal import Entry, Event
from esante.identity.access import EmergencyDeclared, EmergencyReviewed, Granted, GrantKind, RecordState, StateChanged
from esante.services.notices.model import Notice
from esante.services.record import Corrected, DepositedEvent, Replaced, Withdrawn

TOLD_OF: tuple[type[Event], ...] = (
    DepositedEvent,
    Replaced,
    Withdrawn,
    Corrected,
    EmergencyDeclared,
    EmergencyReviewed,
    Granted,
    StateChanged,
)
"""The events that may become a notice."""

_GRANTS = {GrantKind.PRESENCE: "code_used", GrantKind.STAY: "stay"}
_STATES = {RecordState.ANNOUNCED: "announced", RecordState.OPEN: "opened", RecordState.CLOSED: "closed"}


def notice_of(entry: Entry) -> Notice | None:
    """The notice for an entry; None for what the person did herself, what was refused, and all else.

    What an entry about the record's own life says is told whoever did it: if it was not she, she must know.
    """
    kind = _kind(entry)
    if kind is None:
        return None
    documents = getattr(entry.event, "documents", ())
    return Notice(
        person_id=entry.person_id,
        id=entry.id,
        at=entry.at,
        kind=kind,
        actor=_holder(entry) or entry.actor.name or entry.actor.organization,
        categories=tuple(getattr(entry.event, "categories", ())),
        document_id=documents[0] if documents and kind != "misfiled" else None,
    )


def _kind(entry: Entry) -> str | None:
    match entry.event:
        case StateChanged(after=after):
            return _STATES.get(RecordState(after))
        case Granted(kind=kind):
            return _GRANTS.get(GrantKind(kind))
        case EmergencyReviewed():
            return "emergency_reviewed"
    if entry.event is None or not entry.event.allowed or entry.actor.id == entry.person_id:
        return None
    match entry.event:
        case EmergencyDeclared():
            return "emergency"
        case DepositedEvent():
            return "deposited"
        case Replaced():
            return "replaced"
        case Withdrawn():
            return "withdrawn"
        case Corrected(moved=moved):
            return "misfiled" if moved == "out" else "refiled"
    return None


def _holder(entry: Entry) -> str:
    """Of a grant: who got it (a stay is told of by the hospital's software)."""
    return entry.event.holder if isinstance(entry.event, Granted) else ""

"""The words of the access log about the choices of a person, and about who acts for them."""

from collections.abc import Callable, Mapping
from datetime import date

from esante.core.journal import Entry, Event
from esante.core.time_zone import day_of
from esante.core.web import N_
from esante.identity.access.choice_events import (
    BlockChanged,
    CapacityChanged,
    OppositionChanged,
    RepresentationChanged,
    SharingChanged,
)
from esante.identity.access.choices import choice_terms
from esante.identity.access.representation.model import RepresentationKind

Gettext = Callable[[str], str]

_OPPOSITION_WORDS = {
    ("deposit", False): N_(
        "You oppose that documents about your care at %(subject)s from %(since)s to %(until)s are added."
    ),
    ("deposit", True): N_(
        "You no longer oppose that documents about your care at %(subject)s from %(since)s to %(until)s are added."
    ),
    ("representatives", False): N_(
        "You do not want those who act for you to be told of your care at %(subject)s from %(since)s to %(until)s."
    ),
    ("representatives", True): N_(
        "Those who act for you may be told of your care at %(subject)s from %(since)s to %(until)s."
    ),
    ("document", False): N_("You do not want those who act for you to be told of a document."),
    ("document", True): N_("Those who act for you may be told of a document."),
}
"""By what an opposition is against, and whether it was lifted."""
_CAPACITY_WORDS = {
    ("discernment", False): N_("%(actor)s stated that you can decide for yourself (%(act)s)."),
    ("discernment", True): N_("%(actor)s revoked that you can decide for yourself."),
    ("incapacity", False): N_("%(actor)s stated that you cannot act at the moment (%(act)s)."),
    ("incapacity", True): N_("%(actor)s stated that you can act again."),
}


def choice_text(event: Event, actor: str, _: Gettext) -> str:
    """Return the words of an event of a choice, or of who acts for the person; "" for another."""
    match event:
        case SharingChanged():
            return _(N_("You turned on sharing.") if event.sharing else N_("You turned off sharing."))
        case BlockChanged():
            words = N_("You blocked %(subject)s.") if event.blocked else N_("You unblocked %(subject)s.")
            return _(words) % {"subject": event.subject}
        case OppositionChanged():
            return _opposition_text(event, _)
        case RepresentationChanged():
            kind = _(choice_terms(event.since).kind_label(event.kind))
            words = N_("It was recorded that %(subject)s acts for you: %(kind)s (%(act)s).")
            if event.ended:
                words = N_("%(subject)s no longer acts for you: %(kind)s.")
            return _(words) % {"subject": event.representative, "kind": kind, "act": event.act}
        case CapacityChanged():
            words = _CAPACITY_WORDS.get((event.kind, event.ended), _CAPACITY_WORDS["discernment", event.ended])
            return _(words) % {"actor": actor, "act": event.act}
    return ""


def role_words(entry: Entry, _: Gettext, roles: Mapping[str, str]) -> str:
    """Return as what somebody acted: their profession, or as whose representative."""
    kind = getattr(entry.event, "reason", "")
    if entry.actor.kind == "patient" and kind in set(RepresentationKind):
        return _(choice_terms(day_of(entry.at)).kind_label(kind))
    return _(roles[entry.actor.role]) if entry.actor.role in roles else ""


def risk_remark(entry: Entry, _: Gettext) -> tuple[str, ...]:
    """Return the remark that the risk of a choice was stated before, as worded on that day."""
    words = choice_terms(day_of(entry.at)).risks.get(getattr(entry.event, "risk", ""))
    return (_(N_("You were told before: %(risk)s")) % {"risk": _(words)},) if words else ()


def _opposition_text(event: OppositionChanged, _: Gettext) -> str:
    """Return the words of an opposition: about care by somebody on some days, or about a document."""
    about = "document" if event.series_id is not None else event.against
    words = _OPPOSITION_WORDS.get((about, event.ended), _OPPOSITION_WORDS["deposit", event.ended])
    return _(words) % {
        "subject": event.depositor,
        "since": _day(event.care_from),
        "until": _day(event.care_until),
    }


def _day(day: date | None) -> str:
    """Return a day as all languages of the platform write it."""
    return f"{day:%d.%m.%Y}" if day else ""

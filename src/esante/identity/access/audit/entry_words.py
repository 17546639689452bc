"""The words of the access log: what an entry of the journal says to the person whose record it is about."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from esante.core.journal import Entry
from esante.core.web import N_
from esante.identity.access.audit.choice_words import choice_text
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
from esante.identity.access.model import AccessEvent, GrantKind
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
    GrantKind.COUNTRY: N_("You allowed health professionals in %(subject)s to read your record."),
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
OWN_WORDS = {
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


def entry_text(entry: Entry, _: Gettext, labels: Mapping[str, str]) -> str:
    """Return what happened, as a sentence; `labels` are the msgids of categories by their keys."""
    event: Any = entry.event
    if event is None:
        return _(N_("This entry was deleted at the end of its retention period."))
    own = entry.actor.id == entry.person_id
    if isinstance(event, AccessEvent):
        names = list_names([_(labels.get(key, key)) for key in event.categories], _)
        words = event.WORDS if event.allowed else event.REFUSED_WORDS
        if own:
            words = (event.OWN_WORDS or OWN_WORDS[event.ACTION]) if event.allowed else _OWN_REFUSED
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


def list_names(names: Sequence[str], _: Gettext) -> str:
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
            if event.kind == GrantKind.COUNTRY:
                words = N_("Health professionals in %(subject)s can no longer read your record.")
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

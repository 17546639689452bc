"""What consent adds to the declaration of access control: notices of grants, choices and states of the record."""

from collections.abc import Callable

from esante.contract import NoticeKind, actor_name
from esante.core.journal import Entry
from esante.core.web import N_
from esante.identity.access.choice_events import CapacityChanged, OppositionChanged, RepresentationChanged
from esante.identity.access.consent.ceilings import CEILING
from esante.identity.access.events import Granted, GrantEnded, StateChanged
from esante.identity.access.model import GrantKind, RecordState


def _state_is(state: RecordState) -> Callable[[Entry], bool]:
    return lambda entry: entry.event.after == state


def _grant_is(kind: GrantKind) -> Callable[[Entry], bool]:
    return lambda entry: entry.event.kind == kind


def _holder(entry: Entry) -> str:
    """Who got the grant: a stay is registered by the hospital's software."""
    return entry.event.holder or actor_name(entry)


NOTICES = [
    NoticeKind(
        name="code_used",
        event=Granted,
        text=N_("%(actor)s used the code you gave to open your record."),
        icon="key",
        tone="act",
        link="/sharing",
        applies=_grant_is(GrantKind.PRESENCE),
        actor=_holder,
    ),
    NoticeKind(
        name="stay",
        event=Granted,
        text=N_("%(actor)s reported a hospital stay of yours. See under Sharing who can read your record."),
        icon="hospital",
        tone="act",
        link="/sharing",
        applies=_grant_is(GrantKind.STAY),
        actor=_holder,
    ),
    NoticeKind(
        name="ceiling",
        event=GrantEnded,
        text=N_(
            "The access of %(actor)s is limited to the longest duration that is allowed. If it is needed for longer,"
            " give a new code."
        ),
        icon="clock",
        tone="act",
        link="/sharing",
        applies=lambda entry: entry.event.cause == CEILING,
        actor=_holder,
    ),
    NoticeKind(
        name="opposition_recorded",
        event=OppositionChanged,
        text=N_("%(actor)s recorded that you oppose that documents are added, or that your parents are told."),
        icon="lock",
        tone="act",
        link="/sharing#oppositions",
    ),
    NoticeKind(
        name="representation",
        event=RepresentationChanged,
        text=N_("%(actor)s recorded who acts for you. See under Sharing."),
        icon="people",
        tone="act",
        link="/sharing#representatives",
        contact=True,
    ),
    NoticeKind(
        name="capacity",
        event=CapacityChanged,
        text=N_("%(actor)s recorded whether you can act for yourself. See your access history."),
        icon="people",
        tone="act",
        link="/log?kind=sharing",
        contact=True,
    ),
    NoticeKind(
        name="announced",
        event=StateChanged,
        text=N_("Your record will be opened soon. You can object before then."),
        icon="letter",
        tone="act",
        link="/sharing",
        applies=_state_is(RecordState.ANNOUNCED),
    ),
    NoticeKind(
        name="opened",
        event=StateChanged,
        text=N_("Your record is open."),
        icon="record",
        tone="good",
        link="/sharing",
        applies=_state_is(RecordState.OPEN),
    ),
    NoticeKind(
        name="closed",
        event=StateChanged,
        text=N_("Your record is closed. No professional can see it and nothing can be added."),
        icon="lock",
        tone="warn",
        link="/sharing",
        applies=_state_is(RecordState.CLOSED),
        by_any_means=True,
    ),
]
"""The person is notified of changes of the record's state whoever made them: if it was not they, they must know."""

"""What stays add to the declaration of access control: notices."""

from esante.contract import NoticeKind
from esante.core.journal import Entry
from esante.core.web import N_
from esante.identity.access.events import StayRenewed, StayReported


def _organization(entry: Entry) -> str:
    name: str = entry.event.organization
    return name


NOTICES = [
    NoticeKind(
        name="stay_refused",
        event=StayReported,
        text=N_("%(actor)s reported a hospital stay of yours. It gets no access to your record: it was ended before."),
        icon="hospital",
        tone="warn",
        link="/sharing",
        applies=lambda entry: entry.event.cause == "refused",
        actor=_organization,
    ),
    NoticeKind(
        name="stay_unproved",
        event=StayReported,
        text=N_(
            "%(actor)s reported a hospital stay of yours. Confirm under Sharing that you are there to give it access."
        ),
        icon="hospital",
        tone="act",
        link="/sharing",
        actor=_organization,
    ),
    NoticeKind(
        name="stay_renewed",
        event=StayRenewed,
        text=N_("%(actor)s extended its access to your record, because your stay goes on."),
        icon="hospital",
        tone="act",
        link="/sharing",
        actor=_organization,
    ),
]

"""What dispositions add to the declaration of access control: the task, notices, the page of operators."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from esante.contract import HomeTile, NavigationItem, NoticeKind, Platform, Task, allowed_and_by_another
from esante.core.journal import Entry
from esante.core.web import N_, P_
from esante.identity.access.disposition.model import Act
from esante.identity.access.events import DispositionChanged, FirstAccess, StateChanged
from esante.identity.access.model import RecordState, Requester
from esante.identity.access.service import Access


def tasks(platform: Platform) -> Sequence[Task]:
    """Return the task that works through the plan."""
    return [Task(name="dispositions", run=platform.disposition_executor().run, every=timedelta(hours=1))]


async def _waiting(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    dispositions = platform[Access].dispositions
    return {"waiting": await dispositions.waiting(requester), "counts": await dispositions.count_open()}


def _announced(act: Act, rule: str = "") -> Callable[[Entry], bool]:
    def applies(entry: Entry) -> bool:
        event = entry.event
        return (event.change, event.act) == ("announced", act) and rule in ("", event.rule)

    return applies


def _is_deleted(entry: Entry) -> bool:
    return bool(entry.event.after == RecordState.DELETED)


NAVIGATION = [
    NavigationItem(
        role="operator", url="/operator/dispositions", label=P_("menu", "Retention"), icon="archive", order=30
    ),
]
TILES = [HomeTile(role="operator", template="access/tile_dispositions.html", load=_waiting, order=30)]
NOTICES = [
    NoticeKind(
        name="first_access",
        event=FirstAccess,
        text=N_(
            "%(actor)s is the first professional to use your record. You can see every access under Access history."
        ),
        icon="eye",
        tone="act",
        link="/log",
        by_any_means=True,
        applies=allowed_and_by_another,
    ),
    NoticeKind(
        name="closing",
        event=DispositionChanged,
        text=N_("Your record has not been used for almost ten years and will be closed. Sign in to keep it open."),
        icon="clock",
        tone="warn",
        link="/sharing",
        by_any_means=True,
        applies=_announced(Act.CLOSE),
    ),
    NoticeKind(
        name="deletion_after_objection",
        event=DispositionChanged,
        text=N_(
            "Your record will be deleted because you objected to it. You can still change your mind under Sharing."
        ),
        icon="clock",
        tone="warn",
        link="/sharing",
        applies=_announced(Act.DELETE, "objection"),
    ),
    NoticeKind(
        name="deletion_after_archive",
        event=DispositionChanged,
        text=N_(
            "Your record has been closed for almost ten years and will be deleted. To keep or download your data, "
            "open it again under Sharing."
        ),
        icon="clock",
        tone="danger",
        link="/sharing",
        by_any_means=True,
        applies=_announced(Act.DELETE, "archive"),
    ),
    NoticeKind(
        name="expiry",
        event=DispositionChanged,
        text=N_(
            "The storage period of data in your record ends soon: %(categories)s. You can keep or download them "
            "before they are deleted."
        ),
        icon="clock",
        tone="warn",
        link="/record/retention",
        by_any_means=True,
        applies=_announced(Act.EXPIRE),
    ),
    NoticeKind(
        name="deleted",
        event=StateChanged,
        text=N_("What your record contained was deleted."),
        icon="close",
        tone="warn",
        link="/sharing",
        by_any_means=True,
        applies=_is_deleted,
    ),
]
"""The person is told of what happens at the end of a period, by a letter where they never signed in."""

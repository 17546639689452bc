"""What reviews add to the declaration of access control: notices, tiles of the home pages."""

from collections.abc import Callable, Mapping
from typing import Any

from esante.contract import HomeTile, NoticeKind, Platform
from esante.core.journal import Entry
from esante.core.web import N_
from esante.identity.access.consent.break_glass import VERDICTS
from esante.identity.access.events import EmergencyDeclared, EmergencyReviewed, StayReviewed
from esante.identity.access.model import Requester
from esante.identity.access.service import Access

_MOST = 5
"""Rows of a tile."""


async def _verdicts(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    return {"verdicts": await platform[Access].emergencies.list_verdicts(requester, _MOST), "names": VERDICTS}


async def _questions(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    return {"questions": await platform[Access].review_questions.list_open(requester, _MOST)}


async def _reviews(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    emergencies = platform[Access].emergencies
    waiting = await emergencies.list_reviews(requester, limit=_MOST)
    stays = await emergencies.list_reviews(requester, "stay", limit=_MOST)
    return {
        "reviews": waiting.items,
        "more": waiting.next is not None,
        "stays": stays.items,
        "more_stays": stays.next is not None,
        "alarms": await emergencies.list_alarms(requester, _MOST),
    }


def _verdict_is(verdict: str) -> Callable[[Entry], bool]:
    return lambda entry: bool(entry.event.verdict == verdict)


def _reviewed(entry: Entry) -> str:
    """Whose access was reviewed; "" in old entries, which do not name them."""
    name: str = entry.event.practitioner
    return name


def _reporting(entry: Entry) -> str:
    name: str = entry.event.organization
    return name


NOTICES = [
    NoticeKind(
        name="emergency",
        event=EmergencyDeclared,
        text=N_("%(actor)s used emergency access to open your record without asking you first."),
        icon="emergency",
        tone="danger",
        link="/log",
        urgent=True,
    ),
    NoticeKind(
        name="emergency_unjustified",
        event=EmergencyReviewed,
        text=N_(
            "The emergency access of %(actor)s was reviewed by %(agency)s: it was not justified, and it has ended."
        ),
        icon="emergency",
        tone="danger",
        link="/log?kind=emergency",
        contact=True,
        applies=_verdict_is("unjustified"),
        actor=_reviewed,
    ),
    NoticeKind(
        name="emergency_unclear",
        event=EmergencyReviewed,
        text=N_("The emergency access of %(actor)s was reviewed by %(agency)s: whether it was justified is unclear."),
        icon="emergency",
        tone="warn",
        link="/log?kind=emergency",
        contact=True,
        applies=_verdict_is("unclear"),
        actor=_reviewed,
    ),
    NoticeKind(
        name="emergency_reviewed",
        event=EmergencyReviewed,
        text=N_("The emergency access of %(actor)s was reviewed by %(agency)s: it was justified."),
        icon="check",
        tone="good",
        link="/log?kind=emergency",
        contact=True,
        applies=lambda entry: True,
        actor=_reviewed,
    ),
    NoticeKind(
        name="stay_unjustified",
        event=StayReviewed,
        text=N_(
            "The stay that %(actor)s reported was reviewed by %(agency)s: it was not justified. Its access has ended."
        ),
        icon="hospital",
        tone="danger",
        link="/sharing",
        contact=True,
        applies=_verdict_is("unjustified"),
        actor=_reporting,
    ),
]
TILES = [
    HomeTile(role="practitioner", template="access/tile_questions.html", load=_questions, order=-20),
    HomeTile(role="practitioner", template="access/tile_verdicts.html", load=_verdicts, order=-10),
    HomeTile(role="operator", template="access/tile_reviews.html", load=_reviews, order=20),
]

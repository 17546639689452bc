"""Shared credentials and impossible places: one user at two places at the same time. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from esante.core.web import N_
from esante.services.soc.health.context.people import Place
from esante.services.soc.health.detections.model import Detection, Finding, Sentence, bounded
from esante.services.soc.health.detections.parameters import HealthTerms
from esante.services.soc.health.facts.model import Presence

_SHARED = N_(
    "On %(day)s the account of %(actor)s was used from two networks in turns,"
    " %(turns)s times within %(minutes)s minutes."
)
_PLACES = N_(
    "On %(day)s the account of %(actor)s was used at %(first)s and, %(minutes)s minutes later, at %(second)s;"
    " the way takes %(needed)s minutes at least."
)

_Change = tuple[Presence, Presence]


def judge_presences(presences: Sequence[Presence], places: Mapping[str, Place], terms: HealthTerms) -> list[Finding]:
    """Return what is impossible in the presences of one user within a day or so, in the order of time.

    A presence is one act here: what alternates, and how fast, is seen act by act.
    """
    acts = sorted(presences, key=lambda one: one.first_at)
    shared, place = _shared(acts, terms), _impossible(acts, places, terms)
    return [one for one in (shared, place) if one is not None]


def _shared(acts: Sequence[Presence], terms: HealthTerms) -> Finding | None:
    """Find two networks that take turns: one person changes their place once or twice, and not to and fro."""
    numbers = terms.sessions
    window = timedelta(minutes=numbers.window_minutes)
    pairs: dict[frozenset[str], list[_Change]] = defaultdict(list)
    for before, after in pairwise(acts):
        if before.network != after.network:
            pairs[frozenset((before.network, after.network))].append((before, after))
    for changes in pairs.values():
        for number, (begun, _) in enumerate(changes):
            near = [one for one in changes[number:] if one[1].first_at - begun.last_at <= window]
            apart = [one for one in near if one[0].software != one[1].software]
            if len(apart) >= numbers.turns or len(near) >= numbers.turns_same_software:
                minutes = max(1, round((near[-1][1].first_at - begun.last_at).total_seconds() / 60))
                values = {"actor": begun.user.id, "day": begun.last_at.date(), "turns": len(near), "minutes": minutes}
                return _finding(Detection.SHARED_CREDENTIALS, near, numbers.shared, Sentence(_SHARED, values))
    return None


def _impossible(acts: Sequence[Presence], places: Mapping[str, Place], terms: HealthTerms) -> Finding | None:
    """Find changes between two known sites that are faster than the way between them."""
    numbers, found = terms.sessions, []
    for before, after in pairwise(acts):
        if not before.site or not after.site or before.site == after.site:
            continue
        if before.network == after.network:
            continue
        needed = _minutes(places.get(before.site), places.get(after.site), terms)
        if after.first_at - before.last_at < timedelta(minutes=needed):
            found.append((before, after))
    if len(found) < numbers.place_turns:
        return None
    before, after = found[0]
    first, second = places.get(before.site), places.get(after.site)
    values = {
        "actor": before.user.id,
        "day": before.last_at.date(),
        "first": first.name if first else before.site,
        "second": second.name if second else after.site,
        "minutes": round((after.first_at - before.last_at).total_seconds() / 60),
        "needed": _minutes(first, second, terms),
    }
    return _finding(Detection.IMPOSSIBLE_PLACE, found, numbers.place, Sentence(_PLACES, values))


def _minutes(one: Place | None, other: Place | None, terms: HealthTerms) -> int:
    """Return the shortest time between two sites; 0 where it is not known where they are."""
    if one is None or other is None or not one.town or not other.town:
        return 0
    if one.town == other.town:
        return terms.sessions.minutes_same_town
    if one.district and one.district == other.district:
        return terms.sessions.minutes_same_district
    return terms.sessions.minutes_elsewhere


def _finding(detection: Detection, changes: Sequence[_Change], points: int, sentence: Sentence) -> Finding:
    first: datetime = changes[0][0].last_at
    user = changes[0][0].user
    return Finding(
        detection=detection,
        key=f"{detection}:{user.id}:{first.date()}",
        score=bounded(points + 2 * len(changes)),
        first_at=first,
        last_at=changes[-1][1].first_at,
        user_id=user.id,
        organization_id=user.organization_id,
        sentences=(sentence,),
        evidence=tuple(entry for pair in changes for one in pair for entry in one.evidence)[:10],
    )

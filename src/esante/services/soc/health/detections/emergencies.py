"""Abuse of emergency access: more often than peers, and without any care afterwards. Pure."""

from collections.abc import Sequence
from datetime import timedelta
from statistics import median

from esante.core.web import N_
from esante.services.soc.health.context.explanation import CareContext
from esante.services.soc.health.context.relations import Relation
from esante.services.soc.health.detections.model import Detection, Finding, Sentence, bounded
from esante.services.soc.health.detections.parameters import HealthTerms
from esante.services.soc.health.facts.model import CareKind, Emergency

_ONE = N_(
    "%(actor)s used emergency access on %(day)s, and no document, stay or fee note followed within %(hours)s hours."
)
_OFTEN = N_(
    "%(actor)s used emergency access %(count)s times in %(days)s days, and %(unfollowed)s times no care followed;"
    " usual for others of the profession: %(peers)s (median)."
)
_RELATED = N_("The patient may be a relative, a colleague or a watched person.")


def has_follow_up(emergency: Emergency, care: CareContext, terms: HealthTerms) -> bool:
    """Return whether care by the user or their organisation followed an emergency access."""
    user = emergency.user
    holders = {*user.holders, user.organization_id}
    until = emergency.at + timedelta(hours=terms.break_glass.follow_up_hours)
    added = any(
        one.kind in (CareKind.DEPOSIT, CareKind.NOTE)
        and one.holder_id in holders
        and one.last_at >= emergency.at
        and one.first_at <= until
        for one in care.contacts
    )
    stayed = any(
        one.organization_id in holders
        and one.began_at <= until
        and (one.ended_at is None or one.ended_at >= emergency.at)
        for one in care.stays
    )
    return added or stayed


def judge_emergency(
    emergency: Emergency,
    *,
    followed: bool,
    relations: Sequence[Relation],
    own: tuple[int, int],
    peers: Sequence[int],
    terms: HealthTerms,
) -> Finding | None:
    """Return the finding about an emergency access, or None.

    `own`: how many the user had in the window with this one, and after how many of them nothing followed. `peers`: the
    same second number of the others of the profession who had any.
    """
    numbers, (count, unfollowed) = terms.break_glass, own
    points = 0.0
    sentences: list[Sentence] = []
    if not followed:
        points += numbers.without_follow_up
        values = {"actor": emergency.user.id, "day": emergency.at.date(), "hours": numbers.follow_up_hours}
        sentences.append(Sentence(_ONE, values))
    usual = median(peers) if len(peers) >= numbers.peer_least else 0
    is_often = unfollowed >= max(numbers.least, numbers.peer_factor * usual)
    if is_often and unfollowed >= numbers.unfollowed_share * count:
        points += numbers.often
        values = {"actor": emergency.user.id, "count": count, "unfollowed": unfollowed}
        values |= {"days": numbers.window_days, "peers": usual}
        sentences.append(Sentence(_OFTEN, values))
    if relations and not followed:
        points += numbers.related
        sentences.append(Sentence(_RELATED))
    score = bounded(points)
    if score < terms.snooping.alert:
        return None
    year, week, _ = emergency.at.isocalendar()
    which = emergency.entry_id if relations else f"{emergency.user.id}:{year}-{week}"
    return Finding(
        detection=Detection.BREAK_GLASS,
        key=f"{Detection.BREAK_GLASS}:{which}",
        score=score,
        first_at=emergency.at,
        last_at=emergency.at,
        user_id=emergency.user.id,
        organization_id=emergency.user.organization_id,
        person_id=emergency.person_id,
        sentences=tuple(sentences),
        evidence=(emergency.entry_id,),
    )

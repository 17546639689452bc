"""Mass reading and probing: what a user did in one hour, against themselves and their profession. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import quantiles
from typing import Any
from uuid import UUID

from esante.core.web import N_
from esante.services.soc.health.context.people import PersonTraits
from esante.services.soc.health.detections.model import Detection, Finding, Sentence, bounded
from esante.services.soc.health.detections.parameters import HealthTerms
from esante.services.soc.health.facts.model import Hour

_MANY = N_(
    "%(actor)s opened the records of %(persons)s patients within an hour, on %(day)s from %(hour)s."
    " For %(unexplained)s of them no care by %(actor)s or %(organization)s is known."
)
_USUAL = N_("Usual for them in a busy hour: %(own)s; for the profession: %(peers)s.")
_WALK = N_("The patients were opened in the order of the directory.")
_REFUSED = N_(
    "%(actor)s was refused %(refusals)s times within an hour, on %(day)s from %(hour)s; %(shown)s accesses succeeded."
)
_UNKNOWN = N_(
    "%(actor)s searched the directory %(lookups)s times within an hour, on %(day)s from %(hour)s;"
    " %(unknown)s searches found nobody."
)
_SWEEPS = N_(
    "%(actor)s searched %(sweeps)s times within an hour, on %(day)s from %(hour)s, for everything or for very many"
    " results."
)


@dataclass(frozen=True, slots=True)
class Baseline:
    """Distinct persons in an hour, of hours in which somebody opened any: of the user, and of their profession."""

    own: Sequence[int] = ()
    peers: Sequence[int] = ()


def judge_reading(
    hour: Hour, visited: Sequence[PersonTraits], unexplained: int, baseline: Baseline, terms: HealthTerms
) -> Finding | None:
    """Return the finding about many persons in an hour, or None.

    `visited`: the persons in the order in which they were opened, those without explanation only; `unexplained`: how
    many there are.
    """
    numbers = terms.mass_reading
    walked = is_walk(visited, terms)
    own = _busy(baseline.own, numbers.least_hours)
    peers = _busy(baseline.peers, numbers.least_hours)
    is_many = (
        unexplained >= numbers.least
        and hour.persons > numbers.own_factor * (own if own is not None else 0)
        and hour.persons > numbers.peer_factor * (peers if peers is not None else 0)
    )
    if not is_many and not walked:
        return None
    values = _values(hour) | {"persons": hour.persons, "unexplained": unexplained}
    sentences = [Sentence(_MANY, values)]
    sentences.append(Sentence(_USUAL, {"own": _shown(own), "peers": _shown(peers)}))
    points = numbers.base + numbers.per_person * max(0, unexplained - numbers.least)
    if walked:
        points += numbers.walk
        sentences.append(Sentence(_WALK))
    return _finding(Detection.MASS_READING, hour, points, sentences)


def is_walk(visited: Sequence[PersonTraits], terms: HealthTerms) -> bool:
    """Return whether persons were opened in the order of the directory: nearly every step goes the same way."""
    numbers = terms.mass_reading
    if len(visited) < numbers.walk_least:
        return False
    keys = [(one.family_key, one.given_key) for one in visited]
    steps = [*pairwise(keys)]
    up = sum(after > before for before, after in steps)
    return max(up, len(steps) - up) >= numbers.walk_share * len(steps)


def judge_probing(hour: Hour, terms: HealthTerms) -> Finding | None:
    """Return the finding about many refusals, empty searches or sweeps in an hour, or None."""
    numbers = terms.probing
    acts = hour.shown + hour.lookups + hour.refusals
    sentences: list[Sentence] = []
    worst = 0
    if hour.refusals >= numbers.refusals and hour.refusals >= numbers.share * acts:
        values = _values(hour) | {"refusals": hour.refusals, "shown": hour.shown}
        sentences.append(Sentence(_REFUSED, values))
        worst = max(worst, hour.refusals - numbers.refusals)
    if hour.unknown >= numbers.unknown and hour.unknown >= numbers.share * hour.lookups:
        sentences.append(Sentence(_UNKNOWN, _values(hour) | {"unknown": hour.unknown, "lookups": hour.lookups}))
        worst = max(worst, hour.unknown - numbers.unknown)
    if hour.sweeps >= numbers.sweeps:
        sentences.append(Sentence(_SWEEPS, _values(hour) | {"sweeps": hour.sweeps}))
        worst = max(worst, hour.sweeps - numbers.sweeps)
    if not sentences:
        return None
    points = numbers.base + numbers.per_ten * worst / 10
    return _finding(Detection.PROBING, hour, points, sentences)


def _values(hour: Hour) -> dict[str, Any]:
    organization: UUID = hour.user.organization_id or hour.user.id
    return {"actor": hour.user.id, "organization": organization, "day": hour.hour.date(), "hour": hour.hour}


def _busy(counts: Sequence[int], least: int) -> float | None:
    """Return the 95th percentile of counts; None for too few."""
    return quantiles(counts, n=20, method="inclusive")[-1] if len(counts) >= least else None


def _shown(count: float | None) -> str:
    return "–" if count is None else str(round(count))


def _finding(detection: Detection, hour: Hour, points: float, sentences: list[Sentence]) -> Finding:
    return Finding(
        detection=detection,
        key=f"{detection}:{hour.user.id}:{hour.hour.date()}",
        score=bounded(points),
        first_at=hour.hour,
        last_at=hour.hour,
        user_id=hour.user.id,
        organization_id=hour.user.organization_id,
        sentences=tuple(sentences),
        evidence=hour.evidence,
    )

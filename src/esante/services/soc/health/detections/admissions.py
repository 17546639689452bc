"""Admissions without care: a stay was reported, the record was read, and nothing was ever added. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from esante.core.web import N_
from esante.services.soc.health.context.explanation import CareContext
from esante.services.soc.health.detections.model import Detection, Finding, Sentence, bounded
from esante.services.soc.health.detections.parameters import HealthTerms
from esante.services.soc.health.facts.model import CareKind, StayFact, Visit

_READ = N_(
    "%(organization)s reported a stay from %(day)s, and opened the record %(opened)s times. Nothing was added to it."
)
_WHO = N_("Only %(actor)s opened it.")
_SHORT = N_("The stay was ended after %(hours)s hours.")
_UNPROVED = N_("Nobody proved that the patient was there.")


def is_due(stay: StayFact, now: datetime, terms: HealthTerms) -> bool:
    """Return whether care should have been seen by now."""
    numbers = terms.admission
    if stay.ended_at is not None:
        return now >= stay.ended_at + timedelta(days=numbers.wait_days)
    return now >= stay.began_at + timedelta(days=numbers.open_days)


def judge_stay(stay: StayFact, visits: Sequence[Visit], care: CareContext, terms: HealthTerms) -> Finding | None:
    """Return the finding about a stay, or None. `visits`: those of the person, of any organisation."""
    numbers = terms.admission
    until = (stay.ended_at or stay.began_at + timedelta(days=numbers.open_days)) + timedelta(days=numbers.wait_days)
    read = [
        one
        for one in visits
        if one.user.organization_id == stay.organization_id
        and one.saw
        and stay.began_at - timedelta(hours=1) <= one.last_at
        and one.first_at <= until
    ]
    cared = any(
        one.holder_id == stay.organization_id
        and one.kind in (CareKind.DEPOSIT, CareKind.NOTE)
        and one.last_at >= stay.began_at
        for one in care.contacts
    )
    if cared or not read:
        return None
    opened = sum(one.saw for one in read)
    values = {"organization": stay.organization_id, "day": stay.began_at.date(), "opened": opened}
    points, sentences = float(numbers.base), [Sentence(_READ, values)]
    users = {one.user.id for one in read}
    if len(users) == 1:
        sentences.append(Sentence(_WHO, {"actor": next(iter(users))}))
    if stay.ended_at is not None and stay.ended_at - stay.began_at <= timedelta(hours=numbers.short_hours):
        points += numbers.short
        hours = round((stay.ended_at - stay.began_at).total_seconds() / 3600)
        sentences.append(Sentence(_SHORT, {"hours": hours}))
    if opened >= numbers.many:
        points += numbers.opened_many
    if stay.proved:
        points -= numbers.proved_minus
    else:
        sentences.append(Sentence(_UNPROVED))
    score = bounded(points)
    if score < numbers.alert:
        return None
    return Finding(
        detection=Detection.ADMISSION,
        key=f"{Detection.ADMISSION}:{stay.stay_id}",
        score=score,
        first_at=read[0].first_at,
        last_at=max(one.last_at for one in read),
        user_id=next(iter(users)) if len(users) == 1 else stay.organization_id,
        organization_id=stay.organization_id,
        person_id=stay.person_id,
        sentences=tuple(sentences),
        evidence=tuple(entry for one in read for entry in one.evidence)[:10],
    )

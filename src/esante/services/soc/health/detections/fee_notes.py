"""Patterns of fraud in fee notes: acts for the dead and the absent, the same act twice, too many in a day. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from uuid import UUID

from esante.core.time_zone import day_of
from esante.core.web import N_
from esante.services.soc.health.detections.model import Detection, Finding, Sentence, bounded
from esante.services.soc.health.detections.parameters import HealthTerms
from esante.services.soc.health.facts.model import MAX_EVIDENCE, BilledAct, StayFact

_DECEASED = N_("%(actor)s billed %(code)s for %(day)s; the patient died on %(death)s.")
_ABSENT = N_(
    "%(actor)s billed %(code)s for %(day)s; on that day the patient was an inpatient of %(elsewhere)s, from %(since)s."
)
_DUPLICATE = N_("%(actor)s and %(other)s both billed %(code)s for the same patient on %(day)s.")
_VOLUME = N_("%(actor)s billed %(acts)s acts for %(day)s; a busy day of the profession has %(usual)s (median).")


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonBilled:
    """What is known about a person of whom acts were billed: their death, stays, and all their acts."""

    deceased_at: datetime | None
    stays: Sequence[StayFact]
    acts: Sequence[BilledAct]


def judge_acts(acts: Sequence[BilledAct], persons: Mapping[UUID, PersonBilled], terms: HealthTerms) -> list[Finding]:
    """Return what is wrong with new acts, by what is known about their persons."""
    found: dict[str, Finding] = {}
    for act in acts:
        known = persons.get(act.person_id)
        if known is not None:
            for finding in (*_deceased(act, known, terms), *_absent(act, known, terms), *_twice(act, known, terms)):
                found.setdefault(finding.key, finding)
    return [*found.values()]


def judge_volume(
    biller_id: UUID, day: date, acts: Sequence[BilledAct], peers: Sequence[int], terms: HealthTerms
) -> Finding | None:
    """Return the finding about the acts of a biller on a day, or None. `peers`: busiest days of the others."""
    numbers, count = terms.fee_notes, sum(one.quantity for one in acts)
    usual = median(peers) if peers else 0
    if count < numbers.least_acts or count < numbers.peer_factor * usual:
        return None
    values = {"actor": biller_id, "acts": count, "day": day, "usual": round(usual)}
    return _finding(
        Detection.NOTE_VOLUME,
        f"{Detection.NOTE_VOLUME}:{biller_id}:{day}",
        acts[-1],
        numbers.acts_a_day,
        Sentence(_VOLUME, values),
        of_person=False,
        evidence=tuple(one.entry_id for one in acts[-MAX_EVIDENCE:]),
    )


def _deceased(act: BilledAct, known: PersonBilled, terms: HealthTerms) -> Iterator[Finding]:
    if known.deceased_at is not None and act.day > day_of(known.deceased_at):
        values = {"actor": act.biller_id, "code": act.code, "day": act.day, "death": day_of(known.deceased_at)}
        yield _finding(
            Detection.NOTE_DECEASED,
            f"{Detection.NOTE_DECEASED}:{act.note_id}",
            act,
            terms.fee_notes.deceased,
            Sentence(_DECEASED, values),
        )


def _absent(act: BilledAct, known: PersonBilled, terms: HealthTerms) -> Iterator[Finding]:
    """Yield acts on a full day within a stay elsewhere; the days of admission and discharge may have both."""
    if act.profession in terms.fee_notes.exempt_absent or act.inpatient:
        return
    for stay in known.stays:
        ended = day_of(stay.ended_at) if stay.ended_at else None
        inside = day_of(stay.began_at) < act.day and ended is not None and act.day < ended
        if inside and stay.organization_id != act.organization_id:
            values = {
                "actor": act.biller_id,
                "code": act.code,
                "day": act.day,
                "elsewhere": stay.organization_id,
                "since": day_of(stay.began_at),
            }
            yield _finding(
                Detection.NOTE_ABSENT,
                f"{Detection.NOTE_ABSENT}:{act.note_id}",
                act,
                terms.fee_notes.absent,
                Sentence(_ABSENT, values),
            )
            return


def _twice(act: BilledAct, known: PersonBilled, terms: HealthTerms) -> Iterator[Finding]:
    """Yield acts that another biller billed too, near the same day."""
    numbers = terms.fee_notes
    if act.profession in numbers.exempt_duplicate:
        return
    near = timedelta(days=numbers.duplicate_days)
    for other in known.acts:
        same = other.code == act.code and abs(other.day - act.day) <= near and other.note_id != act.note_id
        if same and other.provider_code != act.provider_code and other.organization_id != act.organization_id:
            first, second = sorted((str(act.note_id), str(other.note_id)))
            values = {"actor": act.biller_id, "other": other.biller_id, "code": act.code, "day": act.day}
            yield _finding(
                Detection.NOTE_DUPLICATE,
                f"{Detection.NOTE_DUPLICATE}:{first}:{second}",
                act,
                numbers.duplicate,
                Sentence(_DUPLICATE, values),
            )
            return


def _finding(
    detection: Detection,
    key: str,
    act: BilledAct,
    points: float,
    sentence: Sentence,
    *,
    of_person: bool = True,
    evidence: tuple[UUID, ...] = (),
) -> Finding:
    return Finding(
        detection=detection,
        key=key,
        score=bounded(points),
        first_at=act.at,
        last_at=act.at,
        user_id=act.biller_id,
        organization_id=act.organization_id,
        person_id=act.person_id if of_person else None,
        sentences=(sentence,),
        evidence=evidence or (act.entry_id,),
    )

"""Acts on records that need none: invented persons, and the dead. Pure."""

from datetime import datetime, timedelta

from esante.core.time_zone import day_of
from esante.core.web import N_
from esante.services.soc.health.context.explanation import CareContext, explain_visit
from esante.services.soc.health.detections.model import Detection, Finding, Sentence, bounded
from esante.services.soc.health.detections.parameters import HealthTerms
from esante.services.soc.health.facts.model import Touch, Visit

_ACTS = {
    "searched": N_("%(actor)s found an invented person by a search of the directory on %(day)s."),
    "refused": N_("%(actor)s tried to open the record of an invented person on %(day)s."),
    "emergency": N_("%(actor)s used emergency access for the record of an invented person on %(day)s."),
    "opened": N_("%(actor)s opened the record of an invented person on %(day)s."),
    "listed": N_("%(actor)s viewed the record of an invented person on %(day)s."),
}
_INVENTED = Sentence(N_("This person does not exist, so no care can be the reason."))
_DEAD = N_("%(actor)s opened this record on %(day)s; the patient died on %(death)s.")
_DEAD_REFUSED = N_("%(actor)s tried to open this record on %(day)s; the patient died on %(death)s.")
_NO_CARE = Sentence(N_("No document, stay or fee note of theirs near that day explains it."))


def judge_invented(touch: Touch, terms: HealthTerms) -> Finding:
    """Return the finding about an act on an invented person; a search alone weighs less."""
    numbers = terms.invented
    day = day_of(touch.at)
    return Finding(
        detection=Detection.INVENTED,
        key=f"{Detection.INVENTED}:{touch.user.id}:{touch.person_id}:{touch.what}:{day}",
        score=bounded(numbers.searched if touch.what == "searched" else numbers.opened),
        first_at=touch.at,
        last_at=touch.at,
        user_id=touch.user.id,
        organization_id=touch.user.organization_id,
        person_id=touch.person_id,
        sentences=(Sentence(_ACTS[touch.what], {"actor": touch.user.id, "day": day}), _INVENTED),
        evidence=(touch.entry_id,),
    )


def judge_after_death(visit: Visit, deceased_at: datetime, care: CareContext, terms: HealthTerms) -> Finding | None:
    """Return the finding about a visit after the death of the person, or None.

    Completing the record is expected for some days, and an autopsy or a late report is explained by what was added.
    """
    numbers = terms.death
    if visit.first_at <= deceased_at + timedelta(days=numbers.grace_days) or not (visit.saw or visit.refused):
        return None
    if explain_visit(visit, _after(care, deceased_at), terms) is not None:
        return None
    text, points = (_DEAD, numbers.base) if visit.saw else (_DEAD_REFUSED, numbers.refused)
    values = {"actor": visit.user.id, "day": visit.day, "death": day_of(deceased_at)}
    return Finding(
        detection=Detection.AFTER_DEATH,
        key=f"{Detection.AFTER_DEATH}:{visit.user.id}:{visit.person_id}:{visit.day}",
        score=bounded(points),
        first_at=visit.first_at,
        last_at=visit.last_at,
        user_id=visit.user.id,
        organization_id=visit.user.organization_id,
        person_id=visit.person_id,
        sentences=(Sentence(text, values), _NO_CARE),
        evidence=visit.evidence,
    )


def _after(care: CareContext, deceased_at: datetime) -> CareContext:
    """Return the contacts that went on after a death: what was before it explains nothing any more."""
    return CareContext([one for one in care.contacts if one.last_at > deceased_at], ())

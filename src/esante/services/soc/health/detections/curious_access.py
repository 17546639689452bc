"""Snooping: accesses that no care explains, of relatives, colleagues, famous persons, or anybody. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from esante.core.web import N_
from esante.services.soc.health.context.explanation import CareContext, Reach, explain_visit, last_contact
from esante.services.soc.health.context.relations import Relation
from esante.services.soc.health.detections.model import Detection, Finding, Sentence, bounded
from esante.services.soc.health.detections.parameters import HealthTerms
from esante.services.soc.health.facts.model import Visit

_DETECTIONS = {
    Relation.OWN: Detection.OWN,
    Relation.HOUSEHOLD: Detection.FAMILY,
    Relation.FAMILY: Detection.FAMILY,
    Relation.COLLEAGUE: Detection.COLLEAGUE,
    Relation.WATCHED: Detection.WATCHED,
}
_RELATIONS = {
    Relation.OWN: N_("The patient has the same name as %(actor)s, and nobody else in the directory has it."),
    Relation.HOUSEHOLD: N_("The patient lives at the address that the directory has for the name of %(actor)s."),
    Relation.FAMILY: N_("The patient has the family name of %(actor)s and lives in the same area."),
    Relation.COLLEAGUE: N_("Somebody with the patient's name works at the same organisation as %(actor)s."),
    Relation.WATCHED: N_("The patient is on the list of persons whose record is watched."),
}
_NO_CONTEXT = N_(
    "%(actor)s opened this record on %(day)s. Neither they nor %(organization)s had a stay, a document, a fee note or"
    " the patient's consent near that day."
)
_ONLY_ORGANIZATION = N_(
    "%(actor)s opened this record on %(day)s. Care at %(organization)s is known, but none by %(actor)s."
)
CONTACT_SENTENCES = {
    "stay": N_("The last care contact was a stay, on %(contact_day)s."),
    "deposit": N_("The last care contact was an addition to the record, on %(contact_day)s."),
    "note": N_("The last care contact was a fee note, on %(contact_day)s."),
    "code": N_("The last care contact was a code that the patient gave, on %(contact_day)s."),
    "circle": N_("The last care contact was in the circle of care, on %(contact_day)s."),
    "referring": N_("The last care contact was as referring doctor, on %(contact_day)s."),
}
NEVER = Sentence(N_("No earlier care contact is known."))
_DEPTH = N_("Items opened: %(opened)s; lists viewed: %(listed)s.")
_AGAIN = N_("%(actor)s opened it on earlier days too, without known care: %(days)s.")
_USUALLY = N_("Most of what %(actor)s opens has no known care here: data may be missing.")


@dataclass(frozen=True, slots=True)
class Habit:
    """How many visits of a user were judged before, and how many of them nothing explained."""

    judged: int = 0
    unexplained: int = 0

    @property
    def share(self) -> float:
        """The share that nothing explained."""
        return self.unexplained / self.judged if self.judged else 0.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """The result for a visit: whether care explains it, and the finding, None where there is nothing to ask."""

    explained: bool
    finding: Finding | None = None


def judge_visit(
    visit: Visit,
    care: CareContext,
    relations: Sequence[Relation],
    habit: Habit,
    terms: HealthTerms,
    earlier: Sequence[Visit] = (),
) -> Judgement:
    """Return the judgement of a visit by what is known of the person's care.

    `earlier`: the visits of the same user to the same record on days before.

    For relatives, colleagues and watched persons only the user's own care is an explanation: a stay at a hospital
    explains what the ward reads, and not what everybody there does.
    """
    explanation = explain_visit(visit, care, terms)
    by_user = explanation is not None and explanation.reach is Reach.USER
    if visit.saw == 0 or by_user or (explanation is not None and not relations):
        return Judgement(explained=explanation is not None)
    if visit.in_emergency and not relations:
        return Judgement(explained=False)
    score, sentences = _score(
        visit, care, relations, habit, terms, by_organization=explanation is not None, earlier=earlier
    )
    if score < terms.snooping.alert:
        return Judgement(explained=explanation is not None)
    closest = relations[0] if relations else None
    detection = _DETECTIONS[closest] if closest else Detection.NO_CONTEXT
    finding = Finding(
        detection=detection,
        key=f"{detection}:{visit.user.id}:{visit.person_id}:{visit.day}",
        score=score,
        first_at=visit.first_at,
        last_at=visit.last_at,
        user_id=visit.user.id,
        organization_id=visit.user.organization_id,
        person_id=visit.person_id,
        sentences=tuple(sentences),
        evidence=visit.evidence,
    )
    return Judgement(explained=explanation is not None, finding=finding)


def _score(
    visit: Visit,
    care: CareContext,
    relations: Sequence[Relation],
    habit: Habit,
    terms: HealthTerms,
    *,
    by_organization: bool,
    earlier: Sequence[Visit],
) -> tuple[int, list[Sentence]]:
    points, numbers = 0.0, terms.snooping
    names: dict[str, Any] = {"actor": visit.user.id, "organization": visit.user.organization_id or visit.user.id}
    first = _ONLY_ORGANIZATION if by_organization else _NO_CONTEXT
    sentences = [Sentence(first, names | {"day": visit.day})]
    points += -numbers.organization_minus if by_organization else numbers.unexplained
    for relation in relations:
        points += {
            Relation.OWN: numbers.own,
            Relation.HOUSEHOLD: numbers.household,
            Relation.FAMILY: numbers.family,
            Relation.COLLEAGUE: numbers.colleague,
            Relation.WATCHED: numbers.watched,
        }[relation]
        sentences.append(Sentence(_RELATIONS[relation], names))
    known = last_contact(visit.user, care, visit.first_at)
    sentences.append(contact_sentence(known))
    if known is None:
        points += numbers.never_in_contact
    if visit.opened >= numbers.many:
        points += numbers.opened_many
    if not visit.opened:
        points -= numbers.only_list_minus
    again = sum(explain_visit(one, care, terms) is None for one in earlier)
    if again:
        points += numbers.again * min(again, numbers.again_most)
        sentences.append(Sentence(_AGAIN, names | {"days": again}))
    sentences.append(Sentence(_DEPTH, {"opened": visit.opened, "listed": visit.listed}))
    if habit.judged >= numbers.least_visits and habit.share >= numbers.usual_unexplained:
        points -= numbers.usual_minus
        sentences.append(Sentence(_USUALLY, names))
    return bounded(points), sentences


def contact_sentence(known: tuple[str, Any] | None) -> Sentence:
    """Return the sentence about the last care contact; None: no contact is known."""
    if known is None:
        return NEVER
    kind, at = known
    return Sentence(CONTACT_SENTENCES[kind], {"contact_day": at.date()})

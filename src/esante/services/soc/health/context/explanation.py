"""Whether care explains an access: templates of what joins a user, an organisation and a person. Pure.

An access that is explained is not scored. What counts as an explanation, and for how long, is dated data.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from esante.services.soc.health.detections.parameters import HealthTerms, Template
from esante.services.soc.health.facts.model import CareContact, CareKind, StayFact, User, Visit


class Reach(StrEnum):
    """Whose care explains an access."""

    USER = "user"
    ORGANIZATION = "organization"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What explains an access: the kind of contact (a `CareKind`, or "stay"), and whose it is."""

    kind: str
    reach: Reach


@dataclass(frozen=True, slots=True)
class CareContext:
    """What is known of the care of one person."""

    contacts: Sequence[CareContact] = ()
    stays: Sequence[StayFact] = ()


def explain(user: User, first: datetime, last: datetime, care: CareContext, terms: HealthTerms) -> Explanation | None:
    """Return what explains an access between two moments; the user's own care before their organisation's."""
    holders = {*user.holders, user.organization_id}
    theirs = [one for one in care.contacts if one.holder_id in holders]
    found = [
        Explanation(template.kind, reach)
        for contact in theirs
        for template in terms.explanation
        if contact.kind is template.kind
        and (reach := _reach(template, contact.holder_id, user)) is not None
        and _covers(template, contact, first, last)
    ]
    before, after = timedelta(days=terms.stay.before), timedelta(days=terms.stay.after)
    for stay in care.stays:
        ends = stay.ended_at + after if stay.ended_at else last
        if stay.organization_id == user.organization_id and stay.began_at - before <= last and first <= ends:
            found.append(Explanation("stay", Reach.ORGANIZATION))
    return min(found, key=lambda one: one.reach is Reach.ORGANIZATION, default=None)


def explain_visit(visit: Visit, care: CareContext, terms: HealthTerms) -> Explanation | None:
    """Return what explains a visit; a record that was opened by a code of the person needs nothing else."""
    if visit.by_code:
        return Explanation(CareKind.CODE, Reach.USER)
    return explain(visit.user, visit.first_at, visit.last_at, care, terms)


def last_contact(user: User, care: CareContext, before: datetime) -> tuple[str, datetime] | None:
    """Return the last contact of a user or their organisation with a person before a moment, and its kind."""
    holders = {*user.holders, user.organization_id}
    found: Iterable[tuple[datetime, str]] = [
        (min(one.last_at, before), one.kind.value)
        for one in care.contacts
        if one.holder_id in holders and one.first_at < before
    ] + [
        (min(one.ended_at or before, before), "stay")
        for one in care.stays
        if one.organization_id in holders and one.began_at < before
    ]
    at, kind = max(found, default=(None, ""))
    return None if at is None else (kind, at)


def _reach(template: Template, holder_id: UUID, user: User) -> Reach | None:
    if holder_id in user.holders:
        return Reach.USER
    is_theirs = template.scope == Reach.ORGANIZATION and holder_id == user.organization_id
    return Reach.ORGANIZATION if is_theirs else None


def _covers(template: Template, contact: CareContact, first: datetime, last: datetime) -> bool:
    """Whether a contact lies near enough to an access; what was given for a time covers that time."""
    before, after = timedelta(days=template.before), timedelta(days=template.after)
    given = contact.kind in (CareKind.CODE, CareKind.CIRCLE, CareKind.REFERRING)
    until = contact.ended_at or (last if given else contact.last_at)
    return contact.first_at - after <= last and first <= until + before

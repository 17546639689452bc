"""Pure rules of representation: who acts for a person on a day, and what is kept from them.

Source: law of 24 July 2014 on the rights and duties of patients, articles 12 (trusted person), 13 (minors) and 14
(protected adults). No rule asks for an age: a representation has the day on which it ends.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from uuid import UUID

from esante.identity.access.model import Against, Consent, Item, Opposition
from esante.identity.access.representation.model import LEGAL_REPRESENTATIVES, CapacityKind, Representation


def representation_of(consent: Consent, representative_id: UUID, day: date) -> Representation | None:
    """Return as what somebody acts for a person on a day: a legal representative before a trusted person, or None."""
    found = [
        one for one in consent.representations if one.representative_id == representative_id and one.is_in_force(day)
    ]
    return min(found, key=lambda one: one.kind not in LEGAL_REPRESENTATIVES, default=None)


def may_act_alone(consent: Consent, category: str, day: date) -> bool:
    """Return whether a person exercises their own rights about a document class ("": about anything) on a day.

    Somebody with a legal representative does so only as far as a professional admitted them to.
    """
    if not any(one.kind in LEGAL_REPRESENTATIVES and one.is_in_force(day) for one in consent.representations):
        return True
    return any(
        not one.classes or not category or category in one.classes
        for one in consent.capacities
        if one.kind is CapacityKind.DISCERNMENT and one.is_in_force(day)
    )


def acts_alone_in_all(consent: Consent, day: date) -> bool:
    """Return whether a person exercises all of their rights themselves on a day."""
    unlimited = [one for one in consent.capacities if not one.classes]
    return may_act_alone(replace(consent, capacities=tuple(unlimited)), "", day)


def exercises_rights(consent: Consent, requester_id: UUID, day: date) -> bool:
    """Return whether somebody exercises all rights of a person on a day: the person, or their legal representative."""
    if requester_id == consent.person_id:
        return acts_alone_in_all(consent, day)
    found = representation_of(consent, requester_id, day)
    return found is not None and found.kind in LEGAL_REPRESENTATIVES


def cannot_act(consent: Consent, day: date) -> bool:
    """Return whether a professional stated that a person cannot act on a day."""
    return any(one.kind is CapacityKind.INCAPACITY and one.is_in_force(day) for one in consent.capacities)


def opposed_to_representatives(consent: Consent) -> Iterator[Opposition]:
    """Yield the oppositions against what representatives are told."""
    return (one for one in consent.oppositions if one.against is Against.REPRESENTATIVES)


def is_kept_from_representatives(consent: Consent, item: Item) -> bool:
    """Return whether an item is one of which the person does not want their representatives to be told."""
    if not consent.oppositions:
        return False
    authors = (item.author_id, item.organization_id)
    return any(one.covers(item, authors, item.care_on) for one in opposed_to_representatives(consent))

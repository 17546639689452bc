"""Which records are of one dose: it may be told by the card, by documents, and by two sites.

Two records are of one dose when they share an identifier; or when different parties recorded them, or one of them
comes from a document, they were given on the same day (a day fits its month and year), protect against the same, or
one against a part of what the other does, and do not name two lots. What one party recorded directly twice stays two
doses: it is for them to correct, since two injections on one day exist.
"""

from collections.abc import Iterable

from esante.services.vaccination.card.model import Dose, MatchedDose
from esante.services.vaccination.products.catalogue import normal_lot


def is_same_dose(one: Dose, other: Dose) -> bool:
    """Return whether two records may be of one dose. Symmetric, and not transitive."""
    if one.status is not other.status:
        return False
    if one.identifiers & other.identifiers:
        return True
    if one.source_id == other.source_id:
        return False
    if one.author.party == other.author.party and not (one.from_document or other.from_document):
        return False
    return (
        _is_same_time(one.occurred, other.occurred) and _is_same_vaccine(one, other) and not _lots_differ(one, other)
    )


def match_doses(doses: Iterable[Dose]) -> list[MatchedDose]:
    """Return each dose once, the latest first, whatever the order in which they come.

    A record belongs to a dose when it is the same as every other record of that dose.
    """
    groups: list[list[Dose]] = []
    for dose in sorted(doses, key=_reliability):
        fitting = [group for group in groups if all(is_same_dose(dose, other) for other in group)]
        if fitting:
            max(fitting, key=lambda group: _likeness(dose, group[0])).append(dose)
        else:
            groups.append([dose])
    matched = [MatchedDose(group[0], tuple(group[1:])) for group in groups]
    return sorted(matched, key=lambda one: (one.shown.occurred, one.shown.id.bytes), reverse=True)


def _reliability(dose: Dose) -> tuple[object, ...]:
    """Return the order in which records stand for a dose: who gave it first, a patient's own word last."""
    return (
        not dose.identifiers,
        not dose.given_here,
        not dose.confirmed,
        dose.from_document,
        -len(dose.occurred),
        not dose.lot,
        dose.recorded_at,
        dose.id.bytes,
        dose.source_id.bytes,
    )


def _is_same_time(one: str, other: str) -> bool:
    one, other = one[:10], other[:10]
    return bool(one and other) and (one.startswith(other) or other.startswith(one))


def _is_same_vaccine(one: Dose, other: Dose) -> bool:
    if one.antigens and other.antigens:
        first, second = set(one.antigens), set(other.antigens)
        return first <= second or second <= first
    return one.name.casefold() == other.name.casefold()


def _lots_differ(one: Dose, other: Dose) -> bool:
    first, second = normal_lot(one.lot), normal_lot(other.lot)
    return bool(first and second) and first != second


def _likeness(dose: Dose, other: Dose) -> tuple[bool, bool, bool]:
    return (
        bool(dose.identifiers & other.identifiers),
        normal_lot(dose.lot) == normal_lot(other.lot),
        dose.occurred[:10] == other.occurred[:10],
    )

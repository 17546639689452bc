"""Which records are of one dose: it may be told by the card, by documents, and by two sites.

Two records are of one dose when they share an identifier; or when different parties recorded them, or one of them
comes from a document, they were given on the same day (a day fits its month and year), protect against the same, or
one against a part of what the other does, and do not name two lots. What one party recorded directly twice stays two
doses: it is for them to correct, since two injections on one day exist.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

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
    by_trait: defaultdict[object, list[int]] = defaultdict(list)
    for dose in sorted(doses, key=_reliability):
        near = sorted({number for trait in _searched_traits(dose) for number in by_trait[trait]})
        fitting = [number for number in near if all(is_same_dose(dose, other) for other in groups[number])]
        if fitting:
            number = max(fitting, key=lambda number: _likeness(dose, groups[number][0]))
            groups[number].append(dose)
        else:
            number = len(groups)
            groups.append([dose])
        for trait in _known_traits(dose):
            by_trait[trait].append(number)
    matched = [MatchedDose(group[0], tuple(group[1:])) for group in groups]
    return sorted(matched, key=lambda one: (one.shown.occurred, one.shown.id.bytes), reverse=True)


def _known_traits(dose: Dose) -> Iterator[object]:
    """Yield by what a record is found: its identifiers, its date, and the month and year that it lies in."""
    yield from dose.identifiers
    yield from (("in", dose.occurred[:length]) for length in (4, 7, 10) if len(dose.occurred) >= length)
    yield "on", dose.occurred[:10]


def _searched_traits(dose: Dose) -> Iterator[object]:
    """Yield the traits of all records that may be of the same dose."""
    yield from dose.identifiers
    yield "in", dose.occurred[:10]
    yield from (("on", dose.occurred[:length]) for length in (4, 7, 10) if len(dose.occurred) >= length)


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

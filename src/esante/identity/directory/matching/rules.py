"""Pure rules: how the traits of two entries agree, and how sure it is that they are of one person."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

from esante.identity.directory.matching.model import ABSENT, TRAITS, Agreement, Match, Traits, TraitWeight
from esante.identity.directory.matching.weights import MatchWeights
from esante.identity.directory.model import Address, Identifier, Person
from esante.identity.directory.rules import normalize_name

SHORTEST_SIMILAR = 4
"""Letters of a name from which on one wrong letter still leaves it similar."""
_STATED_SEXES = ("male", "female", "other")


def traits_of(person: Person, matricule_system: str) -> Traits:
    """Return the traits of an entry of the directory."""
    return make_traits(
        identifiers=person.identifiers,
        family=person.family,
        given=person.given,
        birth_date=person.birth_date,
        sex=person.sex,
        address=person.address,
        matricule_system=matricule_system,
    )


def make_traits(
    *,
    identifiers: Iterable[Identifier],
    family: str,
    given: Sequence[str],
    birth_date: date | None,
    sex: str,
    address: Address,
    matricule_system: str,
) -> Traits:
    """Return traits from values as they are written; of several matricules the longest one counts."""
    known = set(identifiers)
    numbers = sorted((one.value for one in known if one.system == matricule_system), key=lambda one: (-len(one), one))
    return Traits(
        matricule=numbers[0] if numbers else "",
        identifiers=frozenset(one for one in known if one.system != matricule_system),
        family=normalize_name(family),
        given=normalize_name(" ".join(given)),
        birth_date=birth_date,
        sex=sex if sex in _STATED_SEXES else "",
        street=normalize_name(address.line),
        postal_code="".join(char for char in address.postal_code if char.isalnum()).upper(),
    )


def compare(one: Traits, other: Traits, weights: MatchWeights) -> Agreement:
    """Return how two entries agree; the order of the two makes no difference."""
    levels = {
        "identifier": "same" if one.identifiers & other.identifiers else ABSENT,
        "matricule": _matricule_level(one.matricule, other.matricule),
        "family": _family_level(one.family, other.family),
        "given": _given_level(one, other),
        "birth_date": _date_level(one.birth_date, other.birth_date),
        "sex": _plain_level(one.sex, other.sex),
        "address": _address_level(one, other),
    }
    found = tuple(TraitWeight(trait, levels[trait], weights.bits(trait, levels[trait])) for trait in TRAITS)
    bits = weights.prior_bits + sum(weight.bits for weight in found)
    return Agreement(weights=found, bits=bits, grade=_grade(levels, bits, weights))


def _grade(levels: dict[str, str], bits: float, weights: MatchWeights) -> str:
    proved = any(all(levels[trait] in names for trait, names in table.items()) for table in weights.certain)
    if proved and bits >= weights.certain_bits:
        return "certain"
    if bits >= weights.probable_bits:
        return "probable"
    return "possible" if bits >= weights.possible_bits else "certainly-not"


def rank(matches: Iterable[Match]) -> list[Match]:
    """Return the matches that are at least possible, best first.

    A certain one is only probable where another is certain too, or where no identifier proves it and another is
    probable.
    """
    found = sorted(
        (match for match in matches if match.agreement.grade != "certainly-not"),
        key=lambda match: (-match.agreement.bits, match.person.id),
    )
    likely = sum(match.agreement.grade in ("certain", "probable") for match in found)
    certain = [match for match in found if match.agreement.grade == "certain"]
    if len(certain) > 1 or (likely > 1 and certain and not _is_identified(certain[0].agreement)):
        return [
            replace(match, agreement=replace(match.agreement, grade="probable")) if match in certain else match
            for match in found
        ]
    return found


def _is_identified(agreement: Agreement) -> bool:
    """Return whether an identifier is the same."""
    return any(weight.level == "same" for weight in agreement.weights if weight.trait in ("identifier", "matricule"))


def _plain_level(one: str, other: str) -> str:
    if not one or not other:
        return ABSENT
    return "same" if one == other else "different"


def _matricule_level(one: str, other: str) -> str:
    if len(one) != len(other):  # the old form of 11 digits says nothing about the new one of 13
        return ABSENT
    level = _plain_level(one, other)
    return "similar" if level == "different" and is_one_edit(one, other) else level


def _family_level(one: str, other: str) -> str:
    level = _plain_level(one, other)
    if level != "different":
        return level
    words, others = set(one.split()), set(other.split())
    if words <= others or others <= words:
        return "contained"
    return "similar" if _are_similar(one, other) else "different"


def _given_level(one: Traits, other: Traits) -> str:
    level = _plain_level(one.given, other.given)
    if level != "different":
        return level
    first, second = one.first_given, other.first_given
    if first == second:
        return "first"
    if first in other.given.split() or second in one.given.split():
        return "contained"
    if 1 in (len(first), len(second)) and first[0] == second[0]:
        return "initial"
    return "similar" if _are_similar(first, second) else "different"


def _date_level(one: date | None, other: date | None) -> str:
    if one is None or other is None:
        return ABSENT
    if one == other:
        return "same"
    swapped = one.year == other.year and (one.month, one.day) == (other.day, other.month)
    return "near" if swapped or is_one_edit(_digits(one), _digits(other)) else "different"


def _address_level(one: Traits, other: Traits) -> str:
    level = _plain_level(one.postal_code, other.postal_code)
    if level != "same":
        return level
    return "same" if one.street and one.street == other.street else "postal_code"


def _are_similar(one: str, other: str) -> bool:
    return min(len(one), len(other)) >= SHORTEST_SIMILAR and is_one_edit(one, other)


def is_one_edit(one: str, other: str) -> bool:
    """Return whether one letter is wrong, missing or too many, or two neighbours are swapped; False when equal."""
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) > 1 or one == other:
        return False
    start = next((place for place, char in enumerate(short) if char != long[place]), len(short))
    if len(short) < len(long):
        return short[start:] == long[start + 1 :]
    if short[start + 1 :] == long[start + 1 :]:
        return True
    return short[start : start + 2] == long[start : start + 2][::-1] and short[start + 2 :] == long[start + 2 :]


def near_dates(day: date) -> list[date]:
    """Return a day, and all days of which the comparison says that they are near it."""
    found = {day, date(day.year, day.day, day.month)} if day.day <= 12 else {day}
    digits = _digits(day)
    candidates = {
        digits[:place] + char + digits[place + 1 :] for place in range(len(digits)) for char in "0123456789"
    } | {digits[:place] + digits[place + 1] + digits[place] + digits[place + 2 :] for place in range(len(digits) - 1)}
    return sorted(found | {made for text in candidates if (made := _parse_digits(text)) is not None})


def _digits(day: date) -> str:
    return f"{day.year:04}{day.month:02}{day.day:02}"


def _parse_digits(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None

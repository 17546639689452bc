"""Comparison of what a document says of its patient, in coded form, with the person of the record."""

import re
from collections.abc import Collection, Iterable
from datetime import date

from esante.identity.directory import Person, catalogue, matricule_faults
from esante.services.record.identification.model import Comparison, Demographics, Difference, PersonName, Trait
from esante.services.record.identification.names import is_same_name

_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_COMPARED_SEXES = frozenset({"female", "male"})
Identifiers = Iterable[tuple[str, str]]
"""Pairs of system and value."""


def compare(person: Person, said: Demographics) -> Comparison:
    """Return in what a document differs from a person.

    Differs: an identifier of a system of which the person has another one; the name; the birth date; the sex, which
    is compared only where all else agrees, since it tells nothing more beside another name or birth date. What is
    missing on either side does not differ, nor does a birth date of less precision that fits. Only identifiers, or
    name and whole birth date together, confirm that it is the person.
    """
    differences, has_identifier = _compare_identifiers(person, said.identifiers)
    name = has_name(person, said.names)
    if name is False:
        differences.append(Difference(Trait.NAME, said.names[0].whole))
    day = is_on_day(said.birth_date, person.birth_date)
    if day is False:
        differences.append(Difference(Trait.BIRTH_DATE, said.birth_date))
    sexes = {said.sex, person.sex}
    if not differences and len(sexes) == 2 and sexes <= _COMPARED_SEXES:
        differences.append(Difference(Trait.SEX, said.sex))
    named = name is True and said.birth_date[:10] == person.birth_date.isoformat()
    return Comparison(tuple(differences), (has_identifier or named) and not differences)


def compare_with_nobody(identifiers: Identifiers, said: Demographics) -> Comparison:
    """Return in what a document differs from a person who is not known.

    Answers are to be the same as for somebody who is known, but of whom nothing was guessed right apart from the
    `identifiers` by which they were looked up.
    """
    known = {(system, _squeeze(value)) for system, value in identifiers}
    differences = [
        Difference(Trait.IDENTIFIER, value, severe=True)
        for system, value in said.identifiers
        if is_matricule(system, value) and (system, _squeeze(value)) not in known
    ][:1]
    if said.names:
        differences.append(Difference(Trait.NAME, said.names[0].whole))
    if _DATE.match(said.birth_date):
        differences.append(Difference(Trait.BIRTH_DATE, said.birth_date))
    if not differences and said.sex in _COMPARED_SEXES:
        differences.append(Difference(Trait.SEX, said.sex))
    return Comparison(tuple(differences))


def has_name(person: Person, names: Iterable[PersonName]) -> bool | None:
    """Return whether one of some names may be the person's; None where none can be compared."""
    own = PersonName(family=person.family, given=person.given)
    results = {is_same_name(own, name) for name in names}
    return True if True in results else False if False in results else None


def is_on_day(text: str, day: date) -> bool | None:
    """Return whether a FHIR date of any precision may be the day; None for a text that is no date.

    A month or day of 00 is not known, as in a matricule.
    """
    found = _DATE.match(text)
    if found is None:
        return None
    parts = zip(found.groups(), (day.year, day.month, day.day), strict=True)
    return all(part is None or int(part) in (own, 0) for part, own in parts)


def is_matricule(system: str, value: str) -> bool:
    """Return whether an identifier is a matricule of 13 digits with both its check digits."""
    squeezed = _squeeze(value)
    return system == matricule_system() and len(squeezed) == 13 and not matricule_faults(squeezed)


def matricule_system() -> str:
    """Return the URI of the system of matricules."""
    return catalogue().system("matricule").uri


def _compare_identifiers(person: Person, identifiers: Identifiers) -> tuple[list[Difference], bool]:
    """Return the first identifier that differs, and whether one is the person's.

    A matricule is compared with one of as many digits: the old form has eleven.
    """
    own: dict[tuple[str, int], set[str]] = {}
    for identifier in person.identifiers:
        own.setdefault(_comparable(identifier.system, identifier.value), set()).add(identifier.value)
    given: dict[tuple[str, int], list[str]] = {}
    for system, value in identifiers:
        given.setdefault(_comparable(system, _squeeze(value)), []).append(_squeeze(value))
    differing: list[Difference] = []
    same = False
    for key, values in given.items():
        if key in own and own[key].isdisjoint(values):
            differing += _as_differences(key[0], values)
        same = same or (key in own and not own[key].isdisjoint(values))
    differing.sort(key=lambda difference: not difference.severe)
    return differing[:1], same


def _as_differences(system: str, values: Collection[str]) -> list[Difference]:
    return [Difference(Trait.IDENTIFIER, value, severe=is_matricule(system, value)) for value in values]


def _comparable(system: str, value: str) -> tuple[str, int]:
    """Return what two identifiers have in common that can be compared."""
    return system, len(value) if system == matricule_system() else 0


def _squeeze(value: str) -> str:
    return "".join(value.split())

"""Pure rules of identity: check digits of the matricule, forms of identifiers, and names as they are compared."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import date
from itertools import product

from esante.core.web import N_
from esante.identity.directory.model import (
    Address,
    Catalogue,
    Fault,
    Identifier,
    Organization,
    Person,
    PersonQuery,
    Practitioner,
    Role,
    System,
)

MAX_NAME = 200
MAX_IDENTIFIER = 200
SEXES = ("male", "female", "other", "unknown")

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_DIGITS = re.compile(r"[0-9]+")

FORM = Fault("form", N_("The identifier does not have the form of its system."), hard=True)
DATE = Fault("date", N_("The matricule does not begin with a date."))
MOD_11 = Fault("mod11", N_("The check digit of the 11-digit matricule is wrong."))
LUHN = Fault("luhn", N_("The first check digit of the matricule (Luhn) is wrong."))
VERHOEFF = Fault("verhoeff", N_("The second check digit of the matricule (Verhoeff) is wrong."))
LONG = Fault("long", N_("The value is too long."), hard=True)
UNPRINTABLE = Fault("unprintable", N_("The value holds characters that cannot be printed."), hard=True)
EMPTY = Fault("empty", N_("A value is missing."), hard=True)
SYSTEM = Fault("system", N_("The identifier's system is not an absolute address (URI)."), hard=True)
SEX = Fault("sex", N_("The sex is not one of male, female, other, unknown."), hard=True)
FUTURE = Fault("future", N_("The date lies in the future."), hard=True)
LANGUAGE = Fault("language", N_("The language is not a BCP 47 code."), hard=True)
TERM = Fault("term", N_("The key is not in the list of professions, organisations and specialities."), hard=True)
PERIOD = Fault("period", N_("A role ends before it begins."), hard=True)


# Check digits ---------------------------------------------------------------------------------------------


def _dihedral(a: int, b: int) -> int:
    """The product in the dihedral group of the pentagon: 0-4 are rotations, 5-9 reflections."""
    if a < 5:
        return (a + b) % 5 + (5 if b >= 5 else 0)
    return (a - b) % 5 + (0 if b >= 5 else 5)


def _positions() -> list[list[int]]:
    step = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    rows = [list(range(10))]
    for _ in range(7):
        rows.append([step[digit] for digit in rows[-1]])
    return rows


_PRODUCT = {(a, b): _dihedral(a, b) for a, b in product(range(10), repeat=2)}
_INVERSE = {a: b for (a, b), result in _PRODUCT.items() if result == 0}
_POSITION = _positions()


def verhoeff_digit(digits: str) -> str:
    """The digit that completes `digits` after J. Verhoeff, "Error Detecting Decimal Codes" (1969)."""
    state = 0
    for place, digit in enumerate(reversed(digits), 1):
        state = _PRODUCT[state, _POSITION[place % 8][int(digit)]]
    return str(_INVERSE[state])


def luhn_digit(digits: str) -> str:
    """The digit that completes `digits` after Luhn (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def old_digits(digits: str) -> set[str]:
    """The check digits that the 10 first digits of an 11-digit matricule may have.

    Modulo 11 with three series: when the serial numbers of a day were used up, the digit was taken from 12,
    then from 13, instead of from 11 (structure of the identity number, law of 30 March 1979). A series whose
    remainder would give 10 did not give out that number.
    """
    weights = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
    remainder = sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True)) % 11
    found = {(base - remainder) % 11 for base in (11, 12, 13)}
    return {str(digit) for digit in found if digit < 10}


def matricule(birth_date: date, serial: int) -> str:
    """The 13-digit matricule of a birth date and a serial number from 0 to 999, with both check digits."""
    if not 0 <= serial <= 999:
        raise ValueError("the serial number of a matricule has three digits")
    digits = f"{birth_date.year:04}{birth_date:%m%d}{serial:03}"
    return digits + luhn_digit(digits) + verhoeff_digit(digits)


def matricule_faults(value: str) -> tuple[Fault, ...]:
    """What is wrong with a matricule of 13 digits (or 11, the old form); empty when nothing is.

    13 digits are YYYYMMDD, three digits, a Luhn digit and a Verhoeff digit, both over the first eleven. Month
    or day are 00 where they are not known.
    """
    if not _DIGITS.fullmatch(value) or len(value) not in (11, 13):
        return (FORM,)
    found = [] if _date_holds(value[:8]) else [DATE]
    if len(value) == 11:
        return (*found, *(() if value[10] in old_digits(value[:10]) else (MOD_11,)))
    if value[11] != luhn_digit(value[:11]):
        found.append(LUHN)
    if value[12] != verhoeff_digit(value[:11]):
        found.append(VERHOEFF)
    return tuple(found)


def _date_holds(digits: str) -> bool:
    year, month, day = int(digits[:4]), int(digits[4:6]), int(digits[6:8])
    try:
        date(year, month or 1, day or 1)
    except ValueError:
        return False
    return True


# Identifiers ----------------------------------------------------------------------------------------------

_CHECKS = {"matricule": matricule_faults}


def canonical(identifier: Identifier, systems: Sequence[System]) -> Identifier:
    """The identifier as it is stored and compared: without blanks and without its system's separators."""
    system = _system(identifier, systems)
    separators = system.separators if system else ""
    value = "".join(char for char in identifier.value if not char.isspace() and char not in separators)
    return Identifier(identifier.system.strip(), value)


def identifier_faults(identifier: Identifier, systems: Sequence[System]) -> tuple[Fault, ...]:
    """What is wrong with a canonical identifier; a system that is not in the list is taken as it comes."""
    if faults := text_faults(identifier.value, MAX_IDENTIFIER) or text_faults(identifier.system, MAX_IDENTIFIER):
        return faults
    if not _URI.fullmatch(identifier.system):
        return (SYSTEM,)
    system = _system(identifier, systems)
    if system is None:
        return ()
    if not re.fullmatch(system.format, identifier.value, re.ASCII):
        return (FORM,)
    return _CHECKS[system.check](identifier.value) if system.check else ()


def _system(identifier: Identifier, systems: Sequence[System]) -> System | None:
    return next((system for system in systems if system.uri == identifier.system.strip()), None)


# Names and traits -----------------------------------------------------------------------------------------


def normalised(text: str) -> str:
    """A name as it is compared: without accents, case and punctuation, its words parted by one blank."""
    folded = _decomposed(_decomposed(text).casefold())
    return " ".join("".join(char if char.isalnum() else " " for char in folded).split())


def _decomposed(text: str) -> str:
    """Compatibility decomposition without the marks."""
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


def begins(text: str, name: str) -> bool:
    """Whether each word of a text begins a word of a name."""
    words = normalised(name).split()
    return all(any(word.startswith(wanted) for word in words) for wanted in normalised(text).split())


def text_faults(text: str, longest: int = MAX_NAME) -> tuple[Fault, ...]:
    """What is wrong with one line of text that must be there."""
    if not text.strip():
        return (EMPTY,)
    return optional_text_faults(text, longest)


def optional_text_faults(text: str, longest: int = MAX_NAME) -> tuple[Fault, ...]:
    """What is wrong with one line of text that may be empty."""
    if len(text) > longest:
        return (LONG,)
    return () if text.isprintable() else (UNPRINTABLE,)


Found = tuple[str, Fault]
"""A fault with the field where it is."""


def person_faults(person: Person, today: date, catalogue: Catalogue) -> list[Found]:
    """What is wrong with a person's entry."""
    found = _names_faults(person.family, person.given) + _address_faults(person.address)
    found += [("languages", LANGUAGE) for language in person.languages if not _LANGUAGE.fullmatch(language)]
    found += _identifiers_faults(person.identifiers, catalogue)
    if person.sex not in SEXES:
        found.append(("sex", SEX))
    if person.birth_date > today:
        found.append(("birth_date", FUTURE))
    if person.deceased_at and person.deceased_at.date() > today:
        found.append(("deceased_at", FUTURE))
    return found


def practitioner_faults(practitioner: Practitioner, catalogue: Catalogue) -> list[Found]:
    """What is wrong with a practitioner's entry and his or her roles."""
    found = _names_faults(practitioner.family, practitioner.given)
    found += [("title", fault) for fault in optional_text_faults(practitioner.title)]
    found += [("languages", LANGUAGE) for language in practitioner.languages if not _LANGUAGE.fullmatch(language)]
    found += _identifiers_faults(practitioner.identifiers, catalogue)
    found += _work_faults("", practitioner, catalogue)
    for place, role in enumerate(practitioner.roles):
        found += _work_faults(f"roles[{place}].", role, catalogue)
        if role.until is not None and role.until < role.since:
            found.append((f"roles[{place}].until", PERIOD))
    return found


def organization_faults(organization: Organization, catalogue: Catalogue) -> list[Found]:
    """What is wrong with an organisation's entry."""
    found = [("name", fault) for fault in text_faults(organization.name)] + _address_faults(organization.address)
    found += _identifiers_faults(organization.identifiers, catalogue)
    if organization.kind not in catalogue.organization_kinds:
        found.append(("kind", TERM))
    return found


def _names_faults(family: str, given: Sequence[str]) -> list[Found]:
    found = [("family", fault) for fault in text_faults(family)]
    for place, name in enumerate(given):
        found += [(f"given[{place}]", fault) for fault in text_faults(name)]
    return found


def _address_faults(address: Address) -> list[Found]:
    parts = {
        "line": address.line,
        "postal_code": address.postal_code,
        "city": address.city,
        "country": address.country,
    }
    return [(f"address.{name}", fault) for name, text in parts.items() for fault in optional_text_faults(text)]


def _identifiers_faults(identifiers: Sequence[Identifier], catalogue: Catalogue) -> list[Found]:
    return [
        (f"identifiers[{place}]", fault)
        for place, identifier in enumerate(identifiers)
        for fault in identifier_faults(identifier, catalogue.systems)
    ]


def _work_faults(place: str, work: Practitioner | Role, catalogue: Catalogue) -> list[Found]:
    found = [] if work.profession in catalogue.professions else [(f"{place}profession", TERM)]
    unknown = any(speciality not in catalogue.specialities for speciality in work.specialities)
    return [*found, (f"{place}specialities", TERM)] if unknown else found


def matches(person: Person, query: PersonQuery) -> bool:
    """Whether a person has everything a query asks for; a given name may be the first, or all of them."""
    given = [normalised(" ".join(person.given)), *map(normalised, person.given[:1])]
    tests = (
        query.id is None or person.id == query.id,
        query.value is None or _has(person, query.system, query.value),
        query.family is None or normalised(person.family) == normalised(query.family),
        query.given is None or normalised(query.given) in given,
        query.birth_date is None or person.birth_date == query.birth_date,
        query.sex is None or person.sex == query.sex,
    )
    return all(tests)


def _has(person: Person, system: str | None, value: str) -> bool:
    return any(identifier.value == value and system in (None, identifier.system) for identifier in person.identifiers)

"""Pure rules of identity: the matricule, formats of identifiers, normalisation of names."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import date

from esante.core.check_digits import luhn_digit, verhoeff_digit
from esante.core.time_zone import day_of
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

FORM = Fault("form", N_("The identifier does not have the right format for its system."), hard=True)
DATE = Fault("date", N_("The matricule does not begin with a date."))
MOD_11 = Fault("mod11", N_("The check digit of the 11-digit matricule is wrong."))
LUHN = Fault("luhn", N_("The first check digit of the matricule (Luhn) is wrong."))
VERHOEFF = Fault("verhoeff", N_("The second check digit of the matricule (Verhoeff) is wrong."))
LONG = Fault("long", N_("The value is too long."), hard=True)
UNPRINTABLE = Fault("unprintable", N_("The value contains characters that cannot be displayed."), hard=True)
EMPTY = Fault("empty", N_("A value is missing."), hard=True)
SYSTEM = Fault("system", N_("The identifier's system is not an absolute address (URI)."), hard=True)
SEX = Fault("sex", N_("Sex must be male, female, other or unknown."), hard=True)
FUTURE = Fault("future", N_("The date is in the future."), hard=True)
LANGUAGE = Fault("language", N_("The language is not a BCP 47 code."), hard=True)
TERM = Fault("term", N_("The key is not in the list of professions, organisations and specialties."), hard=True)
PERIOD = Fault("period", N_("The end date of a role is before its start date."), hard=True)


# Check digits ---------------------------------------------------------------------------------------------


def old_check_digits(digits: str) -> set[str]:
    """Return the valid check digits for the first 10 digits of an 11-digit matricule.

    Modulo 11 with three series: when the serial numbers of a day were used up, the remainder was subtracted from 12,
    then from 13, instead of from 11 (structure of the identity number, law of 30 March 1979). A number for which a
    series gives 10 was not issued in that series.
    """
    weights = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
    remainder = sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True)) % 11
    found = {(base - remainder) % 11 for base in (11, 12, 13)}
    return {str(digit) for digit in found if digit < 10}


def matricule(birth_date: date, serial: int) -> str:
    """Return the 13-digit matricule of a birth date and a serial number from 0 to 999, with both check digits.

    Raises: ValueError when the serial number has more than three digits.
    """
    if not 0 <= serial <= 999:
        raise ValueError(f"the serial number of a matricule has three digits: 0 to 999, not {serial}")
    digits = f"{birth_date.year:04}{birth_date:%m%d}{serial:03}"
    return digits + luhn_digit(digits) + verhoeff_digit(digits)


def matricule_faults(value: str) -> tuple[Fault, ...]:
    """Return the faults of a matricule of 13 digits, or of 11 (the old form).

    13 digits are YYYYMMDD, three digits of the serial number, a Luhn digit and a Verhoeff digit, both over the first
    eleven. Month or day are 00 where they are not known.
    """
    if not _DIGITS.fullmatch(value) or len(value) not in (11, 13):
        return (FORM,)
    found = [] if _is_date(value[:8]) else [DATE]
    if len(value) == 11:
        return (*found, *(() if value[10] in old_check_digits(value[:10]) else (MOD_11,)))
    if value[11] != luhn_digit(value[:11]):
        found.append(LUHN)
    if value[12] != verhoeff_digit(value[:11]):
        found.append(VERHOEFF)
    return tuple(found)


def _is_date(digits: str) -> bool:
    """Return whether YYYYMMDD is a day of the calendar; month and day may be 00."""
    year, month, day = int(digits[:4]), int(digits[4:6]), int(digits[6:8])
    try:
        date(year, month or 1, day or 1)
    except ValueError:
        return False
    return True


# Identifiers ----------------------------------------------------------------------------------------------

_CHECKS = {"matricule": matricule_faults}


def canonicalize_identifier(identifier: Identifier, systems: Sequence[System]) -> Identifier:
    """Return an identifier as it is stored and compared: without blanks and the separators of its system."""
    system = _find_system(identifier, systems)
    separators = system.separators if system else ""
    value = "".join(char for char in identifier.value if not char.isspace() and char not in separators)
    return Identifier(identifier.system.strip(), value)


def identifier_faults(identifier: Identifier, systems: Sequence[System]) -> tuple[Fault, ...]:
    """Return the faults of a canonical identifier; the format of a system that is not in the list is not checked."""
    if faults := text_faults(identifier.value, MAX_IDENTIFIER) or text_faults(identifier.system, MAX_IDENTIFIER):
        return faults
    if not _URI.fullmatch(identifier.system):
        return (SYSTEM,)
    system = _find_system(identifier, systems)
    if system is None:
        return ()
    if not re.fullmatch(system.format, identifier.value, re.ASCII):
        return (FORM,)
    return _CHECKS[system.check](identifier.value) if system.check else ()


def _find_system(identifier: Identifier, systems: Sequence[System]) -> System | None:
    return next((system for system in systems if system.uri == identifier.system.strip()), None)


# Names and traits -----------------------------------------------------------------------------------------


def normalize_name(text: str) -> str:
    """Return a name as it is compared: without accents, case and punctuation, its words separated by one blank."""
    folded = _decomposed(_decomposed(text).casefold())
    return " ".join("".join(char if char.isalnum() else " " for char in folded).split())


def _decomposed(text: str) -> str:
    """Return the compatibility decomposition (Unicode NFKD) of a text without its combining marks."""
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


def has_word_prefixes(text: str, name: str) -> bool:
    """Return whether each word of a text is the beginning of a word of a name.

    An empty text is a part of every name; one of punctuation alone, which has no word, is a part of none.
    """
    words, wanted = normalize_name(name).split(), normalize_name(text).split()
    if text.strip() and not wanted:
        return False
    return all(any(word.startswith(each) for word in words) for each in wanted)


def text_faults(text: str, longest: int = MAX_NAME) -> tuple[Fault, ...]:
    """Return the faults of one line of text that is required."""
    if not text.strip():
        return (EMPTY,)
    return optional_text_faults(text, longest)


def optional_text_faults(text: str, longest: int = MAX_NAME) -> tuple[Fault, ...]:
    """Return the faults of one line of text that may be empty."""
    if len(text) > longest:
        return (LONG,)
    return () if text.isprintable() else (UNPRINTABLE,)


FieldFault = tuple[str, Fault]
"""The path of a field in an entry, and a fault of that field."""


def person_faults(person: Person, today: date, catalogue: Catalogue) -> list[FieldFault]:
    """Return the faults of a person's entry."""
    found = _names_faults(person.family, person.given) + _address_faults(person.address)
    found += [("languages", LANGUAGE) for language in person.languages if not _LANGUAGE.fullmatch(language)]
    found += _identifiers_faults(person.identifiers, catalogue)
    if person.sex not in SEXES:
        found.append(("sex", SEX))
    if person.birth_date > today:
        found.append(("birth_date", FUTURE))
    if person.deceased_at and day_of(person.deceased_at) > today:
        found.append(("deceased_at", FUTURE))
    return found


def practitioner_faults(practitioner: Practitioner, catalogue: Catalogue) -> list[FieldFault]:
    """Return the faults of a practitioner's entry and of their roles."""
    found = _names_faults(practitioner.family, practitioner.given)
    found += [("title", fault) for fault in optional_text_faults(practitioner.title)]
    found += [("languages", LANGUAGE) for language in practitioner.languages if not _LANGUAGE.fullmatch(language)]
    found += _identifiers_faults(practitioner.identifiers, catalogue)
    found += _profession_faults("", practitioner, catalogue)
    for index, role in enumerate(practitioner.roles):
        found += _profession_faults(f"roles[{index}].", role, catalogue)
        if role.until is not None and role.until < role.since:
            found.append((f"roles[{index}].until", PERIOD))
    return found


def organization_faults(organization: Organization, catalogue: Catalogue) -> list[FieldFault]:
    """Return the faults of an organisation's entry."""
    found = [("name", fault) for fault in text_faults(organization.name)] + _address_faults(organization.address)
    found += _identifiers_faults(organization.identifiers, catalogue)
    if organization.kind not in catalogue.organization_kinds:
        found.append(("kind", TERM))
    return found


def _names_faults(family: str, given: Sequence[str]) -> list[FieldFault]:
    found = [("family", fault) for fault in text_faults(family)]
    for index, name in enumerate(given):
        found += [(f"given[{index}]", fault) for fault in text_faults(name)]
    return found


def _address_faults(address: Address) -> list[FieldFault]:
    parts = {
        "line": address.line,
        "postal_code": address.postal_code,
        "city": address.city,
        "country": address.country,
    }
    return [(f"address.{name}", fault) for name, text in parts.items() for fault in optional_text_faults(text)]


def _identifiers_faults(identifiers: Sequence[Identifier], catalogue: Catalogue) -> list[FieldFault]:
    return [
        (f"identifiers[{index}]", fault)
        for index, identifier in enumerate(identifiers)
        for fault in identifier_faults(identifier, catalogue.systems)
    ]


def _profession_faults(place: str, entry: Practitioner | Role, catalogue: Catalogue) -> list[FieldFault]:
    found = [] if entry.profession in catalogue.professions else [(f"{place}profession", TERM)]
    unknown = any(speciality not in catalogue.specialities for speciality in entry.specialities)
    return [*found, (f"{place}specialities", TERM)] if unknown else found


def matches(person: Person, query: PersonQuery) -> bool:
    """Return whether a person meets all criteria of a query; the given name may be the first, or all of them."""
    given = [normalize_name(" ".join(person.given)), *map(normalize_name, person.given[:1])]
    tests = (
        query.id is None or person.id == query.id,
        query.value is None or _has_identifier(person, query.system, query.value),
        query.family is None or normalize_name(person.family) == normalize_name(query.family),
        query.given is None or normalize_name(query.given) in given,
        query.birth_date is None or person.birth_date == query.birth_date,
        query.sex is None or person.sex == query.sex,
    )
    return all(tests)


def _has_identifier(person: Person, system: str | None, value: str) -> bool:
    return any(identifier.value == value and system in (None, identifier.system) for identifier in person.identifiers)

"""Identifiers of invented people from neighbouring countries, in the national formats and with valid check digits."""

import random
from datetime import date

from esante.identity.directory import Identifier

FRENCH_SYSTEM = "urn:oid:1.2.250.1.213.1.4.8"
"""INS-NIR of France."""
BELGIAN_SYSTEM = "https://www.ehealth.fgov.be/standards/fhir/core/NamingSystem/ssin"
GERMAN_SYSTEM = "http://fhir.de/sid/gkv/kvid-10"


def draw_french(rng: random.Random, birth: date, sex: str) -> Identifier:
    """Return an INS-NIR: sex, year, month, department, commune, serial and key (97 minus the number modulo 97)."""
    first = "1" if sex == "male" else "2"
    place = f"{rng.choice((54, 55, 57, 67))}{rng.randrange(1, 700):03}"
    number = f"{first}{birth:%y%m}{place}{rng.randrange(1, 999):03}"
    return Identifier(FRENCH_SYSTEM, f"{number}{97 - int(number) % 97:02}")


def draw_belgian(rng: random.Random, birth: date, sex: str) -> Identifier:
    """Return an SSIN: birth date, serial (odd for men), 97 minus the number modulo 97 (prefixed by 2 from 2000 on)."""
    serial = rng.randrange(1, 499) * 2 - (1 if sex == "male" else 0)
    number = f"{birth:%y%m%d}{serial:03}"
    check = 97 - int(("2" if birth.year >= 2000 else "") + number) % 97
    return Identifier(BELGIAN_SYSTEM, f"{number}{check:02}")


def draw_german(rng: random.Random) -> Identifier:
    """Return a KVID-10: a letter, eight digits, and a check digit of weights 1 and 2 over letter and digits."""
    letter = rng.randrange(26)
    digits = f"{letter + 1:02}{rng.randrange(10**8):08}"
    total = sum(sum(divmod(int(digit) * (1 + place % 2), 10)) for place, digit in enumerate(digits))
    return Identifier(GERMAN_SYSTEM, f"{chr(65 + letter)}{digits[2:]}{total % 10}")


def draw_foreign_identifier(rng: random.Random, country: str, birth: date, sex: str) -> Identifier:
    """Return an identifier of the country (FR, BE or DE)."""
    if country == "FR":
        return draw_french(rng, birth, sex)
    return draw_belgian(rng, birth, sex) if country == "BE" else draw_german(rng)

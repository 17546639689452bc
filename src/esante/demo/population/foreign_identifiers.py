"""Identity numbers of neighbours in their countries' forms, with right check digits, for people who do not exist."""

import random
from datetime import date

from esante.identity.directory import Identifier

FRENCH = "urn:oid:1.2.250.1.213.1.4.8"
"""INS-NIR of France."""
BELGIAN = "https://www.ehealth.fgov.be/standards/fhir/core/NamingSystem/ssin"
GERMAN = "http://fhir.de/sid/gkv/kvid-10"


def french(chance: random.Random, birth: date, sex: str) -> Identifier:
    """Sex, year, month, department, commune, serial and key (97 minus the number modulo 97)."""
    first = "1" if sex == "male" else "2"
    place = f"{chance.choice((54, 55, 57, 67))}{chance.randrange(1, 700):03}"
    number = f"{first}{birth:%y%m}{place}{chance.randrange(1, 999):03}"
    return Identifier(FRENCH, f"{number}{97 - int(number) % 97:02}")


def belgian(chance: random.Random, birth: date, sex: str) -> Identifier:
    """Birth date, serial (odd for men) and 97 minus the number modulo 97, with a 2 before it from 2000 on."""
    serial = chance.randrange(1, 499) * 2 - (1 if sex == "male" else 0)
    number = f"{birth:%y%m%d}{serial:03}"
    check = 97 - int(("2" if birth.year >= 2000 else "") + number) % 97
    return Identifier(BELGIAN, f"{number}{check:02}")


def german(chance: random.Random) -> Identifier:
    """A letter, eight digits, and a check digit of weights 1 and 2 over the letter's two digits and the rest."""
    letter = chance.randrange(26)
    digits = f"{letter + 1:02}{chance.randrange(10**8):08}"
    total = sum(sum(divmod(int(digit) * (1 + place % 2), 10)) for place, digit in enumerate(digits))
    return Identifier(GERMAN, f"{chr(65 + letter)}{digits[2:]}{total % 10}")


def foreign(chance: random.Random, country: str, birth: date, sex: str) -> Identifier:
    """An identifier of FR, BE or DE."""
    if country == "FR":
        return french(chance, birth, sex)
    return belgian(chance, birth, sex) if country == "BE" else german(chance)

"""The persons: names by origin, an age pyramid, communes, languages, identifiers, and their records' states."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from esante.demo.data_tables import table
from esante.demo.model import Citizen
from esante.demo.population.foreign_identifiers import foreign
from esante.demo.population.signin_personas import PATIENTS, Patient
from esante.demo.seeded_random import age_on, day_between, key, moment, one, stream, years_before
from esante.identity.directory import Address, Identifier, Person, Practitioner, catalogue, matricule

YEARS = 8
"""How far back the records go."""

AGES: Mapping[tuple[int, int], float] = {
    (0, 4): 4.9,
    (5, 9): 5.2,
    (10, 14): 5.1,
    (15, 19): 5.1,
    (20, 24): 5.9,
    (25, 29): 7.2,
    (30, 34): 8.2,
    (35, 39): 8.1,
    (40, 44): 7.6,
    (45, 49): 7.3,
    (50, 54): 7.3,
    (55, 59): 7.0,
    (60, 64): 5.9,
    (65, 69): 4.6,
    (70, 74): 3.6,
    (75, 79): 2.7,
    (80, 84): 2.1,
    (85, 89): 1.4,
    (90, 99): 0.8,
}
"""Inhabitants of Luxembourg by age in percent, rounded."""

KINDS = {"resident": 90.5, "commuter": 8.0, "visitor": 1.5}
"""Residents; insured people who live across the border; people treated in passing, without a matricule."""

LAST_LETTER = 10
"""How many days ago the letters went out to those whose time to object still runs."""

STATES = {"open": 96.0, "announced": 2.0, "closed": 1.0, "objected": 1.0}
"""States of the records, in percent; the real share of objections and closings is under 0.2 % each."""


def citizens(seed: int, count: int, day: date, staff: Sequence[Practitioner]) -> tuple[Citizen, ...]:
    """`count` persons as of `day`; the first are the patients to sign in as. No two have the same name.

    Each has a general practitioner or paediatrician among the `staff`.
    """
    doctors = {
        speciality: [place for place, doctor in enumerate(staff) if speciality in doctor.specialities]
        for speciality in ("general_medicine", "paediatrics")
    }
    names = {patient.name for patient in PATIENTS} | {practitioner.name for practitioner in staff}
    serials: dict[date, int] = {}
    found = [_persona(seed, number, patient, day, serials) for number, patient in enumerate(PATIENTS[:count])]
    others = (_citizen(seed, number, day, doctors, names, serials) for number in range(len(found), count))
    return (*found, *others)


def _persona(seed: int, number: int, patient: Patient, day: date, serials: dict[date, int]) -> Citizen:
    chance = stream(seed, "persona", number)
    announced = _announced(chance, patient.born, day, early=True)
    person = Person(
        id=key(chance, announced),
        identifiers=(_matricule(patient.born, serials),),
        family=patient.family,
        given=(patient.given,),
        birth_date=patient.born,
        sex=patient.sex,
        address=_home(chance),
        languages=patient.languages,
    )
    conditions = {name: years_before(day, years) for name, years in patient.conditions.items()}
    return Citizen(
        number=number,
        person=person,
        language=patient.languages[0],
        gp=0,
        state="open",
        announced_at=announced,
        conditions=conditions,
        stays={name: years_before(day, years) for name, years in patient.stays.items()},
        rich=True,
    )


def _citizen(
    seed: int,
    number: int,
    day: date,
    doctors: Mapping[str, Sequence[int]],
    names: set[str],
    serials: dict[date, int],
) -> Citizen:
    chance = stream(seed, "person", number)
    kind = one(chance, KINDS)
    country = one(chance, {"FR": 54, "BE": 24, "DE": 22})
    origin = _origin(chance, kind, country)
    born = _born(chance, day, working=kind == "commuter", newborn=number % 250 == 99)
    sex = chance.choice(("female", "male"))
    family, given = _name(chance, origin, sex, names)
    language = one(chance, origin["languages"])
    state = one(chance, STATES)
    announced = _announced(chance, born, day)
    if announced + timedelta(days=31) > _midnight(day) or state == "announced":
        state, announced = "announced", _midnight(day) - timedelta(days=LAST_LETTER, hours=-8)
    if announced.date() <= born:
        state = "none"
    died = _died(chance, born, announced, day) if state == "open" else None
    person = Person(
        id=key(chance, announced),
        identifiers=_identifiers(chance, kind, country, born, sex, serials),
        family=family,
        given=given,
        birth_date=born,
        sex=sex,
        address=_home(chance) if kind == "resident" else _home_abroad(chance, country),
        languages=(language, *({"fr"} - {language})) if chance.random() < 0.7 else (language,),
        deceased_at=died,
    )
    speciality = "paediatrics" if age_on(born, day) < 15 else "general_medicine"
    return Citizen(
        number=number,
        person=person,
        language=language,
        gp=chance.choice(doctors[speciality]),
        state=state,
        announced_at=announced,
        ended_at=_ended(chance, state, announced, day),
        conditions=_conditions(chance, born, sex, day),
    )


def _origin(chance: random.Random, kind: str, country: str) -> dict[str, Any]:
    origins = table("names")
    if kind != "resident" and chance.random() < 0.85:
        return dict(origins[country.lower()])
    return dict(origins[one(chance, {name: origin["weight"] for name, origin in origins.items()})])


def _name(chance: random.Random, origin: dict[str, Any], sex: str, taken: set[str]) -> tuple[str, tuple[str, ...]]:
    """A name nobody has yet: where it is taken, a second given name is added."""
    family = chance.choice(origin["family"])
    given: tuple[str, ...] = (chance.choice(origin[sex]),)
    while (name := " ".join((*given, family))) in taken:
        given = (given[0], chance.choice([other for other in origin[sex] if other != given[0]]))
        family = family if chance.random() < 0.8 else chance.choice(origin["family"])
    taken.add(name)
    return family, given


def _born(chance: random.Random, day: date, *, working: bool, newborn: bool) -> date:
    if newborn:
        return day - timedelta(days=chance.randint(3, 60))
    if working:
        return years_before(day, chance.uniform(20, 62))
    low, high = chance.choices(list(AGES), list(AGES.values()))[0]
    return years_before(day, chance.uniform(low + 0.2, high + 1))


def _died(chance: random.Random, born: date, announced: datetime, day: date) -> datetime | None:
    """When a person died: within two years, and with an open record."""
    age = age_on(born, day)
    earliest, latest = max(announced.date() + timedelta(days=40), day - timedelta(days=700)), day - timedelta(days=3)
    if earliest > latest or chance.random() > (0.002 if age < 60 else 0.03 if age < 80 else 0.15):
        return None
    return moment(chance, day_between(chance, earliest, latest), (0, 24))


def _matricule(born: date, serials: dict[date, int]) -> Identifier:
    """The next matricule of a birth date; serial numbers are spread over the day's thousand."""
    serials[born] = (serials.get(born, born.toordinal() * 7) + 37) % 1000
    return Identifier(catalogue().system("matricule").uri, matricule(born, serials[born]))


def _identifiers(
    chance: random.Random, kind: str, country: str, born: date, sex: str, serials: dict[date, int]
) -> tuple[Identifier, ...]:
    if kind == "resident":
        return (_matricule(born, serials),)
    own = foreign(chance, country, born, sex)
    return (own,) if kind == "visitor" else (_matricule(born, serials), own)


def _home(chance: random.Random) -> Address:
    places = table("places")
    commune = chance.choices(places["communes"], [entry["weight"] for entry in places["communes"]])[0]
    code = f"L-{chance.randint(*commune['codes'])}"
    return Address(f"{chance.randint(1, 140)}, {chance.choice(places['streets'])}", code, commune["city"], "LU")


def _home_abroad(chance: random.Random, country: str) -> Address:
    border = table("places")["border"][country]
    code, town = chance.choice(border["towns"])
    number, street = chance.randint(1, 90), chance.choice(border["streets"])
    line = f"{street} {number}" if country == "DE" else f"{number}, {street}"
    return Address(line, code, town, country)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _announced(chance: random.Random, born: date, day: date, *, early: bool = False) -> datetime:
    """When the letter went out: for most when records began, for newborn and newly arrived people later.

    Letters are sent on the first day of a month.
    """
    start = years_before(day, YEARS) - timedelta(days=chance.randint(35, 95))
    if born > start:
        start = born + timedelta(days=chance.randint(3, 12))
    elif not early and chance.random() < 0.15:
        start += timedelta(days=chance.randrange(YEARS * 330))
    return datetime(start.year + start.month // 12, start.month % 12 + 1, 1, 8, tzinfo=UTC)


def _ended(chance: random.Random, state: str, announced: datetime, day: date) -> datetime | None:
    """When a record was closed, or its opening objected to."""
    if state == "objected":
        return announced + timedelta(days=chance.randint(4, 28), hours=chance.randint(1, 9))
    if state == "closed":
        opened = announced + timedelta(days=31)
        return opened + (_midnight(day) - opened) * chance.uniform(0.2, 0.95)
    return None


def _conditions(chance: random.Random, born: date, sex: str, day: date) -> dict[str, date]:
    """Lasting conditions drawn by age and sex, each with the day it began."""
    age = age_on(born, day)
    found = {}
    for name, condition in table("conditions")["chronic"].items():
        share = max((share for start, share in condition["shares"] if start <= age), default=0.0)
        if condition.get("sex", sex) == sex and chance.random() < share:
            first = max(condition["shares"][0][0], age - 15)
            found[name] = years_before(day, chance.uniform(0.3, max(0.4, age - first)))
    return found

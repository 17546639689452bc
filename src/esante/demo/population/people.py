"""The persons: names, ages, addresses, languages, identifiers, record states and lasting conditions."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from esante.demo.data_tables import load_table
from esante.demo.model import Citizen
from esante.demo.population.foreign_identifiers import draw_foreign_identifier
from esante.demo.population.signin_personas import PATIENTS, PatientPersona
from esante.demo.seeded_random import (
    age_on,
    draw_day,
    draw_moment,
    draw_uuid7,
    draw_weighted,
    random_stream,
    years_before,
)
from esante.identity.directory import Address, Identifier, Person, Practitioner, catalogue, matricule

RECORD_YEARS = 8
"""How many years ago the first records were opened."""

AGE_SHARES: Mapping[tuple[int, int], float] = {
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

KIND_SHARES = {"resident": 90.5, "commuter": 8.0, "visitor": 1.5}
"""In percent: residents; insured people who live abroad; visitors who are treated here, without a matricule."""

LAST_LETTER_DAYS = 10
"""How many days ago the last letters were sent: the period of objection to these still runs."""

STATE_SHARES = {"open": 96.0, "announced": 2.0, "closed": 1.0, "objected": 1.0}
"""States of the records, in percent; the real share of objections and closings is under 0.2 % each."""


def draw_citizens(seed: int, count: int, day: date, staff: Sequence[Practitioner]) -> tuple[Citizen, ...]:
    """Return `count` persons as of `day`, the personas first. No two have the same name.

    Each has a general practitioner or paediatrician among the `staff`.
    """
    doctors = {
        speciality: [place for place, doctor in enumerate(staff) if speciality in doctor.specialities]
        for speciality in ("general_medicine", "paediatrics")
    }
    names = {patient.name for patient in PATIENTS} | {practitioner.name for practitioner in staff}
    serials: dict[date, int] = {}
    personas = [_persona(seed, number, patient, day, serials) for number, patient in enumerate(PATIENTS[:count])]
    others = (_citizen(seed, number, day, doctors, names, serials) for number in range(len(personas), count))
    return (*personas, *others)


def _persona(seed: int, number: int, patient: PatientPersona, day: date, serials: dict[date, int]) -> Citizen:
    rng = random_stream(seed, "persona", number)
    announced = _announced(rng, patient.born, day, early=True)
    person = Person(
        id=draw_uuid7(rng, announced),
        identifiers=(_matricule(patient.born, serials),),
        family=patient.family,
        given=(patient.given,),
        birth_date=patient.born,
        sex=patient.sex,
        address=_home(rng),
        languages=patient.languages,
    )
    conditions = {name: years_before(day, years) for name, years in patient.conditions.items()}
    return Citizen(
        number=number,
        person=person,
        language=patient.languages[0],
        gp_index=0,
        state="open",
        announced_at=announced,
        conditions=conditions,
        stays={name: years_before(day, years) for name, years in patient.stays.items()},
        showcase=True,
    )


def _citizen(
    seed: int,
    number: int,
    day: date,
    doctors: Mapping[str, Sequence[int]],
    names: set[str],
    serials: dict[date, int],
) -> Citizen:
    rng = random_stream(seed, "person", number)
    kind = draw_weighted(rng, KIND_SHARES)
    country = draw_weighted(rng, {"FR": 54, "BE": 24, "DE": 22})
    origin = _origin(rng, kind, country)
    born = _born(rng, day, working=kind == "commuter", newborn=number % 250 == 99)
    sex = rng.choice(("female", "male"))
    family, given = _name(rng, origin, sex, names)
    language = draw_weighted(rng, origin["languages"])
    state = draw_weighted(rng, STATE_SHARES)
    announced = _announced(rng, born, day)
    if announced + timedelta(days=31) > _midnight(day) or state == "announced":
        state, announced = "announced", _midnight(day) - timedelta(days=LAST_LETTER_DAYS, hours=-8)
    if announced.date() <= born:
        state = "none"
    died = _died(rng, born, announced, day) if state == "open" else None
    person = Person(
        id=draw_uuid7(rng, announced),
        identifiers=_identifiers(rng, kind, country, born, sex, serials),
        family=family,
        given=given,
        birth_date=born,
        sex=sex,
        address=_home(rng) if kind == "resident" else _home_abroad(rng, country),
        languages=(language, *({"fr"} - {language})) if rng.random() < 0.7 else (language,),
        deceased_at=died,
    )
    speciality = "paediatrics" if age_on(born, day) < 15 else "general_medicine"
    return Citizen(
        number=number,
        person=person,
        language=language,
        gp_index=rng.choice(doctors[speciality]),
        state=state,
        announced_at=announced,
        ended_at=_ended(rng, state, announced, day),
        conditions=_conditions(rng, born, sex, day),
    )


def _origin(rng: random.Random, kind: str, country: str) -> dict[str, Any]:
    origins = load_table("names")
    if kind != "resident" and rng.random() < 0.85:
        return dict(origins[country.lower()])
    return dict(origins[draw_weighted(rng, {name: origin["weight"] for name, origin in origins.items()})])


def _name(rng: random.Random, origin: dict[str, Any], sex: str, taken: set[str]) -> tuple[str, tuple[str, ...]]:
    """Return a name that is not `taken`, and add it there; a second given name is added where it is needed."""
    family = rng.choice(origin["family"])
    given: tuple[str, ...] = (rng.choice(origin[sex]),)
    while (name := " ".join((*given, family))) in taken:
        given = (given[0], rng.choice([other for other in origin[sex] if other != given[0]]))
        family = family if rng.random() < 0.8 else rng.choice(origin["family"])
    taken.add(name)
    return family, given


def _born(rng: random.Random, day: date, *, working: bool, newborn: bool) -> date:
    if newborn:
        return day - timedelta(days=rng.randint(3, 60))
    if working:
        return years_before(day, rng.uniform(20, 62))
    low, high = rng.choices(list(AGE_SHARES), list(AGE_SHARES.values()))[0]
    return years_before(day, rng.uniform(low + 0.2, high + 1))


def _died(rng: random.Random, born: date, announced: datetime, day: date) -> datetime | None:
    """Return when a person with an open record died, within the last two years; None for most."""
    age = age_on(born, day)
    earliest, latest = max(announced.date() + timedelta(days=40), day - timedelta(days=700)), day - timedelta(days=3)
    if earliest > latest or rng.random() > (0.002 if age < 60 else 0.03 if age < 80 else 0.15):
        return None
    return draw_moment(rng, draw_day(rng, earliest, latest), (0, 24))


def _matricule(born: date, serials: dict[date, int]) -> Identifier:
    """Return the next matricule of a birth date; serial numbers are spread over the thousand of the day."""
    serials[born] = (serials.get(born, born.toordinal() * 7) + 37) % 1000
    return Identifier(catalogue().system("matricule").uri, matricule(born, serials[born]))


def _identifiers(
    rng: random.Random, kind: str, country: str, born: date, sex: str, serials: dict[date, int]
) -> tuple[Identifier, ...]:
    if kind == "resident":
        return (_matricule(born, serials),)
    own = draw_foreign_identifier(rng, country, born, sex)
    return (own,) if kind == "visitor" else (_matricule(born, serials), own)


def _home(rng: random.Random) -> Address:
    places = load_table("places")
    commune = rng.choices(places["communes"], [entry["weight"] for entry in places["communes"]])[0]
    code = f"L-{rng.randint(*commune['codes'])}"
    return Address(f"{rng.randint(1, 140)}, {rng.choice(places['streets'])}", code, commune["city"], "LU")


def _home_abroad(rng: random.Random, country: str) -> Address:
    border = load_table("places")["border"][country]
    code, town = rng.choice(border["towns"])
    number, street = rng.randint(1, 90), rng.choice(border["streets"])
    line = f"{street} {number}" if country == "DE" else f"{number}, {street}"
    return Address(line, code, town, country)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _announced(rng: random.Random, born: date, day: date, *, early: bool = False) -> datetime:
    """Return when the letter was sent: for most with the first records, for newborns and new residents later.

    Letters are sent on the first day of a month.
    """
    start = years_before(day, RECORD_YEARS) - timedelta(days=rng.randint(35, 95))
    if born > start:
        start = born + timedelta(days=rng.randint(3, 12))
    elif not early and rng.random() < 0.15:
        start += timedelta(days=rng.randrange(RECORD_YEARS * 330))
    return datetime(start.year + start.month // 12, start.month % 12 + 1, 1, 8, tzinfo=UTC)


def _ended(rng: random.Random, state: str, announced: datetime, day: date) -> datetime | None:
    """Return when a record was closed or its opening objected to; None for other states."""
    if state == "objected":
        return announced + timedelta(days=rng.randint(4, 28), hours=rng.randint(1, 9))
    if state == "closed":
        opened = announced + timedelta(days=31)
        return opened + (_midnight(day) - opened) * rng.uniform(0.2, 0.95)
    return None


def _conditions(rng: random.Random, born: date, sex: str, day: date) -> dict[str, date]:
    """Return lasting conditions drawn by age and sex, each with the day it began."""
    age = age_on(born, day)
    conditions = {}
    for name, condition in load_table("conditions")["chronic"].items():
        share = max((share for start, share in condition["shares"] if start <= age), default=0.0)
        if condition.get("sex", sex) == sex and rng.random() < share:
            first = max(condition["shares"][0][0], age - 15)
            conditions[name] = years_before(day, rng.uniform(0.3, max(0.4, age - first)))
    return conditions

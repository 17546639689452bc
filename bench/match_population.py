"""A generated population with known duplicates and twins, for the error rate of matching."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from uuid import UUID

from esante.core.storage import uuid7
from esante.demo.data_tables import load_table
from esante.identity.directory import Address, Identifier, Person, catalogue, matricule

HOSPITAL = "urn:example:bench-hospital"
TWINS, DUPLICATES = 0.03, 0.05
"""The share of persons who have a twin, and of those who have a second entry."""


@dataclass(frozen=True, slots=True)
class Population:
    """Entries, and the pairs of keys that are of one person (the smaller key first)."""

    persons: list[Person]
    duplicates: frozenset[tuple[UUID, UUID]]


def draw_population(seed: int, size: int) -> Population:
    """Return about `size` entries: persons with twins at one address, and second entries with errors."""
    random, serials = Random(seed), dict[date, int]()
    persons: list[Person] = []
    pairs = set()
    while len(persons) < size:
        person = _draw_person(random, serials)
        family = [person]
        if random.random() < TWINS:
            family.append(_twin_of(random, person, serials))
        for one in family:
            persons.append(one)
            if random.random() < DUPLICATES:
                again = _second_entry_of(random, one)
                persons.append(again)
                low, high = sorted((one.id, again.id))
                pairs.add((low, high))
    return Population(persons, frozenset(pairs))


def _draw_person(random: Random, serials: dict[date, int]) -> Person:
    origins = load_table("names")
    origin = random.choices(list(origins.values()), [one["weight"] for one in origins.values()])[0]
    sex = random.choice(("female", "male"))
    born = date(1930, 1, 1) + timedelta(days=random.randrange(96 * 365))
    given = [_of_rank(random, origin[sex])]
    if random.random() < 0.3:
        given.append(_of_rank(random, origin[sex]))
    places = load_table("places")
    commune = random.choices(places["communes"], [one["weight"] for one in places["communes"]])[0]
    street = f"{random.randint(1, 140)}, {random.choice(places['streets'])}"
    return Person(
        id=uuid7(),
        identifiers=(_matricule(born, serials),),
        family=_of_rank(random, origin["family"]),
        given=tuple(dict.fromkeys(given)),
        birth_date=born,
        sex=sex,
        address=Address(street, f"L-{random.randint(*commune['codes'])}", commune["city"]),
    )


def _of_rank(random: Random, names: list[str]) -> str:
    """Return a name, the first ones of a list more often."""
    return names[int(len(names) * random.random() ** 2)]


def _matricule(born: date, serials: dict[date, int]) -> Identifier:
    serials[born] = serials.get(born, -1) + 1
    return Identifier(catalogue().system("matricule").uri, matricule(born, serials[born] % 1000))


def _twin_of(random: Random, person: Person, serials: dict[date, int]) -> Person:
    """Return a twin at the same address, sometimes of a very similar given name, sometimes without a matricule."""
    origins = load_table("names")
    sex = person.sex if random.random() < 0.65 else random.choice(("female", "male"))
    names = [name for one in origins.values() for name in one[sex] if name != person.given[0]]
    similar = [name for name in names if name[:3] == person.given[0][:3]]
    given = random.choice(similar if similar and random.random() < 0.3 else names)
    numbers = (_matricule(person.birth_date, serials),) if random.random() < 0.9 else (_local_number(),)
    return replace(person, id=uuid7(), given=(given,), sex=sex, identifiers=numbers)


def _local_number() -> Identifier:
    return Identifier(HOSPITAL, uuid7().hex)


def _second_entry_of(random: Random, person: Person) -> Person:
    """Return a second entry of a person, as another place wrote it: with a local number, and up to some errors."""
    again = replace(person, id=uuid7(), identifiers=tuple(_numbers(random, person)))
    for change in (_family, _given, _birth_date, _address, _sex):
        again = change(random, again)
    return again


def _numbers(random: Random, person: Person) -> Iterator[Identifier]:
    """Yield the numbers of a second entry: mostly a local one alone, sometimes the matricule mistyped."""
    yield _local_number()
    (number,) = person.identifiers
    if number.system != HOSPITAL and random.random() < 0.15:
        place = random.randrange(8, len(number.value))
        wrong = str((int(number.value[place]) + random.randint(1, 9)) % 10)
        yield replace(number, value=number.value[:place] + wrong + number.value[place + 1 :])


def _family(random: Random, person: Person) -> Person:
    draw = random.random()
    if draw < 0.06:
        return replace(person, family=_mistype(random, person.family))
    if draw < 0.12:
        other = _of_rank(random, load_table("names")["lu"]["family"])
        return replace(person, family=f"{person.family}-{other}" if random.random() < 0.7 else other)
    return person


def _given(random: Random, person: Person) -> Person:
    draw = random.random()
    if draw < 0.05:
        return replace(person, given=(_mistype(random, person.given[0]), *person.given[1:]))
    if draw < 0.08:
        return replace(person, given=(person.given[0][0],))
    return replace(person, given=person.given[:1]) if draw < 0.25 else person


def _birth_date(random: Random, person: Person) -> Person:
    draw, born = random.random(), person.birth_date
    if draw < 0.01 and born.day <= 12:
        return replace(person, birth_date=date(born.year, born.day, born.month))
    if draw < 0.03:
        return replace(
            person, birth_date=born.replace(year=born.year + random.choice((-10, -1, 1, 10)), day=min(born.day, 28))
        )
    return person


def _address(random: Random, person: Person) -> Person:
    draw = random.random()
    if draw < 0.35:
        places = load_table("places")
        commune = random.choice(places["communes"])
        street = f"{random.randint(1, 140)}, {random.choice(places['streets'])}"
        return replace(person, address=Address(street, f"L-{random.randint(*commune['codes'])}", commune["city"]))
    return replace(person, address=Address()) if draw < 0.45 else person


def _sex(random: Random, person: Person) -> Person:
    return replace(person, sex="unknown") if random.random() < 0.05 else person


def _mistype(random: Random, name: str) -> str:
    """Return a name with one letter missing, doubled or another one, or two that are swapped."""
    place = random.randrange(len(name))
    kind = random.randrange(4)
    if kind == 0 and len(name) > 2:
        return name[:place] + name[place + 1 :]
    if kind == 1:
        return name[:place] + name[place] + name[place:]
    if kind == 2 and place + 1 < len(name):
        return name[:place] + name[place + 1] + name[place] + name[place + 2 :]
    return name[:place] + random.choice("aeinrst") + name[place + 1 :]

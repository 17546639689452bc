"""The synthetic country of the benchmark: households, professionals with their own families, organisations.

Everybody is invented, drawn from a seed. Nothing here knows the parameters of a detection.
"""

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from esante.services.soc.health.context.people import Mark, PersonTraits, Place, UserTraits

TOWNS = (
    ("Luxembourg", "1", 1),
    ("Esch-sur-Alzette", "4", 4),
    ("Differdange", "4", 4),
    ("Ettelbruck", "9", 9),
    ("Diekirch", "9", 9),
    ("Mersch", "7", 7),
    ("Grevenmacher", "6", 6),
    ("Echternach", "6", 6),
)
_FAMILY_NAMES = (
    "Schmit Muller Weber Wagner Hoffmann Thill Klein Becker Reuter Faber Kieffer Hansen Welter Krier "
    "Majerus Kayser Ries Schroeder Simon Lentz da-Silva Ferreira Santos Pereira Rodrigues Costa Martin "
    "Bernard Dubois Thomas Petit Lambert Rossi Russo Novak Kovac Meyer Fischer Braun Wolff Steffen Theis "
    "Wirtz Feltes Konsbruck Nilles Poos Quintus Urbany Zeimet Goergen Bauer Diederich Elsen Gengler "
    "Huberty Irrthum Jung Kremer Lux Mergen Neyen Olinger Pauly"
)
_GIVEN_NAMES = (
    "Anna Ben Carlo Dora Emil Fanny Georges Hanna Ivo Jeanne Kim Laura Marc Nadia Olivier Paula Quentin "
    "Rita Sam Tania Ugo Vera Wim Xenia Yves Zoe Alice Boris Chantal David Elena Felix Gaston Henri Ines "
    "Jules Katja Luc Mia Noah"
)
_FAMILIES, _GIVEN = _FAMILY_NAMES.split(), _GIVEN_NAMES.split()


@dataclass(slots=True, eq=False)
class Professional:
    """A professional at an organisation; `own`: their entry as a person, where they live in the country."""

    id: UUID
    name: str
    profession: str
    workplace: "Workplace"
    own: PersonTraits | None
    network: str
    software: str


@dataclass(slots=True, eq=False)
class Workplace:
    """An organisation: what kind, where, with which network and software."""

    id: UUID
    name: str
    kind: str
    town: tuple[str, str, int]
    network: str
    software: str
    staff: list[Professional] = field(default_factory=list)

    def of(self, *professions: str) -> list[Professional]:
        """Return the staff of professions."""
        return [one for one in self.staff if one.profession in professions]


@dataclass(slots=True)
class Country:
    """The country; it is a port to people (`People`) for the engine."""

    persons_by_id: dict[UUID, PersonTraits]
    households: list[list[PersonTraits]]
    workplaces: list[Workplace]
    professionals: list[Professional]
    doctor_of: dict[UUID, Workplace]
    """The practice to which a person goes."""
    watched: list[PersonTraits]
    invented: list[PersonTraits]

    def kind(self, *kinds: str) -> list[Workplace]:
        """Return the organisations of some kinds."""
        return [one for one in self.workplaces if one.kind in kinds]

    def report_death(self, person_id: UUID, at: datetime) -> None:
        """Let the directory know of a death."""
        self.persons_by_id[person_id] = replace(self.persons_by_id[person_id], deceased_at=at)

    async def persons(self, ids: Collection[UUID]) -> Mapping[UUID, PersonTraits]:
        """Return the traits of persons."""
        return {id_: self.persons_by_id[id_] for id_ in ids if id_ in self.persons_by_id}

    async def users(self, ids: Collection[UUID]) -> Mapping[UUID, UserTraits]:
        """Return the traits of professionals."""
        return {
            one.id: UserTraits(user_id=one.id, name=one.name, own=one.own)
            for one in self.professionals
            if one.id in ids
        }

    async def employers(self, persons: Collection[PersonTraits]) -> Mapping[UUID, frozenset[UUID]]:
        """Return, by person, the organisations at which a professional of their name works."""
        wanted = {one.person_id for one in persons}
        return {
            one.own.person_id: frozenset({one.workplace.id})
            for one in self.professionals
            if one.own is not None and one.own.person_id in wanted
        }

    async def places(self, ids: Collection[UUID]) -> Mapping[UUID, Place]:
        """Return where organisations are."""
        return {
            one.id: Place(name=one.name, town=one.town[0], district=one.town[1])
            for one in self.workplaces
            if one.id in ids
        }

    async def marks(self, ids: Collection[UUID]) -> Mapping[UUID, Mark]:
        """Return the marks of persons."""
        found = {one.person_id: Mark.WATCHED for one in self.watched if one.person_id in ids}
        return found | {one.person_id: Mark.INVENTED for one in self.invented if one.person_id in ids}


_STAFF: Mapping[str, Sequence[tuple[str, int]]] = {
    "hospital": (("doctor", 26), ("nurse", 60), ("secretary", 8), ("pharmacist", 2), ("physiotherapist", 4)),
    "laboratory": (("biologist", 6), ("secretary", 6)),
    "practice": (("doctor", 2), ("secretary", 1)),
    "dentist": (("dentist", 1),),
    "physiotherapy": (("physiotherapist", 3),),
    "home_care": (("nurse", 12),),
    "pharmacy": (("pharmacist", 2),),
}
_COUNTS = {
    "hospital": 3,
    "laboratory": 2,
    "practice": 24,
    "dentist": 6,
    "physiotherapy": 6,
    "home_care": 2,
    "pharmacy": 8,
}


def build_country(rng: random.Random, scale: float = 1.0) -> Country:
    """Return a country of about 5,000 persons times `scale`, drawn from `rng`."""
    households = [_household(rng) for _ in range(round(1_700 * scale))]
    people = {one.person_id: one for household in households for one in household}
    workplaces: list[Workplace] = []
    for kind, count in _COUNTS.items():
        workplaces += [_workplace(rng, kind, number) for number in range(max(2, round(count * scale)))]
    homes = iter(rng.sample(households, len(households)))
    professionals = [one for place in workplaces for one in _staff(rng, place, homes)]
    practices = [one for one in workplaces if one.kind == "practice"]
    doctor_of = {}
    for household in households:
        practice = rng.choice(practices)
        for person in household:
            doctor_of[person.person_id] = practice if rng.random() < 0.8 else rng.choice(practices)
    watched = rng.sample([one for household in households for one in household], 6)
    invented = [_person(rng, rng.choice(_FAMILIES), f"invented {number}", rng.choice(TOWNS)) for number in range(4)]
    people |= {one.person_id: one for one in invented}
    return Country(people, households, workplaces, professionals, doctor_of, watched, invented)


def draw_id(rng: random.Random) -> UUID:
    """Return a key of the seed."""
    return UUID(int=rng.getrandbits(128), version=4)


def _household(rng: random.Random) -> list[PersonTraits]:
    town = rng.choice(TOWNS)
    home = f"{rng.randint(1, 400)} street {rng.randint(1, 60)} {town[0]}"
    family = rng.choice(_FAMILIES)
    members = []
    for number in range(rng.choice((1, 2, 2, 3, 4, 4, 5))):
        other_name = number == 1 and rng.random() < 0.4
        members.append(_person(rng, rng.choice(_FAMILIES) if other_name else family, home, town))
    return members


def _person(rng: random.Random, family: str, home: str, town: tuple[str, str, int]) -> PersonTraits:
    given = f"{rng.choice(_GIVEN)} {rng.choice(_GIVEN)}".lower()
    area = f"L-{town[2]}{rng.randint(0, 30):03}"
    return PersonTraits(person_id=draw_id(rng), family_key=family.lower(), given_key=given, home=home, area=area)


def _workplace(rng: random.Random, kind: str, number: int) -> Workplace:
    town = TOWNS[number % len(TOWNS)] if kind == "hospital" else rng.choice(TOWNS)
    network = f"10.{list(_COUNTS).index(kind) + 1}.{number}.0"
    software = {"hospital": "Wardware", "laboratory": "Labsys"}.get(kind, rng.choice(("Medisoft", "Praxis", "")))
    return Workplace(
        id=draw_id(rng), name=f"{kind} {number + 1}", kind=kind, town=town, network=network, software=software
    )


def _staff(rng: random.Random, place: Workplace, homes: Iterator[list[PersonTraits]]) -> list[Professional]:
    for profession, count in _STAFF[place.kind]:
        for _ in range(count):
            household = next(homes) if rng.random() < 0.6 else None
            own = household[0] if household else None
            name = f"{own.given_key} {own.family_key}" if own else f"{rng.choice(_GIVEN)} {rng.choice(_FAMILIES)}"
            place.staff.append(
                Professional(
                    id=draw_id(rng),
                    name=name.title(),
                    profession=profession,
                    workplace=place,
                    own=own,
                    network=place.network,
                    software=place.software,
                )
            )
    return place.staff

"""The twelve organisations and the professionals who work there."""

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime

from esante.demo.data_tables import table
from esante.demo.population.signin_personas import PROFESSIONALS, Professional
from esante.demo.seeded_random import day_between, key, one, stream, years_before
from esante.identity.directory import Address, Identifier, Organization, Practitioner, Role, catalogue

TITLED = ("doctor", "dentist")
LANGUAGES = {"fr": 62, "de": 16, "lb": 14, "en": 8}
"""In which language professionals write first, in percent."""

_SINCE = datetime(2008, 1, 7, 8, tzinfo=UTC)


def organizations(seed: int) -> dict[str, Organization]:
    """The organisations by their short names."""
    chance = stream(seed, "organizations")
    entries = table("organizations")["organization"]
    codes = chance.sample(range(100_000, 500_000), len(entries))
    return {entry["short"]: _organization(chance, entry, code) for entry, code in zip(entries, codes, strict=True)}


def _organization(chance: random.Random, entry: dict[str, str], code: int) -> Organization:
    commune = next(place for place in table("places")["communes"] if place["city"] == entry["city"])
    street = f"{chance.randint(1, 60)}, {chance.choice(table('places')['streets'])}"
    return Organization(
        id=key(chance, _SINCE),
        identifiers=(_provider_code(code),),
        name=entry["name"],
        kind=entry["kind"],
        address=Address(street, f"L-{chance.randint(*commune['codes'])}", entry["city"], "LU"),
    )


def practitioners(seed: int, day: date, employers: Mapping[str, Organization]) -> tuple[Practitioner, ...]:
    """The professionals; the first are those to sign in as. No two have the same name."""
    chance = stream(seed, "practitioners")
    posts = list(_posts())
    personas = {(p.organization, p.profession, p.speciality): p for p in reversed(PROFESSIONALS)}
    health_ids = chance.sample(range(10**9, 10**10), len(posts))
    codes = chance.sample(range(500_000, 1_000_000), len(posts))
    names = {persona.name for persona in PROFESSIONALS}
    found = []
    for post, health_id, code in zip(posts, health_ids, codes, strict=True):
        short, profession, speciality = post
        who = personas.pop(post, None) or _stranger(chance, short, profession, speciality, names)
        identifiers = (Identifier(catalogue().system("ehealth_id").uri, str(health_id)), _provider_code(code))
        role = _role(chance, who, day, employers[short])
        earlier = _earlier(chance, who, role, employers)
        found.append(_practitioner(chance, who, identifiers, (*earlier, role)))
    shown = [persona.name for persona in PROFESSIONALS]
    return tuple(sorted(found, key=lambda p: shown.index(p.name) if p.name in shown else len(shown)))


def _posts() -> Iterator[tuple[str, str, str]]:
    for entry in table("organizations")["organization"]:
        for profession, speciality, count in entry["staff"]:
            yield from [(entry["short"], profession, speciality)] * count


def _stranger(chance: random.Random, short: str, profession: str, speciality: str, names: set[str]) -> Professional:
    """A professional with a name nobody has yet."""
    origins = table("names")
    while True:
        origin = origins[one(chance, {"lu": 30, "fr": 25, "be": 15, "de": 15, "pt": 8, "it": 4, "xx": 3})]
        sex = chance.choice(("female", "male"))
        person = Professional(
            family=chance.choice(origin["family"]),
            given=chance.choice(origin[sex]),
            title="Dr" if profession in TITLED else "",
            profession=profession,
            speciality=speciality,
            organization=short,
            languages=tuple(dict.fromkeys((one(chance, LANGUAGES), "fr"))),
        )
        if person.name not in names and f"{person.given} {person.family}" not in names:
            names |= {person.name, f"{person.given} {person.family}"}
            return person


def _role(chance: random.Random, who: Professional, day: date, employer: Organization) -> Role:
    since = day_between(chance, years_before(day, 16), years_before(day, 8.5))
    return Role(
        id=key(chance, _SINCE),
        organization_id=employer.id,
        profession=who.profession,
        specialities=(who.speciality,) if who.speciality else (),
        since=since,
    )


def _earlier(
    chance: random.Random, who: Professional, role: Role, employers: Mapping[str, Organization]
) -> tuple[Role, ...]:
    """A role that ended before the present one, for one professional in seven."""
    if chance.random() > 1 / 7 or role.since.year < 2012:
        return ()
    hospitals = [employer for employer in employers.values() if employer.kind == "hospital"]
    return (
        Role(
            id=key(chance, _SINCE),
            organization_id=chance.choice(hospitals).id,
            profession=who.profession,
            specialities=role.specialities,
            since=years_before(role.since, chance.uniform(1, 3)),
            until=role.since,
        ),
    )


def _practitioner(
    chance: random.Random, who: Professional, identifiers: tuple[Identifier, ...], roles: tuple[Role, ...]
) -> Practitioner:
    return Practitioner(
        id=key(chance, _SINCE),
        identifiers=identifiers,
        family=who.family,
        given=(who.given,),
        title=who.title,
        profession=who.profession,
        specialities=(who.speciality,) if who.speciality else (),
        languages=who.languages,
        roles=roles,
    )


def _provider_code(code: int) -> Identifier:
    """Six digits and two: the number of the provider, and of the place where he works."""
    return Identifier(catalogue().system("provider_code").uri, f"{code}00")

"""The twelve organisations, and the professionals professional work there."""

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime

from esante.demo.data_tables import load_table
from esante.demo.population.signin_personas import PROFESSIONALS, ProfessionalPersona
from esante.demo.seeded_random import draw_day, draw_uuid7, draw_weighted, random_stream, years_before
from esante.identity.directory import Address, Identifier, Organization, Practitioner, Role, catalogue

TITLED_PROFESSIONS = ("doctor", "dentist")
LANGUAGE_WEIGHTS = {"fr": 62, "de": 16, "lb": 14, "en": 8}
"""The first language of professionals, in percent."""

_SINCE = datetime(2008, 1, 7, 8, tzinfo=UTC)


def build_organizations(seed: int) -> dict[str, Organization]:
    """Return the organisations by their short names."""
    rng = random_stream(seed, "organizations")
    entries = load_table("organizations")["organization"]
    codes = rng.sample(range(100_000, 500_000), len(entries))
    return {entry["short"]: _organization(rng, entry, code) for entry, code in zip(entries, codes, strict=True)}


def _organization(rng: random.Random, entry: dict[str, str], code: int) -> Organization:
    commune = next(place for place in load_table("places")["communes"] if place["city"] == entry["city"])
    street = f"{rng.randint(1, 60)}, {rng.choice(load_table('places')['streets'])}"
    return Organization(
        id=draw_uuid7(rng, _SINCE),
        identifiers=(_provider_code(code),),
        name=entry["name"],
        kind=entry["kind"],
        address=Address(street, f"L-{rng.randint(*commune['codes'])}", entry["city"], "LU"),
    )


def build_practitioners(seed: int, day: date, employers: Mapping[str, Organization]) -> tuple[Practitioner, ...]:
    """Return the professionals, the personas first. No two have the same name."""
    rng = random_stream(seed, "practitioners")
    posts = list(_posts())
    personas = {(p.organization, p.profession, p.speciality): p for p in reversed(PROFESSIONALS)}
    health_ids = rng.sample(range(10**9, 10**10), len(posts))
    codes = rng.sample(range(500_000, 1_000_000), len(posts))
    names = {persona.name for persona in PROFESSIONALS}
    practitioners = []
    for post, health_id, code in zip(posts, health_ids, codes, strict=True):
        short, profession, speciality = post
        professional = personas.pop(post, None) or _invent_professional(rng, short, profession, speciality, names)
        identifiers = (Identifier(catalogue().system("ehealth_id").uri, str(health_id)), _provider_code(code))
        role = _role(rng, professional, day, employers[short])
        earlier = _earlier_roles(rng, professional, role, employers)
        practitioners.append(_practitioner(rng, professional, identifiers, (*earlier, role)))
    persona_names = [persona.name for persona in PROFESSIONALS]
    return tuple(
        sorted(
            practitioners, key=lambda p: persona_names.index(p.name) if p.name in persona_names else len(persona_names)
        )
    )


def _posts() -> Iterator[tuple[str, str, str]]:
    for entry in load_table("organizations")["organization"]:
        for profession, speciality, count in entry["staff"]:
            yield from [(entry["short"], profession, speciality)] * count


def _invent_professional(
    rng: random.Random, short: str, profession: str, speciality: str, names: set[str]
) -> ProfessionalPersona:
    """Return a professional with a name that nobody in `names` has, and add it there."""
    origins = load_table("names")
    while True:
        origin = origins[draw_weighted(rng, {"lu": 30, "fr": 25, "be": 15, "de": 15, "pt": 8, "it": 4, "xx": 3})]
        sex = rng.choice(("female", "male"))
        person = ProfessionalPersona(
            family=rng.choice(origin["family"]),
            given=rng.choice(origin[sex]),
            title="Dr" if profession in TITLED_PROFESSIONS else "",
            profession=profession,
            speciality=speciality,
            organization=short,
            languages=tuple(dict.fromkeys((draw_weighted(rng, LANGUAGE_WEIGHTS), "fr"))),
        )
        if person.name not in names and f"{person.given} {person.family}" not in names:
            names |= {person.name, f"{person.given} {person.family}"}
            return person


def _role(rng: random.Random, professional: ProfessionalPersona, day: date, employer: Organization) -> Role:
    since = draw_day(rng, years_before(day, 16), years_before(day, 8.5))
    return Role(
        id=draw_uuid7(rng, _SINCE),
        organization_id=employer.id,
        profession=professional.profession,
        specialities=(professional.speciality,) if professional.speciality else (),
        since=since,
    )


def _earlier_roles(
    rng: random.Random, professional: ProfessionalPersona, role: Role, employers: Mapping[str, Organization]
) -> tuple[Role, ...]:
    """Return a role that ended before the present one, for one professional in seven."""
    if rng.random() > 1 / 7 or role.since.year < 2012:
        return ()
    hospitals = [employer for employer in employers.values() if employer.kind == "hospital"]
    return (
        Role(
            id=draw_uuid7(rng, _SINCE),
            organization_id=rng.choice(hospitals).id,
            profession=professional.profession,
            specialities=role.specialities,
            since=years_before(role.since, rng.uniform(1, 3)),
            until=role.since,
        ),
    )


def _practitioner(
    rng: random.Random, professional: ProfessionalPersona, identifiers: tuple[Identifier, ...], roles: tuple[Role, ...]
) -> Practitioner:
    return Practitioner(
        id=draw_uuid7(rng, _SINCE),
        identifiers=identifiers,
        family=professional.family,
        given=(professional.given,),
        title=professional.title,
        profession=professional.profession,
        specialities=(professional.speciality,) if professional.speciality else (),
        languages=professional.languages,
        roles=roles,
    )


def _provider_code(code: int) -> Identifier:
    """Return a provider code: six digits of the provider, two of the place where they work."""
    return Identifier(catalogue().system("provider_code").uri, f"{code}00")

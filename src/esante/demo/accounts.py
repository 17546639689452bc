"""The people of the demo as the command line, the sign-in page and scripts know them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from esante.contract import Platform
from esante.demo import store
from esante.demo.model import World
from esante.demo.population.signin_personas import OPERATOR, PATIENTS, PROFESSIONALS, SOFTWARE
from esante.demo.population.world import world
from esante.demo.seeded_random import key, stream
from esante.identity.access import Access, Requester, requester_of
from esante.identity.directory import Identifier, Organization, Person, Practitioner

OPERATOR_SYSTEM = "https://esante.lu/fhir/sid/operator"
SHOWN = 200
"""How many patients `people_json` lists."""
MOST = 2_000
"""How many patients of one professional are listed."""

_LEVELS = {"patient": "patient", "practitioner": "user", "organization": "system", "operator": "user"}


async def personas(platform: Platform) -> list[dict[str, Any]]:
    """The people made to sign in as: `id`, `name`, `role` and `detail` (where they live or work)."""
    country = await _country(platform)
    names = _persona_names(country)
    return [entry for entry in _entries(country) if entry["name"] in names]


async def everyone(platform: Platform) -> list[dict[str, Any]]:
    """Everybody one can sign in as, as `personas`: those first, then professionals, organisations, patients.

    Nobody where no demo was loaded.
    """
    country = await _loaded(platform)
    return list(_entries(country)) if country else []


async def become(platform: Platform, id_: str) -> Requester | None:
    """The requester that somebody of `everyone` is, by `id`; None when there is nobody."""
    country = await _loaded(platform)
    try:
        return _requesters(country).get(UUID(id_)) if country else None
    except ValueError:
        return None


async def find(platform: Platform, name: str) -> Requester:
    """The requester of this name; raises LookupError when nobody has it."""
    for requester in _requesters(await _country(platform)).values():
        if requester.name == name:
            return requester
    raise LookupError(f"nobody in the demo is called {name!r}; see: esante people")


async def token_for(platform: Platform, name: str, lifetime: timedelta) -> str:
    """A bearer token with all rights of the one who has this name; raises LookupError."""
    requester = await find(platform, name)
    return await platform[Access].issue_token(requester, frozenset({f"{_LEVELS[requester.kind]}/*.cruds"}), lifetime)


async def people_json(platform: Platform) -> list[dict[str, Any]]:
    """`name`, `role` and `identifiers` of the people of the demo; of professionals and organisations `patients` too:
    the identifiers of those whose record they may open right now."""
    country = await _country(platform)
    requesters = _requesters(country)
    found = []
    patients = 0
    for holder in _holders(country):
        requester = requesters[_id(holder, country)]
        patients += requester.kind == "patient"
        if requester.kind == "patient" and patients > SHOWN:
            continue
        entry: dict[str, Any] = {
            "name": requester.name,
            "role": requester.kind,
            "identifiers": _identifiers(holder, country),
        }
        if requester.kind in ("practitioner", "organization"):
            entry["patients"] = await _patients(platform, requester)
        found.append(entry)
    return found


Holder = Person | Practitioner | Organization | None
"""Who can be signed in as; None is the operator."""


async def _country(platform: Platform) -> World:
    country = await _loaded(platform)
    if country is None:
        raise LookupError("there is no demo in this database; run: esante demo")
    return country


async def _loaded(platform: Platform) -> World | None:
    known = await store.country(platform.db)
    if known is None:
        return None
    seed, persons, day = known
    return world(day, seed=seed, persons=persons)


async def _patients(platform: Platform, requester: Requester) -> list[dict[str, str]]:
    page = await platform[Access].grants.list_patients(requester, limit=MOST)
    return [_identifier(patient.person.identifiers[0]) for patient in page.items]


def _holders(country: World) -> Iterator[Holder]:
    """Everybody: the personas first, then professionals, organisations, patients."""
    software = country.organizations[SOFTWARE]
    yield from (citizen.person for citizen in country.citizens[: len(PATIENTS)])
    yield from country.practitioners[: len(PROFESSIONALS)]
    yield software
    yield None
    yield from country.practitioners[len(PROFESSIONALS) :]
    yield from (place for place in country.organizations.values() if place != software)
    yield from (citizen.person for citizen in country.citizens[len(PATIENTS) :])


def _persona_names(country: World) -> set[str]:
    people = {person.name for person in (*PATIENTS, *PROFESSIONALS)}
    return people | {country.organizations[SOFTWARE].name, OPERATOR}


def _entries(country: World) -> Iterator[dict[str, Any]]:
    requesters = _requesters(country)
    for holder in _holders(country):
        requester = requesters[_id(holder, country)]
        yield {
            "id": str(requester.id),
            "name": requester.name,
            "role": requester.kind,
            "detail": _detail(holder, requester),
        }


def _requesters(country: World) -> dict[UUID, Requester]:
    places = {place.id: place for place in country.organizations.values()}
    found: dict[UUID, Requester] = {}
    for holder in _holders(country):
        id_ = _id(holder, country)
        if isinstance(holder, Practitioner):
            found[id_] = requester_of(holder, places[holder.roles[-1].organization_id])
        elif holder is None:
            found[id_] = Requester(kind="operator", id=id_, name=OPERATOR)
        else:
            found[id_] = requester_of(holder)
    return found


def _id(holder: Holder, country: World) -> UUID:
    return holder.id if holder else key(stream(country.seed, "operator"), datetime(2015, 1, 1, tzinfo=UTC))


def _identifiers(holder: Holder, country: World) -> list[dict[str, str]]:
    if holder is None:
        return [_identifier(Identifier(OPERATOR_SYSTEM, str(_id(None, country))))]
    return [_identifier(identifier) for identifier in holder.identifiers]


def _identifier(identifier: Identifier) -> dict[str, str]:
    return {"system": identifier.system, "value": identifier.value}


def _detail(holder: Holder, requester: Requester) -> str:
    if isinstance(holder, Person):
        return f"{holder.birth_date:%Y-%m-%d}, {holder.address.city}"
    if isinstance(holder, Organization):
        return holder.address.city
    return requester.organization

"""The accounts of the demo, for the command line, the sign-in page and scripts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from esante.contract import Platform
from esante.core.types import Json
from esante.demo import store
from esante.demo.model import World
from esante.demo.population.signin_personas import OPERATOR_NAMES, PATIENTS, PROFESSIONALS, SOFTWARE_HOSPITAL
from esante.demo.population.world import build_world
from esante.demo.seeded_random import draw_uuid7, random_stream
from esante.identity.access import Access, Requester, requester_of
from esante.identity.directory import Directory, Identifier, Organization, Person, Practitioner

OPERATOR_SYSTEM = "https://esante.lu/fhir/sid/operator"
MAX_LISTED_PATIENTS = 200
"""How many patients `list_people` returns at most."""
MAX_PATIENTS_OF_HOLDER = 2_000
"""How many patients of one professional or organisation are returned at most."""

_SCOPE_LEVELS = {"patient": "patient", "practitioner": "user", "organization": "system", "operator": "user"}


async def list_personas(platform: Platform) -> list[Json]:
    """Return the personas to sign in as: `id`, `name`, `role` and `detail` (where they live or work).

    Raises: LookupError when no demo is loaded.
    """
    country = await _require_world(platform)
    names = _persona_names(country)
    return [entry for entry in _account_entries(country) if entry["name"] in names]


async def list_accounts(platform: Platform) -> list[Json]:
    """Return every account, in the form of `list_personas`: personas, professionals, organisations, patients.

    Empty when no demo is loaded.
    """
    country = await _load_world(platform)
    return list(_account_entries(country)) if country else []


async def find_account(platform: Platform, id_: str) -> Requester | None:
    """Return the requester of an account by its `id`, or None."""
    country = await _load_world(platform)
    try:
        return _requesters(country).get(UUID(id_)) if country else None
    except ValueError:
        return None


async def find_requester(platform: Platform, name: str) -> Requester:
    """Return the requester of a name. Raises: LookupError when no account has it, or no demo is loaded."""
    for requester in _requesters(await _require_world(platform)).values():
        if requester.name == name:
            return requester
    raise LookupError(f"nobody in the demo is called {name!r}; see: esante people")


async def issue_token(platform: Platform, name: str, lifetime: timedelta) -> str:
    """Issue a bearer token with all rights of the account of a name. Raises: LookupError as `find_requester`."""
    requester = await find_requester(platform, name)
    return await platform[Access].issue_token(
        requester, frozenset({f"{_SCOPE_LEVELS[requester.kind]}/*.cruds"}), lifetime
    )


async def list_people(platform: Platform) -> list[Json]:
    """Return `name`, `role` and `identifiers` of the accounts; of professionals and organisations also `patients`.

    `patients` are the identifiers of those whose record they may open right now. Raises: LookupError when no demo is
    loaded.
    """
    country = await _require_world(platform)
    requesters = _requesters(country)
    people = []
    patients = 0
    for holder in _holders(country):
        requester = requesters[_account_id(holder, country)]
        patients += requester.kind == "patient"
        if requester.kind == "patient" and patients > MAX_LISTED_PATIENTS:
            continue
        entry: Json = {
            "name": requester.name,
            "role": requester.kind,
            "identifiers": _identifiers_json(holder, country),
        }
        if requester.kind in ("practitioner", "organization"):
            entry["patients"] = await _patient_identifiers(platform, requester)
        people.append(entry)
    return people


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody who works for the agency, and is in no directory."""

    name: str


Holder = Person | Practitioner | Organization | Operator
"""The holder of an account."""


async def _require_world(platform: Platform) -> World:
    country = await _load_world(platform)
    if country is None:
        raise LookupError("there is no demo in this database; run: esante demo")
    return country


async def _load_world(platform: Platform) -> World | None:
    stored = await store.find_world(platform.db)
    if stored is None:
        return None
    seed, persons, day = stored
    return build_world(day, seed=seed, persons=persons)


async def _patient_identifiers(platform: Platform, requester: Requester) -> list[dict[str, str]]:
    ids = await platform[Access].grants.list_persons(requester, limit=MAX_PATIENTS_OF_HOLDER)
    persons = await platform[Directory].persons(ids)
    return [_identifier_json(persons[id_].identifiers[0]) for id_ in ids]


def _holders(country: World) -> Iterator[Holder]:
    """Yield every holder of an account: personas, professionals, organisations, patients."""
    software = country.organizations[SOFTWARE_HOSPITAL]
    yield from (citizen.person for citizen in country.citizens[: len(PATIENTS)])
    yield from country.practitioners[: len(PROFESSIONALS)]
    yield software
    yield from map(Operator, OPERATOR_NAMES)
    yield from country.practitioners[len(PROFESSIONALS) :]
    yield from (place for place in country.organizations.values() if place != software)
    yield from (citizen.person for citizen in country.citizens[len(PATIENTS) :])


def _persona_names(country: World) -> set[str]:
    people = {person.name for person in (*PATIENTS, *PROFESSIONALS)}
    return people | {country.organizations[SOFTWARE_HOSPITAL].name, *OPERATOR_NAMES}


def _account_entries(country: World) -> Iterator[Json]:
    requesters = _requesters(country)
    for holder in _holders(country):
        requester = requesters[_account_id(holder, country)]
        yield {
            "id": str(requester.id),
            "name": requester.name,
            "role": requester.kind,
            "detail": _detail(holder, requester),
        }


def _requesters(country: World) -> dict[UUID, Requester]:
    places = {place.id: place for place in country.organizations.values()}
    requesters: dict[UUID, Requester] = {}
    for holder in _holders(country):
        id_ = _account_id(holder, country)
        if isinstance(holder, Practitioner):
            role = holder.roles[-1]
            requesters[id_] = requester_of(holder, places[role.organization_id], role.profession)
        elif isinstance(holder, Operator):
            requesters[id_] = Requester(kind="operator", id=id_, name=holder.name)
        else:
            requesters[id_] = requester_of(holder)
    return requesters


def _account_id(holder: Holder, country: World) -> UUID:
    if not isinstance(holder, Operator):
        return holder.id
    place = OPERATOR_NAMES.index(holder.name)
    stream = random_stream(country.seed, f"operator {place + 1}" if place else "operator")
    return draw_uuid7(stream, datetime(2015, 1, 1, tzinfo=UTC))


def _identifiers_json(holder: Holder, country: World) -> list[dict[str, str]]:
    if isinstance(holder, Operator):
        return [_identifier_json(Identifier(OPERATOR_SYSTEM, str(_account_id(holder, country))))]
    return [_identifier_json(identifier) for identifier in holder.identifiers]


def _identifier_json(identifier: Identifier) -> dict[str, str]:
    return {"system": identifier.system, "value": identifier.value}


def _detail(holder: Holder, requester: Requester) -> str:
    if isinstance(holder, Person):
        return f"{holder.birth_date:%Y-%m-%d}, {holder.address.city}"
    if isinstance(holder, Organization):
        return holder.address.city
    return requester.organization

"""The queries and updates of the directory."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import asyncpg
import msgspec

from esante.core.storage import Connection, Database
from esante.identity.directory.model import Address, Identifier, Organization, Person, Practitioner, Role
from esante.identity.directory.tables import PERSON, PERSON_IDENTIFIER, person_rows

PageKey = tuple[str, UUID]
"""The last row of a page in a list sorted by name: its normalised name and its id."""

_identifier_decoder = msgspec.json.Decoder(tuple[Identifier, ...])
_text_decoder = msgspec.json.Decoder(tuple[str, ...])
_address_decoder = msgspec.json.Decoder(Address)
_role_decoder = msgspec.json.Decoder(tuple[Role, ...])


# Statements for all three kinds of holders: persons, practitioners, organisations -------------------------


def _with_identifiers(table: str, also: str = "") -> str:
    """Return the SELECT of all columns of the holders `h` of a table, with their identifiers and the column `also`."""
    more = f", {also}" if also else ""
    return f"""
        SELECT h.*, (
            SELECT coalesce(jsonb_agg(jsonb_build_object('system', i.system, 'value', i.value)), '[]')
            FROM {table}_identifier i WHERE i.{table}_id = h.id) AS identifiers{more}
        FROM {table} h
    """  # noqa: S608 - names are declared in code


def _holders_with_identifier(table: str) -> str:
    """Return the SELECT of the ids of the holders that have an identifier: $1 its value, $2 its system (NULL: any)."""
    return f"""
        SELECT {table}_id FROM {table}_identifier WHERE value = $1 AND ($2::text IS NULL OR system = $2)
    """  # noqa: S608 - names are declared in code


def _identifiers_of(row: asyncpg.Record) -> tuple[Identifier, ...]:
    found = _identifier_decoder.decode(row["identifiers"])
    return tuple(sorted(found, key=lambda identifier: (identifier.system, identifier.value)))


_WORDS = "NOT EXISTS (SELECT 1 FROM unnest($1::text[]) w WHERE ' ' || name_key NOT LIKE '% ' || w || '%')"
"""Each word is the beginning of a word of the name. Words are normalised: they hold no wildcard of LIKE."""


async def _search_by_name(
    db: Database, select: str, column: str, words: Sequence[str], value: str | None, after: PageKey | None, limit: int
) -> list[asyncpg.Record]:
    """Return the holders of `select` by prefixes of the words of their names, sorted by name.

    `value`: what `column` must hold (None: anything).
    """
    return await db.fetch(
        f"{select} WHERE {_WORDS}"
        f" AND ($2::text IS NULL OR h.{column} = $2)"
        " AND ($3::text IS NULL OR (h.name_key, h.id) > ($3, $4::uuid)) ORDER BY h.name_key, h.id LIMIT $5",
        words,
        value,
        *(after or (None, None)),
        limit,
    )


# Persons --------------------------------------------------------------------------------------------------

_PERSON = _with_identifiers("person")


async def fetch_persons(db: Database | Connection, ids: Sequence[UUID]) -> list[Person]:
    """Return the persons of `ids` that exist."""
    return [_person(row) for row in await db.fetch(f"{_PERSON} WHERE h.id = ANY($1)", ids)]


async def find_persons_by_identifier(db: Database, system: str | None, value: str) -> list[Person]:
    """Return the persons who have an identifier (`system` None: of any system)."""
    rows = await db.fetch(
        f"{_PERSON} WHERE h.id IN ({_holders_with_identifier('person')}) ORDER BY h.id",
        value,
        system,
    )
    return [_person(row) for row in rows]


async def find_persons_by_name(db: Database, family_key: str, birth_date: date, limit: int) -> list[Person]:
    """Return up to `limit` persons with exactly this normalised family name and this birth date."""
    rows = await db.fetch(
        f"{_PERSON} WHERE h.family_key = $1 AND h.birth_date = $2 ORDER BY h.id LIMIT $3",
        family_key,
        birth_date,
        limit,
    )
    return [_person(row) for row in rows]


async def find_namesakes(db: Database, families: Sequence[str], givens: Sequence[str], limit: int) -> list[Person]:
    """Return up to `limit` persons with exactly one of these normalised names: family and given, place by place."""
    rows = await db.fetch(
        f"{_PERSON} JOIN unnest($1::text[], $2::text[]) n (family_key, given_key)"
        " ON h.family_key = n.family_key AND h.given_key = n.given_key ORDER BY h.id LIMIT $3",
        families,
        givens,
        limit,
    )
    return [_person(row) for row in rows]


async def lock_person(conn: Connection, person_id: UUID) -> Person | None:
    """Return a person and lock their row until the end of the transaction; None when there is no such person."""
    if not await conn.fetchval("SELECT 1 FROM person WHERE id = $1 FOR UPDATE", person_id):
        return None
    return (await fetch_persons(conn, [person_id]))[0]


async def update_person(conn: Connection, person: Person) -> None:
    """Replace the row and the identifiers of a person."""
    (_, row), *identifiers = person_rows(person)
    assignments = ", ".join(
        f"{name} = ${position}::{kind}"
        for position, (name, kind) in enumerate(PERSON.columns.items(), 1)
        if name != "id"
    )
    await conn.execute(f"UPDATE person SET {assignments} WHERE id = $1", *row)  # noqa: S608 - declared in code
    await conn.execute("DELETE FROM person_identifier WHERE person_id = $1", person.id)
    if identifiers:
        await conn.execute(PERSON_IDENTIFIER.insert_sql(), *zip(*(values for _, values in identifiers), strict=True))


def _person(row: asyncpg.Record) -> Person:
    return Person(
        id=row["id"],
        identifiers=_identifiers_of(row),
        family=row["family"],
        given=_text_decoder.decode(row["given"]),
        birth_date=row["birth_date"],
        sex=row["sex"],
        address=_address_decoder.decode(row["address"]),
        languages=_text_decoder.decode(row["languages"]),
        deceased_at=row["deceased_at"],
    )


# Practitioners --------------------------------------------------------------------------------------------

_ROLES = """
(SELECT coalesce(jsonb_agg(to_jsonb(r) - 'practitioner_id' ORDER BY r.since, r.id), '[]')
 FROM practitioner_role r WHERE r.practitioner_id = h.id) AS roles
"""
_PRACTITIONER = _with_identifiers("practitioner", _ROLES)


async def fetch_practitioners(db: Database, ids: Sequence[UUID]) -> list[Practitioner]:
    """Return the practitioners of `ids` that exist, with their roles."""
    return [_practitioner(row) for row in await db.fetch(f"{_PRACTITIONER} WHERE h.id = ANY($1)", ids)]


async def find_practitioner_namesakes(db: Database, names: Sequence[str], limit: int) -> list[Practitioner]:
    """Return up to `limit` practitioners with exactly one of these normalised names: family, then given names."""
    rows = await db.fetch(f"{_PRACTITIONER} WHERE h.name_key = ANY($1) ORDER BY h.id LIMIT $2", names, limit)
    return [_practitioner(row) for row in rows]


async def find_practitioners_by_identifier(db: Database, system: str | None, value: str) -> list[Practitioner]:
    """Return the practitioners who have an identifier (`system` None: of any system)."""
    rows = await db.fetch(
        f"{_PRACTITIONER} WHERE h.id IN ({_holders_with_identifier('practitioner')}) ORDER BY h.id",
        value,
        system,
    )
    return [_practitioner(row) for row in rows]


async def search_practitioners(
    db: Database, words: Sequence[str], profession: str | None, after: PageKey | None, limit: int
) -> list[tuple[str, Practitioner]]:
    """Return practitioners by prefixes of their names, sorted by name, each with the normalised name."""
    rows = await _search_by_name(db, _PRACTITIONER, "profession", words, profession, after, limit)
    return [(row["name_key"], _practitioner(row)) for row in rows]


def _practitioner(row: asyncpg.Record) -> Practitioner:
    return Practitioner(
        id=row["id"],
        identifiers=_identifiers_of(row),
        family=row["family"],
        given=_text_decoder.decode(row["given"]),
        title=row["title"],
        profession=row["profession"],
        specialities=_text_decoder.decode(row["specialities"]),
        languages=_text_decoder.decode(row["languages"]),
        roles=_role_decoder.decode(row["roles"]),
    )


async def search_roles(
    db: Database,
    *,
    id_: UUID | None,
    practitioner_id: UUID | None,
    organization_id: UUID | None,
    speciality: str | None,
    after: UUID | None,
    limit: int,
) -> list[tuple[UUID, Role]]:
    """Return roles, each with the id of its practitioner, sorted by id; all conditions that are not None must hold."""
    rows = await db.fetch(
        """
        SELECT * FROM practitioner_role
        WHERE ($1::uuid IS NULL OR id = $1) AND ($2::uuid IS NULL OR practitioner_id = $2)
          AND ($3::uuid IS NULL OR organization_id = $3) AND ($4::text IS NULL OR specialities ? $4)
          AND ($5::uuid IS NULL OR id > $5)
        ORDER BY id LIMIT $6
        """,
        id_,
        practitioner_id,
        organization_id,
        speciality,
        after,
        limit,
    )
    return [(row["practitioner_id"], _role(row)) for row in rows]


async def fetch_roles(db: Database, practitioner_id: UUID, on: date) -> list[Role]:
    """Return the roles of a practitioner on a day, the oldest first."""
    rows = await db.fetch(
        "SELECT id, organization_id, profession, specialities, since, until FROM practitioner_role"
        " WHERE practitioner_id = $1 AND since <= $2 AND (until IS NULL OR $2 < until) ORDER BY since, id",
        practitioner_id,
        on,
    )
    return [_role(row) for row in rows]


def _role(row: asyncpg.Record) -> Role:
    return Role(
        id=row["id"],
        organization_id=row["organization_id"],
        profession=row["profession"],
        specialities=_text_decoder.decode(row["specialities"]),
        since=row["since"],
        until=row["until"],
    )


# Organisations --------------------------------------------------------------------------------------------

_ORGANIZATION = _with_identifiers("organization")


async def fetch_organizations(db: Database, ids: Sequence[UUID]) -> list[Organization]:
    """Return the organisations of `ids` that exist."""
    return [_organization(row) for row in await db.fetch(f"{_ORGANIZATION} WHERE h.id = ANY($1)", ids)]


async def find_organizations_by_identifier(db: Database, system: str | None, value: str) -> list[Organization]:
    """Return the organisations that have an identifier (`system` None: of any system)."""
    rows = await db.fetch(
        f"{_ORGANIZATION} WHERE h.id IN ({_holders_with_identifier('organization')}) ORDER BY h.id",
        value,
        system,
    )
    return [_organization(row) for row in rows]


async def fetch_professions(db: Database, organization_ids: Sequence[UUID], on: date) -> dict[UUID, list[str]]:
    """Return the professions of the roles at organisations on a day."""
    rows = await db.fetch(
        "SELECT organization_id, array_agg(DISTINCT profession) AS professions FROM practitioner_role"
        " WHERE organization_id = ANY($1) AND since <= $2 AND (until IS NULL OR $2 < until) GROUP BY organization_id",
        organization_ids,
        on,
    )
    return {row["organization_id"]: row["professions"] for row in rows}


async def count_professionals(db: Database, organization_id: UUID, on: date) -> int:
    """Return the number of practitioners who have a role at an organisation on a day."""
    count: int = await db.fetchval(
        "SELECT count(DISTINCT practitioner_id) FROM practitioner_role"
        " WHERE organization_id = $1 AND since <= $2 AND (until IS NULL OR $2 < until)",
        organization_id,
        on,
    )
    return count


async def search_organizations(
    db: Database, words: Sequence[str], kind: str | None, after: PageKey | None, limit: int
) -> list[tuple[str, Organization]]:
    """Return organisations by prefixes of the words of their names, sorted by name, each with the normalised name."""
    rows = await _search_by_name(db, _ORGANIZATION, "kind", words, kind, after, limit)
    return [(row["name_key"], _organization(row)) for row in rows]


def _organization(row: asyncpg.Record) -> Organization:
    return Organization(
        id=row["id"],
        identifiers=_identifiers_of(row),
        name=row["name"],
        kind=row["kind"],
        address=_address_decoder.decode(row["address"]),
    )

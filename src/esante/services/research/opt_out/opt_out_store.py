"""The SQL of opt-outs."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.research.opt_out.model import OptOut

OPT_OUT = Table("research_opt_out", Kind.PERSON, {"person_id": "uuid", "since": "timestamptz", "until": "timestamptz"})
AS_OF = "o.since <= {at} AND (o.until IS NULL OR o.until > {at})"
"""The condition that an opt-out `o` holds at a moment, a parameter."""


def opt_out_row(opt_out: OptOut) -> Row:
    """Return the row of an opt-out."""
    return OPT_OUT, (opt_out.person_id, opt_out.since, opt_out.until)


async def fetch_history(db: Database | Connection, person_id: UUID) -> list[OptOut]:
    """Return the opt-outs of a person, newest first."""
    rows = await db.fetch("SELECT * FROM research_opt_out WHERE person_id = $1 ORDER BY since DESC", person_id)
    return [OptOut(**row) for row in rows]


async def end_open(conn: Connection, person_id: UUID, until: datetime) -> bool:
    """End the opt-out of a person that lasts; return whether there was one."""
    ended = await conn.fetchval(
        "UPDATE research_opt_out SET until = greatest(since, $2) WHERE person_id = $1 AND until IS NULL"
        " RETURNING true",
        person_id,
        until,
    )
    return bool(ended)


async def fetch_opted_out(conn: Database | Connection, at: datetime) -> list[UUID]:
    """Return every person who was out at a moment."""
    rows = await conn.fetch(
        f"SELECT o.person_id FROM research_opt_out AS o WHERE {AS_OF.format(at='$1')}",  # noqa: S608 - a constant
        at,
    )
    return [row["person_id"] for row in rows]


async def fetch_opted_out_among(conn: Database | Connection, persons: Sequence[UUID], at: datetime) -> list[UUID]:
    """Return those of some persons who were out at a moment."""
    rows = await conn.fetch(
        f"SELECT o.person_id FROM research_opt_out AS o WHERE o.person_id = ANY($2) AND {AS_OF.format(at='$1')}",  # noqa: S608
        at,
        list(persons),
    )
    return [row["person_id"] for row in rows]


async def fetch_types(db: Database, person_id: UUID) -> frozenset[str]:
    """Return the types of resources of which a person has one now; everybody is a Patient."""
    rows = await db.fetch(
        """
        SELECT DISTINCT type FROM fhir_resource WHERE person_id = $1 AND until = 'infinity' AND NOT deleted
        UNION SELECT 'DocumentReference' WHERE EXISTS (SELECT FROM document WHERE person_id = $1)
        """,
        person_id,
    )
    return frozenset({"Patient", *(row["type"] for row in rows)})

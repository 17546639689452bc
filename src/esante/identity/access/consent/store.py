"""The SQL of consents: record states, grants and blocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec

from esante.core import clock
from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.identity.access.model import Consent, Grant, GrantKind, Opposition, RecordState
from esante.identity.access.representation.model import Capacity, Representation
from esante.identity.directory import ReferringDoctor

RECORD = Table(
    "access_record",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "state": "text",
        "announced_at": "timestamptz",
        "objection_until": "timestamptz",
        "changed_at": "timestamptz",
    },
)
GRANT = Table(
    "access_grant",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "grant_id": "uuid",
        "kind": "text",
        "holder_kind": "text",
        "holder_id": "uuid",
        "holder": "text",
        "since": "timestamptz",
        "until": "timestamptz",
        "revoked_at": "timestamptz",
        "reason": "text",
        "proved": "boolean",
        "context": "text",
        "renewals": "integer",
    },
)
BLOCK = Table(
    "access_block",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "subject_id": "uuid",
        "subject_kind": "text",
        "subject": "text",
        "since": "timestamptz",
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """The state of a record and the person's choices about it, as its own pages need them."""

    person_id: UUID
    state: RecordState
    announced_at: datetime | None
    objection_until: datetime | None
    sharing: bool
    deceased_at: datetime | None
    changed_at: datetime
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A practitioner or an organisation that a person blocked."""

    subject_id: UUID
    subject_kind: str
    subject: str
    since: datetime


_grant_decoder = msgspec.json.Decoder(list[Grant])
_referring_decoder = msgspec.json.Decoder(list[ReferringDoctor])
_opposition_decoder = msgspec.json.Decoder(list[Opposition])
_representation_decoder = msgspec.json.Decoder(list[Representation])
_capacity_decoder = msgspec.json.Decoder(list[Capacity])
_CONSENT = """
SELECT r.person_id, r.state, r.sharing, r.deceased_at,
    (SELECT json_agg(json_build_object('id', g.grant_id, 'person_id', g.person_id, 'kind', g.kind,
         'holder_kind', g.holder_kind, 'holder_id', g.holder_id, 'since', g.since, 'until', g.until,
         'reason', g.reason, 'holder', g.holder, 'proved', g.proved, 'context', g.context, 'renewals', g.renewals)
         ORDER BY g.grant_id)
     FROM access_grant g
     WHERE g.person_id = r.person_id AND g.revoked_at IS NULL AND (g.until IS NULL OR g.until > $2)) AS grants,
    (SELECT array_agg(b.subject_id) FROM access_block b WHERE b.person_id = r.person_id) AS blocked,
    (SELECT array_agg(f.organization_id) FROM access_stay_refusal f WHERE f.person_id = r.person_id) AS refused,
    (SELECT json_agg(d) FROM access_referring_doctor d WHERE d.person_id = r.person_id) AS referring,
    (SELECT json_agg(json_build_object('id', o.opposition_id, 'against', o.against, 'depositor_id', o.depositor_id,
         'depositor', o.depositor, 'document_class', o.document_class, 'care_from', o.care_from,
         'care_until', o.care_until, 'series_id', o.series_id) ORDER BY o.opposition_id)
     FROM access_opposition o WHERE o.person_id = r.person_id AND o.ended_at IS NULL) AS oppositions,
    (SELECT json_agg(json_build_object('id', p.representation_id, 'kind', p.kind,
         'representative_id', p.representative_id, 'representative', p.representative,
         'since', p.since, 'until', p.until) ORDER BY p.representation_id)
     FROM access_representation p WHERE p.person_id = r.person_id AND p.ended_at IS NULL) AS representations,
    (SELECT json_agg(json_build_object('id', c.capacity_id, 'kind', c.kind, 'since', c.since, 'until', c.until,
         'classes', array_remove(string_to_array(c.classes, ' '), '')) ORDER BY c.capacity_id)
     FROM access_capacity c WHERE c.person_id = r.person_id AND c.ended_at IS NULL) AS capacities
FROM access_record r WHERE r.person_id = ANY($1)
"""


async def fetch_consent(conn: Connection, person_id: UUID) -> Consent:
    """Return the consent of a person within a transaction; for a person without a record one of state NONE."""
    consents = await fetch_consents(conn, [person_id])
    return consents.get(person_id, Consent(person_id=person_id, state=RecordState.NONE))


async def fetch_consents(db: Database | Connection, persons: Sequence[UUID]) -> dict[UUID, Consent]:
    """Return the consents of those of `persons` who have a record, in one round trip."""
    return {row["person_id"]: _consent(row) for row in await db.fetch(_CONSENT, persons, clock.now())}


def _consent(row: asyncpg.Record) -> Consent:
    person_id, state, sharing, deceased_at, grants, blocked, refused, referring, oppositions, *acts = row
    representations, capacities = acts
    return Consent(
        person_id=person_id,
        state=RecordState(state),
        sharing=sharing,
        grants=tuple(_grant_decoder.decode(grants)) if grants else (),
        blocked=frozenset(blocked or ()),
        refused=frozenset(refused or ()),
        referring=tuple(_referring_decoder.decode(referring)) if referring else (),
        oppositions=tuple(_opposition_decoder.decode(oppositions)) if oppositions else (),
        representations=tuple(_representation_decoder.decode(representations)) if representations else (),
        capacities=tuple(_capacity_decoder.decode(capacities)) if capacities else (),
        deceased_at=deceased_at,
    )


_RECORD = (
    "SELECT person_id, state, announced_at, objection_until, sharing, deceased_at, changed_at, cause"
    " FROM access_record WHERE person_id = $1"
)


async def fetch_record(db: Database | Connection, person_id: UUID, *, lock: bool = False) -> RecordRow | None:
    """Return the row of a person's record, or None; with `lock` it is locked until the end of the transaction."""
    row = await db.fetchrow(_RECORD + (" FOR UPDATE" if lock else ""), person_id)
    return RecordRow(**{**row, "state": RecordState(row["state"])}) if row else None


async def add_records(
    conn: Connection, persons: Sequence[UUID], announced_at: datetime, objection_until: datetime
) -> list[UUID]:
    """Insert an announced record for those of `persons` who have none; return the persons of the new records."""
    count = len(persons)
    rows = await conn.fetch(
        f"{RECORD.insert_sql()} ON CONFLICT (person_id) DO NOTHING RETURNING person_id",
        list(persons),
        [RecordState.ANNOUNCED.value] * count,
        [announced_at] * count,
        [objection_until] * count,
        [announced_at] * count,
    )
    return [row["person_id"] for row in rows]


async def set_sharing(conn: Connection, person_id: UUID, sharing: bool) -> None:
    """Write whether a person shares their record."""
    await conn.execute("UPDATE access_record SET sharing = $2 WHERE person_id = $1", person_id, sharing)


def grant_row(grant: Grant) -> Row:
    """Return the row of a new grant."""
    return (
        GRANT,
        (
            grant.person_id,
            grant.id,
            grant.kind.value,
            grant.holder_kind,
            grant.holder_id,
            grant.holder,
            grant.since,
            grant.until,
            None,
            grant.reason,
            grant.proved,
            grant.context,
            grant.renewals,
        ),
    )


async def fetch_active_grants(db: Database | Connection, person_id: UUID) -> list[Grant]:
    """Return a person's active grants, newest first."""
    rows = await db.fetch(
        "SELECT * FROM access_grant WHERE person_id = $1 AND revoked_at IS NULL"
        " AND (until IS NULL OR until > $2) ORDER BY grant_id DESC",
        person_id,
        clock.now(),
    )
    return [grant_of_row(row) for row in rows]


async def fetch_all_grants(db: Database, person_id: UUID) -> list[Grant]:
    """Return all grants of a person, also those that ended, newest first."""
    rows = await db.fetch("SELECT * FROM access_grant WHERE person_id = $1 ORDER BY grant_id DESC", person_id)
    return [grant_of_row(row) for row in rows]


async def revoke_grant(conn: Connection, person_id: UUID, grant_id: UUID, at: datetime) -> None:
    """Write that a grant was revoked."""
    await conn.execute(
        "UPDATE access_grant SET revoked_at = $3 WHERE person_id = $1 AND grant_id = $2", person_id, grant_id, at
    )


async def set_grant_end(conn: Connection, person_id: UUID, grant_id: UUID, until: datetime) -> Grant:
    """Write the end of a grant; return the grant."""
    row = await conn.fetchrow(
        "UPDATE access_grant SET until = $3 WHERE person_id = $1 AND grant_id = $2 RETURNING *",
        person_id,
        grant_id,
        until,
    )
    return grant_of_row(row)


_ACTIVE_GRANTS = """
FROM access_grant g JOIN access_record r USING (person_id)
WHERE g.holder_id = ANY($1) AND g.revoked_at IS NULL AND (g.until IS NULL OR g.until > $7)
  AND g.since <= $7 AND r.state = 'open' AND r.sharing AND (r.deceased_at IS NULL OR r.deceased_at > $2)
  AND NOT EXISTS (SELECT FROM access_block b WHERE b.person_id = g.person_id AND b.subject_id = ANY($3))
  AND NOT (g.kind = 'institution_stay' AND EXISTS (
      SELECT FROM access_stay_refusal f WHERE f.person_id = g.person_id AND f.organization_id = g.holder_id))
  AND (g.proved OR $4) AND (g.context = ANY($5) OR g.context = '' AND g.kind = ANY($6))
"""
"""The active grants at $7 of holders ($1) for open records, without persons who died before $2 or blocked one of $3,
and without stays at organisations whose stays the person refused, and unless $4 without stays that are not proved; of
the contexts $5, and those without a context of the kinds $6.

The only statement across persons: on a distributed database it runs on every node, by an index on each.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingTerms:
    """The terms on which active grants depend: deaths before `died_after` end reading; whether unproved stays read.

    `contexts`: the contexts of care that give access; `kinds`: the kinds of grants whose first context does.
    """

    died_after: datetime
    unproved_stays_read: bool
    contexts: Sequence[str]
    kinds: Sequence[str]


async def fetch_holder_grants(db: Database, holders: Sequence[UUID], limit: int, terms: ReadingTerms) -> list[Grant]:
    """Return the newest active grants of some holders for open records."""
    rows = await db.fetch(
        f"SELECT g.* {_ACTIVE_GRANTS} ORDER BY g.grant_id DESC LIMIT $8",
        list(holders),
        terms.died_after,
        list(holders),
        terms.unproved_stays_read,
        terms.contexts,
        terms.kinds,
        clock.now(),
        limit,
    )
    return [grant_of_row(row) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantFilter:
    """A filter of grants: those of `holders`, for persons who blocked none of `acting_for`.

    `only_person_id`: grants for this one person only (None: for any).
    """

    holders: Sequence[UUID]
    acting_for: Sequence[UUID]
    only_person_id: UUID | None


async def fetch_granting_persons(
    db: Database, grants: GrantFilter, terms: ReadingTerms, after: UUID, limit: int
) -> list[UUID]:
    """Return the persons of active grants, sorted by key, those after a key."""
    rows = await db.fetch(
        f"SELECT DISTINCT g.person_id {_ACTIVE_GRANTS} AND ($8::uuid IS NULL OR g.person_id = $8)"
        " AND g.person_id > $9 ORDER BY g.person_id LIMIT $10",
        list(grants.holders),
        terms.died_after,
        list(grants.acting_for),
        terms.unproved_stays_read,
        terms.contexts,
        terms.kinds,
        clock.now(),
        grants.only_person_id,
        after,
        limit,
    )
    return [row["person_id"] for row in rows]


async def count_granting_persons(db: Database, grants: GrantFilter, terms: ReadingTerms) -> int:
    """Return the number of persons of active grants."""
    count: int = await db.fetchval(
        f"SELECT count(DISTINCT g.person_id) {_ACTIVE_GRANTS} AND ($8::uuid IS NULL OR g.person_id = $8)",
        list(grants.holders),
        terms.died_after,
        list(grants.acting_for),
        terms.unproved_stays_read,
        terms.contexts,
        terms.kinds,
        clock.now(),
        grants.only_person_id,
    )
    return count


def grant_of_row(row: asyncpg.Record) -> Grant:
    """Return the grant of a row of `access_grant`."""
    return Grant(
        id=row["grant_id"],
        person_id=row["person_id"],
        kind=GrantKind(row["kind"]),
        holder_kind=row["holder_kind"],
        holder_id=row["holder_id"],
        since=row["since"],
        until=row["until"],
        revoked_at=row["revoked_at"],
        reason=row["reason"],
        holder=row["holder"],
        proved=row["proved"],
        context=row["context"],
        renewals=row["renewals"],
    )


async def fetch_blocks(db: Database | Connection, person_id: UUID) -> list[Block]:
    """Return the blocks of a person, newest first."""
    rows = await db.fetch(
        "SELECT subject_id, subject_kind, subject, since FROM access_block WHERE person_id = $1 ORDER BY since DESC",
        person_id,
    )
    return [Block(**row) for row in rows]


async def delete_block(conn: Connection, person_id: UUID, subject_id: UUID) -> None:
    """Delete a block."""
    await conn.execute("DELETE FROM access_block WHERE person_id = $1 AND subject_id = $2", person_id, subject_id)


async def prove_stays(conn: Connection, person_id: UUID, organization_id: UUID) -> list[Grant]:
    """Write that a person's active stays at an organisation are proved; return the grants of those that were not."""
    rows = await conn.fetch(
        "UPDATE access_grant SET proved = true WHERE person_id = $1 AND holder_id = $2 AND NOT proved"
        " AND revoked_at IS NULL AND (until IS NULL OR until > $3) RETURNING *",
        person_id,
        organization_id,
        clock.now(),
    )
    return [grant_of_row(row) for row in rows]


async def delete_expired(conn: Connection, now: datetime) -> None:
    """Delete codes a month after their expiry, attempts after a day, and expired tokens and client assertions."""
    month_ago = now - timedelta(days=30)
    await conn.execute("DELETE FROM access_code WHERE expires_at < $1", month_ago)
    await conn.execute("DELETE FROM access_attempt WHERE window_start < $1", now - timedelta(days=1))
    await conn.execute("DELETE FROM access_token WHERE expires_at < $1", now)
    await conn.execute("DELETE FROM access_assertion WHERE expires_at < $1", now)

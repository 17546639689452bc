"""Facts in PostgreSQL: the tables and their SQL, in the transaction of the cursor."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Kind, Table
from esante.services.soc.health.facts.model import (
    BilledAct,
    CareContact,
    CareKind,
    Emergency,
    Hour,
    Presence,
    StayFact,
    User,
    Visit,
)
from esante.services.soc.health.facts.store import HourKey, VisitKey

_USER = {"principal_id": "uuid", "user_kind": "text", "profession": "text", "organization_id": "uuid"}
_SPAN = {"first_at": "timestamptz", "last_at": "timestamptz"}
VISIT = Table(
    "soc_visit",
    Kind.LOCAL,
    {"person_id": "uuid", "user_id": "uuid", "day": "date"}
    | _USER
    | _SPAN
    | {"opened": "integer", "listed": "integer", "refused": "integer", "by_code": "boolean", "in_emergency": "boolean"}
    | {"evidence": "uuid[]"},
)
VISIT_HABIT = Table("soc_visit_habit", Kind.LOCAL, {"user_id": "uuid", "judged": "bigint", "unexplained": "bigint"})
CARE_CONTACT = Table(
    "soc_care_contact",
    Kind.LOCAL,
    {"person_id": "uuid", "holder_id": "uuid", "kind": "text"} | _SPAN | {"ended_at": "timestamptz"},
)
STAY = Table(
    "soc_stay",
    Kind.LOCAL,
    {"person_id": "uuid", "stay_id": "uuid", "organization_id": "uuid"}
    | {"began_at": "timestamptz", "ended_at": "timestamptz", "proved": "boolean"},
)
EMERGENCY = Table(
    "soc_emergency",
    Kind.LOCAL,
    {"person_id": "uuid", "entry_id": "uuid", "user_id": "uuid"} | _USER | {"at": "timestamptz"},
)
USER_HOUR = Table(
    "soc_user_hour",
    Kind.LOCAL,
    {"user_id": "uuid", "hour": "timestamptz"}
    | _USER
    | dict.fromkeys(("persons", "shown", "refusals", "lookups", "unknown", "sweeps"), "integer")
    | {"evidence": "uuid[]"},
)
PRESENCE = Table(
    "soc_presence",
    Kind.LOCAL,
    {"user_id": "uuid", "first_at": "timestamptz"}
    | _USER
    | {"network": "text", "software": "text", "site": "text", "last_at": "timestamptz", "acts": "integer"}
    | {"evidence": "uuid[]"},
)
BILLED_ACT = Table(
    "soc_billed_act",
    Kind.LOCAL,
    {"person_id": "uuid", "note_id": "uuid", "number": "integer", "biller_id": "uuid", "provider_code": "text"}
    | {"organization_id": "uuid", "profession": "text", "code": "text", "day": "date", "quantity": "integer"}
    | {"inpatient": "boolean", "entry_id": "uuid", "at": "timestamptz"},
)
_KEYS = {
    VISIT: ("person_id", "user_id", "day"),
    CARE_CONTACT: ("person_id", "holder_id", "kind"),
    STAY: ("person_id", "stay_id"),
    EMERGENCY: ("person_id", "entry_id"),
    USER_HOUR: ("user_id", "hour"),
    PRESENCE: ("user_id", "first_at"),
    BILLED_ACT: ("person_id", "note_id", "number"),
}
_OF_PERSON = (VISIT, CARE_CONTACT, STAY, EMERGENCY, BILLED_ACT)
_AGES = {
    VISIT: "day",
    CARE_CONTACT: "greatest(last_at, ended_at)",
    STAY: "greatest(began_at, ended_at)",
    EMERGENCY: "at",
    USER_HOUR: "hour",
    PRESENCE: "last_at",
    BILLED_ACT: "day",
}


class TableFacts:
    """A `FactStore` in the tables, within one transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def visits(self, keys: Collection[VisitKey]) -> Mapping[VisitKey, Visit]:
        """Return visits by key."""
        rows = await self._conn.fetch(
            f"{_select(VISIT)} WHERE (person_id, user_id, day) IN"  # noqa: S608 - declared in code
            " (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::date[]))",
            *_columns(keys, 3),
        )
        return {one.key: one for one in map(_visit, rows)}

    async def put_visits(self, visits: Iterable[Visit]) -> None:
        """Keep visits."""
        await self._put(VISIT, visits)

    async def due_visits(self, before: datetime, limit: int) -> Sequence[Visit]:
        """Return visits that were not judged and ended before a moment."""
        rows = await self._conn.fetch(
            f"{_select(VISIT)} WHERE explained IS NULL AND last_at <= $1"
            " ORDER BY last_at, person_id, user_id, day LIMIT $2",
            before,
            limit,
        )
        return [*map(_visit, rows)]

    async def visits_of(self, persons: Collection[UUID]) -> Sequence[Visit]:
        """Return the visits of persons' records."""
        rows = await self._conn.fetch(
            f"{_select(VISIT)} WHERE person_id = ANY($1) ORDER BY first_at, person_id, user_id, day", [*persons]
        )
        return [*map(_visit, rows)]

    async def visits_by(self, users: Collection[UUID], days: Collection[date]) -> Sequence[Visit]:
        """Return the visits by users on days."""
        rows = await self._conn.fetch(
            f"{_select(VISIT)} WHERE user_id = ANY($1) AND day = ANY($2) ORDER BY first_at, person_id, user_id, day",
            [*users],
            [*days],
        )
        return [*map(_visit, rows)]

    async def mark_visits(self, judged: Mapping[VisitKey, bool]) -> None:
        """Keep that visits were judged, and whether care explained them."""
        await self._conn.executemany(
            "UPDATE soc_visit SET explained = $4 WHERE person_id = $1 AND user_id = $2 AND day = $3",
            [(*key, explained) for key, explained in judged.items()],
        )
        counts: dict[UUID, list[int]] = {}
        for key, explained in judged.items():
            count = counts.setdefault(key[1], [0, 0])
            count[0] += 1
            count[1] += not explained
        await self._conn.executemany(
            "INSERT INTO soc_visit_habit AS h (user_id, judged, unexplained) VALUES ($1, $2, $3)"
            " ON CONFLICT (user_id) DO UPDATE SET judged = h.judged + excluded.judged,"
            " unexplained = h.unexplained + excluded.unexplained",
            [(user, *count) for user, count in sorted(counts.items())],
        )

    async def habits(self, users: Collection[UUID]) -> Mapping[UUID, tuple[int, int]]:
        """Return, by user, how many visits were judged, and how many of them nothing explained."""
        rows = await self._conn.fetch(
            "SELECT user_id, judged, unexplained FROM soc_visit_habit WHERE user_id = ANY($1)", [*users]
        )
        return {user: (judged, unexplained) for user, judged, unexplained in rows}

    async def contacts(self, persons: Collection[UUID]) -> Sequence[CareContact]:
        """Return the care contacts of persons."""
        rows = await self._conn.fetch(f"{_select(CARE_CONTACT)} WHERE person_id = ANY($1)", [*persons])
        return [CareContact(**dict(row) | {"kind": CareKind(row["kind"])}) for row in rows]

    async def put_contacts(self, contacts: Iterable[CareContact]) -> None:
        """Keep care contacts."""
        await self._put(CARE_CONTACT, contacts)

    async def stays(self, persons: Collection[UUID]) -> Sequence[StayFact]:
        """Return the stays of persons."""
        rows = await self._conn.fetch(f"{_select(STAY)} WHERE person_id = ANY($1)", [*persons])
        return [StayFact(**row) for row in rows]

    async def put_stays(self, stays: Iterable[StayFact]) -> None:
        """Keep stays."""
        await self._put(STAY, stays)

    async def due_stays(self, ended_before: datetime, began_before: datetime, limit: int) -> Sequence[StayFact]:
        """Return stays that were not judged and ended before a moment, or began before another and go on."""
        rows = await self._conn.fetch(
            f"{_select(STAY)} WHERE NOT judged AND (ended_at <= $1 OR (ended_at IS NULL AND began_at <= $2))"
            " ORDER BY began_at, stay_id LIMIT $3",
            ended_before,
            began_before,
            limit,
        )
        return [StayFact(**row) for row in rows]

    async def mark_stays(self, stays: Collection[UUID]) -> None:
        """Keep that stays were judged."""
        await self._conn.execute("UPDATE soc_stay SET judged = true WHERE stay_id = ANY($1)", [*stays])

    async def add_emergencies(self, emergencies: Iterable[Emergency]) -> None:
        """Keep emergency accesses."""
        await self._put(EMERGENCY, emergencies)

    async def due_emergencies(self, before: datetime, limit: int) -> Sequence[Emergency]:
        """Return emergency accesses before a moment that were not judged."""
        rows = await self._conn.fetch(
            f"{_select(EMERGENCY)} WHERE followed IS NULL AND at <= $1 ORDER BY at, entry_id LIMIT $2", before, limit
        )
        return [Emergency(**_with_user(row)) for row in rows]

    async def mark_emergency(self, emergency: Emergency, *, followed: bool) -> None:
        """Keep that an emergency access was judged, and whether care followed it."""
        await self._conn.execute(
            "UPDATE soc_emergency SET followed = $3 WHERE person_id = $1 AND entry_id = $2",
            emergency.person_id,
            emergency.entry_id,
            followed,
        )

    async def emergencies_between(
        self, profession: str, first: datetime, last: datetime
    ) -> Mapping[UUID, tuple[int, int]]:
        """Return, by user of a profession, how many emergency accesses there were, and how many without follow-up."""
        rows = await self._conn.fetch(
            "SELECT user_id, count(*), count(*) FILTER (WHERE NOT followed) FROM soc_emergency"
            " WHERE profession = $1 AND at > $2 AND at <= $3 GROUP BY user_id",
            profession,
            first,
            last,
        )
        return {user: (count, unfollowed) for user, count, unfollowed in rows}

    async def hours(self, keys: Collection[HourKey]) -> Mapping[HourKey, Hour]:
        """Return hours by key."""
        rows = await self._conn.fetch(
            f"{_select(USER_HOUR)} WHERE (user_id, hour) IN"  # noqa: S608 - declared in code
            " (SELECT * FROM unnest($1::uuid[], $2::timestamptz[]))",
            *_columns(keys, 2),
        )
        return {one.key: one for one in (Hour(**_with_user(row)) for row in rows)}

    async def put_hours(self, hours: Iterable[Hour]) -> None:
        """Keep hours."""
        await self._put(USER_HOUR, hours)

    async def due_hours(self, before: datetime, limit: int) -> Sequence[Hour]:
        """Return hours that began before a moment and were not judged."""
        rows = await self._conn.fetch(
            f"{_select(USER_HOUR)} WHERE NOT judged AND hour <= $1 ORDER BY hour, user_id LIMIT $2", before, limit
        )
        return [Hour(**_with_user(row)) for row in rows]

    async def mark_hours(self, keys: Collection[HourKey]) -> None:
        """Keep that hours were judged."""
        await self._conn.execute(
            "UPDATE soc_user_hour SET judged = true WHERE (user_id, hour) IN"
            " (SELECT * FROM unnest($1::uuid[], $2::timestamptz[]))",
            *_columns(keys, 2),
        )

    async def persons_an_hour(
        self, user_id: UUID, profession: str, since: datetime, until: datetime
    ) -> tuple[Sequence[int], Sequence[int]]:
        """Return the distinct persons in each hour with any: of a user, and of the others of the profession."""
        rows = await self._conn.fetch(
            "SELECT user_id = $1, persons FROM soc_user_hour"
            " WHERE persons > 0 AND (profession = $2 OR user_id = $1) AND hour >= $3 AND hour < $4",
            user_id,
            profession,
            since,
            until,
        )
        return [persons for own, persons in rows if own], [persons for own, persons in rows if not own]

    async def presences(self, users: Collection[UUID], since: datetime) -> Sequence[Presence]:
        """Return the presences of users that ended after a moment."""
        rows = await self._conn.fetch(
            f"{_select(PRESENCE)} WHERE user_id = ANY($1) AND last_at >= $2", [*users], since
        )
        return [Presence(**_with_user(row)) for row in rows]

    async def put_presences(self, presences: Iterable[Presence]) -> None:
        """Keep presences; of one user, no two begin at the same moment."""
        await self._put(PRESENCE, presences)

    async def add_acts(self, acts: Iterable[BilledAct]) -> None:
        """Keep billed acts."""
        await self._put(BILLED_ACT, acts)

    async def delete_notes(self, notes: Collection[UUID]) -> None:
        """Delete the acts of fee notes that do not count any more."""
        await self._conn.execute("DELETE FROM soc_billed_act WHERE note_id = ANY($1)", [*notes])

    async def acts_of(self, persons: Collection[UUID]) -> Sequence[BilledAct]:
        """Return the acts of persons."""
        rows = await self._conn.fetch(
            f"{_select(BILLED_ACT)} WHERE person_id = ANY($1) ORDER BY at, note_id, number", [*persons]
        )
        return [BilledAct(**row) for row in rows]

    async def acts_on(self, biller_id: UUID, day: date) -> Sequence[BilledAct]:
        """Return the acts of a biller on a day."""
        rows = await self._conn.fetch(
            f"{_select(BILLED_ACT)} WHERE biller_id = $1 AND day = $2 ORDER BY at, note_id, number", biller_id, day
        )
        return [BilledAct(**row) for row in rows]

    async def busiest_days(self, profession: str, since: date, other_than: UUID) -> Sequence[int]:
        """Return the acts on the busiest day of each biller of a profession, but one."""
        rows = await self._conn.fetch(
            "SELECT max(acts) FROM (SELECT biller_id, day, sum(quantity) AS acts FROM soc_billed_act"
            " WHERE profession = $1 AND day >= $2 AND biller_id <> $3 GROUP BY biller_id, day) d GROUP BY biller_id",
            profession,
            since,
            other_than,
        )
        return [row[0] for row in rows]

    async def _put(self, table: Table, facts: Iterable[Any]) -> None:
        """Insert facts, or replace those of the same key."""
        key, names = _KEYS[table], [*table.columns]
        others = [name for name in names if name not in key]
        rows = [tuple(_value(one, name) for name in names) for one in facts]
        if rows:
            await self._conn.executemany(
                f"INSERT INTO {table.name} ({', '.join(names)})"  # noqa: S608 - declared in code
                f" VALUES ({', '.join(f'${place}' for place in range(1, len(names) + 1))})"
                f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET"
                f" {', '.join(f'{name} = excluded.{name}' for name in others)}",
                rows,
            )


async def delete_of_person(conn: Connection, person_id: UUID, limit: int) -> int:
    """Delete some facts of a person; return how many of one table at most: fewer than `limit` when nothing is left."""
    most = 0
    for table in _OF_PERSON:
        status = await conn.execute(
            f"DELETE FROM {table.name} WHERE ctid = ANY(ARRAY("  # noqa: S608 - declared in code
            f"SELECT ctid FROM {table.name} WHERE person_id = $1 LIMIT $2))",
            person_id,
            limit,
        )
        most = max(most, int(str(status).rpartition(" ")[2]))
    return most


async def delete_older(conn: Connection, before: Mapping[Table, datetime]) -> int:
    """Delete the facts of each table that ended before a moment; return how many."""
    total = 0
    for table, moment in before.items():
        status = await conn.execute(f"DELETE FROM {table.name} WHERE {_AGES[table]} < $1", moment)  # noqa: S608
        total += int(str(status).rpartition(" ")[2])
    return total


def _select(table: Table) -> str:
    return f"SELECT {', '.join(table.columns)} FROM {table.name}"  # noqa: S608 - declared in code


def _columns(keys: Collection[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Return keys as columns."""
    return [[key[place] for key in keys] for place in range(width)]


def _value(fact: Any, name: str) -> Any:
    if name == "user_id":
        return fact.user.id
    if name == "user_kind":
        return fact.user.kind
    if name in _USER and hasattr(fact, "user"):
        return getattr(fact.user, name)
    return getattr(fact, name)


def _with_user(row: Any) -> dict[str, Any]:
    """Return the fields of a fact whose user stands in columns of its own."""
    found = dict(row)
    user = User(
        id=found.pop("user_id"),
        kind=found.pop("user_kind"),
        **{name: found.pop(name) for name in _USER if name != "user_kind"},
    )
    if "evidence" in found:
        found["evidence"] = tuple(found["evidence"])
    return found | {"user": user}


def _visit(row: Any) -> Visit:
    return Visit(**_with_user(row))

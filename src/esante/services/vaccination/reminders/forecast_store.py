"""SQL of the kept forecasts: whose is to be made, of what it is made, and what came out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Table, uuid7
from esante.services.vaccination.forecast import Observation
from esante.services.vaccination.reminders.model import Standing
from esante.services.vaccination.reminders.standings import KeptDose

FORECAST = Table("vaccination_forecast", Kind.LOCAL, {"person_id": "uuid", "mark": "uuid"})
STANDING = Table(
    "vaccination_standing",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "basis": "text",
        "antigen": "text",
        "given": "integer",
        "valid": "integer",
        "complete": "boolean",
        "due_on": "date",
        "overdue_on": "date",
        "dose_number": "integer",
    },
)
_COLUMNS = "antigen, given, valid, complete, due_on, overdue_on, dose_number"


@dataclass(frozen=True, slots=True)
class Stale:
    """A person whose forecast is to be made; `mark` is that of their last change."""

    person_id: UUID
    mark: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The forecast of a person: by all doses, and by what others are shown where that differs (else None).

    The rest is that of `vaccination_forecast`.
    """

    stale: Stale
    all: Sequence[Standing]
    public: Sequence[Standing] | None
    refresh_on: date
    reachable: bool
    birth_year: int | None
    canton: str
    unit_key: int


async def add(conn: Connection, person_ids: Iterable[UUID]) -> None:
    """Let the forecasts of persons be made (again)."""
    keys = sorted(set(person_ids), key=lambda key: key.bytes)
    await conn.execute(
        "INSERT INTO vaccination_forecast (person_id, mark) SELECT * FROM unnest($1::uuid[], $2::uuid[])"
        " ON CONFLICT (person_id) DO UPDATE SET mark = excluded.mark, refresh_on = '-infinity', taken_until = NULL",
        keys,
        [uuid7() for _ in keys],
    )


async def mark_stale(conn: Connection, person_ids: Sequence[UUID]) -> None:
    """Let the forecasts of persons who have one be made again."""
    await conn.execute(
        "UPDATE vaccination_forecast SET mark = $2, refresh_on = '-infinity', taken_until = NULL"
        " WHERE person_id = ANY ($1::uuid[])",
        list(person_ids),
        uuid7(),
    )


async def remove(conn: Connection, person_ids: Sequence[UUID]) -> None:
    """Remove the forecasts of persons whose record is not open, or who are not there."""
    for table in ("vaccination_standing", "vaccination_forecast"):
        await conn.execute(f"DELETE FROM {table} WHERE person_id = ANY ($1::uuid[])", list(person_ids))  # noqa: S608 - constant names


async def count(db: Database, rules: str, today: date) -> tuple[int, int]:
    """Return how many forecasts there are, and how many of them are to be made again."""
    row = await db.fetchrow(
        "SELECT count(*), count(*) FILTER (WHERE rules <> $1 OR refresh_on <= $2) FROM vaccination_forecast",
        rules,
        today,
    )
    return (int(row[0]), int(row[1])) if row else (0, 0)


async def take(db: Database, rules: str, today: date, now: datetime, until: datetime, limit: int) -> list[Stale]:
    """Return persons whose forecast is to be made, taken for a time; those that changed first."""
    async with db.transaction() as conn:
        rows = await conn.fetch(
            "UPDATE vaccination_forecast SET taken_until = $4 WHERE person_id IN ("
            " SELECT person_id FROM vaccination_forecast WHERE (refresh_on <= $2 OR rules <> $1)"
            " AND (taken_until IS NULL OR taken_until <= $3) ORDER BY refresh_on LIMIT $5 FOR UPDATE SKIP LOCKED)"
            " RETURNING person_id, mark",
            rules,
            today,
            now,
            until,
            limit,
        )
    return [Stale(*row) for row in rows]


async def fetch_after(db: Database | Connection, after: UUID | None, limit: int) -> list[Stale]:
    """Return persons with a forecast in the order of their keys, those after one."""
    rows = await db.fetch(
        "SELECT person_id, mark FROM vaccination_forecast WHERE ($1::uuid IS NULL OR person_id > $1)"
        " ORDER BY person_id LIMIT $2",
        after,
        limit,
    )
    return [Stale(*row) for row in rows]


async def fetch_doses(db: Database, person_ids: Sequence[UUID]) -> dict[UUID, list[KeptDose]]:
    """Return the doses of persons that have a whole date, each marked if it lies within a break of the cold chain."""
    rows = await db.fetch(
        "SELECT d.person_id, d.dose_id, d.given_on, d.cvx, d.antigens, d.expires_on, d.public, EXISTS ("
        " SELECT FROM vaccination_break b WHERE b.lot_key = d.lot AND d.lot <> '' AND d.given_here"
        " AND b.organization_id = d.organization_id AND d.given_on >= b.first_day"
        " AND (b.last_day IS NULL OR d.given_on <= b.last_day) AND b.cleared_at IS NULL) AS suspect"
        " FROM vaccination_dose d WHERE d.person_id = ANY ($1::uuid[]) AND d.given_on IS NOT NULL",
        list(person_ids),
    )
    found: dict[UUID, list[KeptDose]] = {}
    for row in rows:
        dose = KeptDose(
            key=row["dose_id"].hex,
            given_on=row["given_on"],
            cvx=tuple(row["cvx"].split()),
            antigens=tuple(row["antigens"].split()),
            expires_on=row["expires_on"],
            public=row["public"],
            suspect=row["suspect"],
        )
        found.setdefault(row["person_id"], []).append(dose)
    return found


async def fetch_observations(db: Database, person_ids: Sequence[UUID]) -> dict[UUID, list[tuple[Observation, bool]]]:
    """Return the observations of persons, each with whether everybody with access sees it."""
    rows = await db.fetch(
        "SELECT person_id, code, since, until, public FROM vaccination_observation WHERE person_id = ANY ($1::uuid[])",
        list(person_ids),
    )
    found: dict[UUID, list[tuple[Observation, bool]]] = {}
    for row in rows:
        one = Observation(row["code"], row["since"], row["until"])
        found.setdefault(row["person_id"], []).append((one, row["public"]))
    return found


async def keep(conn: Connection, made: Sequence[Made], rules: str) -> None:
    """Keep forecasts; a person who has changed since they were taken stays on the list."""
    keys = [one.stale.person_id for one in made]
    await conn.execute("DELETE FROM vaccination_standing WHERE person_id = ANY ($1::uuid[])", keys)
    await conn.copy_records_to_table(STANDING.name, records=_standing_rows(made), columns=[*STANDING.columns])
    await conn.execute(
        "UPDATE vaccination_forecast f SET rules = $1, taken_until = NULL, refresh_on = n.refresh_on,"
        " restricted = n.restricted, reachable = n.reachable, birth_year = n.birth_year, canton = n.canton,"
        " unit_key = n.unit_key FROM unnest($2::uuid[], $3::uuid[], $4::date[], $5::boolean[], $6::boolean[],"
        " $7::integer[], $8::text[], $9::bigint[]) AS n (person_id, mark, refresh_on, restricted, reachable,"
        " birth_year, canton, unit_key) WHERE f.person_id = n.person_id AND f.mark = n.mark",
        rules,
        keys,
        [one.stale.mark for one in made],
        [one.refresh_on for one in made],
        [one.public is not None for one in made],
        [one.reachable for one in made],
        [one.birth_year for one in made],
        [one.canton for one in made],
        [one.unit_key for one in made],
    )


def _standing_rows(made: Sequence[Made]) -> Iterator[tuple[object, ...]]:
    """Yield the values of the columns of `STANDING`."""
    for one in made:
        for basis, standings in (("all", one.all), ("public", one.public or ())):
            for each in standings:
                yield (
                    one.stale.person_id,
                    basis,
                    each.antigen,
                    each.given,
                    each.valid,
                    each.complete,
                    each.due_on,
                    each.overdue_on,
                    each.dose_number,
                )


async def fetch_own(db: Database, person_id: UUID) -> list[Standing]:
    """Return the standings of a person by all their doses, as they themselves see them."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM vaccination_standing WHERE person_id = $1 AND basis = 'all'",  # noqa: S608 - constants
        person_id,
    )
    return [Standing(*row) for row in rows]


async def fetch_pending(db: Database, person_ids: Sequence[UUID]) -> set[UUID]:
    """Return the persons whose card has changed since their forecast was made, or who have no forecast yet."""
    rows = await db.fetch(
        "SELECT id FROM unnest($1::uuid[]) AS wanted (id)"
        " WHERE EXISTS (SELECT FROM vaccination_due d WHERE d.person_id = id)"
        " OR NOT EXISTS (SELECT FROM vaccination_forecast f WHERE f.person_id = id AND f.refresh_on <> '-infinity')",
        list(person_ids),
    )
    return {row[0] for row in rows}


async def fetch_due_for_others(db: Database, person_ids: Sequence[UUID], until: date) -> Mapping[UUID, list[Standing]]:
    """Return what is due up to a day to each of some persons, by the doses that everybody with access sees."""
    rows = await db.fetch(
        f"SELECT s.person_id, {_COLUMNS} FROM vaccination_standing s JOIN vaccination_forecast f USING (person_id)"  # noqa: S608 - constants
        " WHERE s.person_id = ANY ($1::uuid[]) AND s.due_on <= $2"
        " AND s.basis = CASE WHEN f.restricted THEN 'public' ELSE 'all' END ORDER BY s.due_on, s.antigen",
        list(person_ids),
        until,
    )
    found: dict[UUID, list[Standing]] = {}
    for row in rows:
        found.setdefault(row["person_id"], []).append(Standing(*row[1:]))
    return found

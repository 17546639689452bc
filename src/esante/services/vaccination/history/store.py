"""SQL of the vaccination history: which persons are due, their doses, the documents that were made."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table, insert, uuid7
from esante.identity.access import Confidentiality
from esante.services.vaccination.card.model import Dose
from esante.services.vaccination.card.pack_store import pack_row
from esante.services.vaccination.products.catalogue import normal_lot
from esante.services.vaccination.reminders import forecast_store
from esante.services.vaccination.stock import stock_store
from esante.services.vaccination.stock.usage import settle_use

DOSE = Table(
    "vaccination_dose",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "dose_id": "uuid",
        "occurred": "text",
        "given_on": "date",
        "product": "text",
        "cvx": "text",
        "antigens": "text",
        "lot": "text",
        "gtin": "text",
        "given_here": "boolean",
        "confirmed": "boolean",
        "author_id": "uuid",
        "organization_id": "uuid",
        "public": "boolean",
        "expires_on": "date",
    },
)
OBSERVATION = Table(
    "vaccination_observation",
    Kind.PERSON,
    {"person_id": "uuid", "code": "text", "since": "date", "until": "date", "public": "boolean"},
)
HISTORY = Table(
    "vaccination_history",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "digest": "bytea",
        "bundle_id": "uuid",
        "pdf_id": "uuid",
        "compiled_at": "timestamptz",
    },
)
DUE = Table("vaccination_due", Kind.LOCAL, {"person_id": "uuid", "mark": "uuid", "due_at": "timestamptz"})

_OF_PERSON = (
    "vaccination_dose",
    "vaccination_observation",
    "vaccination_history",
    "vaccination_due",
    "vaccination_recall",
    "vaccination_forecast",
    "vaccination_standing",
    "vaccination_reminder",
    "vaccination_reminder_refusal",
)
"""The tables that hold something of a person."""


@dataclass(frozen=True, slots=True)
class Due:
    """A person whose card has changed; `mark` is that of the last change."""

    person_id: UUID
    mark: UUID
    failures: int


@dataclass(frozen=True, slots=True)
class Observed:
    """A contraindication by its code in the calendar; `public`: everybody with access to the record sees it."""

    code: str
    since: date | None
    until: date | None
    public: bool


@dataclass(frozen=True, slots=True)
class History:
    """The documents of a person's history, and the digest of what they say."""

    digest: bytes
    bundle_id: UUID
    pdf_id: UUID


async def mark_due(conn: Connection, person_ids: Iterable[UUID], at: datetime) -> None:
    """Let persons be worked on (again), even if somebody works on them at the moment."""
    marks = [(person_id, uuid7()) for person_id in sorted(set(person_ids), key=lambda key: key.bytes)]
    await conn.execute(
        "INSERT INTO vaccination_due (person_id, mark, due_at) SELECT *, $3::timestamptz"
        " FROM unnest($1::uuid[], $2::uuid[]) ON CONFLICT (person_id) DO UPDATE SET mark = excluded.mark",
        [person_id for person_id, _ in marks],
        [mark for _, mark in marks],
        at,
    )


async def take_due(db: Database, now: datetime, lease: timedelta) -> Due | None:
    """Return the person who has waited longest, taken for a time; None when nobody waits."""
    async with db.transaction() as conn:
        row = await conn.fetchrow(
            "UPDATE vaccination_due SET taken_until = $2 WHERE person_id = ("
            " SELECT person_id FROM vaccination_due WHERE due_at <= $1 AND (taken_until IS NULL OR taken_until <= $1)"
            " ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING person_id, mark, failures",
            now,
            now + lease,
        )
    return Due(*row) if row else None


async def finish_due(db: Database, due: Due) -> None:
    """Take a person off the list, unless their card has changed meanwhile: then they are due again."""
    async with db.transaction() as conn:
        await conn.execute("DELETE FROM vaccination_due WHERE person_id = $1 AND mark = $2", due.person_id, due.mark)
        await conn.execute(
            "UPDATE vaccination_due SET taken_until = NULL, failures = 0, last_error = '' WHERE person_id = $1",
            due.person_id,
        )


async def postpone_due(db: Database, due: Due, error: str, until: datetime) -> None:
    """Try a person again later."""
    async with db.transaction() as conn:
        await conn.execute(
            "UPDATE vaccination_due SET taken_until = NULL, due_at = $2, failures = failures + 1, last_error = $3"
            " WHERE person_id = $1",
            due.person_id,
            until,
            error,
        )


async def replace_doses(
    db: Database, person_id: UUID, doses: Sequence[tuple[UUID, Dose]], observations: Sequence[Observed]
) -> None:
    """Replace a person's doses, each with its key, and observations; note packs; let stock and forecast follow."""
    rows: list[Row] = [_dose_row(key, dose) for key, dose in doses]
    packs = [pack_row(dose.gtin, dose.serial, key) for key, dose in doses if dose.serial]
    async with db.transaction() as conn:
        before = await stock_store.fetch_doses(conn, person_id)
        await conn.execute("DELETE FROM vaccination_dose WHERE person_id = $1", person_id)
        await conn.execute("DELETE FROM vaccination_observation WHERE person_id = $1", person_id)
        await insert(conn, rows)
        await insert(conn, [(OBSERVATION, (person_id, *astuple(one))) for one in observations])
        await insert(conn, packs)
        await settle_use(conn, person_id, before)
        await forecast_store.mark_stale(conn, [person_id])


def _dose_row(key: UUID, dose: Dose) -> Row:
    return DOSE, (
        dose.person_id,
        key,
        dose.occurred,
        dose.day,
        dose.product,
        " ".join(dose.cvx),
        " ".join(dose.antigens),
        normal_lot(dose.lot),
        dose.gtin,
        dose.given_here,
        dose.confirmed,
        dose.author.id,
        dose.author.organization_id,
        dose.confidentiality == Confidentiality.NORMAL.value,
        dose.expires_on,
    )


async def find_history(db: Database, person_id: UUID) -> History | None:
    """Return the documents of a person's history; None before the first."""
    row = await db.fetchrow(
        "SELECT digest, bundle_id, pdf_id FROM vaccination_history WHERE person_id = $1", person_id
    )
    return History(*row) if row else None


async def store_history(db: Database, person_id: UUID, history: History, at: datetime) -> None:
    """Store which documents hold a person's history."""
    async with db.transaction() as conn:
        await conn.execute("DELETE FROM vaccination_history WHERE person_id = $1", person_id)
        await insert(conn, [(HISTORY, (person_id, history.digest, history.bundle_id, history.pdf_id, at))])


async def delete_of_person(conn: Connection, person_id: UUID) -> int:
    """Delete what is kept of a person beside their record; return how many rows."""
    keys = [row[0] for row in await conn.fetch("SELECT dose_id FROM vaccination_dose WHERE person_id = $1", person_id)]
    await conn.execute("DELETE FROM vaccination_pack WHERE dose_id = ANY ($1::uuid[])", keys)
    count = len(keys)
    for table in _OF_PERSON:
        await conn.execute(f"DELETE FROM {table} WHERE person_id = $1", person_id)  # noqa: S608 - constant names
    return count

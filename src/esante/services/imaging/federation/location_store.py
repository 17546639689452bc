"""SQL of the archives of hospitals, and of which series are in them."""

from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Table, insert
from esante.services.imaging.federation.model import Location

LOCATION = Table(
    "imaging_location",
    Kind.LOCAL,
    {
        "location_uid": "text",
        "organization_id": "uuid",
        "name": "text",
        "url": "text",
        "token_file": "text",
        "since": "timestamptz",
    },
)
_COLUMNS = ", ".join(LOCATION.columns)


async def fetch_location(db: Database, location_uid: str) -> Location | None:
    """Return an archive by its Retrieve Location UID."""
    row = await db.fetchrow(f"SELECT {_COLUMNS} FROM imaging_location WHERE location_uid = $1", location_uid)  # noqa: S608
    return Location(**dict(row)) if row else None


async def fetch_locations(db: Database) -> list[Location]:
    """Return all archives, by name."""
    rows = await db.fetch(f"SELECT {_COLUMNS} FROM imaging_location ORDER BY name, location_uid")  # noqa: S608
    return [Location(**dict(row)) for row in rows]


async def replace_location(conn: Connection, one: Location) -> None:
    """Write an archive in place of that of the same UID."""
    await delete_location(conn, one.location_uid)
    await insert(conn, [(LOCATION, tuple(getattr(one, name) for name in LOCATION.columns))])


async def delete_location(conn: Connection, location_uid: str) -> bool:
    """Delete an archive; return whether there was one."""
    status = await conn.execute("DELETE FROM imaging_location WHERE location_uid = $1", location_uid)
    return not status.endswith(" 0")


async def fetch_series_locations(db: Database, person_id: UUID, study_uid: str) -> dict[str, str]:
    """Return the Retrieve Location UID of the series of a study that are in other archives."""
    rows = await db.fetch(
        "SELECT series_uid, location_uid FROM imaging_series"
        " WHERE person_id = $1 AND study_uid = $2 AND location_uid <> ''",
        person_id,
        study_uid,
    )
    return {row["series_uid"]: row["location_uid"] for row in rows}

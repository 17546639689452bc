"""SQL of policies and their roll-outs."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from esante.core.storage import Connection as Conn
from esante.core.storage import Database, Kind, Table
from esante.services.healthnet.controller.model import Rollout, RolloutSite

POLICY = Table(
    "healthnet_policy",
    Kind.LOCAL,
    {"version": "integer", "text": "text", "is_in_force": "boolean", "created_at": "timestamptz"},
)
ROLLOUT = Table(
    "healthnet_rollout",
    Kind.LOCAL,
    {
        "rollout_id": "uuid",
        "policy_version": "integer",
        "before_version": "integer",
        "state": "text",
        "stage": "integer",
        "stage_at": "timestamptz",
        "tolerance": "integer",
        "soak": "integer",
        "patience": "integer",
    },
)
ROLLOUT_SITE = Table("healthnet_rollout_site", Kind.LOCAL, {"rollout_id": "uuid", "site": "text", "stage": "integer"})


async def fetch_policies(db: Database | Conn) -> list[Any]:
    """Return the policies that are in force or with a site."""
    return await db.fetch(
        "SELECT version, text FROM healthnet_policy p WHERE is_in_force"
        " OR EXISTS (SELECT FROM healthnet_connection c WHERE c.policy_version = p.version)"
        " OR EXISTS (SELECT FROM healthnet_rollout r WHERE r.state = 'running' AND r.policy_version = p.version)"
    )


async def version_in_force(db: Database | Conn) -> int:
    """Return the version of the policy in force, 0 before the first."""
    return int(await db.fetchval("SELECT coalesce(max(version), 0) FROM healthnet_policy WHERE is_in_force"))


async def text_of(db: Database | Conn, version: int) -> str:
    """Return the text of a policy, "" for an unknown version."""
    return str(await db.fetchval("SELECT text FROM healthnet_policy WHERE version = $1", version) or "")


async def newest_version(conn: Conn) -> int:
    """Return the highest version of a policy."""
    return int(await conn.fetchval("SELECT coalesce(max(version), 0) FROM healthnet_policy"))


async def put_in_force(conn: Conn, version: int) -> None:
    """Make a policy the one in force."""
    await conn.execute("UPDATE healthnet_policy SET is_in_force = false WHERE is_in_force")
    await conn.execute("UPDATE healthnet_policy SET is_in_force = true WHERE version = $1", version)


async def insert_rollout(conn: Conn, rollout: Rollout, stages: Mapping[str, int]) -> None:
    """Keep a new roll-out with the stage of each site."""
    await conn.execute(
        "INSERT INTO healthnet_rollout (rollout_id, policy_version, before_version, state, stages, stage, stage_at,"
        " tolerance, soak, patience) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        rollout.rollout_id,
        rollout.policy_version,
        rollout.before_version,
        rollout.state,
        [*rollout.stages],
        rollout.stage,
        rollout.stage_at,
        rollout.tolerance,
        rollout.soak,
        rollout.patience,
    )
    await conn.execute(
        "INSERT INTO healthnet_rollout_site (rollout_id, site, stage)"
        " SELECT $1, * FROM unnest($2::text[], $3::integer[])",
        rollout.rollout_id,
        [*stages],
        [*stages.values()],
    )


async def fetch_running(conn: Conn | Database) -> Rollout | None:
    """Return the roll-out that runs, or None."""
    return _rollout(await conn.fetchrow("SELECT * FROM healthnet_rollout WHERE state = 'running'"))


async def fetch_newest(db: Conn | Database) -> Rollout | None:
    """Return the newest roll-out, or None."""
    return _rollout(await db.fetchrow("SELECT * FROM healthnet_rollout ORDER BY policy_version DESC LIMIT 1"))


def _rollout(row: Any) -> Rollout | None:
    return Rollout(**{**row, "stages": tuple(row["stages"])}) if row else None


async def fetch_sites(conn: Conn, rollout: Rollout) -> list[RolloutSite]:
    """Return the sites of a roll-out that are still connected."""
    rows = await conn.fetch(
        "SELECT r.site, r.stage, r.moved_at, r.prior_serial, r.serial, r.was_present, c.receipt_serial, c.outcome,"
        " s.received_at AS heard_at FROM healthnet_rollout_site r JOIN healthnet_connection c USING (site)"
        " LEFT JOIN healthnet_status s USING (site) WHERE r.rollout_id = $1 AND NOT c.is_revoked ORDER BY r.site",
        rollout.rollout_id,
    )
    return [RolloutSite(**row) for row in rows]


async def move(conn: Conn, rollout: Rollout, sites: Iterable[str], now: datetime) -> None:
    """Give sites of a roll-out the new policy, and note their bundle until now and whether they were heard lately."""
    names = [*sites]
    await conn.execute(
        "UPDATE healthnet_rollout_site r SET moved_at = $3::timestamptz, prior_serial = c.serial,"
        " was_present = coalesce(s.received_at > $3::timestamptz - make_interval(secs => $4), false)"
        " FROM healthnet_connection c LEFT JOIN healthnet_status s USING (site)"
        " WHERE r.rollout_id = $1 AND r.site = c.site AND c.site = ANY($2)",
        rollout.rollout_id,
        names,
        now,
        rollout.patience,
    )
    await set_policy(conn, names, rollout.policy_version)


async def set_policy(conn: Conn, sites: Iterable[str], version: int) -> None:
    """Give sites a version of the policy."""
    await conn.execute("UPDATE healthnet_connection SET policy_version = $2 WHERE site = ANY($1)", [*sites], version)


async def keep_serials(conn: Conn, rollout: Rollout) -> None:
    """Note which bundles the moved sites were offered."""
    await conn.execute(
        "UPDATE healthnet_rollout_site r SET serial = c.serial FROM healthnet_connection c"
        " WHERE r.rollout_id = $1 AND r.site = c.site AND r.moved_at IS NOT NULL AND r.serial = 0",
        rollout.rollout_id,
    )


async def set_stage(conn: Conn, rollout: Rollout, stage: int, now: datetime) -> None:
    """Begin a stage."""
    await conn.execute(
        "UPDATE healthnet_rollout SET stage = $2, stage_at = $3 WHERE rollout_id = $1", rollout.rollout_id, stage, now
    )


async def end(conn: Conn, rollout: Rollout, state: str, reason: str) -> None:
    """End a roll-out."""
    await conn.execute(
        "UPDATE healthnet_rollout SET state = $2, reason = $3 WHERE rollout_id = $1",
        rollout.rollout_id,
        state,
        reason,
    )


async def sites_with_other_policy(conn: Conn, version: int) -> list[str]:
    """Return the connected sites that do not have a version of the policy."""
    rows = await conn.fetch(
        "SELECT site FROM healthnet_connection WHERE policy_version <> $1 AND NOT is_revoked", version
    )
    return [row["site"] for row in rows]

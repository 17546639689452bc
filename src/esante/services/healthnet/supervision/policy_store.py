"""SQL of what pages show of policies and roll-outs."""

from typing import Any

from esante.core.storage import Database


async def fetch_in_force(db: Database) -> Any:
    """Return the policy in force, or None."""
    return await db.fetchrow("SELECT version, text, created_at FROM healthnet_policy WHERE is_in_force")


async def fetch_policy(db: Database, version: int) -> Any:
    """Return a policy, or None."""
    return await db.fetchrow("SELECT version, text, created_at FROM healthnet_policy WHERE version = $1", version)


async def fetch_rollouts(db: Database, before: int | None, limit: int) -> list[Any]:
    """Return roll-outs with their sites by stage (stage, all, moved, applied), the newest first."""
    return await db.fetch(
        "SELECT r.*, p.created_at AS begun_at, coalesce((SELECT json_agg(json_build_array(s.stage, s.sites, s.moved,"
        " s.applied) ORDER BY s.stage) FROM (SELECT rs.stage, count(*) AS sites, count(rs.moved_at) AS moved,"
        " count(*) FILTER (WHERE rs.moved_at IS NOT NULL AND ((rs.serial > 0 AND rs.serial = rs.prior_serial) OR"
        " (rs.serial > 0 AND c.receipt_serial >= rs.serial AND c.outcome = 'applied'))) AS applied"
        " FROM healthnet_rollout_site rs LEFT JOIN healthnet_connection c USING (site)"
        " WHERE rs.rollout_id = r.rollout_id GROUP BY rs.stage) s), '[]') AS counts"
        " FROM healthnet_rollout r JOIN healthnet_policy p ON p.version = r.policy_version"
        " WHERE $1::integer IS NULL OR r.policy_version < $1 ORDER BY r.policy_version DESC LIMIT $2",
        before,
        limit,
    )

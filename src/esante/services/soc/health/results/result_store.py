"""SQL of what became of alerts."""

from datetime import datetime
from typing import Any

from esante.core.storage import Database, uuid7_floor


async def fetch_results(db: Database, since: datetime, zone: str) -> list[Any]:
    """Return by rule and month of a zone what became of health alerts raised since a moment.

    An alert is confirmed by a case that was closed as an incident, dismissed alone or by a case of another outcome,
    and open otherwise.
    """
    return await db.fetch(
        "SELECT a.rule, date_trunc('month', a.raised_at AT TIME ZONE $2)::date AS month, count(*) AS raised,"
        " count(*) FILTER (WHERE c.state = 'closed' AND c.outcome = 'incident') AS confirmed,"
        " count(*) FILTER (WHERE a.dismissed_at IS NOT NULL OR (c.state = 'closed' AND c.outcome <> 'incident'))"
        " AS dismissed FROM soc_alert a LEFT JOIN soc_case c USING (case_id)"
        " WHERE a.origin = 'health' AND a.alert_id >= $3 AND a.raised_at >= $1 GROUP BY a.rule, month"
        " ORDER BY a.rule, month",
        since,
        zone,
        uuid7_floor(since),
    )

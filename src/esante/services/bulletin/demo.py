"""Demonstration data of the bulletin: released issues, and a newest one that is built only."""

from esante.contract import DemoCountry, Platform
from esante.core.time_zone import time_zone
from esante.core.types import Progress
from esante.services.bulletin.periods import shift_month
from esante.services.bulletin.service import Bulletin

BUILDER, OPERATOR = "Zoé Ziffer", "Olivia Opérateur"
"""The person who builds the issues, and the other one who releases them."""


async def load_issues(platform: Platform, country: DemoCountry, progress: Progress) -> None:
    """Release the issue of the month before last, with all months that it shows, and build that of last month.

    Issues that exist are kept.
    """
    if not country.months:
        return
    bulletin = platform[Bulletin]
    last = shift_month(f"{country.now.astimezone(time_zone()):%Y-%m}", -1)
    if not await _is_released(bulletin, shift_month(last, -1)):
        await _release(bulletin, shift_month(last, -1))
    await bulletin.build(last, BUILDER)


async def _is_released(bulletin: Bulletin, period: str) -> bool:
    try:
        await bulletin.issue(period)
    except LookupError:
        return False
    return True


async def _release(bulletin: Bulletin, period: str) -> None:
    await bulletin.build(period, BUILDER)
    await bulletin.preview(period, OPERATOR)
    for anomaly in await bulletin.fetch_anomalies(period):
        if anomaly.serious and not anomaly.acknowledged_by:
            await bulletin.acknowledge(anomaly.period, anomaly.code, anomaly.subject, OPERATOR, "All is invented.")
    await bulletin.release(period, OPERATOR, history=True)

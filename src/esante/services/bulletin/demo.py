"""Demonstration data of the bulletin: its issues are released but for the newest, which waits for its release."""

from esante.contract import DemoCountry, Platform
from esante.core.time_zone import time_zone
from esante.core.types import Progress
from esante.services.bulletin.compilation.monthly_counts import shifted
from esante.services.bulletin.service import Bulletin

BUILDER, OPERATOR = "Zoé Ziffer", "Olivia Opérateur"
"""Who builds the issues, and who releases them: another person."""


async def load_issues(platform: Platform, country: DemoCountry, progress: Progress) -> None:
    """Release the issue of the month before last, with all months that it shows, and build that of last month.

    What is there is left as it is.
    """
    if not country.months:
        return
    bulletin = platform[Bulletin]
    last = shifted(f"{country.now.astimezone(time_zone()):%Y-%m}", -1)
    if not await _is_released(bulletin, shifted(last, -1)):
        await _release(bulletin, shifted(last, -1))
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
    for finding in await bulletin.unusual(period):
        if finding.serious and not finding.acknowledged_by:
            await bulletin.acknowledge(finding.period, finding.code, finding.subject, OPERATOR, "All is invented.")
    await bulletin.release(period, OPERATOR, history=True)

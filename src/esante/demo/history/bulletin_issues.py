"""The bulletin of the invented past: its issues are released but for the newest, which waits for its release."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from esante.demo.platform import Platform
from esante.demo.population.signin_personas import OPERATOR
from esante.services.bulletin import Bulletin, shifted

BUILDER = "Zoé Ziffer"
"""Who builds the issues: another person than the operator, who releases them."""
_ZONE = ZoneInfo("Europe/Luxembourg")


async def publish(platform: Platform) -> None:
    """Release the issue of the month before last, with all months that it shows, and build that of last month.

    May be broken off and repeated: what is there is left as it is.
    """
    last = shifted(f"{datetime.now(UTC).astimezone(_ZONE):%Y-%m}", -1)
    if not await _is_released(platform.bulletin, shifted(last, -1)):
        await _release(platform.bulletin, shifted(last, -1))
    await platform.bulletin.build(last, BUILDER)


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

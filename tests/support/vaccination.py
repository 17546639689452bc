"""Doses for tests of the vaccination card."""

from datetime import date, timedelta

from esante.core.journal import advance
from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.services.vaccination.card.model import DoseEntry, DoseStatus

BOOSTRIX = "boostrix_polio"
GTIN = "09521234500049"


def given(day: date | None = None, **fields) -> DoseEntry:
    """A dose that is being given today (or on a day), of a vaccine for adults."""
    fields = {"product": BOOSTRIX, "lot": "AB12", "expires_on": today() + timedelta(days=300)} | fields
    return DoseEntry(key=fields.pop("key", None) or uuid7(), occurred=(day or today()).isoformat(), **fields)


def copied(occurred: str = "2015-03-02", **fields) -> DoseEntry:
    """A dose copied from a paper card."""
    fields = {"product": BOOSTRIX, "lot": "OLD1", "given_here": False} | fields
    return DoseEntry(key=fields.pop("key", None) or uuid7(), occurred=occurred, **fields)


def refused(**fields) -> DoseEntry:
    """A dose that the patient does not want."""
    fields = {"antigens": ("influenza",), "reason": "PATOBJ"} | fields
    return DoseEntry(key=uuid7(), status=DoseStatus.NOT_GIVEN, occurred=today().isoformat(), **fields)


async def renew(world, histories) -> None:
    """Let the platform catch up with the journal."""
    await world.journal.sealer.seal_all()
    while await advance(world.db, histories.consumer):
        pass
    await histories.run()


async def catch_up(world, histories, forecasts) -> None:
    """Let the platform catch up with the journal, and make the forecasts."""
    await renew(world, histories)
    while await advance(world.db, forecasts.consumer):
        pass
    await forecasts.run()

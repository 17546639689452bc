"""Measures of the platform itself: how many requests a process answered in an hour, how many failed, how fast."""

import asyncio
import logging

from esante.core.journal import Journal
from esante.core.storage import Unavailable
from esante.core.web import Meter
from esante.services.bulletin.model import PlatformObserved

log = logging.getLogger(__name__)
HOUR = 3_600.0


async def observe(journal: Journal, meter: Meter, every: float = HOUR) -> None:
    """Append what the meter counted, every hour, for ever (`every` in seconds)."""
    while True:
        await asyncio.sleep(every)
        measured = meter.read()
        event = PlatformObserved(
            requests=measured.requests,
            errors=measured.errors,
            p95_ms=measured.p95_ms,
            seconds_up=measured.seconds,
        )
        try:
            await journal.append(event)
        except Unavailable:
            log.warning("the measures of the last hour could not be journalled")

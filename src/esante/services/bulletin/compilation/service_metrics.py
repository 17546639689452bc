"""Metrics of the platform itself: requests, failures and response times of a process in an hour."""

import asyncio
import logging

from esante.core.journal import Journal
from esante.core.storage import Unavailable
from esante.core.web import Meter
from esante.services.bulletin.model import PlatformObserved

log = logging.getLogger(__name__)
HOUR = 3_600.0
"""Seconds."""


async def record_service_metrics(journal: Journal, meter: Meter, every: float = HOUR) -> None:
    """Append the meter's counts to the journal every hour, for ever (`every`: seconds)."""
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
            log.warning("the metrics of the last hour are lost: the database is unavailable")

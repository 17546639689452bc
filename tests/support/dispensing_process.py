"""A process of the platform that dispenses once, to be killed meanwhile.

`python -m tests.support.dispensing_process DSN FOLDER URL ENCOUNTER PRACTITIONER UNIQUE_ID ITEM`
"""

import asyncio
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from esante.core.journal import Journal
from esante.core.storage import Database, Objects
from esante.identity.access import requester_of
from esante.identity.directory import Directory
from esante.services.exchange.audit import AuditTrail
from esante.services.exchange.country_b.asker import Asker
from esante.services.exchange.country_b.dispensation import Dispensed
from esante.services.exchange.country_b.gateway import Gateway
from esante.services.exchange.country_b.service import Encounters
from tests.support.encounters import RecordedPoints


async def dispense(dsn: str, folder: Path, encounter: UUID, practitioner: UUID, unique_id: str, item: str) -> None:
    """Dispense, and wait for the answer."""
    db = await Database.open(dsn)
    journal = Journal.open(db, Objects.open("", folder), folder / "key.pem", "esante/journal")
    directory = Directory(db, journal)
    points = RecordedPoints(db, journal, folder / "exchange", "LU", "2.999.1")
    asker = Asker(db, points, AuditTrail(db, journal), Gateway(points.client_context))
    encounters = Encounters(db, journal, points, directory, asker)
    found = await directory.practitioner(practitioner)
    assert found is not None
    who = replace(requester_of(found), profession="pharmacist")
    dispensed = Dispensed(quantity=Decimal(1), product="Amoxicilline", is_substituted=False)
    began = await encounters.dispense(who, encounter, unique_id, item, dispensed)
    await (await encounters.start(who, began))


if __name__ == "__main__":
    dsn, folder, encounter, practitioner, unique_id, item = sys.argv[1:7]
    asyncio.run(dispense(dsn, Path(folder), UUID(encounter), UUID(practitioner), unique_id, item))

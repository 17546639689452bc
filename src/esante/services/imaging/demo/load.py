"""Loading of the demonstration data: a hospital stores the studies of some users of the portal, with their reports."""

import asyncio

from esante.contract import DemoCountry, Platform
from esante.core.types import Progress
from esante.identity.access import Requester, requester_of
from esante.services.imaging.archive.store import fetch_places
from esante.services.imaging.demo.examinations import Examination, draw_examinations, study_files
from esante.services.imaging.ingest.deposit import Deposits
from esante.services.record import Deposit, Record

REPORT_TYPE = "18748-4"
"""The LOINC type of a report of imaging."""
_URI = "urn:ietf:rfc:3986"


async def load_studies(platform: Platform, country: DemoCountry, progress: Progress) -> None:
    """Store studies and reports of users of the portal; what is stored already is left as it is."""
    hospital = next(requester_of(one) for one in country.organizations.values() if one.kind == "hospital")
    persons = [one for one in country.account_holders if one.deceased_at is None]
    examinations = draw_examinations(persons, country.now.date())
    known = await fetch_places(platform.db, [one.study_uid for one in examinations])
    for number, examination in enumerate(examinations, 1):
        if examination.study_uid not in known:
            # The report first: a study that is there has one, even after a load that was broken off.
            await _report(platform[Record], hospital, examination)
            await _store(platform[Deposits], hospital, examination)
        progress(number, len(examinations), "images")


async def _store(deposits: Deposits, hospital: Requester, examination: Examination) -> None:
    async with deposits.upload(hospital, examination.person, examination.study_uid) as upload:
        for file in await asyncio.to_thread(lambda: [*study_files(examination)]):
            upload.begin()
            upload.write(file)
            await upload.end()
        await upload.store()


async def _report(record: Record, hospital: Requester, examination: Examination) -> None:
    person = examination.person
    lines = [examination.title, "", f"{person.family} {' '.join(person.given)}, {examination.day.isoformat()}"]
    lines += [hospital.name, "", examination.finding]
    meta = Deposit(
        type=REPORT_TYPE,
        title=examination.title,
        language=examination.language,
        event_date=examination.day,
        media_type="text/plain",
        identifiers=((_URI, f"urn:oid:{examination.study_uid}"), (_URI, examination.accession_number)),
    )
    await record.deposit(hospital, person.id, "\n".join(lines).encode(), meta)

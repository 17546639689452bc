"""Demonstration data of the record: requests for documents, agreements on retention, a stay without its report."""

from datetime import timedelta

from esante.contract import DemoCountry, Platform
from esante.core.journal import advance
from esante.core.types import Progress
from esante.identity.access import Access, Requester, requester_of
from esante.identity.directory import Organization, Person, Practitioner
from esante.services.record.documents.service import Record
from esante.services.record.model import Document, Filters
from esante.services.record.retention.rules import FOR_LIFE

_PERSONS = 3
_STAY = (timedelta(days=25), timedelta(days=20))
"""How long ago a stay began and ended: its report is overdue."""


async def load_examples(platform: Platform, country: DemoCountry, progress: Progress) -> None:
    """Let some persons ask for documents and agree on retention, and leave hospital without a report."""
    people = [person for person in country.account_holders if person.deceased_at is None][:_PERSONS]
    for place, person in enumerate(people, 1):
        await _ask(platform[Record], person)
        await _agree(platform[Record], country, person)
        progress(place, len(people), "requests")
    if people:
        await _leave_hospital(platform, country, people[0])
    await platform.journal.sealer.seal_all()
    while await advance(platform.db, platform[Record].deposit_tracker.consumer()):
        pass


async def _ask(record: Record, person: Person) -> None:
    """Ask two depositors, unless that was done."""
    patient = requester_of(person)
    if not (await record.deadlines.requests(patient)).items:
        depositors = await record.deadlines.depositors(patient)
        for depositor, kind in zip(depositors, ("laboratory_report", "imaging_report"), strict=False):
            await record.deadlines.ask(patient, depositor.id, kind, None)


async def _agree(record: Record, country: DemoCountry, person: Person) -> None:
    """Keep a document for life, and have the author of another propose the same, unless that was done."""
    patient = requester_of(person)
    if await record.retention.agreements(patient):
        return
    documents = (await record.timeline(patient, person.id, Filters())).documents
    for document in documents[:1]:
        await record.retention.keep(patient, document.series_id)
    for document in documents[1:]:
        if (author := _author(country, document)) is not None:
            await record.retention.propose(author, person.id, document.id, FOR_LIFE)
            return


def _author(country: DemoCountry, document: Document) -> Requester | None:
    """Return who deposited a document, acting alone: a practitioner or an organisation."""
    holders: list[Practitioner | Organization] = [*country.practitioners, *country.organizations.values()]
    found = {one.id: one for one in holders}
    depositor = found.get(document.depositor_id)
    return requester_of(depositor) if depositor else None


async def _leave_hospital(platform: Platform, country: DemoCountry, person: Person) -> None:
    """Report a stay that ended without a discharge report, unless that was done."""
    hospital = next(requester_of(one) for one in country.organizations.values() if one.kind == "hospital")
    stays = platform[Access].stays
    if not await stays.list_stays(hospital, person.id):
        began, ended = (country.now - ago for ago in _STAY)
        stay, _ = await stays.admit(hospital, person.id, began)
        await stays.finish(hospital, person.id, stay.id, ended)

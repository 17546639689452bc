"""Who may deposit an instance for whom: its person, the decision, its study, and the comparison with the person.

The person is the one that the request names, else whose the study is, else the one whom the header identifies.
"""

from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from esante.core import clock
from esante.core.storage import Database
from esante.identity.access import Access, Action, Item, Requester, Verdict, decide
from esante.identity.directory import Directory, Person
from esante.services.imaging.archive import store
from esante.services.imaging.archive.record_entry import depositor_of
from esante.services.imaging.ingest.summary import Summary
from esante.services.imaging.model import CATEGORY
from esante.services.record import (
    DIFFERS,
    Comparison,
    Demographics,
    Document,
    Record,
    compare_document,
    keys_of,
    purpose_of,
)


class Refused(Exception):
    """An instance that may not be stored: `reason` is a key of `model.REASONS`.

    `person_id`: for whom it was sent, None for nobody known; `verdict` and `differs` are for the journal.
    """

    def __init__(
        self,
        reason: str,
        person_id: UUID | None = None,
        verdict: Verdict | None = None,
        differs: tuple[str, ...] = (),
    ) -> None:
        super().__init__(reason)
        self.reason, self.person_id, self.verdict, self.differs = reason, person_id, verdict, differs


@dataclass(frozen=True, slots=True)
class Admitted:
    """A study into which a requester may store: its person, the verdict, its document where it exists."""

    person: Person
    verdict: Verdict
    document: Document | None


@dataclass
class Admission:
    """The decisions of one upload of a requester, each made once.

    `patient`: the person whom the request names (None: nobody); `study_uid`: the study that it names ("": none).
    """

    db: Database
    record: Record
    directory: Directory
    access: Access
    requester: Requester
    patient: Person | None = None
    study_uid: str = ""
    _known: dict[tuple[str, Demographics], Admitted | Refused] = field(default_factory=dict)

    async def admit(self, instance: Summary) -> Admitted:
        """Return the study of an instance. Raises: `Refused`; Problem 429 as `Directory.find_person`."""
        key = instance.study_uid, instance.said
        if key not in self._known:
            try:
                self._known[key] = await self._admit(instance)
            except Refused as refused:
                self._known[key] = refused
        found = self._known[key]
        if isinstance(found, Refused):
            raise found
        return found

    def forget(self) -> None:
        """Make the decisions anew: another upload stored something meanwhile."""
        self._known.clear()

    async def _admit(self, instance: Summary) -> Admitted:
        study_uid = instance.study_uid
        if self.study_uid not in ("", study_uid):
            raise Refused("study-differs", self.patient.id if self.patient else None)
        place = (await store.fetch_places(self.db, [study_uid])).get(study_uid)
        person = self.patient or await self._person(instance, place)
        if person is None or self.requester.only_person_id not in (None, person.id):
            raise Refused("person-unknown")
        if place is not None and place.person_id != person.id:
            raise Refused("study-of-another", person.id)
        verdict = await self._decide(person.id, instance.care_on)
        document = await self._document(person.id, place) if place else None
        comparison = await self._compare(person, instance.said)
        if comparison.differences:
            raise Refused("person-differs", person.id, DIFFERS, keys_of(comparison))
        if not comparison.confirmed and self.patient is None and place is None:
            raise Refused("person-unknown")
        return Admitted(person, verdict, document)

    async def _person(self, instance: Summary, place: store.Place | None) -> Person | None:
        if place is not None:
            return await self.directory.person(place.person_id)
        identifiers: list[tuple[str | None, str]] = [*instance.said.identifiers] or [(None, instance.patient_id)]
        for system, value in identifiers:
            found = await self.directory.find_person(system, value) if value else None
            if found is not None:
                return found
        return None

    async def _decide(self, person_id: UUID, study_on: date) -> Verdict:
        requester = self.requester
        item = Item(
            category=CATEGORY,
            author_id=requester.id,
            organization_id=depositor_of(requester),
            care_on=study_on,
        )
        consent = await self.access.consent(person_id)
        verdict = decide(consent, requester, Action.WRITE, item, purpose_of(requester), clock.now())
        if not verdict.allowed:
            raise Refused("not-authorized", person_id, verdict)
        return verdict

    async def _document(self, person_id: UUID, place: store.Place) -> Document:
        """Return the document of a study that exists: only its depositor adds to it, and not once it is withdrawn."""
        current = await self.record.current.find(self.requester, person_id, place.document_series_id)
        if current.document is None or current.document.depositor_id != depositor_of(self.requester):
            raise Refused("study-of-another", person_id, current.verdict)
        return current.document

    async def _compare(self, person: Person, said: Demographics) -> Comparison:
        async with self.directory.lookups.admitted() as lookup:
            comparison = compare_document(person, said, "")
            if comparison.differences:
                await lookup.record_miss(journalled=True)
        return comparison

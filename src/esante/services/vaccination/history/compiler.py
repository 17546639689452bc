"""Compilation of the history: whenever a card changes, its doses are worked out again, and its documents renewed.

A consumer of the journal marks who is due, in the transaction of its cursor; a task works on one person after the
other. What it does is repeatable: the same doses make the same documents, which the record takes once. So a process
may be killed at any moment, and another finishes its work.
"""

import asyncio
import dataclasses
import hashlib
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import orjson

from esante.core import clock
from esante.core.journal import Consumer, Entry
from esante.core.storage import Connection, Database, Unavailable, yield_to_requests
from esante.core.time_zone import day_of
from esante.core.types import Json
from esante.core.web import DEFAULT_LANGUAGE, FHIR_JSON, LANGUAGES, Problem, current_agency, translator
from esante.identity.access import (
    Access,
    Confidentiality,
    Disposition,
    RecordState,
    Requester,
    StateChanged,
    StepOutcome,
)
from esante.identity.directory import Directory, Person
from esante.services.record import (
    INDEXED,
    ClinicalCreated,
    ClinicalDeleted,
    ClinicalUpdated,
    ConfidentialitySet,
    ContentDeleted,
    Corrected,
    Deposit,
    DepositedEvent,
    DepositItem,
    Record,
    Replaced,
    Status,
    Withdrawn,
)
from esante.services.vaccination.card.checks import contraindication_kinds
from esante.services.vaccination.card.loader import CardLoader
from esante.services.vaccination.card.matching import match_doses
from esante.services.vaccination.card.model import Dose
from esante.services.vaccination.history import store
from esante.services.vaccination.history.bundle import DATA_TITLE, LOINC_HISTORY, TITLE, dose_key, history_bundle
from esante.services.vaccination.history.pdf import history_pdf
from esante.services.vaccination.history.store import History

log = logging.getLogger(__name__)
COMPILER = UUID("6a1f1d0c-6f0e-8d57-9b0b-6d9a2b0f3c11")
"""The author of the documents: the platform."""
LEASE = timedelta(minutes=2)
"""For how long a process has a person; the largest history takes seconds."""
_MAX_PAUSE = timedelta(hours=1)
_OF_CARD = ("Immunization/", "Condition/")
_CLINICAL = (ClinicalCreated, ClinicalUpdated, ClinicalDeleted)
_DOCUMENTS = (DepositedEvent, Replaced, Withdrawn, Corrected, ConfidentialitySet, ContentDeleted, StateChanged)


class Histories:
    """The vaccination histories of all persons."""

    def __init__(self, db: Database, record: Record, directory: Directory, access: Access) -> None:
        self._db, self._record, self._directory, self._access = db, record, directory, access
        self._loader = CardLoader(record)

    @property
    def consumer(self) -> Consumer:
        """The consumer of the journal that marks persons whose card may have changed."""
        return Consumer("vaccination.history", [*_CLINICAL, *_DOCUMENTS], self._mark)

    async def _mark(self, conn: Connection, entries: list[Entry]) -> None:
        persons = {entry.person_id for entry in entries if _concerns_card(entry)}
        if persons:
            await store.mark_due(conn, persons, clock.now())

    async def run(self) -> None:
        """Work on everybody who is due."""
        while await self.advance():
            pass

    async def advance(self) -> bool:
        """Work on the person who has waited longest; False when nobody is due."""
        await yield_to_requests()
        due = await store.take_due(self._db, clock.now(), LEASE)
        if due is None:
            return False
        try:
            await self.renew(due.person_id)
        except Unavailable:
            raise
        except Exception as error:
            log.exception("the vaccination history of a person could not be renewed; it is tried again")
            pause = min(timedelta(seconds=2 ** min(due.failures + 1, 20)), _MAX_PAUSE)
            await store.postpone_due(self._db, due, type(error).__name__, clock.now() + pause)
        else:
            await store.finish_due(self._db, due)
        return True

    async def renew(self, person_id: UUID) -> None:
        """Work out the doses in an open record, and renew its documents where they say something else."""
        person = await self._directory.person(person_id)
        if person is None or (await self._access.consent(person_id)).state is not RecordState.OPEN:
            return
        found = await self._loader.doses(person_id)
        resources = {(dose.id, dose.source_id): resource for dose, resource in found}
        matched = match_doses(dose for dose, _ in found if dose.is_given)
        observations = await self._observations(person_id)
        await store.replace_doses(self._db, person_id, _keyed([one.shown for one in matched]), observations)
        public = match_doses(dose for dose, _ in found if dose.is_given and _is_public(dose))
        doses = [one.shown for one in public]
        await self._renew_documents(person, [(dose, resources[dose.id, dose.source_id]) for dose in doses])

    async def delete(self, conn: Connection, disposition: Disposition) -> StepOutcome:
        """Delete what is kept of a person, when their record is deleted."""
        return StepOutcome(await store.delete_of_person(conn, disposition.person_id), finished=True)

    async def _observations(self, person_id: UUID) -> list[store.Observed]:
        """Return the contraindications of a person that the calendar knows."""
        kinds = contraindication_kinds()
        return [
            store.Observed(kinds[one.kind].observation, one.since, one.until, public)
            for one, public in await self._loader.contraindications(person_id)
            if one.kind in kinds and kinds[one.kind].observation
        ]

    async def _renew_documents(self, person: Person, doses: Sequence[tuple[Dose, Json]]) -> None:
        before, language = await store.find_history(self._db, person.id), _language(person)
        digest = _digest(person, doses, language)
        if (before is not None and before.digest == digest) or (before is None and not doses):
            return
        at = max((dose.recorded_at for dose, _ in doses), default=clock.now())
        bundle, pdf = await asyncio.to_thread(_documents, person, doses, language, at, digest)
        contents = (bundle, FHIR_JSON), (pdf, "application/pdf")
        items = [DepositItem(content=content, meta=_meta(language, at, type_)) for content, type_ in contents]
        deposited = await self._deposit(person.id, items, before, language)
        await store.store_history(self._db, person.id, History(digest, *deposited), clock.now())

    async def _deposit(
        self, person_id: UUID, items: Sequence[DepositItem], before: History | None, language: str
    ) -> list[UUID]:
        """Deposit the documents as next versions; return their keys.

        Where the last versions are not those that were stored (a process was killed between the two, or their
        retention has ended), the present ones are replaced.
        """
        compiler = _compiler(language)
        known = [before.bundle_id, before.pdf_id] if before else [None, None]
        try:
            return await self._deposit_replacing(compiler, person_id, items, known)
        except Problem as problem:
            if before is None or problem.status not in (404, 409):
                raise
        current = [await self._current(compiler, person_id, one) for one in (before.bundle_id, before.pdf_id)]
        return await self._deposit_replacing(compiler, person_id, items, current)

    async def _deposit_replacing(
        self, compiler: Requester, person_id: UUID, items: Sequence[DepositItem], replaces: Sequence[UUID | None]
    ) -> list[UUID]:
        whole = [dataclasses.replace(item, replaces=one) for item, one in zip(items, replaces, strict=True)]
        return [one.document.id for one in await self._record.deposit_all(compiler, person_id, whole)]

    async def _current(self, compiler: Requester, person_id: UUID, document_id: UUID) -> UUID | None:
        """Return the current version of a document; None where there is none any more."""
        try:
            versions = await self._record.versions(compiler, person_id, document_id)
        except Problem:
            return None
        return next((one.id for one in versions if one.status is Status.CURRENT), None)


def _concerns_card(entry: Entry) -> bool:
    """Return whether an entry may change a card: of clinical resources, whether those of a card are among them."""
    event = entry.event
    if event is None or not getattr(event, "allowed", True):
        return False
    if isinstance(event, _CLINICAL):
        return not event.resources or any(name.startswith(_OF_CARD) for name in event.resources)
    return getattr(event, "media_type", FHIR_JSON) in INDEXED


def _is_public(dose: Dose) -> bool:
    """Return whether everybody with access to the record may see a dose."""
    return dose.confidentiality == Confidentiality.NORMAL.value


def _keyed(doses: Sequence[Dose]) -> list[tuple[UUID, Dose]]:
    """Return doses by their keys; where two claim one key, the second has that of its resource."""
    keyed: dict[UUID, Dose] = {}
    for dose in doses:
        key = dose_key(dose)
        keyed[dose.id if key in keyed else key] = dose
    return [*keyed.items()]


def _language(person: Person) -> str:
    return next((one for one in person.languages if one in LANGUAGES), DEFAULT_LANGUAGE)


def _digest(person: Person, doses: Sequence[tuple[Dose, Json]], language: str) -> bytes:
    """Return a digest (32 bytes) of what the documents say."""
    said = [(dose.id.hex, dose.source_id.hex, dose.version) for dose, _ in doses]
    about = [
        person.id.hex,
        person.name,
        person.birth_date.isoformat(),
        language,
        current_agency().agency_name.of(language),
    ]
    return hashlib.sha256(orjson.dumps([about, said])).digest()


def _documents(
    person: Person, doses: Sequence[tuple[Dose, Json]], language: str, at: datetime, digest: bytes
) -> tuple[bytes, bytes]:
    return (
        history_bundle(person, doses, language, at, digest[:16]),
        history_pdf(person, [dose for dose, _ in doses], language, at),
    )


def _meta(language: str, at: datetime, media_type: str) -> Deposit:
    return Deposit(
        type=LOINC_HISTORY,
        title=translator(language).gettext(DATA_TITLE if media_type == FHIR_JSON else TITLE),
        language=language,
        event_date=day_of(at),
        media_type=media_type,
    )


def _compiler(language: str) -> Requester:
    return Requester(kind="system", id=COMPILER, name=current_agency().agency_name.of(language))

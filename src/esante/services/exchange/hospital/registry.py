"""ITI-18, the stored queries: what somebody sees of one person, decided and journalled by the record."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from esante.core.storage import NIL, Database, Row
from esante.core.xds import DocumentEntry, Listing, RegistryError, StoredQuery, SubmissionSet
from esante.identity.access import Requester
from esante.identity.directory import Directory
from esante.services.exchange.hospital import store
from esante.services.exchange.hospital.entries import Holdings, Place, holdings_of
from esante.services.exchange.hospital.model import RegistryKey
from esante.services.exchange.hospital.patients import Patients, registry_id
from esante.services.exchange.hospital.stored_queries import QUERIES, QueryKind, missing, named_objects, unsupported
from esante.services.record import Document, Filters, Order, Record, Status

LISTED = Filters(status=(Status.CURRENT, Status.SUPERSEDED))
"""Documents that a registry lists: not those entered in error, for which it has no word."""
MAX_PERSONS = 5
"""Persons to whom the objects of one query may belong, before it is refused."""
_PAGE = 500


class Registry:
    """Answers stored queries."""

    def __init__(self, db: Database, record: Record, directory: Directory, patients: Patients) -> None:
        self._db, self._record, self._directory, self._patients = db, record, directory, patients

    async def query(self, requester: Requester, query: StoredQuery) -> Listing:
        """Return the answer to a query; what is absent and what is refused is missing alike."""
        kind = QUERIES.get(query.id)
        if kind is None:
            context = "This stored query is not answered here; docs/exchange.md lists those that are."
            return _failed("XDSUnknownStoredQuery", context, query.id)
        if name := missing(query, kind):
            return _failed("XDSStoredQueryMissingParam", "The parameter is missing, or has several values.", name)
        if name := unsupported(query, kind):
            context = "The parameter is not supported; leave it out, and choose from what is found."
            return _failed("XDSStoredQueryParamNumber", context, name)
        found = await self._answers(requester, query, kind)
        if len(found) > 1 and not query.only_references:
            return _failed("XDSResultNotSinglePatient", "Ask for the objects of one patient at a time.", query.id)
        return Listing(
            documents=[one for held in found for one in held.documents],
            submission_sets=[one for held in found for one in held.submission_sets],
            associations=[one for held in found for one in held.associations],
            only_references=query.only_references,
        )

    async def _answers(self, requester: Requester, query: StoredQuery, kind: QueryKind) -> list[Holdings]:
        """Return what is found, by person; those of whom nothing is found are left out."""
        if kind.patient:
            person = await self._patients.find(requester, query.one(kind.patient))
            persons: Sequence[UUID] = [person.id if person else NIL]
        else:
            keys = await store.find_keys(self._db, named_objects(query, kind))
            persons = sorted({key.person_id for key in keys.values()})[:MAX_PERSONS] or [NIL]
        found = []
        for person_id in persons:
            held = kind.answer(await self.holdings(requester, person_id), query)
            if held != Holdings():
                found.append(held)
        return found

    async def holdings(self, requester: Requester, person_id: UUID) -> Holdings:
        """Return what somebody sees of a person, and keep whose it is; journalled."""
        documents: list[Document] = []
        cursor = None
        while True:
            page = await self._record.timeline(
                requester, person_id, LISTED, cursor=cursor, limit=_PAGE, order=Order.DEPOSITED
            )
            documents += page.documents
            if (cursor := page.next) is None:
                break
        person = await self._directory.person(person_id) if documents else None
        if person is None:
            return Holdings()
        community = self._patients.community
        place = Place(community, community, registry_id(person, community).cx)
        return await self._keep(person_id, documents, place)

    async def _keep(self, person_id: UUID, documents: Sequence[Document], place: Place) -> Holdings:
        """Keep whose some documents are, so that they can be asked for by their identifiers alone.

        A unique id that another document has already is not used again: the document gets the one of its key.
        """
        held = holdings_of(documents, place)
        listed: list[DocumentEntry | SubmissionSet] = [*held.documents, *held.submission_sets]
        objects = {one.id.urn: one.id for one in documents}
        wanted = [key for one in listed for key in (one.entry_uuid, one.unique_id)]
        known = dict(await store.find_keys(self._db, wanted))
        rows: list[Row] = []

        def keep(key: str, object_id: UUID | None) -> None:
            if key not in known:
                known[key] = RegistryKey(person_id, object_id, None)
                rows.append(store.key_row(key, person_id, object_id))

        entries = []
        for entry in reversed(held.documents):
            object_id = objects[entry.entry_uuid]
            taken = known.get(entry.unique_id)
            if taken and (taken.person_id != person_id or taken.object_id not in (None, object_id)):
                entry = replace(entry, unique_id=f"2.25.{object_id.int}")
            keep(entry.entry_uuid, object_id)
            keep(entry.unique_id, object_id)
            entries.append(entry)
        for one in held.submission_sets:
            keep(one.entry_uuid, None)
            keep(one.unique_id, None)
        if rows:
            await self._db.write(rows)
        return replace(held, documents=entries[::-1])


def _failed(code: str, context: str, location: str) -> Listing:
    return Listing(errors=[RegistryError(code, context, location[:200])])

"""ITI-41, provide and register: documents deposited in the record, all or none, once for each unique id."""

from collections.abc import Mapping, Sequence
from uuid import UUID, uuid5

from lxml import etree

from esante.core.soap import Malformed, Package
from esante.core.storage import NIL, Database, Row, sha256
from esante.core.web import Problem, translator
from esante.core.xds import XDSB, RegistryError, read_submission, registry_response
from esante.identity.access import Requester
from esante.identity.directory import Directory
from esante.services.exchange.hospital import store
from esante.services.exchange.hospital.entries import set_uuid
from esante.services.exchange.hospital.model import RegistryKey
from esante.services.exchange.hospital.patients import Patients, read_cx
from esante.services.exchange.hospital.submission import (
    Provided,
    Rejected,
    demographics_of,
    deposit_of,
    provided_documents,
)
from esante.services.record import Demographics, Deposited, DepositItem, Document, InvalidContent, Record

_UNKNOWN_PATIENT = "There is no open record of this patient in which these documents may be put."


class Recipient:
    """Takes documents in."""

    def __init__(self, db: Database, record: Record, directory: Directory, patients: Patients) -> None:
        self._db, self._record, self._directory, self._patients = db, record, directory, patients

    async def provide(self, requester: Requester, request: etree._Element, package: Package) -> etree._Element:
        """Return the answer to a submission: success, or the error for which nothing was stored.

        The same submission again has the same result. Raises: `Malformed`.
        """
        try:
            submission = read_submission(request)
            provided, warnings = provided_documents(submission, _contents(request, package))
            more = await self._deposit(requester, submission.submission_set.unique_id, provided)
        except Rejected as rejected:
            return registry_response([rejected.error])
        return registry_response([*warnings, *more])

    async def _deposit(
        self, requester: Requester, set_id: str, provided: Sequence[Provided]
    ) -> Sequence[RegistryError]:
        """Store documents; return warnings. Raises: `Rejected`."""
        patient = provided[0].entry.patient_id
        person = await self._patients.find(requester, patient)
        person_id = person.id if person else NIL
        submission_id = uuid5(person_id, f"{requester.organization_id or requester.id} {set_id}")
        items = await self._items(requester, person_id, submission_id, provided)
        taken = await self._take(person_id, provided)
        try:
            deposited = await self._record.deposit_all(requester, person_id, items)
        except Problem as problem:
            await store.release_keys(self._db, taken, person_id)
            raise _rejected(problem, provided) from problem
        await self._keep(person_id, provided, deposited)
        return [
            RegistryError("XDSRegistryMetadataError", "The record had these bytes already.", one.entry.unique_id, True)
            for one, stored in zip(provided, deposited, strict=True)
            if not stored.created and stored.document.submission_id != submission_id
        ]

    async def _items(
        self, requester: Requester, person_id: UUID, submission_id: UUID, provided: Sequence[Provided]
    ) -> list[DepositItem]:
        replaced = await store.find_keys(self._db, [one.replaces for one in provided if one.replaces])
        items = []
        for one in provided:
            identifier = read_cx(one.entry.patient_id)
            looked_up = Demographics(identifiers=((f"urn:oid:{identifier.root}", identifier.extension),))
            patients = [looked_up, demographics_of(one.entry)]
            author = await self._author(requester, one.entry.authors)
            meta = deposit_of(one, author, submission_id, patients)
            known = replaced.get(one.replaces)
            target = known.object_id if known else None  # the record refuses one of another person as absent
            items.append(
                DepositItem(content=one.content, meta=meta, replaces=(target or NIL) if one.replaces else None)
            )
        return items

    async def _author(self, requester: Requester, authors: Sequence[str]) -> UUID | None:
        """Return the first author (XCN) whom the directory has, for a document that an organisation's system sends."""
        if requester.kind != "organization":
            return None
        for text in authors:
            fields = text.split("^")
            assigner = fields[8].split("&") if len(fields) > 8 else []
            system = f"urn:oid:{assigner[1]}" if len(assigner) > 1 and assigner[1] else None
            found = await self._directory.find_practitioner(system, fields[0]) if fields[0] else None
            if found is not None:
                return found.id
        return None

    async def _take(self, person_id: UUID, provided: Sequence[Provided]) -> list[str]:
        """Take the unique ids of documents before they are stored; return those that were free. Raises: `Rejected`."""
        unique_ids = [one.entry.unique_id for one in provided]
        before = await store.find_keys(self._db, unique_ids)
        rows: list[Row] = [
            store.key_row(one.entry.unique_id, person_id, None, sha256(one.content))
            for one in provided
            if one.entry.unique_id not in before
        ]
        if rows:
            await self._db.write(rows)
        taken = [unique_id for unique_id in unique_ids if unique_id not in before]
        known = await store.find_keys(self._db, unique_ids)
        for one in provided:
            if not _is_free(known[one.entry.unique_id], person_id, one):
                await store.release_keys(self._db, taken, person_id)
                context = "Another document has this unique id."
                raise Rejected("XDSDuplicateUniqueIdInRegistry", context, one.entry.unique_id)
        return taken

    async def _keep(self, person_id: UUID, provided: Sequence[Provided], deposited: Sequence[Deposited]) -> None:
        """Keep which documents have the unique ids, so that they are found by them."""
        rows: list[Row] = []
        for one, stored in zip(provided, deposited, strict=True):
            document: Document = stored.document
            await store.complete_key(self._db, one.entry.unique_id, person_id, document.id, sha256(one.content))
            set_key = set_uuid(document.submission_id)
            rows += [
                store.key_row(document.id.urn, person_id, document.id),
                store.key_row(set_key.urn, person_id, None),
                store.key_row(f"2.25.{set_key.int}", person_id, None),
            ]
        await self._db.write(list(dict.fromkeys(rows)))


def _contents(request: etree._Element, package: Package) -> Mapping[str, bytes]:
    """Return the bytes of documents by the ids of their entries. Raises: `Malformed`."""
    found: dict[str, bytes] = {}
    for one in request.findall(f"{{{XDSB}}}Document"):
        name = one.get("id", "")
        if name in found:
            raise Malformed(f"Document {name[:60]}: it occurs twice")
        found[name] = package.bytes_of(one)
    return found


def _is_free(known: RegistryKey, person_id: UUID, provided: Provided) -> bool:
    """Return whether a document may have a unique id: one that it has, or that no document has."""
    if known.person_id != person_id:
        return False
    return known.object_id is None or known.sha256 == sha256(provided.content)


def _rejected(problem: Problem, provided: Sequence[Provided]) -> Rejected:
    """Return the error of the profile for a deposit that the record refused.

    A person who is not known, a record that is not open, and one into which this may not be put are answered alike.
    """
    gettext = translator("en").gettext
    is_content = isinstance(problem, InvalidContent)
    location = provided[problem.index if isinstance(problem, InvalidContent) else 0].entry.entry_uuid
    place = problem.place
    if (problem.status == 422 and problem.code == "not-found") or (problem.status == 403 and not place):
        return Rejected("XDSUnknownPatientId", _UNKNOWN_PATIENT)
    if problem.status == 404 or (problem.status == 409 and not is_content):
        context = "The document to replace is not the current version of one that you may replace."
        return Rejected("XDSReplaceFailed", context, location)
    if problem.status in (429, 503):
        return Rejected("XDSRepositoryBusy", gettext(problem.title), location)
    parts = (gettext(problem.title), place, problem.detail, gettext(problem.remedy) if problem.remedy else "")
    return Rejected("XDSRepositoryMetadataError", " ".join(filter(None, parts)), location)

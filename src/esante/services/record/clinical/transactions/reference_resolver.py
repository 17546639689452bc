"""Resolution of the patient of a transaction, and of its references to persons and organisations of the directory."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec

from esante.core.fhir import decode, parse_logical_id
from esante.core.fhir.rest import BundleEntry, EntryAddresses, LinkTarget, find_conditional_references, parse_token
from esante.core.types import Json
from esante.core.web import N_, Problem, bad_request
from esante.identity.access import Requester
from esante.identity.directory import PATIENT_PARAMETERS, Directory, resolve_patient
from esante.services.record import errors
from esante.services.record.clinical.matching import Criteria
from esante.services.record.clinical_types import CLINICAL
from esante.services.record.identification.check import PersonDiffers, compare_document
from esante.services.record.identification.confirmation import read_confirmation
from esante.services.record.identification.patient_resource import patient_demographics

_AT_ONCE = 200
"""The number of entries after which other requests get their turn."""
_BYTES_AT_ONCE = 256 * 1024
"""The total size in bytes of entries after which other requests get their turn."""


class _Reference(msgspec.Struct):
    reference: str = ""
    identifier: Json = {}


class _PersonElements(msgspec.Struct):
    """The elements of a resource that identify it, and that name its patient."""

    identifier: Any = None
    subject: _Reference | None = None
    patient: _Reference | None = None
    beneficiary: _Reference | None = None


_person_elements = msgspec.json.Decoder(_PersonElements)


@dataclass(slots=True)
class ResolvedReferences:
    """The patient of a transaction, and what its references mean.

    `entries`: the entries by their addresses. `known`: those of them that the directory has, by their index.
    `found`: the reference to write for each conditional reference to the directory. `searches`: the conditional
    references to clinical resources.
    """

    person_id: UUID
    entries: EntryAddresses
    known: dict[int, LinkTarget] = field(default_factory=dict)
    found: dict[str, str] = field(default_factory=dict)
    searches: set[Criteria] = field(default_factory=set)


class ReferenceResolver:
    """Looks up in the directory whom a transaction refers to; `base_url` is the address of /fhir."""

    def __init__(self, directory: Directory, base_url: str) -> None:
        self._directory, self._base_url = directory, base_url

    async def resolve(self, items: Sequence[BundleEntry], requester: Requester) -> ResolvedReferences:
        """Return what the entries refer to.

        Raises: `Problem` 422, with the place of the entry, unless all entries are of one person who is known.
        """
        entries = EntryAddresses(items)
        patients = {item.index: await self._patient(item) for item in items if item.type == "Patient"}
        persons: set[UUID] = set()
        for number, item in enumerate(items):
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
            if (person := await self._person(item, entries, patients)) is not None:
                persons.add(person)
        if len(persons) > 1:
            title, remedy = (
                N_("The entries are about more than one patient."),
                N_("Send a transaction for each patient."),
            )
            raise _unresolved(title, remedy)
        person_id = persons.pop() if persons else requester.only_person_id
        if person_id is None:
            raise _unresolved(N_("The patient is missing."), N_("Enter the patient by reference or identifier."))
        resolved = ResolvedReferences(person_id, entries)
        size = 0
        for item in items:
            await self._resolve_item(item, resolved)
            size += memoryview(item.body).nbytes
            if size > _BYTES_AT_ONCE:
                size = 0
                await asyncio.sleep(0)
        return resolved

    async def _resolve_item(self, item: BundleEntry, resolved: ResolvedReferences) -> None:
        key = resolved.person_id if item.type == "Patient" else await self._directory_key(item)
        if key is not None:
            resolved.known[item.index] = LinkTarget(f"{item.type}/{key}", key)
        for type_, criteria in find_conditional_references(bytes(item.body)):
            if type_ in CLINICAL:
                resolved.searches.add((type_, criteria))
            elif f"{type_}?{criteria}" not in resolved.found:
                await self._resolve_search(item, type_, criteria, resolved)

    async def _resolve_search(
        self, item: BundleEntry, type_: str, criteria: str, resolved: ResolvedReferences
    ) -> None:
        """Resolve a conditional reference to the directory. Raises: `Problem` 422 where it finds nobody."""
        address = f"{type_}?{criteria}"
        pairs = dict(parse_qsl(criteria))
        key = await self._find(type_, *parse_token(pairs["identifier"])) if list(pairs) == ["identifier"] else None
        if key is None or (type_ == "Patient" and key != resolved.person_id):
            raise _unresolved(
                N_("This refers to someone who is not in the directory."),
                N_("Use an identifier that is in the directory."),
                f"{item.place}.resource",
                address,
            )
        resolved.found[address] = f"{type_}/{key}"

    async def _directory_key(self, item: BundleEntry) -> UUID | None:
        """Return the key of the practitioner or organisation of an entry, if the directory has an identifier."""
        if item.type in ("Practitioner", "Organization"):
            for system, value in _identifiers(_decode(item).identifier):
                if (key := await self._find(item.type, system, value)) is not None:
                    return key
        return None

    async def _find(self, type_: str, system: str | None, value: str) -> UUID | None:
        """Return the directory's key of the person, practitioner or organisation with an identifier."""
        match type_:
            case "Patient":
                person = await self._directory.find_person(system, value)
                return person.id if person else None
            case "Practitioner":
                practitioner = await self._directory.find_practitioner(system, value)
                return practitioner.id if practitioner else None
            case "Organization":
                organization = await self._directory.find_organization(system, value)
                return organization.id if organization else None
        return None

    async def _patient(self, item: BundleEntry) -> UUID:
        """Return the person of a Patient entry.

        Raises: `Problem` 422 for an unknown one, or 409 as for somebody who is known and differs from the entry.
        """
        for system, value in _identifiers(_decode(item).identifier):
            if (key := await self._find("Patient", system, value)) is not None:
                return key
        resource = decode(bytes(item.body))
        said = patient_demographics(resource)
        comparison = compare_document(None, said, "", [said])
        if comparison.differences and read_confirmation(resource, f"{item.place}.resource") is None:
            raise PersonDiffers(comparison, f"{item.place}.resource")
        raise errors.unknown_person(f"{item.place}.resource.identifier")

    async def _person(self, item: BundleEntry, entries: EntryAddresses, patients: Mapping[int, UUID]) -> UUID | None:
        """Return the person of an entry, or None where it names nobody.

        `patients`: the persons of the Patient entries by their index. Raises: `Problem` 422 for an unknown person, and
        for an entry that names two.
        """
        if item.type == "Patient":
            return patients[item.index]
        persons: set[UUID | None] = set()
        if keys := parse_logical_id(item.id):
            persons.add(keys[0])
        pairs = parse_qsl(item.criteria or "", keep_blank_values=True)
        if any(name in PATIENT_PARAMETERS for name, _ in pairs):
            persons.add(await resolve_patient(pairs, self._directory, self._base_url))
        if bytes(item.body) and (type_ := CLINICAL.get(item.type)) and type_.person:
            holder: _Reference | None = getattr(_decode(item), type_.person)
            if holder is not None:
                index = entries.find(holder.reference, item.full_url)
                known = patients.get(index) if index is not None else None
                persons.add(known or await self._referenced_person(holder))
        if len(persons) > 1 or None in persons:
            raise errors.unknown_person(f"{item.place}.resource")
        return next(iter(persons), None)

    async def _referenced_person(self, holder: _Reference) -> UUID | None:
        pairs = [("patient", holder.reference)] if holder.reference else []
        if "?" in holder.reference:
            pairs = [("patient.identifier", dict(parse_qsl(holder.reference.partition("?")[2])).get("identifier", ""))]
        for system, value in _identifiers(holder.identifier):
            pairs.append(("patient.identifier", f"{system}|{value}"))
        return await resolve_patient(pairs, self._directory, self._base_url) if pairs else None


def _decode(item: BundleEntry) -> _PersonElements:
    """Return the elements of a resource that name persons; empty where they are not valid R4, which is found later."""
    try:
        return _person_elements.decode(item.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _PersonElements()


def _identifiers(element: Any) -> list[tuple[str, str]]:
    """Return system and value of the identifiers in an element that have both."""
    listed = element if isinstance(element, list) else [element]
    return [
        (one["system"], one["value"])
        for one in listed
        if isinstance(one, dict) and isinstance(one.get("system"), str) and isinstance(one.get("value"), str)
    ]


def _unresolved(title: str, remedy: str, place: str = "Bundle.entry", detail: str = "") -> Problem:
    return bad_request(place, title, remedy, status=422, code="value", detail=detail[:200])

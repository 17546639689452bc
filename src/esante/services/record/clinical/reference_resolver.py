"""Whom and what a transaction is about: its one patient, and who in it the directory knows."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec

from esante.core.fhir import parse_logical_id
from esante.core.fhir.rest import BundleEntry, find_conditional_references, parse_token
from esante.core.web import N_, Problem
from esante.identity.access import Requester
from esante.identity.directory import NAMING, Directory, person_meant
from esante.services.record import audit
from esante.services.record.clinical_types import CLINICAL

_AT_ONCE = 200
"""Entries after which others get their turn."""


class _Reference(msgspec.Struct):
    reference: str = ""
    identifier: dict[str, Any] = {}


class _Whose(msgspec.Struct):
    """The parts of a resource that say who it is, and whose."""

    identifier: Any = None
    subject: _Reference | None = None
    patient: _Reference | None = None
    beneficiary: _Reference | None = None


_whose = msgspec.json.Decoder(_Whose)


@dataclass(slots=True)
class Named:
    """What the entries of a transaction mean.

    `known`: entries about whom the directory knows, with their references there. `addresses`: what is to be written
    for the addresses that mean them. `searches`: the searches (type, criteria) by which resources are referred to.
    """

    person_id: UUID
    known: dict[int, str] = field(default_factory=dict)
    addresses: dict[bytes, bytes] = field(default_factory=dict)
    searches: set[tuple[str, str]] = field(default_factory=set)


class Meanings:
    """Looks up in the directory whom a transaction names."""

    def __init__(self, directory: Directory, base_url: str) -> None:
        self._directory, self._base_url = directory, base_url

    async def of(self, items: Sequence[BundleEntry], requester: Requester) -> Named:
        """What the entries mean. Problem 422 unless they are all of one person who is known, with the place of the
        entry that is not."""
        patients = {
            item.full_url: await self._patient(item) for item in items if item.type == "Patient" and item.full_url
        }
        meant: set[UUID] = set()
        for number, item in enumerate(items):
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
            if (person := await self._person(item, patients)) is not None:
                meant.add(person)
        if len(meant) > 1:
            raise _bad(N_("The entries are of more than one patient."), N_("Send a transaction for each patient."))
        person_id = meant.pop() if meant else requester.only
        if person_id is None:
            raise _bad(N_("The patient is missing."), N_("Name the patient by reference or identifier."))
        named = Named(person_id)
        for item in items:
            await self._note(item, named)
        return named

    async def _note(self, item: BundleEntry, named: Named) -> None:
        reference = f"Patient/{named.person_id}" if item.type == "Patient" else await self._who(item)
        if reference:
            named.known[item.index] = reference
            if item.full_url:
                named.addresses[item.full_url.encode()] = reference.encode()
        for address in find_conditional_references(bytes(item.body)):
            if address.encode() not in named.addresses:
                await self._note_search(item, address, named)

    async def _note_search(self, item: BundleEntry, address: str, named: Named) -> None:
        type_, _, criteria = address.partition("?")
        if type_ in CLINICAL:
            named.searches.add((type_, criteria))
            return
        pairs = dict(parse_qsl(criteria))
        key = await self._key(type_, *parse_token(pairs["identifier"])) if list(pairs) == ["identifier"] else None
        if key is None or (type_ == "Patient" and key != named.person_id):
            raise _bad(
                N_("This refers to nobody who is known."),
                N_("Refer by an identifier that the directory knows."),
                f"{item.place}.resource",
                address,
            )
        named.addresses[address.encode()] = f"{type_}/{key}".encode()

    async def _who(self, item: BundleEntry) -> str | None:
        """The directory's reference to the practitioner or organisation of an entry, if it knows one of the
        identifiers."""
        if item.type in ("Practitioner", "Organization"):
            for system, value in _identifiers(_decoded(item).identifier):
                if (key := await self._key(item.type, system, value)) is not None:
                    return f"{item.type}/{key}"
        return None

    async def _key(self, type_: str, system: str | None, value: str) -> UUID | None:
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
        """The person whom a Patient entry means."""
        for system, value in _identifiers(_decoded(item).identifier):
            if (key := await self._key("Patient", system, value)) is not None:
                return key
        raise audit.unknown_person(f"{item.place}.resource.identifier")

    async def _person(self, item: BundleEntry, patients: Mapping[str, UUID]) -> UUID | None:
        """Whose an entry is; None where it does not say so."""
        if item.type == "Patient":
            return patients.get(item.full_url) or await self._patient(item)
        meant: set[UUID | None] = set()
        if keys := parse_logical_id(item.id):
            meant.add(keys[0])
        pairs = parse_qsl(item.criteria or "", keep_blank_values=True)
        if any(name in NAMING for name, _ in pairs):
            meant.add(await person_meant(pairs, self._directory, self._base_url))
        if bytes(item.body) and (type_ := CLINICAL.get(item.type)) and type_.person:
            holder: _Reference | None = getattr(_decoded(item), type_.person)
            if holder is not None:
                meant.add(patients.get(holder.reference) or await self._named(holder))
        if len(meant) > 1 or None in meant:
            raise audit.unknown_person(f"{item.place}.resource")
        return next(iter(meant), None)

    async def _named(self, holder: _Reference) -> UUID | None:
        pairs = [("patient", holder.reference)] if holder.reference else []
        if "?" in holder.reference:
            pairs = [("patient.identifier", dict(parse_qsl(holder.reference.partition("?")[2])).get("identifier", ""))]
        for system, value in _identifiers(holder.identifier):
            pairs.append(("patient.identifier", f"{system}|{value}"))
        return await person_meant(pairs, self._directory, self._base_url) if pairs else None


def _decoded(item: BundleEntry) -> _Whose:
    """The parts of a resource that say who; empty where they are not as R4 has them, which the check will tell."""
    try:
        return _whose.decode(item.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Whose()


def _identifiers(found: Any) -> list[tuple[str, str]]:
    """The identifiers with system and value."""
    listed = found if isinstance(found, list) else [found]
    return [
        (one["system"], one["value"])
        for one in listed
        if isinstance(one, dict) and isinstance(one.get("system"), str) and isinstance(one.get("value"), str)
    ]


def _bad(title: str, remedy: str, place: str = "Bundle.entry", detail: str = "") -> Problem:
    return Problem(422, "value", title, place=place, remedy=remedy, detail=detail[:200])

"""Persons by the identifiers of hospital systems (HL7 CX): national ones, and those that the hospital sent."""

from dataclasses import dataclass
from uuid import NAMESPACE_URL, UUID, uuid5

from esante.core.storage import NIL, Database
from esante.core.web import Problem
from esante.identity.access import Requester
from esante.identity.directory import Directory, Person
from esante.services.exchange.hl7v3.model import InstanceId
from esante.services.exchange.hospital import store
from esante.services.record import is_matricule, matricule_system


@dataclass(frozen=True, slots=True)
class Patients:
    """Finds the person of an identifier; `community`: the OID under which this platform numbers persons itself."""

    db: Database
    directory: Directory
    community: str

    async def find(self, requester: Requester, cx: str) -> Person | None:
        """Return the person of an identifier such as 123^^^&1.2.3&ISO. Raises: Problem 429 after too many misses."""
        return await self.find_by_id(requester, read_cx(cx))

    async def find_by_id(self, requester: Requester, identifier: InstanceId) -> Person | None:
        """Return the person of an identifier; of the organisation's own numbers those that it sent."""
        value, issuer = identifier.extension, identifier.root
        if not value:
            return None
        if issuer == self.community:
            return await self.directory.person(_key(value))
        if requester.organization_id and issuer:
            own = await store.find_by_local_identifier(self.db, requester.organization_id, issuer, value)
            if own is not None:
                return await self.directory.person(own)
        system = f"urn:oid:{issuer}" if issuer else None
        if is_matricule(matricule_system(), value):
            system = matricule_system()
        try:
            return await self.directory.find_person(system, value)
        except Problem as problem:
            if problem.status != 400:
                raise
            return None  # nobody has a number that its system does not give


def read_cx(text: str) -> InstanceId:
    """Return the value and the OID of a CX; the OID is "" where it names none."""
    value, _, rest = text.partition("^")
    fields = rest.split("^")
    assigner = fields[2].split("&") if len(fields) > 2 else []
    return InstanceId(assigner[1] if len(assigner) > 1 else "", value.strip())


def community_oid(base_url: str) -> str:
    """Return the OID of a platform at an address: of its repository, and of its own numbers of persons."""
    return f"2.25.{uuid5(NAMESPACE_URL, base_url).int}"


def registry_id(person: Person, community: str) -> InstanceId:
    """Return the identifier by which the registry names a person: a national one, else the platform's own."""
    for one in person.identifiers:
        if one.system == matricule_system():
            return InstanceId(one.system.removeprefix("urn:oid:"), one.value)
    return InstanceId(community, person.id.hex)


def _key(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        return NIL

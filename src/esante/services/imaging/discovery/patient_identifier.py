"""Patient identifiers of IHE profiles that are older than FHIR (HL7 V2, CX): value, and the OID of the issuer."""

from esante.identity.directory import Directory, Person
from esante.services.record import is_matricule, matricule_system


async def find_by_cx(directory: Directory, text: str) -> Person | None:
    """Return the person of an identifier such as 123^^^&1.2.3&ISO. Raises: Problem 429.

    A matricule is known by its check digits; without an issuer the identifier counts if one person has it.
    """
    value, _, rest = text.partition("^")
    if not value:
        return None
    if is_matricule(matricule_system(), value):
        return await directory.find_person(matricule_system(), value)
    _, oid, *_ = (*rest.rpartition("^")[2].split("&"), "", "")
    return await directory.find_person(f"urn:oid:{oid}" if oid else None, value)

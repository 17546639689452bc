"""Finds the person of a message in the directory, by identifiers and by what else the message says of them."""

from uuid import UUID

from esante.core.storage import NIL
from esante.core.web import Problem
from esante.identity.directory import Directory, Person, normalize_name
from esante.services.exchange.hl7v3.model import FoundPatient, InstanceId, PatientQuery

_GENDERS = {"male": "M", "female": "F", "other": "UN"}
_BIRTH_DIGITS = 8


async def find_by_id(directory: Directory, id_: InstanceId) -> Person | None:
    """Return the person with an identifier, None for nobody, for several, and for one that nobody can have."""
    if not id_.root or not id_.extension:
        return None
    try:
        return await directory.find_person(f"urn:oid:{id_.root}", id_.extension)
    except Problem:
        return None


async def find_by_cx(directory: Directory, text: str) -> UUID:
    """Return the key of the person of a CX, such as `1234^^^&1.2.3&ISO`; the nil key for nobody."""
    value, _, rest = text.partition("^")
    _, oid, *_ = (*rest.rpartition("^")[2].split("&"), "", "")
    found = await find_by_id(directory, InstanceId(oid, value))
    return found.id if found else NIL


def matches(person: Person, query: PatientQuery) -> bool:
    """Return whether what a query says beside identifiers is true of a person."""
    birth = person.birth_date.strftime("%Y%m%d")
    said = query.birth[:_BIRTH_DIGITS]
    names = normalize_name(" ".join(person.given)).split()
    return (
        (not said or birth.startswith(said))
        and query.gender in ("", "UN", _GENDERS.get(person.sex, "UN"))
        and (not query.family or normalize_name(query.family) == normalize_name(person.family))
        and (not query.given or set(normalize_name(query.given).split()) <= set(names))
    )


def patient_of(person: Person, asked_by: InstanceId) -> FoundPatient:
    """Return what another country learns of a person: enough for a professional to recognise them."""
    return FoundPatient(
        ids=[asked_by],
        family=person.family,
        given=person.given,
        gender=_GENDERS.get(person.sex, "UN"),
        birth=person.birth_date.strftime("%Y%m%d"),
        country=person.address.country,
    )

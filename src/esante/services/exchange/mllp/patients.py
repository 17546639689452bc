"""The patient of a message (PID): by an identifier, and only where name, birth date and sex are theirs too."""

from dataclasses import dataclass

from esante.core.web import Problem
from esante.identity.access import Requester
from esante.identity.directory import Directory, Person
from esante.services.exchange.hl7v3.model import InstanceId
from esante.services.exchange.hospital.patients import Patients
from esante.services.exchange.mllp.hl7v2.er7 import Segment
from esante.services.exchange.mllp.hl7v2.times import read_day
from esante.services.exchange.mllp.model import Code, Fault
from esante.services.record import Demographics, PersonName, compare_document

MAX_IDENTIFIERS = 20
_SEXES = {"M": "male", "F": "female", "O": "other"}


@dataclass(frozen=True, slots=True)
class PatientOfMessage:
    """What PID says: identifiers, and demographics in the words of the record."""

    identifiers: tuple[InstanceId, ...]
    demographics: Demographics


def read_patient(pid: Segment) -> PatientOfMessage:
    """Return the patient of a message. Raises: `Fault`."""
    repetitions = pid.repetitions(3)
    if not 0 < len(repetitions) <= MAX_IDENTIFIERS:
        raise Fault(Code.REQUIRED, pid.place(3), "There is no identifier.", "Send the national number in PID-3.")
    found = []
    for components in repetitions:
        value, authority = pid.value(components[0]), components[3] if len(components) > 3 else ""
        if value:
            found.append(InstanceId(pid.value(authority, 2) or pid.value(authority, 1), value))
    family, given = pid.text(5), pid.text(5, 2)
    further = pid.text(5, 3)
    name = PersonName(family=family, given=tuple(f"{given} {further}".split()))
    demographics = Demographics(
        identifiers=tuple((f"urn:oid:{one.root}", one.extension) for one in found if one.root[:1].isdigit()),
        names=(name,) if family or given else (),
        birth_date=read_day(pid.text(7)),
        sex=_SEXES.get(pid.text(8), ""),
    )
    return PatientOfMessage(tuple(found), demographics)


async def find_patient(
    directory: Directory, patients: Patients, requester: Requester, patient: PatientOfMessage
) -> Person | None:
    """Return the person of a message; None for nobody, for somebody who differs, and for two, which are alike."""
    persons: dict[object, Person] = {}
    for one in patient.identifiers:
        try:
            found = await patients.find_by_id(requester, one)
        except Problem as problem:
            if problem.status != 400:
                raise
            continue
        if found is not None:
            persons[found.id] = found
    person = next(iter(persons.values())) if len(persons) == 1 else None
    async with directory.lookups.admitted() as lookup:
        differs = bool(compare_document(person, patient.demographics, "").differences)
        is_named = bool(patient.demographics.names and patient.demographics.birth_date)
        if person is None or differs or not is_named:
            await lookup.record_miss(journalled=True)
            return None
    return person


def unknown_patient() -> Fault:
    """Return what is said of a patient who is not known, differs, or has no open record, in the same words."""
    text = "There is no open record of this patient into which this may be put."
    return Fault(Code.UNKNOWN_KEY, "PID^1^3", text, "Check PID-3, PID-5, PID-7 and PID-8.")

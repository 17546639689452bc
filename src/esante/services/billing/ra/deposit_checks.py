"""What is checked of a note before it is kept."""

from collections.abc import Sequence
from dataclasses import dataclass

from esante.core import clock
from esante.core.time_zone import day_of, today
from esante.core.web import N_, Problem
from esante.identity.directory import Directory, Person, Practitioner, matricule_faults
from esante.services.billing.note.faults import BadNote, NoteFault
from esante.services.billing.note.limits import note_limits
from esante.services.billing.note.model import FeeNote
from esante.services.billing.note.national_xml import read_note, write_note
from esante.services.billing.note.package import note_id_of, unpack
from esante.services.billing.note.rules import note_faults, organizations_in_force
from esante.services.billing.note.service import Notes
from esante.services.billing.ra import rules
from esante.services.billing.ra.consents import NoteConsents
from esante.services.billing.ra.model import ConsentType

_MATRICULE = "/memoireHonoraire/entete/patient/matricule"


@dataclass(frozen=True, slots=True)
class CheckedNote:
    """A note that may be kept, for whom, in national XML, with remarks."""

    note: FeeNote
    person: Person
    body: bytes
    remarks: tuple[NoteFault, ...]


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """The note of a package, in national XML, with remarks."""

    note: FeeNote
    body: bytes
    remarks: Sequence[NoteFault]


def opened_note(package: bytes) -> OpenedNote:
    """Return the note in a package; where the schema does not allow it as it came, written anew.

    Raises: BadNote.
    """
    name, xml = unpack(package)
    read = read_note(xml, lenient=True)
    if note_id_of(name) != read.note.id:
        place, title = "/memoireHonoraire/entete/UUID", N_("The UUID in the name of the file is another one.")
        raise BadNote([NoteFault(place=place, title=title, remedy=N_("Correct one of the two."))])
    return OpenedNote(read.note, write_note(read.note) if read.remarks else xml, read.remarks)


def written_note(note: FeeNote) -> OpenedNote:
    """Return a note that came on another way. Raises: BadNote for one that the national XML cannot hold."""
    try:
        return OpenedNote(note, write_note(note), ())
    except ValueError as error:
        title, remedy = N_("This value does not have the right form."), N_("Correct the value.")
        fault = NoteFault(place="/memoireHonoraire", title=title, remedy=remedy, detail=str(error), code="value")
        raise BadNote([fault]) from error


class DepositChecks:
    """The checks of all deposits."""

    def __init__(self, directory: Directory, notes: Notes, consents: NoteConsents) -> None:
        self._directory, self._notes, self._consents = directory, notes, consents

    async def check(self, biller: Practitioner, matricule: str, opened: OpenedNote) -> CheckedNote:
        """Return a note that the biller may deposit for the person with a matricule.

        Raises: as `Reimbursements.deposit`.
        """
        note, remarks = opened.note, list(opened.remarks)
        if note.patient.matricule and note.patient.matricule != matricule:
            title = N_("The fee note is for another person than the one in the address.")
            raise Problem(403, "forbidden", title, place=_MATRICULE, remedy=N_("Correct one of the two."))
        await self._require_own_code(biller, note.biller.provider_code)
        faults = note_faults(note, today(), note_limits(today()))
        if faults:
            raise BadNote(faults)
        person = await self._notes.patient_of(note)  # after all else: a note with a fault tells nothing of anybody
        if late := _after_death(note, person):
            raise BadNote(late)
        if any(not one.hard for one in matricule_faults(matricule)):
            title = N_("The check digits of the matricule are wrong; only test numbers have such.")
            remarks.append(NoteFault(place=_MATRICULE, title=title))
        if rules.is_refused(await self._consents.known(person.id), ConsentType.MH, clock.now()):
            title = N_("The person does not want fee notes on the platform.")
            raise Problem(403, "forbidden", title, remedy=N_("Give the patient the note on paper."))
        return CheckedNote(note, person, opened.body, tuple(remarks))

    async def _require_own_code(self, biller: Practitioner, provider_code: str) -> None:
        """Raise BadNote unless a provider code is the biller's, or of an organisation where they work."""
        uri = self._directory.catalogue.system("provider_code").uri
        organizations = await self._directory.organizations(organizations_in_force(biller, today()))
        identifiers = [*biller.identifiers, *(one for place in organizations.values() for one in place.identifiers)]
        if any((one.system, one.value) == (uri, provider_code) for one in identifiers):
            return
        title = N_("The provider code is not that of the professional, nor of where they work.")
        place = "/memoireHonoraire/entete/facturier/codePrestataire"
        raise BadNote([NoteFault(place=place, title=title, remedy=N_("Correct the value."), detail=provider_code)])


def _after_death(note: FeeNote, person: Person) -> list[NoteFault]:
    """Return the faults of acts after the day on which the patient died."""
    if person.deceased_at is None:
        return []
    died = day_of(person.deceased_at)
    return [
        NoteFault(
            place=f"/memoireHonoraire/prestation[{position}]/periode",
            title=N_("The act is after the death of the patient."),
            remedy=N_("Correct the day."),
            code="value",
        )
        for position, line in enumerate(note.lines, 1)
        if line.period.start > died
    ]

"""Admissions and discharges (ADT) as stays, the same as those that are reported over FHIR."""

from datetime import datetime, timedelta

from esante.core import clock
from esante.identity.access import Access, Requester, Stay, StayStatus
from esante.identity.directory import Directory
from esante.services.exchange.hospital.patients import Patients
from esante.services.exchange.mllp.hl7v2.er7 import Message
from esante.services.exchange.mllp.hl7v2.times import read_moment
from esante.services.exchange.mllp.model import Code, Fault
from esante.services.exchange.mllp.patients import find_patient, read_patient, unknown_patient

CLOCK_SKEW = timedelta(minutes=5)
"""How far the clock of a hospital may be ahead of the clock of this server."""
_CLASSES = {"I": "IMP", "E": "EMER"}
"""Classes of encounters (v3-ActCode) that are stays, by PV1-2 (HL7 table 0004)."""
_MERGES = frozenset({"A18", "A24", "A30", "A34", "A35", "A36", "A37", "A39", "A40", "A41", "A42", "A43", "A47"})


class Admissions:
    """Takes ADT messages; what is no stay changes nothing."""

    def __init__(self, access: Access, directory: Directory, patients: Patients) -> None:
        self._access, self._directory, self._patients = access, directory, patients

    async def take(self, requester: Requester, message: Message) -> None:
        """Report what a message says of a stay. Raises: `Fault`, and `Problem` as `Access.stays`."""
        event = message.header.text(9, 2)
        if event in _MERGES:
            text, remedy = "Patients are not merged here.", "Let the register of persons merge them; correct PID-3."
            raise Fault(Code.EVENT, "MSH^1^9^1^2", text, remedy, is_rejected=True)
        if event not in ("A01", "A02", "A03", "A04", "A08", "A11", "A13"):
            remedy = "Send A01, A02, A03, A04, A08, A11 or A13."
            raise Fault(Code.EVENT, "MSH^1^9^1^2", "This event is not taken.", remedy, is_rejected=True)
        patient = read_patient(message.required("PID"))
        visit = message.required("PV1")
        code = visit.text(2)
        if not code:
            raise Fault(Code.REQUIRED, visit.place(2), "The class is missing.", "Send I or E in PV1-2.")
        encounter = _CLASSES.get(code)
        if encounter is None or event == "A08":
            return
        person = await find_patient(self._directory, self._patients, requester, patient)
        person_id = person.id if person else None
        if event in ("A01", "A02", "A04", "A13"):
            began = _not_later(read_moment(visit, 44), visit.place(44)) or _occurred(message)
            await self._access.stays.admit(requester, person_id, began, encounter)
            return
        stays = await self._access.stays.list_stays(requester, person_id)
        stay = _latest(stays, encounter)
        if stay is None or person is None:
            raise unknown_patient()
        if event == "A11":
            if stay.status is not StayStatus.ENTERED_IN_ERROR:
                await self._access.stays.mark_entered_in_error(requester, person.id, stay.id)
            return
        ended = _not_later(read_moment(visit, 45), visit.place(45)) or _occurred(message) or clock.now()
        await self._access.stays.finish(requester, person.id, stay.id, ended)


def _latest(stays: list[Stay], encounter: str) -> Stay | None:
    """Return the stay of a class that is in progress, else the newest; `stays`: the newest first."""
    of_class = [one for one in stays if one.encounter == encounter]
    going = [one for one in of_class if one.status is StayStatus.IN_PROGRESS]
    return next(iter(going or of_class), None)


def _occurred(message: Message) -> datetime | None:
    """Return when the event occurred: EVN-6, else EVN-2."""
    event = message.first("EVN")
    if event is None:
        return None
    for field in (6, 2):
        if moment := _not_later(read_moment(event, field), event.place(field)):
            return moment
    return None


def _not_later(moment: datetime | None, place: str) -> datetime | None:
    """Return a moment that is not in the future. Raises: `Fault`."""
    now = clock.now()
    if moment is not None and moment > now + CLOCK_SKEW:
        raise Fault(Code.DATA_TYPE, place, "This is in the future.", "Send it once it has taken place.")
    return min(moment, now) if moment else None

"""What is known of a case before it is decided: who bills, who is insured, what was billed before."""

from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID

from esante.core.journal import Journal
from esante.core.storage import NIL, Database
from esante.core.time_zone import day_of, today
from esante.core.web import N_, NOT_FOUND, Problem
from esante.identity.access import Requester
from esante.identity.directory import Directory, Person, Practitioner
from esante.services.billing.adjudication.model import Approval, Case, Cover
from esante.services.billing.insurance.client import Insurance, Silent
from esante.services.billing.nomenclature import nomenclature
from esante.services.billing.note import note_store
from esante.services.billing.note.model import FeeNote
from esante.services.billing.note.service import Notes
from esante.services.billing.pid import rules
from esante.services.billing.pid.model import USE_RA, PidUnavailable, Simulated
from esante.services.billing.pid.requests import has_amounts
from esante.services.billing.pid.terms import pid_terms

LOOK_BACK = timedelta(days=366)
"""How far back all acts of a person are looked at; those with the codes of a note are for ever."""


class Cases:
    """Finds what a decision on a note depends on, and refuses whom immediate payment is not for."""

    def __init__(
        self, db: Database, journal: Journal, directory: Directory, notes: Notes, insurance: Insurance
    ) -> None:
        self._db, self._journal, self._directory = db, journal, directory
        self._notes, self._insurance = notes, insurance

    async def biller(self, requester: Requester, provider_code: str) -> Practitioner:
        """Return the practitioner with a provider code, for whom a requester may bill.

        Raises: `Problem` 404 when they may not, or there is none, 403 when the practitioner may not bill so.
        """
        biller = None
        if requester.kind == "practitioner":
            biller = await self._directory.practitioner(requester.id)
            if biller is None or provider_code not in self._codes(biller):
                raise Problem(404, "not-found", NOT_FOUND)
        elif requester.kind == "organization":
            biller = await self._directory.find_practitioner(self._uri("provider_code"), provider_code)
        if biller is None or not await self._notes.may_bill(requester, biller):
            raise Problem(404, "not-found", NOT_FOUND)
        if biller.id != requester.id and await self._directory.suspensions.among([biller.id]):
            raise Problem(
                403, "suppressed", N_("This professional or organisation may not use the platform any more.")
            )
        if biller.profession not in pid_terms(today()).professions:
            raise _profession_refused()
        return biller

    async def require_profession(self, requester: Requester) -> None:
        """Raise `Problem` 403 unless a profession asks that may bill so, or software of where one of it works."""
        allowed, day = pid_terms(today()).professions, today()
        held = {requester.profession} if requester.kind == "practitioner" else set()
        if requester.kind == "organization" and requester.patient is None:
            held = set((await self._directory.professions_at([requester.id], day)).get(requester.id, ()))
        if not allowed & held:
            raise _profession_refused()

    def _uri(self, key: str) -> str:
        return self._directory.catalogue.system(key).uri

    def _codes(self, biller: Practitioner) -> set[str]:
        uri = self._uri("provider_code")
        return {one.value for one in biller.identifiers if one.system == uri}

    async def may_bill(self, requester: Requester, biller_id: UUID) -> bool:
        """Return whether a requester may bill for a practitioner."""
        biller = await self._directory.practitioner(biller_id)
        return biller is not None and await self._notes.may_bill(requester, biller)

    async def person(self, matricule: str) -> Person | None:
        """Return the person with a matricule. Raises: `Problem` 400 for what is none, 429 after too many unknown."""
        return await self._directory.find_person(self._uri("matricule"), matricule)

    async def covers(self, matricule: str, on: date, note_id: UUID | None = None) -> list[Cover]:
        """Return how a person is insured around a day. Raises: `PidUnavailable` while the insurance is silent."""
        try:
            return await self._insurance.cover(matricule, on)
        except Silent as error:
            raise _unavailable(note_id) from error

    async def approvals(self, note: FeeNote) -> list[Approval]:
        """Return the prior approvals of a patient; the insurance is asked where an act of the note needs one.

        Raises: `PidUnavailable` while it is silent.
        """
        known = nomenclature()
        acts = [known.act(line.act.code, line.period.start) for line in note.lines]
        if not any(one is not None and one.approval for one in acts):
            return []
        try:
            return await self._insurance.approvals(note.patient.matricule)
        except Silent as error:
            raise _unavailable(note.id) from error

    async def case(
        self,
        requester: Requester,
        note: FeeNote,
        biller: Practitioner,
        corrected: UUID | None,
        person: Person | None = None,
    ) -> tuple[Person, Case]:
        """Return the patient, looked up unless given, and all that the decision on a note depends on.

        Raises: `Problem` 422 for who cannot be billed so, `PidUnavailable`.
        """
        person = person or await self.person(note.patient.matricule)
        first = min(line.period.start for line in note.lines)
        covers = await self.covers(note.patient.matricule, first, note.id)
        reason = rules.refusal(person, covers, first, pid_terms(first))
        if reason or person is None:
            event = Simulated(note_ids=(note.id,), provider_code=note.biller.provider_code, allowed=False, rule=reason)
            await self._journal.append_for(requester, event, person_id=person.id if person else NIL)
            raise not_insured(reason or rules.NOT_INSURED)
        approvals = await self.approvals(note)
        return person, await self.gather(note, person, biller, covers, today(), corrected, approvals)

    async def gather(
        self,
        note: FeeNote,
        person: Person,
        biller: Practitioner | None,
        covers: Sequence[Cover],
        received_on: date,
        without: UUID | None = None,
        approvals: Sequence[Approval] = (),
    ) -> Case:
        """Return all that the decision on a note depends on, as of the day when it came.

        The acts of the note `without` do not count. `approvals`: those of the medical control (CMSS).
        """
        first = min(line.period.start for line in note.lines)
        codes = [line.act.code for line in note.lines]
        past = await note_store.fetch_past_acts(self._db, person.id, first - LOOK_BACK, codes, without)
        return Case(
            note=note,
            birth_date=person.birth_date,
            deceased_on=day_of(person.deceased_at) if person.deceased_at else None,
            covers=tuple(covers),
            profession=biller.profession if biller else "",
            specialities=biller.specialities if biller else (),
            past=tuple(past),
            approvals=tuple(approvals),
            received_on=received_on,
            has_amounts=has_amounts(note),
        )


def _unavailable(note_id: UUID | None) -> PidUnavailable:
    return PidUnavailable(N_("The health insurance does not answer at the moment."), USE_RA, note_id)


def _profession_refused() -> Problem:
    title = N_("Your profession cannot use immediate payment.")
    return Problem(403, "forbidden", title, remedy=USE_RA)


def not_insured(reason: str = rules.NOT_INSURED) -> Problem:
    """Return the refusal of a patient who cannot be billed so (`reason`: a key of `rules.REASONS`)."""
    return Problem(422, "business-rule", rules.REASONS[reason], place="matricule", remedy=USE_RA)

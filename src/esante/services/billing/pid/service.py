"""Immediate direct payment: ask for cover, simulate, validate once for ever, cancel and correct."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from time import perf_counter_ns
from uuid import UUID

import asyncpg

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import NIL, Connection, Database, Row, uuid7
from esante.core.time_zone import today
from esante.core.web import N_, NOT_FOUND, Problem
from esante.identity.access import Requester
from esante.identity.directory import Directory, Person, Practitioner
from esante.services.billing.adjudication.model import Adjudication, Case, Cover, PastAct
from esante.services.billing.note.faults import BadNote
from esante.services.billing.note.limits import note_limits
from esante.services.billing.note.model import Channel, FeeNote
from esante.services.billing.note.rules import note_faults
from esante.services.billing.note.service import Notes, acts_of, known_note
from esante.services.billing.payment.model import NOTHING, Payment, PaymentState
from esante.services.billing.payment.service import Payments, new_payment
from esante.services.billing.pid import rules, simulation_store
from esante.services.billing.pid.cases import Cases, not_insured
from esante.services.billing.pid.contestations import Contestations
from esante.services.billing.pid.model import (
    USE_RA,
    Confirmations,
    Contestation,
    Correction,
    Eligibility,
    EligibilityAsked,
    NoteRequest,
    Objection,
    PidUnavailable,
    Simulated,
    Simulation,
    Validated,
)
from esante.services.billing.pid.requests import compose_note, with_amounts
from esante.services.billing.pid.reversals import Reversals
from esante.services.billing.pid.simulation_store import Found
from esante.services.billing.pid.terms import pid_terms

EXPIRED_AT_ONCE = 1_000
_Keep = Callable[[Payment, Sequence[Row], Connection | None], Awaitable[None]]


class ImmediatePayments:
    """The immediate direct payments of all professionals.

    `adjudicate` decides a case by the rules in force; `lifetime`: how long a simulation can be validated.
    """

    def __init__(
        self,
        db: Database,
        journal: Journal,
        directory: Directory,
        notes: Notes,
        payments: Payments,
        cases: Cases,
        adjudicate: Callable[[Case], Adjudication],
        lifetime: timedelta,
    ) -> None:
        self._db, self._journal, self._directory = db, journal, directory
        self._notes, self.payments, self._cases = notes, payments, cases
        self._adjudicate, self._lifetime = adjudicate, lifetime
        self.contestations = Contestations(db, journal)
        self.reversals = Reversals(db, journal, notes, payments, cases)

    # Before billing

    async def eligibility(self, requester: Requester, matricule: str, on: date) -> Eligibility:
        """Return whether a person is insured on a day, and may be billed by immediate payment.

        Unknown and not insured persons look the same. Raises: `Problem` 403 for who may not bill, `PidUnavailable`
        (503) while the insurance does not answer.
        """
        await self._cases.require_profession(requester)
        person = await self._cases.person(matricule)
        covers = await self._cases.covers(matricule, on)
        reason = rules.refusal(person, covers, on, pid_terms(on))
        event = EligibilityAsked(eligible=not reason)
        await self._journal.append_for(requester, event, person_id=person.id if person else NIL)
        shown = tuple(covers) if reason != rules.NOT_INSURED else ()
        return Eligibility(matricule=matricule, on=on, eligible=not reason, covers=shown, reason=reason)

    async def simulate_request(
        self, requester: Requester, request: NoteRequest, *, replaces_id: UUID | None = None
    ) -> Simulation:
        """Simulate the note of a request that has only codes: names from the directory, amounts of the tariff.

        Raises: `Problem` 422 for an unknown person, 404 for a provider code that the requester may not bill for, and
        as `simulate`.
        """
        note, person = await self._compose(requester, request)
        return await self._simulate(requester, note, replaces_id, person)

    async def simulate(self, requester: Requester, note: FeeNote, *, replaces_id: UUID | None = None) -> Simulation:
        """Adjudicate a note and freeze the result; the same note again returns the same while it is valid.

        A note whose lines have no amounts gets those of the tariff. `replaces_id`: the validated note that it
        corrects; validating the simulation reverses that one's payment.
        Raises: `Problem` 404 for a provider code that the requester may not bill for, 409 for another content with the
        id of a known note, 422 for what immediate payment does not take (currency, person), `PidUnavailable`.
        """
        return await self._simulate(requester, note, replaces_id)

    async def _compose(self, requester: Requester, request: NoteRequest) -> tuple[FeeNote, Person]:
        biller = await self._cases.biller(requester, request.provider_code)
        person = await self._cases.person(request.matricule)
        if person is None:
            raise not_insured()
        site = requester.organization_id and await self._directory.organization(requester.organization_id)
        return compose_note(request, biller, person, site.address if site else None), person

    async def _simulate(
        self, requester: Requester, note: FeeNote, replaces_id: UUID | None, person: Person | None = None
    ) -> Simulation:
        """Simulate a note. `person`: its patient, where they were looked up already."""
        began = perf_counter_ns()
        _check(note)
        biller = await self._cases.biller(requester, note.biller.provider_code)
        digest = rules.note_digest(note, replaces_id)
        known = await simulation_store.fetch_known(self._db, note.biller.provider_code, note.id)
        if known.found is not None and known.found.simulation.note_sha256 != digest:
            raise known_note(note.id)
        if known.found is None and known.is_kept:
            raise await self._notes.known(note.biller.provider_code, note.id)
        if known.found is not None and (known.found.payment or known.found.simulation.expires_at > clock.now()):
            await self._record(requester, known.found.simulation, began)
            return known.found.simulation
        if not known.has_payee:
            remedy = N_("Name the account in the portal, or send the fee note for accelerated reimbursement.")
            raise Problem(409, "conflict", N_("There is no confirmed account to pay to."), remedy=remedy)
        corrected = await self.reversals.require_correctable(requester, biller, replaces_id) if replaces_id else None
        person, case = await self._cases.case(requester, note, biller, corrected, person)
        adjudication = self._adjudicate(case)
        note = with_amounts(note, adjudication)
        simulation = self._freeze(requester, note, digest, adjudication, person, biller, replaces_id)
        rows = simulation_store.simulation_rows(simulation, rules.encode(note), rules.encode(adjudication))
        await self._db.write([*rows, *self._record_rows(requester, simulation, began)])
        return simulation

    async def preview(self, requester: Requester, request: NoteRequest) -> Adjudication:
        """Return what the rules give on a request; nothing is kept. Raises: as `simulate_request`."""
        return (await self._estimate(requester, request))[1]

    async def priced(self, requester: Requester, request: NoteRequest) -> FeeNote:
        """Return the note of a request with the tariffs as amounts. Raises: as `simulate_request`."""
        note, adjudication = await self._estimate(requester, request)
        note = with_amounts(note, adjudication)
        return replace(note, settlement=replace(note.settlement, due=note.total))

    async def _estimate(self, requester: Requester, request: NoteRequest) -> tuple[FeeNote, Adjudication]:
        """Return the note of a request and the decision on it, as if the person is insured where nobody answers."""
        note, person = await self._compose(requester, request)
        biller = await self._cases.biller(requester, request.provider_code)
        first = min(line.period.start for line in note.lines)
        try:
            covers = await self._cases.covers(request.matricule, first)
            approvals = await self._cases.approvals(note)
        except PidUnavailable:
            covers, approvals = [Cover(fund="CNS", since=person.birth_date)], []
        await self._journal.append_for(requester, EligibilityAsked(eligible=bool(covers)), person_id=person.id)
        return note, self._adjudicate(await self._cases.gather(note, person, biller, covers, today(), None, approvals))

    async def simulation(self, requester: Requester, simulation_id: UUID) -> Simulation:
        """Return a simulation of the requester. Raises: `Problem` 404 for an unknown one and for another's."""
        return (await self.find(requester, simulation_id)).simulation

    async def find(self, requester: Requester, simulation_id: UUID) -> Found:
        """Return a simulation of the requester with its payment. Raises: as `simulation`."""
        found = await simulation_store.fetch_simulation(self._db, simulation_id)
        if found is None or not await self._cases.may_bill(requester, found.simulation.biller_id):
            raise Problem(404, "not-found", NOT_FOUND)
        return found

    async def contest(
        self, requester: Requester, simulation_id: UUID, objections: Sequence[Objection]
    ) -> list[Contestation]:
        """Contest findings of a simulation. Raises: `Problem` 404 as `simulation`, and as `Contestations.contest`."""
        return await self.contestations.contest(requester, await self.simulation(requester, simulation_id), objections)

    # Validation

    async def validate(self, requester: Requester, simulation_id: UUID, confirmations: Confirmations) -> Payment:
        """Have the note of a simulation paid, exactly once for ever: a repetition returns the same payment.

        A simulation of a correction also reverses the payment of the note that it replaces, in the same transaction.
        Raises: `Problem` 422 when a confirmation is missing, 404 for an unknown simulation and for another's, 410 for
        one that has expired without being validated, 409 when another content of the note was validated.
        """
        _require(confirmations)
        found = await self.find(requester, simulation_id)
        if found.payment is not None:
            return _same(found)
        if found.simulation.expires_at <= clock.now():
            remedy = N_("Have the fee note simulated again.")
            raise Problem(410, "expired", N_("This simulation has expired."), remedy=remedy)
        try:
            return await self._pay(requester, found)
        except (Problem, asyncpg.UniqueViolationError) as problem:
            if isinstance(problem, Problem) and problem.status != 409:
                raise
            again = await self.find(requester, simulation_id)
            if again.payment is None:
                raise
            return _same(again)

    async def _pay(self, requester: Requester, found: Found) -> Payment:
        """Keep the note and create its payment in one transaction; where nothing is to be netted, in a shared one."""
        simulation = found.simulation
        payment = Payment(
            id=uuid7(),
            person_id=simulation.person_id,
            note_id=simulation.note.id,
            provider_code=simulation.note.biller.provider_code,
            amount=simulation.adjudication.statutory,
            recovered=NOTHING,
            state=PaymentState.CREATED,
            created_at=clock.now(),
            simulation_id=simulation.id,
            note_sha256=simulation.note_sha256,
        )
        keep = await self._keeper(requester, simulation)
        if not found.recoverable and simulation.replaces_id is None:
            payment = new_payment(payment, NOTHING)
            await keep(payment, self.payments.new_rows(payment), None)
            return payment
        old = await self.reversals.validated(requester, simulation.replaces_id) if simulation.replaces_id else None
        async with self._db.transaction() as conn:
            if old is not None:
                await self.reversals.end(conn, requester, old, replaced_by_id=simulation.note.id)
            payment = await self.payments.create(conn, payment)
            await keep(payment, [], conn)
        return payment

    async def _keeper(self, requester: Requester, simulation: Simulation) -> _Keep:
        """Return what keeps a validated note with its entry in the journal; it reads nothing any more."""
        person = await self._directory.person(simulation.person_id)
        biller = await self._directory.practitioner(simulation.biller_id)
        if person is None or biller is None:
            raise Problem(404, "not-found", NOT_FOUND)

        async def keep(payment: Payment, rows: Sequence[Row], conn: Connection | None) -> None:
            event = Validated(
                note_ids=(payment.note_id,),
                provider_code=payment.provider_code,
                simulation_id=simulation.id,
                payment_id=payment.id,
                statutory=payment.statutory,
                recovered=payment.recovered,
                personal=simulation.adjudication.personal,
            )
            await self._notes.keep(
                requester,
                simulation.note,
                Channel.PID,
                person=person,
                biller=biller,
                replaces_id=simulation.replaces_id,
                sent=True,
                acts=_counted_acts(simulation),
                rows=[*rows, *self._journal.rows_for(requester, event, person_id=person.id)],
                conn=conn,
            )

        return keep

    async def correct(
        self, requester: Requester, note_id: UUID, note: FeeNote, confirmations: Confirmations
    ) -> Correction:
        """Replace a validated note in one act: reverse its payment, adjudicate and pay the new one, netted.

        Repeating it with the same new note returns the same payments. Raises: as `cancel`, `simulate`, `validate`.
        """
        _require(confirmations)
        simulation = await self.simulate(requester, note, replaces_id=note_id)
        payment = await self.validate(requester, simulation.id, confirmations)
        old = await self.reversals.validated(requester, note_id)
        return Correction(reversed=old[1], payment=payment, simulation=simulation)

    async def tidy(self) -> None:
        """Delete the simulations that nobody validated, some time after they expired."""
        before = clock.now() - timedelta(days=pid_terms(today()).keep_days)
        async with self._db.transaction() as conn:
            while await simulation_store.delete_expired(conn, before, EXPIRED_AT_ONCE) == EXPIRED_AT_ONCE:
                pass

    # Parts

    def _freeze(
        self,
        requester: Requester,
        note: FeeNote,
        digest: bytes,
        adjudication: Adjudication,
        person: Person,
        biller: Practitioner,
        replaces_id: UUID | None,
    ) -> Simulation:
        now = clock.now()
        return Simulation(
            id=uuid7(),
            person_id=person.id,
            note=note,
            note_sha256=digest,
            adjudication=adjudication,
            biller_id=biller.id,
            biller=biller.name,
            organization_id=requester.organization_id,
            created_at=now,
            expires_at=now + self._lifetime,
            replaces_id=replaces_id,
        )

    async def _record(self, requester: Requester, simulation: Simulation, began: int) -> None:
        await self._db.write(self._record_rows(requester, simulation, began))

    def _record_rows(self, requester: Requester, simulation: Simulation, began: int) -> list[Row]:
        """Return the journal rows of a simulation; `began`: when it began, in nanoseconds of `perf_counter_ns`."""
        event = Simulated(
            note_ids=(simulation.note.id,),
            provider_code=simulation.note.biller.provider_code,
            simulation_id=simulation.id,
            statutory=simulation.adjudication.statutory,
            personal=simulation.adjudication.personal,
            refusals=rules.refusals(simulation.adjudication),
            micros=(perf_counter_ns() - began) // 1_000,
        )
        return self._journal.rows_for(requester, event, person_id=simulation.person_id)


def _check(note: FeeNote) -> None:
    """Raise BadNote (422) for a note that has no matricule, no lines, or what no note may have."""
    faults = note_faults(note, today(), note_limits(today()))
    if faults:
        raise BadNote(faults, 422)
    if not note.patient.matricule or not note.lines:
        title = N_("Immediate payment needs the matricule of the patient, and at least one act.")
        raise Problem(422, "required", title, place="matricule" if note.lines else "Lignes", remedy=USE_RA)


def _require(confirmations: Confirmations) -> None:
    """Raise `Problem` 422 when a confirmation is missing."""
    if missing := confirmations.missing:
        title = N_("The doctor, the patient and the settlement of the personal share must be confirmed.")
        remedy = N_("Nothing was paid. Confirm what is missing and validate again.")
        raise Problem(422, "required", title, place=", ".join(missing), remedy=remedy)


def _same(found: Found) -> Payment:
    """Return the payment of a note that was validated. Raises: `Problem` 409 when it was of another content."""
    if found.payment is None or found.payment.note_sha256 != found.simulation.note_sha256:
        raise known_note(found.simulation.note.id)
    return found.payment


def _counted_acts(simulation: Simulation) -> list[PastAct]:
    """Return the acts of a note that count for later ones: those that were not refused, as often as reimbursed."""
    quantities = {one.number: one.quantity for one in simulation.adjudication.lines if not one.is_refused}
    return [
        replace(act, quantity=quantities[line.number])
        for line, act in zip(simulation.note.lines, acts_of(simulation.note), strict=True)
        if quantities.get(line.number)
    ]

"""Immediate direct payment: ask for cover, simulate, validate once for ever, contest, cancel and correct."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from esante.core.web import Page
from esante.identity.access import Requester
from esante.services.billing.note.model import FeeNote
from esante.services.billing.payment.model import Payment
from esante.services.billing.pid.model import (
    Confirmations,
    Contestation,
    ContestationState,
    Correction,
    Eligibility,
    NoteRequest,
    Objection,
    Simulation,
)


class ImmediatePayments:
    """The immediate direct payments of all professionals."""

    async def eligibility(self, requester: Requester, matricule: str, on: date) -> Eligibility:
        """Return whether a person is insured on a day, and may be billed by immediate payment.

        Unknown and not insured persons look the same. Raises: `Problem` 403 for who may not bill, `PidUnavailable`
        (503) while the insurance does not answer.
        """
        raise NotImplementedError

    async def compose(self, requester: Requester, request: NoteRequest) -> FeeNote:
        """Return the whole note of a request that has only codes: names from the directory, tariffs as amounts.

        Raises: `Problem` 422 for an unknown person or act, 404 for a provider code that the requester may not
        bill for.
        """
        raise NotImplementedError

    async def simulate(self, requester: Requester, note: FeeNote) -> Simulation:
        """Adjudicate a note and freeze the result; the same note again returns the same while it is valid.

        Raises: `Problem` 404 for a provider code that the requester may not bill for, 409 for another content with the
        id of a known note, 422 for what immediate payment does not take (currency, person), `PidUnavailable`.
        """
        raise NotImplementedError

    async def simulation(self, requester: Requester, simulation_id: UUID) -> Simulation:
        """Return a simulation of the requester. Raises: `Problem` 404 for an unknown one and for another's."""
        raise NotImplementedError

    async def validate(self, requester: Requester, simulation_id: UUID, confirmations: Confirmations) -> Payment:
        """Have the note of a simulation paid, exactly once for ever: a repetition returns the same payment.

        Raises: `Problem` 422 when a confirmation is missing, 404 for an unknown simulation and for another's, 410 for
        one that has expired without being validated, 409 when another content of the note was validated.
        """
        raise NotImplementedError

    async def contest(
        self, requester: Requester, simulation_id: UUID, objections: Sequence[Objection]
    ) -> list[Contestation]:
        """Contest findings of a simulation, to be answered within a time limit; repeating it changes nothing.

        Raises: `Problem` 404 as `validate`, 422 for a finding that the simulation does not have.
        """
        raise NotImplementedError

    async def contestations(
        self,
        requester: Requester,
        state: ContestationState | None = None,
        cursor: str | None = None,
        limit: int = 20,
    ) -> Page[Contestation]:
        """Return a page of contestations, the newest first: the requester's, or all for operators and the insurance.

        Raises: `Problem` 403 for others.
        """
        raise NotImplementedError

    async def answer(self, requester: Requester, contestation_id: UUID, *, accepted: bool, text: str) -> Contestation:
        """Answer a contestation. Raises: `Problem` 403 but for operators and the insurance, 404, 409 if answered."""
        raise NotImplementedError

    async def cancel(self, requester: Requester, note_id: UUID, motive: str) -> Payment:
        """Cancel a validated note: what was paid is recovered from the next payments. Returns the reversed payment.

        Raises: `Problem` 404 for an unknown note and for another's, 409 while the bank is being asked or once done.
        """
        raise NotImplementedError

    async def correct(
        self, requester: Requester, note_id: UUID, note: FeeNote, confirmations: Confirmations, motive: str
    ) -> Correction:
        """Replace a validated note in one act: reverse its payment, adjudicate and pay the new one, netted.

        Repeating it with the same new note returns the same payments. Raises: as `cancel`, `simulate`, `validate`.
        """
        raise NotImplementedError

"""Pure rules of fee notes: who may read one, and what is implausible in one."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from esante.core.web import N_
from esante.identity.access import Requester
from esante.identity.directory import Practitioner
from esante.services.billing.note.faults import NoteFault
from esante.services.billing.note.limits import NoteLimits
from esante.services.billing.note.model import FeeNote, KeptNote

HEALTH_INSURANCE = "health_insurance"
"""The kind of organisation of the CNS (a key of the directory)."""
_ZERO = Decimal(0)
_CORRECT = N_("Correct the amount.")


# Who may read -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteFacts:
    """What the decision on a note needs beside it.

    `biller_organizations`: where the biller has a role in force. `sent`: whether it went to the insurance.
    """

    biller_organizations: frozenset[UUID] = frozenset()
    sent: bool = False


def may_read(requester: Requester, note: KeptNote, facts: NoteFacts) -> bool:
    """Return whether a requester may read a note with its content.

    The patient theirs, whoever acts for them too; the biller, whoever acts in their name, and the software of an
    organisation where the biller works; the health insurance those that were sent to it. Nobody else.
    """
    if requester.kind == "patient":
        return requester.only_person_id == note.person_id
    if is_insurance(requester):
        return facts.sent
    return may_act_as_biller(requester, note.biller_id, facts.biller_organizations)


def is_insurance(requester: Requester) -> bool:
    """Return whether a requester is the health insurance, or its software."""
    return requester.kind == "organization" and requester.profession == HEALTH_INSURANCE


def may_act_as_biller(requester: Requester, biller_id: UUID, biller_organizations: Collection[UUID]) -> bool:
    """Return whether a requester may deposit, follow and cancel notes of a biller.

    A token that was issued for one patient is not of this kind of work.
    """
    if requester.patient is not None:
        return False
    if requester.kind == "practitioner":
        return requester.id == biller_id
    return requester.kind == "organization" and requester.organization_id in biller_organizations


def organizations_in_force(practitioner: Practitioner, on: date) -> frozenset[UUID]:
    """Return the organisations at which a practitioner works on a day."""
    return frozenset(role.organization_id for role in practitioner.roles if role.is_in_force(on))


# What is implausible ------------------------------------------------------------------------------------


def note_faults(note: FeeNote, today: date, limits: NoteLimits) -> tuple[NoteFault, ...]:
    """Return what no note may have although its form is right: wrong sums, days, currency."""
    return (*_settlement_faults(note, limits), *_day_faults(note, today, limits), *_line_faults(note, limits))


def _settlement_faults(note: FeeNote, limits: NoteLimits) -> Iterator[NoteFault]:
    money, place = note.settlement, "paiement"
    if money.currency != "EUR":
        remedy = N_("Write the fee note in euros.")
        yield _fault(f"{place}/devise", N_("Only amounts in euros are accepted."), remedy, money.currency)
    if note.total > limits.largest_total:
        title = N_("The fee note is higher than any that is accepted.")
        yield _fault(f"{place}/sousTotal", title, _CORRECT, f"{note.total} > {limits.largest_total}")
    for name, amount in (("report", money.carried_over), ("acompteADeduire", money.deposit), ("aPayer", money.due)):
        if amount is not None and amount < _ZERO:
            yield _fault(f"{place}/{name}", N_("The amount is negative."), _CORRECT, str(amount))
    if money.subtotal != note.total:
        title = N_("The sum of the lines is another one.")
        yield _fault(f"{place}/sousTotal", title, _CORRECT, f"{money.subtotal} ≠ {note.total}")
    if money.settled_on and not money.settled:
        title = N_("The fee note has a day of payment, but is not marked as paid.")
        yield _fault(f"{place}/acquitte", title, N_("Correct one of the two."))


def _day_faults(note: FeeNote, today: date, limits: NoteLimits) -> Iterator[NoteFault]:
    place = "entete/dateMemoireHonoraires"
    if note.issued_on > today:
        yield _fault(place, N_("The day of the fee note is in the future."), N_("Correct the day."))
    if (today - note.issued_on).days > limits.max_age_days:
        title, remedy = N_("The fee note is too old."), N_("Ask the CNS whether it still takes it on paper.")
        yield _fault(place, title, remedy, f"{limits.max_age_days} days")
    settled_on = note.settlement.settled_on
    if settled_on and settled_on > today:
        yield _fault("paiement/dateAcquittement", N_("The day is in the future."), N_("Correct the day."))


def _line_faults(note: FeeNote, limits: NoteLimits) -> Iterator[NoteFault]:
    numbers: set[int] = set()
    for position, line in enumerate(note.lines, 1):
        place, period = f"prestation[{position}]", line.period
        if line.number in numbers:
            yield _fault(f"{place}/numeroLigne", N_("Two lines have the same number."), N_("Number the lines anew."))
        numbers.add(line.number)
        if line.gross < _ZERO or (line.personal is not None and line.personal < _ZERO):
            yield _fault(f"{place}/montantBrut", N_("The amount is negative."), _CORRECT)
        if line.gross > limits.largest_line:
            title = N_("The amount is higher than any that is accepted.")
            yield _fault(f"{place}/montantBrut", title, _CORRECT, f"{line.gross} > {limits.largest_line}")
        if line.personal is not None and line.personal > line.gross:
            title = N_("The share of the patient is higher than the amount of the line.")
            yield _fault(f"{place}/partPersonelle", title, _CORRECT)
        if period.start > note.issued_on or (period.end and period.end < period.start):
            title = N_("The act is after the day of the fee note, or ends before it begins.")
            yield _fault(f"{place}/periode", title, N_("Correct the day."))


def _fault(place: str, title: str, remedy: str, detail: str = "") -> NoteFault:
    return NoteFault(place=f"/memoireHonoraire/{place}", title=title, remedy=remedy, detail=detail, code="value")

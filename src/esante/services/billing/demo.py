"""Demonstration data: fee notes of the users of the portal on both ways, sent by the software of practices."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from schwifty import IBAN

from esante.contract import DemoCountry, Platform
from esante.core.clock import use_clock
from esante.core.storage import uuid7, uuid8
from esante.core.types import Progress
from esante.core.web import Problem
from esante.identity.access import Requester, requester_of
from esante.identity.directory import Directory, Person, Practitioner
from esante.services.billing.adjudication.engine import adjudicate
from esante.services.billing.adjudication.model import Case, Cover
from esante.services.billing.adjudication.rule_set import current_rules
from esante.services.billing.note.model import FeeNote
from esante.services.billing.payment.payees import Payees
from esante.services.billing.pid.model import Confirmations, NoteRequest, RequestedLine
from esante.services.billing.pid.requests import compose_note, with_amounts
from esante.services.billing.pid.service import ImmediatePayments
from esante.services.billing.ra.service import Reimbursements

_NOTES, _DAYS = 9, 280
"""Notes of each user of the portal by accelerated reimbursement, within so many days."""
_HOLDERS, _BILLERS = 20, 12
"""Users of the portal for each doctor who writes their notes, and such doctors at most."""
_PAID = 3
"""Notes of each user of the portal by immediate payment."""
_ACTS = (("C1",), ("C1", "9T01"), ("C1", "9T10"), ("V1", "DK1"), ("C1", "RM1"), ("C1", "CP1"))
"""Codes of the notes of a general practitioner."""
_OPERATOR = Requester(kind="operator", id=uuid7(), name="Olivia Opérateur")


async def load_notes(platform: Platform, country: DemoCountry, progress: Progress) -> None:
    """Deposit notes of the last months on their days, each once; what follows depends on the health insurance."""
    count = max(1, min(_BILLERS, len(country.account_holders) // _HOLDERS))
    billers = [*_billers(platform[Directory], country)][:count]
    await platform.journal.ensure_months(country.now - timedelta(days=_DAYS + 1), country.now)
    insured = _insured(platform, country)
    notes = [one for person in insured for one in _plan(platform, country, person, billers)]
    for number, (biller, note) in enumerate(notes, 1):
        at = datetime.combine(note.issued_on, time(12), UTC)
        try:
            with use_clock(lambda at=at: at):  # type: ignore[misc]  # a default binds the moment of this note
                await platform[Reimbursements].deposit_note(_requester(country, biller), biller, note)
        except Problem as problem:
            if problem.status != 409:
                raise
        progress(number, len(notes), "fee notes")


def _requester(country: DemoCountry, biller: Practitioner) -> Requester:
    """Return a doctor for whom their software acts."""
    software = country.software[biller.id]
    return replace(requester_of(biller), client=software.name, client_id=software.client_id)


async def load_payments(platform: Platform, country: DemoCountry, progress: Progress) -> None:
    """Name the accounts of some doctors, and let notes of today be paid to them; needs insurance and bank."""
    billers = [*_billers(platform[Directory], country)][:3]
    for number, (biller, code) in enumerate(billers):
        await _name_account(platform[Payees], requester_of(biller), code, biller, number)
    insured = _insured(platform, country)
    for number, person in enumerate(insured, 1):
        for place in range(_PAID):
            biller, code = billers[place % len(billers)]
            await _pay(platform, country, person, biller, code, place)
        progress(number, len(insured), "immediate payments")


async def _name_account(payees: Payees, requester: Requester, code: str, biller: Practitioner, number: int) -> None:
    if await payees.of_provider(requester, code):
        return
    iban = IBAN.generate("LU", bank_code="001", account_code=f"{9400640000000 + number:013d}")
    payee = await payees.propose(requester, code, str(iban), biller.name)
    await payees.confirm(_OPERATOR, payee.id)


async def _pay(
    platform: Platform, country: DemoCountry, person: Person, biller: Practitioner, code: str, place: int
) -> None:
    pid, requester = platform[ImmediatePayments], _requester(country, biller)
    request = _request(platform, country, person, code, country.now.date(), f"pid {place}", place)
    try:
        simulation = await pid.simulate_request(requester, request)
        await pid.validate(requester, simulation.id, Confirmations(doctor=True, patient=True, personal_share=True))
    except Problem as problem:
        if problem.status not in (409, 410, 422):
            raise


def _billers(directory: Directory, country: DemoCountry) -> Iterator[tuple[Practitioner, str]]:
    """Yield general practitioners with their provider codes."""
    uri = directory.catalogue.system("provider_code").uri
    for one in country.practitioners:
        codes = [identifier.value for identifier in one.identifiers if identifier.system == uri]
        if codes and one.profession == "doctor" and "general_medicine" in one.specialities:
            yield one, codes[0]


def _insured(platform: Platform, country: DemoCountry) -> list[Person]:
    """Return the account holders who have a matricule; others, such as visitors, have no fee notes."""
    uri = platform[Directory].catalogue.system("matricule").uri
    return [person for person in country.account_holders if any(one.system == uri for one in person.identifiers)]


def _plan(
    platform: Platform, country: DemoCountry, person: Person, billers: list[tuple[Practitioner, str]]
) -> Iterator[tuple[Practitioner, FeeNote]]:
    """Yield the notes of a person over the last months."""
    chance = random.Random(f"{country.seed} {person.id} fee notes")  # noqa: S311 - invented data
    for place in range(_NOTES if billers and person.deceased_at is None else 0):
        biller, code = chance.choice(billers)
        day = country.now.date() - timedelta(days=chance.randint(2, _DAYS))
        request = _request(platform, country, person, code, day, f"ra {place}", chance.randrange(len(_ACTS)))
        note = compose_note(request, biller, person, None)
        case = Case(
            note=note,
            birth_date=person.birth_date,
            covers=(Cover(fund="CNS", since=person.birth_date),),
            profession=biller.profession,
            specialities=biller.specialities,
            has_amounts=False,
        )
        yield biller, _settled(with_amounts(note, adjudicate(case, current_rules())), day, settled=place % 4 != 3)


def _settled(note: FeeNote, day: date, *, settled: bool) -> FeeNote:
    """Return a note that the patient has to pay whole, or has paid."""
    settlement = replace(note.settlement, due=note.total, settled=settled, settled_on=day if settled else None)
    return replace(note, settlement=settlement)


def _request(
    platform: Platform, country: DemoCountry, person: Person, code: str, day: date, key: str, acts: int
) -> NoteRequest:
    """Return the request of a note: the acts of a place in `_ACTS` on a day."""
    uri = platform[Directory].catalogue.system("matricule").uri
    return NoteRequest(
        provider_code=code,
        matricule=next(one.value for one in person.identifiers if one.system == uri),
        note_id=_key(person, f"{country.seed} {key}"),
        issued_on=day,
        lines=tuple(
            RequestedLine(id=_key(person, f"{key} {line}"), on=day, code=act)
            for line, act in enumerate(_ACTS[acts % len(_ACTS)], 1)
        ),
    )


def _key(person: Person, what: str) -> UUID:
    return uuid8(random.Random(f"{person.id} {what}").randbytes(16))  # noqa: S311 - invented data

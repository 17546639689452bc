"""Support for tests of incentives: events of notes and labels, and a world that decides quarters from them."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from esante.core.disclosure import StatisticsKey
from esante.core.journal import Actor, Event
from esante.core.sepa import AccountHolder
from esante.core.storage import insert_in_batches, uuid7
from esante.identity.access import Requester
from esante.identity.directory import Directory, Identifier, Practitioner, catalogue
from esante.services.billing.note.model import NoteEnded, NoteKept
from esante.services.conformance.labels.model import LabelEnded, LabelGranted
from esante.services.incentives.appeals.service import Appeals
from esante.services.incentives.budget.service import Budgets
from esante.services.incentives.claims.service import Claims
from esante.services.incentives.decisions.service import Decisions, OwnDecisions
from esante.services.incentives.evidence.reader import EvidenceReader
from esante.services.incentives.evidence.sources import sources
from esante.services.incentives.payments.service import Payments
from esante.services.incentives.schemes.model import Scheme
from esante.services.incentives.schemes.scheme_file import parse_schemes

DEBTOR_IBAN = "LU280019400644750000"
IBANS = ("LU120010001234567891", "LU360029152460050000", "LU340170900000000001")
TABLES = (
    "incentive_bank_line",
    "incentive_appeal",
    "incentive_order",
    "incentive_payment_file",
    "incentive_account",
    "incentive_signal",
    "incentive_line",
    "incentive_run",
    "incentive_claim",
    "incentive_connection",
    "incentive_label",
    "incentive_withdrawal",
    "incentive_evidence",
)


SCHEMES = """
[[scheme]]
key = "notes"
label = "Digital fee notes"
valid_from = 2026-01-01
unit = "document"
evidence = "fee_note"
professions = ["doctor"]
kit = "ra-pid"
threshold = 3
amount = "0.335"
legal_source = "test"
verified = true

[[scheme]]
key = "connect"
label = "Digital fee notes"
valid_from = 2026-01-01
unit = "installation"
evidence = "fee_note"
professions = ["doctor"]
kit = "ra-pid"
threshold = 2
amount = "625.00"
legal_source = "test"
verified = true
"""


def schemes_of(text: str) -> tuple[Scheme, ...]:
    """Return the schemes of a file."""
    return parse_schemes(text, sources().kinds)


def operator(name: str) -> Requester:
    """Return an operator."""
    return Requester(kind="operator", id=uuid7(), name=name)


@dataclass
class Vendor:
    """A vendor with one product and its registration."""

    name: str
    product: str
    client_id: str
    id: UUID = field(default_factory=uuid7)
    version_id: UUID = field(default_factory=uuid7)

    @property
    def requester(self) -> Requester:
        """Somebody who acts for the vendor."""
        return Requester(kind="vendor", id=uuid7(), name=f"{self.name} office", organization_id=self.id)


EXEMPLA = Vendor("Exempla SA", "Exempla", "exempla")
RIVAL = Vendor("Rival SA", "Rival", "rival")


class IncentiveWorld:
    """The services over a database, doctors, and events of their software."""

    def __init__(self, db: Any, journal: Any, schemes: Sequence[Scheme]) -> None:
        self.db, self.journal, self.schemes = db, journal, schemes
        self.directory, key = Directory(db, journal), StatisticsKey(b"k" * 32)
        self.key = key
        self.reader = EvidenceReader(db, journal, self.directory, key, sources())
        self.payments = Payments(db, journal, AccountHolder(name="Agence Exemple", iban=DEBTOR_IBAN))
        self.decisions = Decisions(db, journal, self.reader, schemes, self.payments)
        self.own = OwnDecisions(db, schemes)
        self.claims = Claims(db, journal, schemes)
        self.appeals = Appeals(db, journal)
        self.budgets = Budgets(db, schemes, key)
        self.anna, self.ben = operator("Anna"), operator("Ben")
        self.doctors: dict[str, Practitioner] = {}

    async def doctor(self, code: str, profession: str = "doctor") -> Practitioner:
        """Return the professional with a provider code, who is registered."""
        if code not in self.doctors:
            system = catalogue().system("provider_code").uri
            known = await self.directory.find_practitioner(system, code)
            self.doctors[code] = known or await self.directory.register_practitioner(
                Practitioner(
                    id=uuid7(),
                    identifiers=(Identifier(system, code),),
                    family=f"Doctor{code[-4:]}",
                    given=("Eva",),
                    profession=profession,
                )
            )
        return self.doctors[code]

    async def label(self, vendor: Vendor, since: date, until: date = date(2030, 1, 1), kit: str = "ra-pid") -> None:
        """Grant a vendor's product the label from a day on."""
        await self.append(
            [
                (
                    since,
                    LabelGranted(
                        label_id=uuid7(),
                        version_id=vendor.version_id,
                        product=vendor.product,
                        vendor_id=vendor.id,
                        vendor=vendor.name,
                        version="1",
                        kit=kit,
                        kit_version="1",
                        clients=(vendor.client_id,),
                        until=until,
                    ),
                    Actor(kind="operator"),
                    uuid7(),
                )
            ]
        )

    async def end_label(self, vendor: Vendor, on: date, kit: str = "ra-pid") -> None:
        """End the label of a vendor's product."""
        ended = LabelEnded(label_id=uuid7(), version_id=vendor.version_id, kit=kit, cause="withdrawn")
        await self.append([(on, ended, Actor(kind="operator"), uuid7())])

    async def notes(
        self,
        code: str,
        days: Iterable[date],
        vendor: Vendor = EXEMPLA,
        association: str = "",
        patient: UUID | None = None,
        amount: str = "57.70",
    ) -> list[UUID]:
        """Let a doctor send a note on each day; return the notes."""
        doctor, made = await self.doctor(code), []
        actor = Actor(
            kind="practitioner",
            id=doctor.id,
            role=doctor.profession,
            client=vendor.product,
            client_id=vendor.client_id,
        )
        for day in days:
            note = NoteKept(
                note_ids=(uuid7(),),
                provider_code=code,
                biller_id=doctor.id,
                channel="pid",
                association_code=association,
                amount=amount,
            )
            made.append((day, note, actor, patient or uuid7()))
        await self.append(made)
        return [one.note_ids[0] for _, one, _, _ in made]

    async def cancel(self, code: str, notes: Iterable[UUID], day: date) -> None:
        """Cancel notes of a doctor on a day."""
        made = [NoteEnded(note_ids=(note,), provider_code=code, status="cancelled") for note in notes]
        await self.append([(day, one, Actor(kind="practitioner"), uuid7()) for one in made])

    async def append(self, made: Sequence[tuple[date, Event, Actor, UUID]]) -> None:
        """Append entries (day, event, actor, person), and seal them."""
        rows: list[Any] = []
        days = [day for day, *_ in made]
        if days:
            await self.journal.ensure_months(_noon(min(days)), _noon(max(days)))
        for day, one, actor, person_id in made:
            rows += self.journal.rows(one, person_id=person_id, actor=actor, at=_noon(day))
        async with self.db.transaction() as conn:
            await insert_in_batches(conn, rows)
        await self.journal.sealer.seal_all()

    async def decide(self, quarter: str) -> Decimal:
        """Let one operator decide a quarter and another confirm it; return the sum of its lines."""
        await self.decisions.ask(self.anna, quarter)
        while await self.decisions.advance():
            pass
        await self.decisions.confirm(self.ben, quarter)
        _, (_, _, amount) = await self.decisions.find(self.anna, quarter)
        return amount

    async def lines(self, quarter: str) -> list[Any]:
        """Return the lines of a quarter."""
        return [kept.line for kept in (await self.decisions.lines(self.anna, quarter, "", None, 10_000)).items]

    async def account(self, payee: str, kind: Any, iban: str = IBANS[0]) -> None:
        """Enter an account and confirm it."""
        made = await self.payments.enter_account(self.anna, kind, payee, "Eva Doctor", iban)
        await self.payments.decide_account(self.ben, made.account_id, confirm=True)


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(11, 30, tzinfo=UTC))


def days_of(first: date, count: int) -> list[date]:
    """Return so many days from one on."""
    return [first + timedelta(days=number) for number in range(count)]


def shuffled(items: Iterable[Any], seed: int) -> list[Any]:
    """Return items in another order, the same for a seed."""
    found = list(items)
    random.Random(seed).shuffle(found)
    return found

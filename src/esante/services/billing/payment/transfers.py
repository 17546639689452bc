"""The work at the bank: hand over what is due, ask about what is not known, settle what the bank says, read its lines.

Each step can be broken off at any instant and be done again, by any process:

claim    one transaction marks payments as asked, before the bank is asked: whatever follows, they may have been paid
ask      the bank is given the order, or asked for its status; an order that it does not know is given again with the
         same id, of which it executes one
settle   one transaction writes what the bank said to payment, ledger and journal; a repetition changes nothing
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from esante.core import clock
from esante.core.journal import Event, Journal
from esante.core.sepa import BadMessage, OrderStatus, Outcome
from esante.core.storage import NIL, Connection, Database, Row, insert
from esante.services.billing.payment import ledger, transfer_store
from esante.services.billing.payment.bank import Bank, BankSilent
from esante.services.billing.payment.ledger import LedgerTransaction, TransactionKind
from esante.services.billing.payment.model import (
    BankLine,
    BankLineUnmatched,
    LineFault,
    Paid,
    Payment,
    PaymentAsked,
    PaymentRejected,
    PaymentState,
    Transfer,
)
from esante.services.billing.payment.payment_store import posting_rows

log = logging.getLogger(__name__)
AT_ONCE = 16
"""Orders under way in a process at most."""
IDLE_SECONDS, STATEMENT_SECONDS = 0.2, 2.0
LONGEST_WAIT = timedelta(minutes=5)
"""Between two questions about the same payment."""


class Transfers:
    """The work at the bank on the payments of all professionals."""

    def __init__(self, db: Database, journal: Journal, bank: Bank) -> None:
        self._db, self._journal, self.bank = db, journal, bank
        self._lease = timedelta(seconds=bank.timeout + 5)

    async def run(self) -> None:
        """Work until cancelled."""
        if not self.bank.is_known:
            await asyncio.Event().wait()
        await asyncio.gather(self._pay_forever(), self._read_forever())

    async def advance(self) -> int:
        """Do everything that is due once; return how many payments were worked on."""
        claimed = [(one, False) for one in await self.claim(AT_ONCE)]
        claimed += [(one, True) for one in await self.claim_unknown(AT_ONCE)]
        reports = await asyncio.gather(*(self.ask(one, known=known) for one, known in claimed))
        await self.settle([(one, report) for (one, _), report in zip(claimed, reports, strict=True)])
        await self.read_statement()
        return len(claimed)

    # The steps

    async def claim(self, limit: int) -> list[Transfer]:
        """Mark up to `limit` payments that are due as asked, before anything is sent; return their orders."""
        now = clock.now()
        async with self._db.transaction() as conn:
            claimed = await transfer_store.claim_created(conn, now, now + self._lease, limit)
            rows: list[Row] = []
            for one in claimed:
                payment = _payment_of(one)
                rows += posting_rows([ledger.moved(TransactionKind.ASKED, payment, now)])
                rows += self._journal.rows(
                    PaymentAsked(
                        payment_id=one.payment_id,
                        note_id=one.note_id,
                        provider_code=one.provider_code,
                        amount=one.amount,
                        attempt=one.attempt,
                    )
                )
            await insert(conn, rows)
        return claimed

    async def claim_unknown(self, limit: int) -> list[Transfer]:
        """Return up to `limit` payments about which the bank is to be asked, reserved for this process."""
        now = clock.now()
        async with self._db.transaction() as conn:
            return await transfer_store.claim_unknown(conn, now, now + self._lease, limit)

    async def ask(self, transfer: Transfer, *, known: bool) -> OrderStatus:
        """Give the bank an order; one that was given already (`known`) only if the bank says that it has none."""
        if known:
            report = await self.bank.status(transfer)
            if report.outcome is not Outcome.NOT_KNOWN:
                return report
        return await self.bank.order(transfer)

    async def settle(self, reports: Sequence[tuple[Transfer, OrderStatus]]) -> None:
        """Write what the bank said of orders, each only if nothing else was written about it meanwhile."""
        if not reports:
            return
        async with self._db.transaction() as conn:
            for transfer, report in sorted(reports, key=lambda one: one[0].payment_id.bytes):
                await self._settle(conn, transfer, report)

    async def _settle(self, conn: Connection, transfer: Transfer, report: OrderStatus) -> None:
        now = clock.now()
        if report.outcome in (Outcome.OPEN, Outcome.NOT_KNOWN):
            wait = min(timedelta(seconds=2**transfer.failures), LONGEST_WAIT)
            await transfer_store.postpone(conn, transfer.payment_id, transfer.attempt, now + wait)
            return
        found = await transfer_store.lock_transfer(conn, transfer.payment_id)
        if found is None or found[1] != transfer.attempt or found[0].state is not PaymentState.ASKED:
            return
        if report.outcome is Outcome.PAID:
            await self._pay(conn, found[0], now)
        else:
            await self._reject(conn, found[0], transfer.attempt, report.cause, now)

    async def _pay(
        self,
        conn: Connection,
        payment: Payment,
        at: datetime,
        line: str = "",
        kind: TransactionKind = TransactionKind.PAID,
    ) -> None:
        """Write that the money of a locked payment has moved."""
        await transfer_store.settle(conn, payment.id, PaymentState.PAID, at, bank_line=line)
        event = Paid(
            payment_id=payment.id,
            note_ids=(payment.note_id,),
            provider_code=payment.provider_code,
            amount=payment.amount,
            seconds=round((at - payment.created_at).total_seconds()),
        )
        await self._write(conn, ledger.moved(kind, payment, at), event, of_person=True)

    async def _reject(self, conn: Connection, payment: Payment, attempt: int, cause: str, at: datetime) -> None:
        """Write that the bank refused a locked payment: it is owed again."""
        await transfer_store.settle(conn, payment.id, PaymentState.REJECTED, at, cause=cause)
        event = PaymentRejected(
            payment_id=payment.id,
            note_id=payment.note_id,
            provider_code=payment.provider_code,
            amount=payment.amount,
            attempt=attempt,
            cause=cause,
        )
        await self._write(conn, ledger.moved(TransactionKind.REJECTED, payment, at), event)

    async def _write(
        self, conn: Connection, transaction: LedgerTransaction, event: Event, *, of_person: bool = False
    ) -> None:
        person_id = transaction.payment.person_id if of_person else NIL
        await insert(conn, [*posting_rows([transaction]), *self._journal.rows(event, person_id=person_id)])

    # The statement

    async def read_statement(self) -> int:
        """Match what the bank reported since the last time; return how many lines were new.

        A line is stored once by the bank's reference, so two processes and a repetition do no harm.
        Raises: BankSilent, BadMessage.
        """
        count, place = 0, await transfer_store.fetch_place(self._db)
        while True:
            lines, last = await self.bank.lines(place)
            if not lines and last <= place:
                return count
            async with self._db.transaction() as conn:
                for line in sorted(lines, key=lambda one: (one.payment_id or NIL).bytes):  # in the order of `settle`
                    count += await self._match(conn, line)
                await transfer_store.move_place(conn, last)
            place = last

    async def _match(self, conn: Connection, line: BankLine) -> bool:
        """Match a line with its payment, or say why it has none; False for a line that is known."""
        if not await transfer_store.add_line(conn, line):
            return False
        fault = line.fault or await self._match_payment(conn, line)
        if fault:
            await transfer_store.set_fault(conn, line.reference, fault)
            event = BankLineUnmatched(reference=line.reference, fault=fault, amount=line.amount)
            await insert(conn, self._journal.rows(event))
        return True

    async def _match_payment(self, conn: Connection, line: BankLine) -> str:
        """Settle the payment of a new line; return why that cannot be, "" when it was done."""
        found = line.payment_id and await transfer_store.lock_transfer(conn, line.payment_id)
        if not found or found[1] == 0:
            return LineFault.UNKNOWN.value
        payment = found[0]
        if payment.bank_line:
            return LineFault.TWICE.value
        if payment.amount != line.amount:
            return LineFault.AMOUNT.value
        match payment.state:
            case PaymentState.WITHDRAWN:
                return LineFault.WITHDRAWN.value
            case PaymentState.PAID:
                await transfer_store.set_line(conn, payment.id, line.reference)
            case PaymentState.ASKED:
                await self._pay(conn, payment, line.booked_at, line.reference)
            case PaymentState.REJECTED | PaymentState.CREATED:
                await self._pay(conn, payment, line.booked_at, line.reference, TransactionKind.PAID_LATE)
        return ""

    # For ever

    async def _pay_forever(self) -> None:
        """Work on what is due, at most `AT_ONCE` orders at a time; what is answered together is settled together."""
        pending: dict[asyncio.Task[OrderStatus], Transfer] = {}
        while True:
            try:
                free = AT_ONCE - len(pending)
                claimed = [(one, False) for one in await self.claim(free)] if free else []
                if free > len(claimed):
                    claimed += [(one, True) for one in await self.claim_unknown(free - len(claimed))]
                pending |= {asyncio.create_task(self.ask(one, known=known)): one for one, known in claimed}
                if not pending:
                    await asyncio.sleep(IDLE_SECONDS)
                    continue
                done, _ = await asyncio.wait(pending, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                await self.settle([(pending.pop(task), task.result()) for task in done])
            except Exception:
                log.exception("the work on payments failed; what is open is asked about later")
                await asyncio.sleep(1)

    async def _read_forever(self) -> None:
        while True:
            try:
                await self.read_statement()
            except (BankSilent, BadMessage) as error:
                log.warning("the bank's statement cannot be read: %s", error)
            except Exception:
                log.exception("reading the bank's statement failed; it is tried again")
            await asyncio.sleep(STATEMENT_SECONDS)


def _payment_of(transfer: Transfer) -> Payment:
    """Return what the ledger needs to know of a transfer's payment."""
    return Payment(
        id=transfer.payment_id,
        person_id=transfer.person_id,
        note_id=transfer.note_id,
        provider_code=transfer.provider_code,
        amount=transfer.amount,
        recovered=Decimal("0.00"),
        state=PaymentState.ASKED,
        created_at=transfer.asked_at,
    )

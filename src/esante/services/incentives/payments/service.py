"""The use cases of payments: accounts of payees, orders of a quarter, the file for the bank, its answers."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from esante.core import clock
from esante.core.journal import Event, Journal
from esante.core.sepa import (
    AccountHolder,
    BadMessage,
    BookedLine,
    CreditTransfer,
    OrderStatus,
    Outcome,
    StatusReport,
    order_key,
    parse_iban,
    read_message,
    write_credit_transfers,
)
from esante.core.storage import Connection, Database, Row, insert, uuid7
from esante.core.web import (
    N_,
    NOT_FOUND,
    Page,
    Problem,
    bad_request,
    clean_text,
    decode_uuid_cursor,
    encode_cursor,
)
from esante.identity.access import Requester, require_operator
from esante.services.incentives.decisions.model import NOTHING, KeptLine, PayeeKind
from esante.services.incentives.payments import payment_store
from esante.services.incentives.payments.model import (
    Account,
    AccountChanged,
    BankAnswer,
    IncentivePaid,
    Order,
    OrderState,
    PaymentFile,
    PaymentFileMade,
    PaymentRejected,
    Reconciliation,
)

PAGE_SIZE = 20
MOST_ORDERS = 5_000
"""Orders in one file at most."""


class Payments:
    """Orders, accounts and files; every order is in one file at a time."""

    def __init__(self, db: Database, journal: Journal, debtor: AccountHolder) -> None:
        self._db, self._journal, self._debtor = db, journal, debtor

    async def add_orders(
        self, conn: Connection, quarter: str, lines: Sequence[KeptLine], held: Collection[tuple[str, str]]
    ) -> list[Order]:
        """Make the orders of a confirmed quarter in its transaction: one for each scheme and payee; return them.

        `held`: schemes and payees whose payment is held. What a payee owes from before is taken off.
        """
        sums: dict[tuple[str, str], Decimal] = defaultdict(lambda: NOTHING)
        first: dict[tuple[str, str], KeptLine] = {}
        for one in lines:
            if one.line.amount:
                key = one.line.scheme[0], one.line.payee
                sums[key] += one.line.amount
                first.setdefault(key, one)
        carried = await payment_store.take_carried(conn, quarter)
        orders = []
        for key, one in first.items():
            amount = sums[key] + carried.get(key, NOTHING)
            state = OrderState.CARRIED if amount <= 0 else OrderState.HELD if key in held else OrderState.READY
            orders.append(
                Order(
                    order_id=uuid7(),
                    quarter=quarter,
                    scheme=key[0],
                    payee_kind=one.line.payee_kind,
                    payee=key[1],
                    payee_name=one.payee_name,
                    amount=amount,
                    carried=carried.get(key, NOTHING),
                    state=state,
                )
            )
        await payment_store.mark_carried(conn, quarter, [key for key in first if key in carried])
        await insert(conn, [payment_store.order_row(one) for one in orders])
        return orders

    async def release(self, conn: Connection, quarter: str, scheme: str, payee: str, *, pay: bool) -> None:
        """Let a held order be paid, or not: what the payee owes in it is then still owed."""
        order = await payment_store.fetch_order_of(conn, quarter, scheme, payee)
        if order is None or order.state is not OrderState.HELD:
            return
        owed = await payment_store.owed_in(conn, order)
        state = OrderState.READY if pay else OrderState.CARRIED if owed < 0 else OrderState.REFUSED
        await payment_store.write_state(
            conn, order.order_id, state, owed if state is OrderState.CARRIED else order.amount
        )

    async def enter_account(
        self, requester: Requester, payee_kind: PayeeKind, payee: str, holder: str, iban: str
    ) -> Account:
        """Keep the account of a payee, which an operator has to confirm; whoever asks is known to act for the payee.

        Raises: Problem 400 for a name that is too short, or a number that is no IBAN of the euro payments area.
        """
        account = Account(
            account_id=uuid7(),
            payee_kind=payee_kind,
            payee=payee,
            holder=clean_text(holder, 2, 70, "holder"),
            iban=parse_iban(iban),
            entered_at=clock.now(),
            entered_by=requester.name,
            entered_by_id=requester.id,
            state="proposed",
        )
        event = AccountChanged(account_id=account.account_id, payee=payee, change="entered")
        async with self._db.transaction() as conn:
            await payment_store.withdraw_proposed(conn, payee)
            await insert(conn, [payment_store.account_row(account), *self._journal.rows_for(requester, event)])
        return account

    async def accounts(self, payees: Sequence[str]) -> list[Account]:
        """Return the newest accounts of payees."""
        return await payment_store.fetch_accounts(self._db, payees, "", PAGE_SIZE) if payees else []

    async def proposed_accounts(self, requester: Requester) -> list[Account]:
        """Return accounts that wait to be confirmed. Raises: Problem 403 for others than operators."""
        require_operator(requester)
        return await payment_store.fetch_accounts(self._db, (), "proposed", PAGE_SIZE)

    async def decide_account(self, requester: Requester, account_id: UUID, *, confirm: bool) -> None:
        """Confirm an account, or refuse it. Raises: Problem 403, 404, 409 for one that is decided, or one's own."""
        require_operator(requester)
        state = "confirmed" if confirm else "refused"
        async with self._db.transaction() as conn:
            account = await payment_store.lock_account(conn, account_id)
            if account is None:
                raise Problem(404, "not-found", NOT_FOUND)
            if account.state != "proposed":
                raise Problem(409, "conflict", N_("This account was decided already."))
            if account.entered_by_id == requester.id:
                raise Problem(409, "conflict", N_("Another operator has to confirm this decision."))
            await payment_store.decide_account(conn, account, state, clock.now(), requester.name)
            event = AccountChanged(account_id=account_id, payee=account.payee, change=state)
            await insert(conn, self._journal.rows_for(requester, event))

    async def make_file(self, requester: Requester) -> PaymentFile:
        """Make a file with every order that may be paid; it is kept, and its orders are in no other file.

        Raises: Problem 403, 409 when nothing may be paid, or no account to pay from is set.
        """
        require_operator(requester)
        if not self._debtor.iban:
            raise Problem(409, "conflict", N_("The account from which incentives are paid is not set."))
        async with self._db.transaction() as conn:
            await payment_store.lock_payments(conn)
            found = (await payment_store.take_payable(conn))[:MOST_ORDERS]
            if not found:
                raise Problem(409, "conflict", N_("There is nothing to pay now."))
            orders = [_transfer(*one) for one in found]
            file_id, now = uuid7(), clock.now()
            file = PaymentFile(
                file_id=file_id,
                message_id=file_id.hex,
                made_at=now,
                made_by=requester.name,
                orders=len(orders),
                amount=sum((one.amount for one in orders), NOTHING),
                content=write_credit_transfers(self._debtor, orders, message_id=file_id.hex, at=now),
            )
            event = PaymentFileMade(
                file_id=file_id, message_id=file.message_id, orders=file.orders, amount=str(file.amount)
            )
            await insert(conn, [payment_store.file_row(file), *self._journal.rows_for(requester, event)])
            await payment_store.mark_sent(conn, file.file_id, [(order.order_id, iban) for order, iban, _ in found])
        return file

    async def files(self, requester: Requester, cursor: str | None) -> Page[PaymentFile]:
        """Return a page of files without content, the newest first. Raises: Problem 403, 400."""
        require_operator(requester)
        found = await payment_store.fetch_files(self._db, decode_uuid_cursor(cursor), PAGE_SIZE + 1)
        more = encode_cursor(found[PAGE_SIZE - 1].file_id) if len(found) > PAGE_SIZE else None
        return Page(found[:PAGE_SIZE], more)

    async def file(self, requester: Requester, file_id: UUID) -> PaymentFile:
        """Return a file as it was made. Raises: Problem 403, 404."""
        require_operator(requester)
        found = await payment_store.fetch_file(self._db, file_id)
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return found

    async def payable(self, requester: Requester) -> tuple[int, Decimal, int]:
        """Return how many orders may be paid and their sum, and how many wait for an account. Raises: Problem 403."""
        require_operator(requester)
        return await payment_store.count_payable(self._db)

    async def orders(self, requester: Requester, quarter: str, text: str, cursor: str | None) -> Page[Order]:
        """Return a page of the orders of a quarter. Raises: Problem 403, 400."""
        require_operator(requester)
        after = decode_uuid_cursor(cursor)
        found = await payment_store.fetch_orders(self._db, quarter, "", text, after, PAGE_SIZE + 1)
        more = encode_cursor(found[PAGE_SIZE - 1].order_id) if len(found) > PAGE_SIZE else None
        return Page(found[:PAGE_SIZE], more)

    async def orders_of(self, payees: Sequence[str]) -> list[Order]:
        """Return the newest orders of payees."""
        return await payment_store.fetch_orders_of(self._db, payees, PAGE_SIZE) if payees else []

    async def apply(self, requester: Requester, data: bytes) -> Reconciliation:
        """Apply the bank's answers in a pain.002 or camt.054, all or none; reading a file again changes nothing.

        Raises: Problem 403, 400 for a file that is no answer of the bank.
        """
        require_operator(requester)
        try:
            said = read_message(data)
        except BadMessage as error:
            raise bad_request("file", N_("This is no answer of the bank."), detail=str(error), code="value") from error
        counts = {True: 0, False: 0}
        unmatched = []
        async with self._db.transaction() as conn:
            await payment_store.lock_payments(conn)
            for answer in await self._answers(conn, said):
                applied = await self._apply_one(conn, requester, answer)
                if applied is None:
                    unmatched.append(answer.end_to_end_id[:40] or "–")
                elif applied:
                    counts[answer.paid] += 1
        return Reconciliation(counts[True], counts[False], tuple(unmatched))

    async def _answers(self, conn: Connection, said: StatusReport | Sequence[BookedLine]) -> list[BankAnswer]:
        """Return what the bank says of each order; a file that it rejected as a whole is said of all its orders."""
        if not isinstance(said, StatusReport):
            return [_answer_of_line(one) for one in said]
        statuses = said.orders
        if not statuses and said.whole.outcome is Outcome.REJECTED:
            sent = await payment_store.fetch_sent(conn, said.message_id)
            statuses = tuple(replace(said.whole, end_to_end_id=one.hex) for one in sent)
        known = [one for one in statuses if one.outcome in (Outcome.PAID, Outcome.REJECTED)]
        return [_answer_of_status(one, said.message_id) for one in known]

    async def _apply_one(self, conn: Connection, requester: Requester, answer: BankAnswer) -> bool | None:
        """Apply an answer; return whether it changed something, None when it fits no order that is at the bank."""
        order_id = order_key(answer.end_to_end_id)
        found = await payment_store.lock_order(conn, order_id) if order_id else None
        if found is None:
            return None
        order, message_id = found
        is_of_file = not answer.message_id or answer.message_id == message_id
        if order.attempt == 0 or not is_of_file or answer.amount not in (None, order.amount):
            return None
        if answer.paid and order.state is OrderState.REJECTED:
            return None  # somebody has to ask the bank which of both is true
        now = clock.now()
        if answer.reference and not await payment_store.apply_line(conn, answer.reference, order.order_id, now):
            return False
        if not _changes(order, answer):
            return False
        state = OrderState.PAID if answer.paid else OrderState.REJECTED
        await payment_store.settle(conn, order.order_id, state, now, answer.cause, answer.reference)
        await insert(conn, self._settled(requester, order, answer))
        return True

    def _settled(self, requester: Requester, order: Order, answer: BankAnswer) -> list[Row]:
        event: Event = PaymentRejected(order_id=order.order_id, cause=answer.cause)
        if answer.paid:
            event = IncentivePaid(
                order_id=order.order_id,
                quarter=order.quarter,
                scheme=order.scheme,
                payee=order.payee,
                amount=str(order.amount),
                euros=int(order.amount + Decimal("0.5")),
            )
        return self._journal.rows_for(requester, event)


def _changes(order: Order, answer: BankAnswer) -> bool:
    """Return whether an answer changes the state of an order: a returned line also that of a paid one."""
    if answer.paid:
        return order.state is OrderState.SENT
    return order.state is OrderState.SENT or (order.state is OrderState.PAID and bool(answer.reference))


def _transfer(order: Order, iban: str, holder: str) -> CreditTransfer:
    return CreditTransfer(
        end_to_end_id=order.end_to_end_id,
        creditor=AccountHolder(name=holder, iban=iban),
        amount=order.amount,
        purpose=f"{order.scheme} {order.quarter}",
    )


def _answer_of_status(status: OrderStatus, message_id: str) -> BankAnswer:
    paid = status.outcome is Outcome.PAID
    return BankAnswer(status.end_to_end_id, paid, status.cause, message_id=message_id)


def _answer_of_line(line: BookedLine) -> BankAnswer:
    return BankAnswer(line.end_to_end_id, not line.returned, line.cause, amount=line.amount, reference=line.reference)

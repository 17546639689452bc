"""The use cases of decisions: decide a quarter, confirm it by a second operator, settle what is unusual."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, Unavailable, insert, insert_in_batches, uuid7
from esante.core.time_zone import today
from esante.core.types import Progress
from esante.core.web import N_, NOT_FOUND, Page, Problem, bad_request, decode_cursor, decode_uuid_cursor, encode_cursor
from esante.identity.access import Requester, require_operator
from esante.services.incentives.claims import claim_store
from esante.services.incentives.decisions import decision_store, rules, signal_store
from esante.services.incentives.decisions.facts import FactLoader
from esante.services.incentives.decisions.model import (
    NOTHING,
    ClaimState,
    KeptLine,
    Line,
    QuarterConfirmed,
    QuarterDecided,
    Reason,
    Run,
    RunState,
    Signal,
    SignalDecided,
)
from esante.services.incentives.decisions.signals import find_signals
from esante.services.incentives.evidence import evidence_store
from esante.services.incentives.evidence.reader import EvidenceReader
from esante.services.incentives.payments.model import OrderState
from esante.services.incentives.payments.service import Payments
from esante.services.incentives.schemes.model import Scheme, Unit
from esante.services.incentives.schemes.quarter import Quarter
from esante.services.incentives.schemes.terms import terms_on

log = logging.getLogger(__name__)
LEASE = timedelta(minutes=10)
"""For how long a process has the run that it works out."""
PAGE_SIZE = 20
DECISIONS = ("pay", "refuse")
"""What may become of a held payment."""


class Decisions:
    """Decisions of quarters; every act of an operator is journalled."""

    def __init__(
        self, db: Database, journal: Journal, reader: EvidenceReader, schemes: Sequence[Scheme], payments: Payments
    ) -> None:
        self._db, self._journal, self._reader, self._payments = db, journal, reader, payments
        self.schemes = {one.id: one for one in schemes}
        self._facts = FactLoader(db, schemes)

    async def ask(self, requester: Requester, text: str) -> None:
        """Let a quarter be decided in the background. Raises: as `_check`."""
        require_operator(requester)
        async with self._db.transaction() as conn:
            await decision_store.lock_runs(conn)
            quarter = await self._check(conn, text)
            await decision_store.ask(conn, str(quarter), clock.now(), requester.name, requester.id)

    async def _check(self, conn: Connection, text: str) -> Quarter:
        """Return a quarter that may be decided.

        Raises: Problem 400 for a text that is no quarter, 409 for one that has not ended, is being decided or was
        confirmed, or while an earlier one is not confirmed, or a later one is decided.
        """
        try:
            quarter = Quarter.parse(text)
        except ValueError as error:
            raise bad_request("quarter", N_("This is not a quarter."), detail=str(error), code="value") from error
        if quarter.last >= today():
            raise _conflict(N_("This quarter has not ended yet."))
        last = await decision_store.last_run(conn)
        if last is None:
            return quarter
        if last.quarter > text:
            raise _conflict(N_("A later quarter is decided already: corrections come with the next quarter."))
        if last.quarter < text and last.state is not RunState.CONFIRMED:
            raise _conflict(N_("An earlier quarter is not confirmed yet."))
        if last.quarter == text and last.state is not RunState.DRAFT:
            raise _conflict(
                N_("This quarter is confirmed: corrections come with the next quarter.")
                if last.state is RunState.CONFIRMED
                else N_("This quarter is being decided.")
            )
        return quarter

    async def run(self) -> None:
        """Work out the quarters that were asked for."""
        while await self.advance():
            pass

    async def advance(self, progress: Progress = lambda done, total, step: None) -> bool:
        """Work out the quarter that waits; False when there is none."""
        now = clock.now()
        run = await decision_store.take(self._db, now, now + LEASE)
        if run is None:
            return False
        try:
            await self._work_out(run, progress)
        except Unavailable:
            raise
        except Exception as error:
            log.exception("the decision of a quarter failed")
            await decision_store.fail(self._db, run.quarter, type(error).__name__)
        return True

    async def _work_out(self, run: Run, progress: Progress) -> None:
        """Decide a quarter, and keep its lines and what is unusual about them, all at once."""
        quarter, steps = Quarter.parse(run.quarter), len(self.schemes) + 3

        async def note(done: int) -> None:
            await decision_store.note_progress(self._db, run.quarter, done, steps)
            progress(done, steps, "schemes")

        await self._reader.catch_up()
        await note(1)
        upto = await evidence_store.last_seq(self._db)
        now = clock.now()
        lines, signals = await self.work_out(quarter, upto, now, note)
        names = await self._names(lines)
        kept = [
            KeptLine(line_id=uuid7(), quarter=run.quarter, payee_name=names.get(one.claim_id, ""), line=one)
            for one in lines
        ]
        amount = sum((one.amount for one in lines), NOTHING)
        event = QuarterDecided(quarter=run.quarter, lines=len(lines), amount=str(amount))
        by = Requester(kind="operator", id=run.asked_by_id, name=run.asked_by)
        async with self._db.transaction() as conn:
            if not await decision_store.clear_draft(conn, run.quarter):
                return
            await insert_in_batches(conn, [decision_store.line_row(one) for one in kept])
            await insert(conn, [signal_store.signal_row(run.quarter, one) for one in signals])
            await decision_store.finish(conn, run.quarter, upto, now)
            await insert(conn, self._journal.rows_for(by, event))
        progress(steps, steps, "schemes")

    async def work_out(
        self, quarter: Quarter, upto: int, at: datetime, note: Callable[[int], Awaitable[None]] | None = None
    ) -> tuple[list[Line], list[Signal]]:
        """Return the lines of a quarter, and what is unusual about them: the same ones whenever it is asked.

        `upto`: the leaf of the journal up to which evidence counts, `at`: the moment until which appeals do.
        """
        facts, labels = await self._facts.load(quarter, upto, at, note)
        lines = await asyncio.to_thread(rules.decide, quarter, self.schemes.values(), facts, labels)
        signals: list[Signal] = []
        for scheme in self.schemes.values():
            own = [one for one in lines if one.scheme == scheme.id and one.of_quarter == quarter]
            if any(one.amount > 0 for one in own):
                signals += await self._unusual(scheme, quarter, own, upto)
        return lines, signals

    async def _unusual(self, scheme: Scheme, quarter: Quarter, lines: Sequence[Line], upto: int) -> list[Signal]:
        terms = terms_on(quarter.last)
        counts = await evidence_store.count_unusual(
            self._db,
            scheme.evidence,
            (quarter.first, quarter.last),
            upto,
            scheme.professions,
            {one.provider_code for one in lines if one.amount > 0},
            last_from=quarter.last - timedelta(days=terms.burst_days - 1),
            minimal=terms.minimal_amount,
        )
        return find_signals(scheme, lines, {one.provider_code: one for one in counts}, terms)

    async def _names(self, lines: Sequence[Line]) -> dict[UUID | None, str]:
        """Return the vendors' names by their claims."""
        claims = await claim_store.fetch_some(self._db, [one.claim_id for one in lines if one.claim_id])
        return {claim.claim_id: claim.vendor for claim in claims.values()}

    async def confirm(self, requester: Requester, text: str) -> None:
        """Confirm the decision of a quarter that another operator asked for: claims are settled, orders made.

        Raises: Problem 403 for others than operators, 404 for an unknown quarter, 409 for one's own, or one that is no
        draft.
        """
        require_operator(requester)
        async with self._db.transaction() as conn:
            await decision_store.lock_runs(conn)
            run = await decision_store.fetch_run(conn, text)
            if run is None:
                raise Problem(404, "not-found", NOT_FOUND)
            if run.asked_by_id == requester.id:
                raise _conflict(N_("Another operator has to confirm this decision."))
            if not await decision_store.confirm(conn, text, clock.now(), requester.name, requester.id):
                raise _conflict(N_("There is nothing to confirm: the decision is not worked out, or is confirmed."))
            lines = await decision_store.fetch_lines(conn, text)
            held = await signal_store.open_payees(conn, text)
            await self._settle_claims(conn, Quarter.parse(text), lines)
            orders = await self._payments.add_orders(conn, text, lines, held)
            event = QuarterConfirmed(
                quarter=text,
                orders=len(orders),
                held=sum(one.state is OrderState.HELD for one in orders),
                amount=str(sum((one.line.amount for one in lines), NOTHING)),
            )
            await insert(conn, self._journal.rows_for(requester, event))

    async def _settle_claims(self, conn: Connection, quarter: Quarter, lines: Sequence[KeptLine]) -> None:
        """Keep what became of the claims: one without enough evidence stays open until its deadline has passed."""
        for one in lines:
            line = one.line
            if (
                line.claim_id is None
                or line.of_quarter != quarter
                or line.appeal_id
                or Reason.CORRECTION in line.reasons
            ):
                continue
            state = ClaimState.ACCEPTED if line.amount > 0 else self._state_of_unpaid(line, quarter)
            await claim_store.settle(conn, line.claim_id, state, line.reasons, str(quarter))

    def _state_of_unpaid(self, line: Line, quarter: Quarter) -> ClaimState:
        scheme = self.schemes[line.scheme]
        waits = line.reasons[0] in (
            Reason.THRESHOLD,
            Reason.NO_EVIDENCE,
            Reason.UNLABELLED,
            Reason.WITHDRAWN,
            Reason.BUDGET,
            Reason.PAYEE_CAP,
        )
        ends = scheme.deadline(line.provider_code) or scheme.valid_until or date.max
        return ClaimState.OPEN if waits and ends > quarter.last else ClaimState.REFUSED

    async def page(self, requester: Requester, cursor: str | None, limit: int = PAGE_SIZE) -> Page[Run]:
        """Return a page of runs, the newest quarter first. Raises: Problem 403, 400."""
        require_operator(requester)
        (before,) = decode_cursor(cursor, str) if cursor else ("",)
        found = await decision_store.fetch_runs(self._db, before, limit + 1)
        return Page(found[:limit], encode_cursor(found[limit - 1].quarter) if len(found) > limit else None)

    async def find(self, requester: Requester, text: str) -> tuple[Run, tuple[int, int, Decimal]]:
        """Return the run of a quarter, with its lines, those that pay or take something, and their sum.

        Raises: Problem 403, 404.
        """
        require_operator(requester)
        run = await decision_store.fetch_run(self._db, text)
        if run is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return run, await decision_store.sum_of_quarter(self._db, text)

    async def lines(
        self, requester: Requester, quarter: str, text: str, cursor: str | None, limit: int = PAGE_SIZE
    ) -> Page[KeptLine]:
        """Return a page of the lines of a quarter. Raises: Problem 403, 400."""
        require_operator(requester)
        found = await decision_store.fetch_lines(self._db, quarter, text, decode_uuid_cursor(cursor), limit + 1)
        return Page(found[:limit], encode_cursor(found[limit - 1].line_id) if len(found) > limit else None)

    async def signals(self, requester: Requester, quarter: str, cursor: str | None) -> Page[dict[str, Any]]:
        """Return a page of what is unusual in a quarter ("": what is open in all). Raises: Problem 403, 400."""
        require_operator(requester)
        state, after = "" if quarter else "open", decode_uuid_cursor(cursor)
        found = await signal_store.fetch_signals(self._db, quarter, state, after, PAGE_SIZE + 1)
        more = encode_cursor(found[PAGE_SIZE - 1]["signal_id"]) if len(found) > PAGE_SIZE else None
        return Page(found[:PAGE_SIZE], more)

    async def decide_signal(self, requester: Requester, signal_id: UUID, decision: str) -> None:
        """Propose what becomes of a held payment (pay, refuse), or confirm the same as a second operator.

        Another decision of a second operator is a proposal anew.

        Raises: Problem 403, 404, 400, 409 for one that is settled, one's own proposal, or a quarter that is not
        confirmed.
        """
        require_operator(requester)
        if decision not in DECISIONS:
            raise bad_request("decision", N_("Choose what becomes of the payment."), code="value")
        async with self._db.transaction() as conn:
            await decision_store.lock_runs(conn)
            found = await signal_store.lock_signal(conn, signal_id)
            if found is None:
                raise Problem(404, "not-found", NOT_FOUND)
            if found["state"] != "open":
                raise _conflict(N_("This has been decided already."))
            run = await decision_store.fetch_run(conn, found["quarter"])
            if run is None or run.state is not RunState.CONFIRMED:
                raise _conflict(N_("Confirm the quarter first: until then it may be decided anew."))
            second = found["proposal"] == decision
            if second and found["first_by_id"] == requester.id:
                raise _conflict(N_("Another operator has to confirm this decision."))
            if second:
                await self._settle_signal(conn, found, decision, requester.name)
            else:
                await signal_store.propose(conn, signal_id, decision, requester.name, requester.id)
            event = SignalDecided(signal_id=signal_id, decision=decision, second=second)
            await insert(conn, self._journal.rows_for(requester, event))

    async def _settle_signal(self, conn: Connection, found: dict[str, Any], decision: str, by: str) -> None:
        state = "released" if decision == "pay" else "refused"
        await signal_store.settle(conn, found["signal_id"], state, by, clock.now())
        key = found["scheme"], found["payee"]
        if decision == "refuse" or key not in await signal_store.open_payees(conn, found["quarter"]):
            await self._payments.release(conn, found["quarter"], *key, pay=decision == "pay")

    async def count_waiting(self) -> int:
        """Return how many signals wait for operators."""
        return await signal_store.count_open_signals(self._db)


class OwnDecisions:
    """What a payee sees: what is reached in the present quarter, and what earlier ones gave."""

    def __init__(self, db: Database, schemes: Sequence[Scheme]) -> None:
        self._db, self._schemes = db, schemes
        self._facts = FactLoader(db, schemes)

    async def present(self, codes: Sequence[str], profession: str) -> list[tuple[Scheme, list[Line]]]:
        """Return for each scheme of a profession the lines of the present quarter so far, before its limits."""
        quarter, found = Quarter.of(today()), []
        upto = await evidence_store.last_seq(self._db)
        for scheme in self._schemes:
            is_theirs = not scheme.professions or profession in scheme.professions
            is_theirs = is_theirs and scheme.unit is not Unit.INSTALLATION  # that is the vendor's
            if is_theirs and scheme.overlaps(today(), today()):
                found.append((scheme, await self._facts.so_far(scheme, quarter, upto, codes)))
        return found

    async def past(self, codes: Sequence[str], payees: Sequence[str], text: str, cursor: str | None) -> Page[KeptLine]:
        """Return a page of confirmed lines with some words, the newest first. Raises: Problem 400."""
        before = decode_uuid_cursor(cursor)
        found = await decision_store.fetch_lines_of(self._db, codes, payees, text, before, PAGE_SIZE + 1)
        return Page(found[:PAGE_SIZE], encode_cursor(found[PAGE_SIZE - 1].line_id) if len(found) > PAGE_SIZE else None)

    async def quarters(self, codes: Sequence[str], payees: Sequence[str]) -> list[tuple[str, Decimal, int]]:
        """Return the sum of each confirmed quarter with the documents, the oldest first."""
        return await decision_store.sum_by_quarter(self._db, codes, payees)


def _conflict(title: str) -> Problem:
    return Problem(409, "conflict", title)

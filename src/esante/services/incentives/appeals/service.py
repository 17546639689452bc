"""The use cases of appeals: appeal against a line, answer it within a deadline, read the answer."""

import secrets
from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from asyncpg import UniqueViolationError

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, insert, uuid7
from esante.core.time_zone import day_of, today
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
from esante.services.incentives.appeals import appeal_store
from esante.services.incentives.appeals.model import OUTCOMES, Appeal, AppealedLine
from esante.services.incentives.decisions import decision_store
from esante.services.incentives.decisions.model import AppealAnswered, AppealMade, KeptLine, PayeeKind, RunState
from esante.services.incentives.schemes.terms import terms_on

PAGE_SIZE = 20
SHORTEST, LONGEST = 10, 4_000
"""Characters of an appeal and of an answer."""
MOST = Decimal(100_000)
"""Euros that an appeal may add at most."""


class Appeals:
    """Appeals against lines."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    async def make(
        self, requester: Requester, line_id: UUID, text: str, codes: Sequence[str], payees: Sequence[str]
    ) -> Appeal:
        """Appeal against a line of somebody's own: for their evidence (`codes`), or to them (`payees`); return it.

        Raises: Problem 404 for a line of others, 400 for a text that is too short or too long, 409 after the deadline
        or for a line that was appealed against.
        """
        kept = await decision_store.fetch_line(self._db, line_id)
        run = await decision_store.fetch_run(self._db, kept.quarter) if kept else None
        is_confirmed = run is not None and run.state is RunState.CONFIRMED and run.confirmed_at is not None
        if kept is None or run is None or not is_confirmed or not _is_own(kept, codes, payees):
            raise Problem(404, "not-found", NOT_FOUND)
        terms = terms_on(today())
        if run.confirmed_at is None or today() > day_of(run.confirmed_at) + terms.appeal_within:
            raise Problem(409, "conflict", N_("The time for an appeal against this decision is over."))
        appeal = Appeal(
            appeal_id=uuid7(),
            line_id=line_id,
            reference=f"{kept.quarter}-{secrets.token_hex(3).upper()}",
            text=clean_text(text, SHORTEST, LONGEST, "text"),
            made_at=clock.now(),
            made_by=requester.name,
            made_by_id=requester.id,
            due_on=today() + terms.answer_within,
        )
        event = AppealMade(appeal_id=appeal.appeal_id, line_id=line_id)
        try:
            async with self._db.transaction() as conn:
                await insert(conn, [appeal_store.appeal_row(appeal), *self._journal.rows_for(requester, event)])
        except UniqueViolationError as error:
            raise Problem(409, "conflict", N_("There is an appeal against this decision already.")) from error
        return appeal

    async def of_lines(self, lines: Sequence[KeptLine]) -> dict[UUID, Appeal]:
        """Return the appeals against lines that somebody sees."""
        return await appeal_store.fetch_of_lines(self._db, [one.line_id for one in lines])

    async def mark_read(self, requester: Requester) -> None:
        """Keep that somebody has read the answers to their appeals."""
        await appeal_store.mark_read(self._db, requester.id, clock.now())

    async def count_unread(self, requester: Requester) -> int:
        """Return how many answers somebody has not read."""
        return await appeal_store.count_unread(self._db, requester.id)

    async def count_open(self) -> int:
        """Return how many appeals wait for an answer."""
        return await appeal_store.count_open(self._db)

    async def page(self, requester: Requester, text: str, *, is_open: bool, cursor: str | None) -> Page[AppealedLine]:
        """Return a page of appeals that are open, or answered, the oldest first. Raises: Problem 403, 400."""
        require_operator(requester)
        after = decode_uuid_cursor(cursor)
        found = await appeal_store.fetch_page(self._db, text, is_open=is_open, after=after, limit=PAGE_SIZE + 1)
        shown = []
        for one in found[:PAGE_SIZE]:
            line = await decision_store.fetch_line(self._db, one.line_id)
            assert line is not None
            shown.append(AppealedLine(one, line))
        return Page(shown, encode_cursor(found[PAGE_SIZE - 1].appeal_id) if len(found) > PAGE_SIZE else None)

    async def answer(self, requester: Requester, appeal_id: UUID, outcome: str, text: str, amount: str) -> None:
        """Answer an appeal; what an upheld one adds is a line of the next quarter, which two operators decide.

        Raises: Problem 403, 404, 400 for a wrong outcome, text or amount, 409 for one that is answered.
        """
        require_operator(requester)
        if outcome not in OUTCOMES:
            raise bad_request("outcome", N_("Choose the outcome."), code="value")
        euros = _euros(amount) if outcome == "upheld" else Decimal("0.00")
        words = clean_text(text, SHORTEST, LONGEST, "answer")
        async with self._db.transaction() as conn:
            appeal = await appeal_store.fetch(conn, appeal_id, lock=True)
            if appeal is None:
                raise Problem(404, "not-found", NOT_FOUND)
            if appeal.outcome:
                raise Problem(409, "conflict", N_("This appeal has been answered already."))
            await appeal_store.answer(conn, appeal_id, outcome, words, euros, clock.now(), requester.name)
            event = AppealAnswered(appeal_id=appeal_id, outcome=outcome, amount=str(euros))
            await insert(conn, self._journal.rows_for(requester, event))


def _is_own(kept: KeptLine, codes: Sequence[str], payees: Sequence[str]) -> bool:
    is_of_code = kept.line.payee_kind is PayeeKind.PROVIDER and kept.line.provider_code in codes
    return is_of_code or kept.line.payee in payees


def _euros(text: str) -> Decimal:
    """Return an amount in a form. Raises: Problem 400 for another text."""
    digits = text.strip().replace("\u202f", "").replace(",", ".")
    whole, _, cents = digits.partition(".")
    if not (
        whole.isascii() and whole.isdigit() and len(whole) < 7 and (not cents or cents.isdigit()) and len(cents) < 3
    ):
        raise bad_request("amount", N_("This is not an amount in euros."), N_("Write it like 12.50."), code="value")
    if (amount := Decimal(digits).quantize(Decimal("0.01"))) > MOST:
        raise bad_request("amount", N_("This is not an amount in euros."), N_("Write it like 12.50."), code="value")
    return amount

"""The sending of what waits to the health insurance: deposits, consents, cancellations, questions.

Each message goes at least once; the insurance knows it by its UUID, so what is sent twice counts once. What the answer
changes is worked out on the note as it is then, under a lock. So the process may be killed between any two steps.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, Unavailable, insert, yield_to_requests
from esante.services.billing.insurance.client import Insurance, Refused, Silent
from esante.services.billing.insurance.messages import (
    CANCELLATION,
    CONSENT,
    DEPOSIT,
    Anomaly,
    Cancellation,
    ReimbursementConsent,
    read_answer,
    write_cancellation,
    write_consent,
)
from esante.services.billing.note import note_store
from esante.services.billing.note.faults import BadNote
from esante.services.billing.note.model import KeptNote
from esante.services.billing.note.service import Notes
from esante.services.billing.ra import reimbursement_store as store
from esante.services.billing.ra import rules
from esante.services.billing.ra.consents import NoteConsents
from esante.services.billing.ra.model import ConsentType, Message, MessageFailed, Reimbursement, Waiting
from esante.services.billing.ra.service import Reimbursements

log = logging.getLogger(__name__)
LANES = 4
"""Messages under way at the same time in a process."""
LEASE = timedelta(minutes=2)
"""For how long a process has a message; an answer takes seconds."""
Change = Callable[[Reimbursement], Reimbursement]


class ReimbursementSender:
    """Sends what waits; `question_pause`: between two questions about one note."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        notes: Notes,
        reimbursements: Reimbursements,
        consents: NoteConsents,
        insurance: Insurance,
        question_pause: timedelta,
    ) -> None:
        self._db, self._journal, self._notes = db, journal, notes
        self._reimbursements, self._consents, self._insurance = reimbursements, consents, insurance
        self._question_pause = question_pause

    async def run(self) -> None:
        """Send everything whose turn has come, until the insurance is asked nothing for a while."""
        await asyncio.gather(*(self._run_lane() for _ in range(LANES)))

    async def _run_lane(self) -> None:
        while not self._insurance.is_resting and await self.advance():
            pass

    async def advance(self) -> bool:
        """Send the message whose turn came first; False when none is due."""
        await yield_to_requests()
        waiting = await store.take_waiting(self._db, clock.now(), LEASE)
        if waiting is None:
            return False
        try:
            await self._work(waiting)
        except Unavailable:
            raise
        except Exception as error:
            log.exception("a message to the health insurance could not be sent; it is tried again")
            await self._postpone(waiting, type(error).__name__)
        return True

    async def _work(self, waiting: Waiting) -> None:
        begun = await self._begin(waiting)
        if begun is None:
            return
        one, kept, message, is_first = begun
        try:
            change = await self._send(one, kept, message)
        except Silent as silence:
            if waiting.failures + 1 < rules.MAX_FAILURES or message is Message.QUESTION:
                await self._postpone(waiting, str(silence))
            else:
                await self._give_up(waiting, kept, message, str(silence), lambda current: current)
        except Refused as refusal:
            anomaly = Anomaly(type=message.value, code=refusal.code, reason=str(refusal))
            cause = f"{refusal.code} {refusal}".strip()
            await self._give_up(
                waiting,
                kept,
                message,
                cause,
                lambda current: rules.refused(current, anomaly, clock.now(), is_first=is_first),
            )
        else:
            await self._store(kept, replace(waiting, failures=0, last_error=""), change)

    async def _begin(self, waiting: Waiting) -> tuple[Reimbursement, KeptNote, Message, bool] | None:
        """Return what is sent, and whether it is for the first time; that it is tried is on disk before.

        None: nothing is to be sent any more.
        """
        key = waiting.person_id, waiting.note_id
        async with self._db.transaction() as conn:
            one = await store.fetch(conn, *key, lock=True)
            kept = await note_store.fetch_note(conn, *key)
            message = rules.next_message(one) if one else None
            if one is None or kept is None or message is None:
                await store.remove_waiting(conn, *key)
                return None
            is_first = not one.tried
            if is_first:
                one = replace(one, tried=True)
                await store.update(conn, one)
        return one, kept, message, is_first

    async def _send(self, one: Reimbursement, kept: KeptNote, message: Message) -> Change:
        """Send a message; return what its answer changes. Raises: `Silent`, `Refused`."""
        if one.secu_id is None:
            return await self._send_deposit(kept)
        if message is Message.CONSENT:
            matricule = (await self._notes.content(kept)).patient.matricule
            consent = ReimbursementConsent(secu_id=one.secu_id, matricule=matricule)
            await self._insurance.send(CONSENT, write_consent(consent))
            return lambda current: rules.consented(current, clock.now())
        if message is Message.CANCELLATION:
            cancellation = Cancellation(
                note_id=one.note_id,
                secu_id=one.secu_id,
                replaced_by=one.replaced_by_id,
                kind=2 if one.replaced_by_id else 1,
                reason=one.cancel_reason,
            )
            await self._insurance.send(CANCELLATION, write_cancellation(cancellation))
            return lambda current: rules.cancelled(current, clock.now())
        return await self._ask(str(one.secu_id))

    async def _send_deposit(self, kept: KeptNote) -> Change:
        found = await self._insurance.send(DEPOSIT, await self._notes.body(kept))
        try:
            answer = read_answer(found)
        except BadNote as error:
            raise Silent("the answer of the health insurance is not of the agreed form") from error
        if answer.note_id != kept.note_id:
            raise Silent("the answer of the health insurance is about another note")
        automatic = rules.is_given(await self._consents.known(kept.person_id), ConsentType.CNS_AUTO, clock.now())
        return lambda current: rules.deposited(
            current, answer.secu_id, answer.anomalies, clock.now(), automatic=automatic
        )

    async def _ask(self, secu_id: str) -> Change:
        found = await self._insurance.settlement(secu_id)
        if found.get("state") != "reimbursed":
            return lambda current: current
        try:
            amount, on = Decimal(str(found["amount"])), date.fromisoformat(str(found["on"]))
        except (KeyError, ValueError, InvalidOperation) as error:
            raise Silent("the answer of the health insurance is not of the agreed form") from error
        if not (amount.is_finite() and 0 <= amount < 1_000_000):
            raise Silent("the answer of the health insurance has an absurd amount")
        return lambda current: rules.reimbursed(current, amount, on, clock.now())

    async def _store(self, kept: KeptNote, waiting: Waiting, change: Change) -> None:
        """Write what an answer changes of the note as it is now, and let the next message wait."""
        async with self._db.transaction() as conn:
            changed = await self._change(conn, kept, change)
            if (following := rules.next_message(changed)) is None:
                await store.remove_waiting(conn, kept.person_id, kept.note_id)
                return
            later = self._question_pause if following is Message.QUESTION else timedelta(0)
            await store.put_waiting(conn, replace(waiting, turn_at=clock.now() + later))

    async def _change(self, conn: Connection, kept: KeptNote, change: Change) -> Reimbursement:
        one = await store.fetch(conn, kept.person_id, kept.note_id, lock=True)
        if one is None:
            raise LookupError("the reimbursement of a kept note is missing")
        changed = change(one)
        await self._reimbursements.store(conn, None, kept, one, changed)
        return changed

    async def _postpone(self, waiting: Waiting, cause: str) -> None:
        """Let a message wait after a failure, longer each time."""
        failures = waiting.failures + 1
        turn_at = clock.now() + rules.pause(failures, random.random())  # noqa: S311 - it spreads retries
        later = replace(waiting, failures=failures, last_error=cause[:300], turn_at=turn_at)
        async with self._db.transaction() as conn:
            await store.put_waiting(conn, later)

    async def _give_up(self, waiting: Waiting, kept: KeptNote, message: Message, cause: str, change: Change) -> None:
        """Do not try a message by itself any more: the biller sees it, and can send it again.

        Where another one is to be sent by now, that is.
        """
        dead = replace(waiting, failures=waiting.failures + 1, last_error=cause[:300], dead=True)
        event = MessageFailed(note_id=waiting.note_id, message=message.value, cause=cause[:300])
        async with self._db.transaction() as conn:
            following = rules.next_message(await self._change(conn, kept, change))
            if following is None:
                await store.remove_waiting(conn, kept.person_id, kept.note_id)
            elif following is message:
                await store.put_waiting(conn, dead)
                await insert(conn, self._journal.rows(event))
            else:
                await store.put_waiting(conn, replace(waiting, failures=0, last_error="", turn_at=clock.now()))

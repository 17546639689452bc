"""What becomes of a fee note: paid at once (PID), else deposited (RA), else printed; by itself, and once.

Before each call that has an effect the queue says that it is made, so after a crash at any instant the same call is
made again, and the platform gives the same answer. A note whose payment was asked for goes to RA only when the
platform has said that it was not paid.
"""

import random
import time
from collections.abc import Callable
from decimal import Decimal

from .model import Confirmations, Entry, Refused, State, Unavailable, Way
from .note_file import NoteFile, read_note_file
from .platform_api import PlatformApi
from .queue_store import NoteQueue

LONGEST_WAIT = 300.0
"""Seconds between two attempts at most."""
BATCH = 100
MAX_STEPS = 12
"""Steps of a note in one go; a simulation that expires again and again ends there."""
Confirm = Callable[[Entry], Confirmations | None]
"""Asks the doctor, who sees the shares; None: not now."""


def ask_later(entry: Entry) -> Confirmations | None:
    """Confirm nothing: the note stays simulated until `confirm` is called."""
    return None


class FeeNoteClient:
    """Sends fee notes and catches up with those that wait."""

    def __init__(self, api: PlatformApi, queue: NoteQueue) -> None:
        self._api, self.queue = api, queue

    def send(self, body: bytes, confirm: Confirm = ask_later, way: Way = Way.PID) -> Entry:
        """Send a fee note (national XML) and return how far it is; sending it again goes on from there.

        `way`: RA for a patient who does not want the insurance to pay the doctor. A refused note is tried anew.
        Raises: `NoteFileError` for a file that is no note, `QueueError` for another note with its UUID.
        """
        note = read_note_file(body)
        entry = self.queue.add(Entry(id=note.id, body=body, way=way))
        if entry.state is State.REFUSED:
            self.queue.save(entry, state=State.QUEUED, way=way, validating=False, simulation_id="", cause="")
        return self.advance(note.id, confirm)

    def confirm(self, note_id: str, confirmations: Confirmations) -> Entry:
        """Have a simulated note paid."""
        return self.advance(note_id, lambda entry: confirmations)

    def decline(self, note_id: str) -> Entry:
        """Deposit a simulated note for reimbursement instead: the patient pays all of it.

        A note whose payment was asked for stays as it is.
        """
        entry = self.queue.find(note_id)
        if not entry.is_final and not entry.validating:
            self.queue.save(entry, way=Way.RA, state=State.QUEUED, next_at=0.0)
        return self.advance(note_id)

    def code(self, note_id: str) -> str:
        """Return the text of the 2D code for the printed note."""
        return read_note_file(self.queue.find(note_id).body).code

    def catch_up(self, confirm: Confirm = ask_later) -> list[Entry]:
        """Go on with the notes whose time has come, a hundred at most; return them as they are now."""
        return [self.advance(note_id, confirm) for note_id in self.queue.due(time.time(), BATCH)]

    def advance(self, note_id: str, confirm: Confirm = ask_later) -> Entry:
        """Go on with a note until it is done or has to wait; return it."""
        for _ in range(MAX_STEPS):
            entry = self.queue.find(note_id)
            if entry.is_final or not self._step(entry, confirm):
                break
        return self.queue.find(note_id)

    def _step(self, entry: Entry, confirm: Confirm) -> bool:
        """Take the next step of a note; return whether another may follow at once."""
        note = read_note_file(entry.body)
        try:
            if entry.way is Way.RA:
                return self._deposit(entry, note)
            if entry.validating:
                return self._pay(entry)
            if entry.state is State.SIMULATED:
                return self._ask(entry, confirm)
            return self._simulate(entry, note)
        except Refused as refused:
            return self._take_refusal(entry, note, refused)

    def _simulate(self, entry: Entry, note: NoteFile) -> bool:
        try:
            found = self._api.simulate(note)
        except Unavailable as away:
            self.queue.save(entry, way=Way.RA, cause=f"no immediate payment: {away}")
            return True
        if Decimal(found.total) != note.total:
            cause = f"the fee note says {note.total:.2f}, the tariff is {found.total}"
            self.queue.save(entry, state=State.REFUSED, cause=cause)
            return False
        shares = {"statutory": found.statutory, "personal": found.personal}
        self.queue.save(entry, state=State.SIMULATED, simulation_id=found.id, cause="", attempts=0, **shares)
        return True

    def _ask(self, entry: Entry, confirm: Confirm) -> bool:
        confirmations = confirm(entry)
        if confirmations is None:
            return False
        self.queue.save(entry, confirmations=confirmations, validating=True)
        return True

    def _pay(self, entry: Entry) -> bool:
        try:
            payment_id = self._api.pay(entry.simulation_id, entry.confirmations or Confirmations())
        except Unavailable as away:
            self._wait(entry, cause=f"the answer of the payment is awaited: {away}")
            return False
        except Refused as refused:
            if refused.status != 410:
                raise
            # It has expired without being paid: simulate anew, and let the doctor see the new shares.
            self.queue.save(
                entry, state=State.QUEUED, validating=False, simulation_id="", confirmations=None, cause=str(refused)
            )
            return True
        self.queue.save(entry, state=State.PAID, payment_id=payment_id, cause="")
        return False

    def _deposit(self, entry: Entry, note: NoteFile) -> bool:
        try:
            self._api.deposit(note)
        except Unavailable as away:
            self._wait(entry, state=State.PRINTED, cause=f"to be handed over on paper: {away}")
            return False
        self.queue.save(entry, state=State.DEPOSITED, cause="")
        return False

    def _take_refusal(self, entry: Entry, note: NoteFile, refused: Refused) -> bool:
        """End a note that was refused; one that the platform knows already is taken as it knows it."""
        try:
            known = self._api.known(note) if refused.status == 409 else None
        except (Unavailable, Refused) as away:
            self._wait(entry, cause=f"{refused}; asking what is known: {away}")
            return False
        if known is None or known.cancelled:
            self.queue.save(entry, state=State.REFUSED, cause=str(refused))
        elif known.way is Way.PID:
            self.queue.save(entry, state=State.PAID, payment_id=known.payment_id, cause="")
        else:
            self.queue.save(entry, state=State.DEPOSITED, cause="")
        return False

    def _wait(self, entry: Entry, *, cause: str, state: State | None = None) -> None:
        """Let a note wait, longer after each attempt."""
        attempts = entry.attempts + 1
        pause = min(LONGEST_WAIT, 2.0 ** min(attempts, 20)) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        self.queue.save(
            entry, state=state or entry.state, attempts=attempts, next_at=time.time() + pause, cause=cause[:1000]
        )

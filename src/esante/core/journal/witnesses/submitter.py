"""Submit each new head of the journal to the witnesses, and keep their co-signatures.

Each witness has a loop of its own: one that is slow or gone delays neither another one nor the sealer. Of several
processes one at a time submits to a witness, by a lease in the database. A newer head covers those before it, so none
is submitted that is not the newest.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from esante.core.journal import store as journal_store
from esante.core.journal.merkle import consistency_path
from esante.core.journal.tree_hashes import compute_from_tree
from esante.core.journal.witnesses import store
from esante.core.journal.witnesses.remote_witness import SECONDS, RemoteWitness, SizeConflict, SubmissionFailed
from esante.core.storage import Database, Unavailable, insert

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)
INTERVAL = 1.0
"""Seconds between two looks at a journal that has nothing new."""
_LEASE = timedelta(seconds=3 * SECONDS)


@dataclass(frozen=True, slots=True)
class WitnessStatus:
    """How a witness is, for the operator. `size` is that of the newest head it co-signed, 0 for none.

    `behind`: entries since. `error`: a code of `SubmissionFailed`; "ahead" when it has signed a larger tree than the
    journal has (`known` entries), "fork" when it has signed another tree.
    """

    name: str
    url: str
    size: int
    signed_at: datetime | None
    behind: int
    known: int
    failures: int
    error: str


class Witnesses:
    """The witnesses of the journal, and their co-signatures."""

    def __init__(self, db: Database, remotes: Sequence[RemoteWitness]) -> None:
        self._db, self.remotes = db, remotes

    async def run(self) -> None:
        """Submit heads until cancelled."""
        import httpx

        async with httpx.AsyncClient(timeout=SECONDS) as http:
            await asyncio.gather(*(self._follow(http, remote) for remote in self.remotes))

    async def submit(self, http: "httpx.AsyncClient", remote: RemoteWitness) -> bool:
        """Submit the newest head to a witness when it is its turn; return whether it co-signed it."""
        key = str(remote.key)
        await store.add_witness(self._db, key)
        old = await store.take_turn(self._db, key, _LEASE)
        if old is None:
            return False
        try:
            await self._submit_newest(http, remote, old)
        except SubmissionFailed as failure:
            log.warning("the witness %s did not co-sign: %s", remote.key.name, failure.reason)
            await store.record_failure(self._db, key, failure.reason)
            return False
        return True

    async def states(self) -> list[WitnessStatus]:
        """Return how each witness is, in the order of the setting."""
        head = await journal_store.last_checkpoint(self._db)
        rows = await store.witness_states(self._db, [str(remote.key) for remote in self.remotes])
        size = head["size"] if head else 0
        return [_state(remote, rows.get(str(remote.key)), size) for remote in self.remotes]

    async def _follow(self, http: "httpx.AsyncClient", remote: RemoteWitness) -> None:
        while True:
            try:
                await self.submit(http, remote)
            except Unavailable:
                log.warning("submitting to the witness %s waits for the database", remote.key.name)
            except Exception:
                log.exception("submitting to the witness %s failed; it will be tried again", remote.key.name)
            await asyncio.sleep(INTERVAL)

    async def _submit_newest(self, http: "httpx.AsyncClient", remote: RemoteWitness, old: int) -> None:
        """Submit the newest head; a second time when the witness turns out to have signed another size last.

        Raises: `SubmissionFailed`.
        """
        head = await journal_store.last_checkpoint(self._db)
        if head is None:
            return
        try:
            start = old if old <= head["size"] else 0  # with 0 a witness says what it signed last
            time, signature = await self._submit_from(http, remote, start, head)
        except SizeConflict as wrong:
            await store.record_size(self._db, str(remote.key), wrong.size)
            try:
                time, signature = await self._submit_from(http, remote, wrong.size, head)
            except SizeConflict as again:
                raise SubmissionFailed("answer") from again
        signed_at = _moment(time)
        async with self._db.transaction() as conn:
            await insert(conn, [store.cosignature_row(str(remote.key), head["size"], signed_at, signature)])
            await store.record_success(conn, str(remote.key), head["size"])

    async def _submit_from(
        self, http: "httpx.AsyncClient", remote: RemoteWitness, old: int, head: Any
    ) -> tuple[int, bytes]:
        """Submit a head with the proof that it goes on from `old` entries.

        Raises: `SizeConflict`, `SubmissionFailed`: "ahead" when the witness has signed a larger tree, "fork" when it
        refuses the proof.
        """
        size = head["size"]
        if old > size:
            raise SubmissionFailed("ahead")
        proof: list[bytes] = []
        if 0 < old < size:
            async with self._db.transaction("repeatable_read") as conn:
                proof = await compute_from_tree(conn, partial(consistency_path, old, size))
        try:
            return await remote.submit(http, old, proof, head["note"])
        except SubmissionFailed as failure:
            raise SubmissionFailed("fork" if failure.reason == "status 422" else failure.reason) from failure


def _moment(time: int) -> datetime:
    """Return the moment of a co-signature. Raises: `SubmissionFailed` for one that no clock shows."""
    try:
        return datetime.fromtimestamp(time, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise SubmissionFailed("signature") from error


def _state(remote: RemoteWitness, row: Any, head: int) -> WitnessStatus:
    size = (row["size"] if row else None) or 0
    return WitnessStatus(
        name=remote.key.name,
        url=remote.url,
        size=size,
        signed_at=row["signed_at"] if row else None,
        behind=max(0, head - size),
        known=row["known"] if row else 0,
        failures=row["failures"] if row else 0,
        error=row["last_error"] if row else "",
    )

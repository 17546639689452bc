"""The decision of a witness: a checkpoint is co-signed when it is the log's and goes on from the one signed last.

Source: C2SP `tlog-witness`, "add-checkpoint"; RFC 9162, section 2.1.4.2 for the consistency of two trees.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Sequence

from esante.core.journal import EMPTY_ROOT, Cosigner, NoteVerifier, is_consistent
from esante.core.witness.state import WitnessState
from esante.core.witness.submission import Submission, TreeHead, parse_submission

log = logging.getLogger(__name__)
MAX_CONTRADICTIONS = 1_000
"""Refused checkpoints that are written into the log file of one process at most."""


class Refusal(Exception):
    """A submission that is not co-signed: an HTTP status, and a text for the log's operator."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class WrongOldSize(Refusal):
    """The old size of a submission is not `size`, that of the checkpoint signed last."""

    def __init__(self, size: int) -> None:
        super().__init__(409, f"{size}\n")
        self.size = size


class Witness:
    """Co-signs the checkpoints of `logs`, whose names are their origins; a log may have several keys."""

    def __init__(self, cosigner: Cosigner, logs: Sequence[NoteVerifier], state: WitnessState) -> None:
        """Read what was signed last. Raises: `StateError` when that cannot be read."""
        self._cosigner, self._state = cosigner, state
        self._keys: dict[str, list[NoteVerifier]] = defaultdict(list)
        for key in logs:
            self._keys[key.name].append(key)
        self._last = {origin: state.last_signed(origin, cosigner.verifier) for origin in self._keys}
        self._turns = {origin: asyncio.Lock() for origin in self._keys}
        self._contradictions: set[TreeHead] = set()

    async def add_checkpoint(self, body: bytes) -> str:
        """Return the line of the co-signature on the checkpoint that a request submits.

        The checkpoint is stored before. Submissions of one log are decided one after the other. Raises: `Refusal`.
        """
        try:
            submitted = parse_submission(body)
        except ValueError as error:
            raise Refusal(400, f"malformed: {error}\n") from error
        origin = submitted.head.origin
        if origin not in self._last:
            raise Refusal(404, "no log of this origin is witnessed here\n")
        self._check_signature(submitted)
        async with self._turns[origin]:
            self._check_consistency(submitted, self._last[origin])
            line = self._cosigner.cosign(submitted.text, int(time.time()))
            signatures = submitted.note[len(submitted.text) + 1 :]
            await asyncio.to_thread(self._state.store, origin, f"{submitted.text}\n{line}{signatures}")
            self._last[origin] = submitted.head
        return line

    def _check_signature(self, submitted: Submission) -> None:
        """Check that a key of the log signed the checkpoint, and that no signature of one is invalid."""
        keys = [key for key in self._keys[submitted.head.origin] if key.signatures(submitted.note)[1]]
        try:
            for key in keys:
                key.verify_note(submitted.note)
        except ValueError as error:
            raise Refusal(403, f"{error}\n") from error
        if not keys:
            raise Refusal(403, "the checkpoint is not signed by a known key of this log\n")

    def _check_consistency(self, submitted: Submission, last: TreeHead) -> None:
        """Check that a submission goes on from the checkpoint that was signed last. Raises: `Refusal`."""
        if submitted.old > submitted.head.size:
            raise Refusal(400, "the old size is larger than the checkpoint\n")
        if submitted.old != last.size:
            raise WrongOldSize(last.size)
        if _goes_on(last, submitted.head, submitted.proof):
            return
        kind = "another root for the same size" if submitted.head.size == last.size else "no valid consistency proof"
        self._log_contradiction(kind, submitted)
        raise Refusal(422, f"{kind}\n")

    def _log_contradiction(self, kind: str, submitted: Submission) -> None:
        """Write a refused checkpoint into the log file, once: the log signed it, so it may prove two histories."""
        if submitted.head not in self._contradictions and len(self._contradictions) < MAX_CONTRADICTIONS:
            self._contradictions.add(submitted.head)
            log.warning("refused, %s as signed before: %r", kind, submitted.note)


def _goes_on(last: TreeHead, head: TreeHead, proof: Sequence[bytes]) -> bool:
    """Return whether the proof shows that the tree of `head` begins with that of `last`."""
    if head.size == 0:
        return head.root == EMPTY_ROOT and not proof
    if last.size == 0:
        return not proof
    return is_consistent(last.size, head.size, last.root, head.root, proof)

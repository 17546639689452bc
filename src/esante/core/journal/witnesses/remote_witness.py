"""A witness as the journal knows it: its key, its address, and the request by which a checkpoint is submitted to it.

Source: C2SP `tlog-witness`, "add-checkpoint".
"""

import asyncio
import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from esante.core.journal.cosignature import CosignatureVerifier
from esante.core.journal.signed_note import split_note

if TYPE_CHECKING:
    import httpx

SECONDS = 10.0
"""The time for one submission, whatever the witness does."""
MAX_ANSWER = 64 * 1024
"""Bytes that are read of an answer."""
_SIZE = re.compile(r"(0|[1-9][0-9]{0,18})\n")


class SizeConflict(Exception):
    """The witness signed a checkpoint of another size last: `size`."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class SubmissionFailed(Exception):
    """The witness did not co-sign.

    `reason` is a code: connection, timeout, answer, signature, or status and a number.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class RemoteWitness:
    """A witness: the key that it co-signs with, and the prefix of its addresses."""

    key: CosignatureVerifier
    url: str

    async def submit(
        self, http: "httpx.AsyncClient", old: int, proof: Sequence[bytes], note: str
    ) -> tuple[int, bytes]:
        """Submit a checkpoint that goes on from the tree of `old` leaves; return time and signature.

        Raises: `SizeConflict`, `SubmissionFailed`.
        """
        import httpx

        lines = [f"old {old}", *(base64.b64encode(hash_).decode() for hash_ in proof)]
        body = "".join(f"{line}\n" for line in lines) + f"\n{note}"
        try:
            async with asyncio.timeout(SECONDS):
                status, answer = await self._post(http, body.encode())
        except TimeoutError as error:
            raise SubmissionFailed("timeout") from error
        except httpx.HTTPError as error:
            raise SubmissionFailed("timeout" if isinstance(error, httpx.TimeoutException) else "connection") from error
        if status == 409 and (size := _SIZE.fullmatch(answer)):
            raise SizeConflict(int(size[1]))
        if status != 200:
            raise SubmissionFailed(f"status {status}")
        return self._cosignature(note, answer)

    async def _post(self, http: "httpx.AsyncClient", body: bytes) -> tuple[int, str]:
        """Return status and text of the answer. Raises: `SubmissionFailed` for a longer one than is read."""
        answer = bytearray()
        async with http.stream("POST", f"{self.url}/add-checkpoint", content=body) as response:
            async for chunk in response.aiter_bytes():
                answer += chunk
                if len(answer) > MAX_ANSWER:
                    raise SubmissionFailed("answer")
            return response.status_code, answer.decode(errors="replace")

    def _cosignature(self, note: str, answer: str) -> tuple[int, bytes]:
        """Return the co-signature of this witness among the lines of an answer. Raises: `SubmissionFailed`."""
        try:
            return self.key.verify(f"{split_note(note)[0]}\n{answer}")
        except ValueError as error:
            raise SubmissionFailed("signature") from error


def parse_witnesses(text: str) -> list[RemoteWitness]:
    """Return the witnesses of a setting: key and address of each, with spaces between.

    Raises: RuntimeError, with the remedy, for another text.
    """
    words = text.split()
    if len(words) % 2:
        raise RuntimeError("ESANTE_WITNESSES: give the key and the address of each witness, with a space between")
    found = [RemoteWitness(_parse_key(key), url.rstrip("/")) for key, url in zip(words[::2], words[1::2], strict=True)]
    for witness in found:
        parts = urlsplit(witness.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RuntimeError(f"ESANTE_WITNESSES: {witness.url} is not an address (https://…)")
    if len({witness.key.public for witness in found}) < len(found):
        raise RuntimeError("ESANTE_WITNESSES: a witness is named twice")
    return found


def _parse_key(text: str) -> CosignatureVerifier:
    try:
        return CosignatureVerifier.parse(text)
    except ValueError as error:
        raise RuntimeError(
            f"ESANTE_WITNESSES: {error}; `esante witness` prints the key of a witness when it starts"
        ) from error

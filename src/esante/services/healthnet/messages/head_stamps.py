"""Time-stamps (RFC 3161) of the heads that cover receipts, fetched beside the requests.

Nothing waits for the authority: receipts are given without it, and what it does not stamp now, it stamps later. One
stamp of a head covers every receipt before it.
"""

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from rfc3161_client import PKIStatus, TimestampRequestBuilder, TimeStampResponse, decode_timestamp_response

from esante.core import clock
from esante.core.journal import Checkpoint, Journal
from esante.core.storage import Database, insert, uuid7_time
from esante.services.healthnet.messages import message_store

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)
SECONDS = 10
MAX_ANSWER = 100_000
_SEALED_WITHIN = timedelta(seconds=10)
"""A head that was sealed so soon after a receipt perhaps does not cover it."""


class HeadStamps:
    """Fetches stamps from the authority at `url`; "": there is none."""

    def __init__(self, db: Database, journal: Journal, url: str) -> None:
        self._db, self._journal, self.url = db, journal, url

    async def advance(self) -> bool:
        """Stamp the newest head when receipts wait for it; return whether one was stamped.

        An authority that fails is logged, and asked again the next time.
        """
        import httpx

        async with self._db.transaction() as conn:
            if not self.url or not await message_store.try_lock_stamps(conn):
                return False
            newest = await message_store.newest_receipt(conn)
            stamped, head = await message_store.newest_stamp(conn), await self._journal.head()
            if newest is None or head is None or (stamped and uuid7_time(newest) + _SEALED_WITHIN < stamped):
                return False
            if stamped and head.sealed_at <= stamped:
                return False
            try:
                async with httpx.AsyncClient(timeout=SECONDS, trust_env=False) as http:
                    token = await self._ask(http, head)
            except (httpx.HTTPError, ValueError) as error:
                log.warning("the time-stamp authority gave no stamp: %s", error or type(error).__name__)
                return False
            await insert(conn, [message_store.stamp_row(head.size, head.sealed_at, token, clock.now())])
        return True

    async def _ask(self, http: "httpx.AsyncClient", head: Checkpoint) -> bytes:
        """Return the answer of the authority (DER). Raises: httpx.HTTPError, ValueError for an answer to another."""
        asked = TimestampRequestBuilder(data=head.note.encode()).build()
        headers = {"Content-Type": "application/timestamp-query"}
        answer = await http.post(self.url, content=asked.as_bytes(), headers=headers)
        answer.raise_for_status()
        if len(answer.content) > MAX_ANSWER:
            raise ValueError("the answer is too large")
        found: TimeStampResponse = decode_timestamp_response(answer.content)
        if found.status not in (PKIStatus.GRANTED, PKIStatus.GRANTED_WITH_MODS):
            raise ValueError(f"the authority refused ({', '.join(found.status_string)})")
        stamped = found.tst_info
        if (stamped.nonce, stamped.message_imprint.message) != (asked.nonce, asked.message_imprint.message):
            raise ValueError("the answer is to another request")
        return answer.content

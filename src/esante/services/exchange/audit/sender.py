"""Follows the journal and sends the audit message of each exchange to the repository.

The journal keeps what could not be sent: while the repository is away the cursor stays, and what it missed follows in
order. A message may arrive twice, after a failure in the middle of a batch.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from esante.core.journal import Consumer, Entry
from esante.core.storage import Connection
from esante.services.exchange.audit.atna import Parties, audit_message
from esante.services.exchange.audit.model import MessageExchanged
from esante.services.exchange.audit.syslog import Repository
from esante.services.exchange.contact_points import ContactPoint, ContactPoints
from esante.services.exchange.contact_points.own import Own

UNKNOWN = "unknown"


class AuditSender:
    """Sends audit messages. `repository`: where to."""

    def __init__(self, points: ContactPoints, repository: Repository, url: str) -> None:
        self._points, self._repository, self._url = points, repository, url

    def consumer(self) -> Consumer:
        """Return the consumer that sends."""
        return Consumer("exchange-audit", [MessageExchanged], self._send)

    async def _send(self, conn: Connection, entries: list[Entry]) -> None:
        kept = [entry for entry in entries if entry.event is not None]
        messages = await audit_messages(self._points, self._url, kept)
        await self._repository.send(zip([entry.at for entry in kept], messages, strict=True))


async def audit_messages(points: ContactPoints, url: str, entries: Sequence[Entry]) -> list[bytes]:
    """Return the audit messages of entries of `MessageExchanged`; `url`: the address of this contact point."""
    known = {one.country: one for one in await points.all()}
    return [audit_message(entry, _parties(points.own, url, known.get(entry.event.country))) for entry in entries]


def _parties(own: Own, url: str, other: ContactPoint | None) -> Parties:
    other_url = next(iter(other.endpoints.values()), "") if other else ""
    return Parties(
        own_subject=own.tls.subject.rfc4514_string(),
        own_address=urlsplit(url).hostname or UNKNOWN,
        other_subject=other.tls[0].subject.rfc4514_string() if other and other.tls else UNKNOWN,
        other_address=urlsplit(other_url).hostname or UNKNOWN,
        source=own.country,
    )

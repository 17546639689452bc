"""The use cases of messages: write what cases need, send it, show how it went."""

from datetime import datetime, timedelta
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, insert
from esante.core.web import N_
from esante.identity.access import Requester
from esante.services.soc.cases.timeline import require_case
from esante.services.soc.messages import message_store
from esante.services.soc.messages.mail import MailServer, NotSent
from esante.services.soc.messages.model import Message, MessageGivenUp, MessageSent
from esante.services.soc.messages.text import written
from esante.services.soc.tenants.service import Tenants

_AT_ONCE = 20
"""Messages that are sent in one transaction."""
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720))
"""How long to wait after each try that failed; after the last one a message is given up."""


class Messages:
    """Messages to contacts that a case needs them. Without a mail server none is written."""

    def __init__(
        self, db: Database, journal: Journal, tenants: Tenants, server: MailServer | None, base_url: str
    ) -> None:
        self._db, self._journal, self._tenants = db, journal, tenants
        self._server, self._base_url = server, base_url

    @property
    def is_on(self) -> bool:
        """Whether there is a mail server."""
        return self._server is not None

    async def run(self) -> None:
        """Write the messages that cases need, and send what is due; one process at a time does it.

        A crash between the server's answer and the end of the transaction sends some messages twice, and loses none.
        """
        if self._server is None:
            return
        more = True
        while more:
            async with self._db.transaction() as conn:
                if not await message_store.try_lock(conn):
                    return
                now = clock.now()
                needed = await message_store.fetch_needed(conn, now)
                await insert(conn, [message_store.new_row(*one, now) for one in needed])
                due = await message_store.fetch_due(conn, now, _AT_ONCE)
                more = len(due) == _AT_ONCE
                for message in due:
                    if not await self._send(conn, message, self._server, now):
                        return

    async def of_case(self, requester: Requester, case_id: UUID) -> list[Message]:
        """Return the messages about a case, the newest first. Raises: Problem 404."""
        await require_case(self._db, await self._tenants.scope_of(requester), case_id)
        return await message_store.fetch_of_case(self._db, case_id)

    async def _send(self, conn: Connection, message: Message, server: MailServer, now: datetime) -> bool:
        """Send a message, and keep and journal how it went; return whether the server answers."""
        if not message.email:
            await message_store.keep(conn, message.message_id, None, None, N_("The contact has no address any more."))
            return True
        try:
            await server.send(message.email, *written(message, self._base_url))
        except NotSent as error:
            is_over = error.is_final or message.tries >= len(PAUSES)
            failure = N_("The address was refused.") if error.is_final else N_("The mail server did not take it.")
            next_at = None if is_over else now + PAUSES[message.tries]
            await message_store.keep(conn, message.message_id, next_at, None, failure)
            if is_over:
                await insert(conn, self._journal.rows(_event(MessageGivenUp, message)))
            return error.is_final
        await message_store.keep(conn, message.message_id, None, now, "")
        await insert(conn, self._journal.rows(_event(MessageSent, message)))
        return True


def _event(kind: type[MessageSent] | type[MessageGivenUp], message: Message) -> MessageSent | MessageGivenUp:
    return kind(
        message_id=message.message_id,
        tenant_id=message.tenant_id,
        case_id=message.case_id,
        practitioner_id=message.practitioner_id,
        kind=message.kind,
    )

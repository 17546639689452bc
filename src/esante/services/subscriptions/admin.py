"""The operator's desk: all subscriptions, the deliveries that failed for good, and what is decided about them.

Operators see who is told and where, never about whom or of what.
"""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from esante.core.journal import Journal
from esante.core.storage import Database, insert
from esante.core.web import N_, NOT_FOUND, Page, Problem, decode_cursor, encode_cursor
from esante.identity.access import Requester
from esante.services.subscriptions import store
from esante.services.subscriptions.delivery import queue_store
from esante.services.subscriptions.model import DeadLetter, Figures, LetterSettled, State, Status, Subscription


class Desk:
    """What operators see and do."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    async def figures(self) -> Figures:
        """The state of the queue."""
        return await queue_store.figures(self._db)

    async def letters(self, text: str = "", cursor: str | None = None, limit: int = 20) -> Page[DeadLetter]:
        """Dead letters, newest first; `text`: words of the subscriber, the software or the endpoint."""
        found = await queue_store.letters(self._db, text.casefold().split(), _place(cursor), limit + 1)
        return Page(found[:limit], encode_cursor(found[limit - 1].id.hex) if len(found) > limit else None)

    async def subscriptions(self, text: str = "", cursor: str | None = None, limit: int = 20) -> Page[Subscription]:
        """All subscriptions, newest first; `text` as for letters."""
        found = await queue_store.subscriptions(self._db, text.casefold().split(), _place(cursor), limit + 1)
        return Page(found[:limit], encode_cursor(found[limit - 1].id.hex) if len(found) > limit else None)

    async def retry(self, requester: Requester, letter_id: UUID) -> None:
        """Deliver again, from the event that failed on. Problem 404 for a letter that somebody has settled."""
        await self._settle(requester, letter_id, "retry")

    async def give_up(self, requester: Requester, letter_id: UUID) -> None:
        """Deliver no more what failed; its subscriber can still ask for it. The subscription stays in error until
        he asks for it again, and then goes on with what came after. Problem 404 as for `retry`."""
        await self._settle(requester, letter_id, "give-up")

    async def _settle(self, requester: Requester, letter_id: UUID, act: str) -> None:
        if requester.kind != "operator":
            raise Problem(403, "forbidden", N_("Only operators decide about deliveries."))
        now = datetime.now(UTC)
        async with self._db.transaction() as conn:
            known = await queue_store.letter(conn, letter_id)
            found = await store.lock(conn, known.subscription.id) if known else None
            letter = await queue_store.letter(conn, letter_id) if found else None
            if letter is None or found is None:
                raise Problem(404, "not-found", NOT_FOUND, remedy=N_("Perhaps somebody has decided already."))
            await queue_store.drop_letter(conn, found.id)
            if act == "retry":
                status = Status.ACTIVE if letter.upto else Status.REQUESTED
                await store.change(conn, replace(found, status=status, error="", changed_at=now))
            else:
                await queue_store.settle(conn, found.id, State.GIVEN_UP, now, upto=letter.upto)
            told = LetterSettled(subscription_id=found.id, act=act, count=letter.count)
            await insert(conn, self._journal.rows(told, actor=requester.actor, origin=requester.origin))


def _place(cursor: str | None) -> UUID | None:
    if not cursor:
        return None
    try:
        return UUID(hex=str(decode_cursor(cursor, str)[0]))
    except ValueError as error:
        raise Problem(
            400,
            "invalid",
            N_("This page of the list does not exist."),
            remedy=N_("Please start from the first page."),
        ) from error

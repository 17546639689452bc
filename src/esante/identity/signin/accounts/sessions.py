"""The sessions of whoever is signed in: where they are signed in, and how they end one."""

from starlette.requests import Request

from esante.core.journal import Journal
from esante.core.storage import Database, insert
from esante.core.web import NOT_FOUND, Problem, Session, Sessions
from esante.identity.access import Requester, requester_from_principal
from esante.identity.signin.accounts.holders import holder_of
from esante.identity.signin.model import SessionEnded
from esante.identity.signin.passkeys.service import filed_under


class OwnSessions:
    """Lists and ends the sessions of whoever is signed in."""

    def __init__(self, db: Database, journal: Journal, sessions: Sessions) -> None:
        self._db, self._journal, self._sessions = db, journal, sessions

    async def list_of(self, request: Request, requester: Requester) -> list[tuple[Session, Requester, bool]]:
        """Return each session with its requester, and whether it is that of the request; the newest first.

        Sessions in which somebody else acts for the requester are not theirs.
        """
        current = await self._sessions.of(request)
        own = holder_of(requester).id
        found = [(one, requester_from_principal(one.principal)) for one in await self._sessions.list_of(str(own))]
        return [
            (session, of, current is not None and session.key == current.key)
            for session, of in found
            if holder_of(of).id == own
        ]

    async def end(self, request: Request, requester: Requester, key: bytes) -> None:
        """End one of the sessions of `list_of`; journalled. Raises: Problem 404 for another one."""
        if key not in {session.key for session, _, _ in await self.list_of(request, requester)}:
            raise Problem(404, "not-found", NOT_FOUND)
        holder = holder_of(requester)
        async with self._db.transaction() as conn:
            if not await self._sessions.end(conn, str(holder.id), key):
                raise Problem(404, "not-found", NOT_FOUND)
            event = SessionEnded(holder_kind=holder.kind, holder_id=holder.id)
            await insert(conn, self._journal.rows_for(requester, event, person_id=filed_under(holder)))

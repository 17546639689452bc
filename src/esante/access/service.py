"""The room's one service: consents and requesters, and the use cases by their subject."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from esante.access import store
from esante.access.codes import Codes
from esante.access.emergencies import Emergencies
from esante.access.grants import Grants
from esante.access.lifecycle import Lifecycle
from esante.access.model import Consent, RecordState, Requester
from esante.access.restrictions import Restrictions
from esante.access.scopes import require_scope
from esante.access.signin import SignIn
from esante.access.smart import Smart
from esante.access.stays import Stays
from esante.directory import Directory
from esante.journal import Journal, Reader
from esante.storage import Connection, Database, Lookup
from esante.web import Sessions


class Access:
    """Who asks, and what the person allowed.

    `lifecycle`, `grants`, `stays`, `codes`, `emergencies`, `restrictions` and `smart` hold the use cases of their
    name, `sessions` are those of signed-in people. `base_url`: the platform's address as clients know it.
    """

    def __init__(self, db: Database, journal: Journal, directory: Directory, *, base_url: str) -> None:
        self._db = db
        self._consents: Lookup[UUID, Consent] = Lookup(db, partial(store.consents, db))
        self.sessions = Sessions(db)
        self._signin = SignIn(db, journal, directory, self.sessions)
        self.lifecycle = Lifecycle(db, journal, directory)
        self.grants = Grants(db, journal, directory)
        self.stays = Stays(db, journal, directory, self.grants)
        self.codes = Codes(db, journal, self.grants)
        self.emergencies = Emergencies(db, journal, directory)
        self.restrictions = Restrictions(db, journal, directory)
        self.smart = Smart(db, journal, directory, self._signin, f"{base_url}/oauth/token")

    async def consent(self, person_id: UUID) -> Consent:
        """What decisions about a person's record need, in one round trip; no record: state NONE."""
        found = await self._consents.of(person_id)
        return found or Consent(person_id=person_id, state=RecordState.NONE)

    async def consents(self, conn: Connection, persons: Sequence[UUID]) -> dict[UUID, Consent]:
        """The consents of persons within a transaction; of who has no record: state NONE."""
        found = await store.consents(conn, persons)
        return {id_: found.get(id_) or Consent(person_id=id_, state=RecordState.NONE) for id_ in persons}

    async def requester(self, request: Request) -> Requester:
        """Who sends an API request: by bearer token, or else by the portal's session. Problem 401 for nobody."""
        return await self._signin.requester(request)

    async def caller(self, request: Request, resource: str, letters: str) -> Requester:
        """Who sends an API request, and may by his token do `letters` (SMART v2) to `resource`; Problem 401 or 403."""
        requester = await self.requester(request)
        require_scope(requester, resource, letters)
        return requester

    async def again(self, known: Requester, resource: str, letters: str) -> Requester | None:
        """Who was signed in some time ago, as he is today; None when he, or the software that acted for him, may no
        longer do `letters` (SMART v2) to `resource`."""
        return await self._signin.again(known, resource, letters)

    async def page_requester(self, request: Request, kinds: Sequence[str]) -> Requester:
        """Who looks at a page: sends to /signin who is not signed in; the page is not there for other kinds."""
        return await self._signin.page_requester(request, kinds)

    async def sign_in(self, request: Request, requester: Requester, *, method: str, to: str = "/") -> Response:
        """Start a session for who was recognised by `method`; answers with the cookie and goes to `to`."""
        return await self._signin.sign_in(request, requester, method=method, to=to)

    async def sign_out(self, request: Request, *, to: str = "/signin") -> Response:
        """End the session of a request."""
        return await self._signin.sign_out(request, to=to)

    async def issue_token(self, requester: Requester, scopes: frozenset[str], lifetime: timedelta) -> str:
        """A new bearer token for `requester`, of which only the SHA-256 is kept."""
        return await self._signin.issue_token(requester, scopes, lifetime)

    async def tidy(self) -> None:
        """Remove codes, attempts, tokens and assertions that have served their time; to be run daily."""
        async with self._db.transaction() as conn:
            await store.tidy(conn, datetime.now(UTC))

    def readers(self) -> list[Reader]:
        """What this room follows in the journal."""
        return self.lifecycle.readers()

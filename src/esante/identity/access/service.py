"""The room's one service: consents and requesters, and the use cases by their subject."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from esante.core.journal import Consumer, Journal
from esante.core.storage import Connection, Database, DataLoader
from esante.core.web import Problem, Sessions
from esante.identity.access.authn.authentication import SignIn
from esante.identity.access.authn.rate_limits import Limits
from esante.identity.access.consent import store
from esante.identity.access.consent.break_glass import Emergencies
from esante.identity.access.consent.grants import Grants
from esante.identity.access.consent.hospital_stays import Stays
from esante.identity.access.consent.lifecycle import Lifecycle
from esante.identity.access.consent.presence_codes import Codes
from esante.identity.access.consent.restrictions import Restrictions
from esante.identity.access.model import Consent, RecordState, Requester
from esante.identity.access.smart import authorization_store
from esante.identity.access.smart.authorization import AppAuthorizations
from esante.identity.access.smart.clients import ClientRegistry
from esante.identity.access.smart.id_token import IdTokenIssuer
from esante.identity.access.smart.scopes import Query, covering_queries, require_scope, resolve_patient_context
from esante.identity.access.smart.token_endpoint import TokenEndpoints
from esante.identity.access.smart.token_grants import TokenGrants
from esante.identity.directory import Directory


class Access:
    """Who asks, and what the person allowed.

    `lifecycle`, `grants`, `stays`, `codes`, `emergencies`, `restrictions`, `clients`, `apps` and `tokens` hold the use
    cases of their name, `sessions` are those of signed-in people, `id_tokens` signs for whom apps are told of.
    `base_url`: the platform's address as clients know it; `identity_key`: see `IdTokenIssuer`.
    """

    def __init__(
        self,
        db: Database,
        journal: Journal,
        directory: Directory,
        *,
        base_url: str,
        identity_key: Path | None = None,
    ) -> None:
        self._db = db
        self._consents: DataLoader[UUID, Consent] = DataLoader(db, partial(store.consents, db))
        self.sessions = Sessions(db)
        self._limits = Limits(db, journal)
        self._signin = SignIn(db, journal, directory, self.sessions, self._limits)
        self.lifecycle = Lifecycle(db, journal, directory)
        self.grants = Grants(db, journal, directory)
        self.stays = Stays(db, journal, directory, self.grants)
        self.codes = Codes(db, journal, self.grants, self._limits)
        self.emergencies = Emergencies(db, journal, directory, self._limits)
        self.restrictions = Restrictions(db, journal, directory)
        self.id_tokens = IdTokenIssuer(base_url, identity_key)
        self.clients = ClientRegistry(db, journal, directory)
        self.apps = AppAuthorizations(db, journal, directory, self.clients, self._signin, base_url)
        token_grants = TokenGrants(db, journal, self._signin, self.sessions, self.id_tokens)
        self.tokens = TokenEndpoints(
            db, journal, directory, self._signin, self.clients, token_grants, self.id_tokens, self._limits
        )

    async def consent(self, person_id: UUID) -> Consent:
        """What decisions about a person's record need, in one round trip; no record: state NONE."""
        found = await self._consents.load(person_id)
        return found or Consent(person_id=person_id, state=RecordState.NONE)

    async def consents(self, conn: Connection, persons: Sequence[UUID]) -> dict[UUID, Consent]:
        """The consents of persons within a transaction; of who has no record: state NONE."""
        found = await store.consents(conn, persons)
        return {id_: found.get(id_) or Consent(person_id=id_, state=RecordState.NONE) for id_ in persons}

    async def requester(self, request: Request) -> Requester:
        """Who sends an API request: by bearer token, or else by the portal's session. Problem 401 for nobody."""
        return await self._signin.requester(request)

    async def caller(self, request: Request, resource: str, letters: str) -> Requester:
        """Who sends an API request, and may by his token do `letters` (SMART v2) to `resource`; Problem 401 or 403.

        A token that covers only a part of them (see `caller_within`) does not do here.
        """
        requester = resolve_patient_context(await self.requester(request), resource, letters)
        await self.must_cover(requester, resource, letters)
        return requester

    async def caller_within(self, request: Request, resource: str, letters: str) -> tuple[Requester, list[Query]]:
        """As `caller`, with the queries of which a resource must match one to be covered by the token.

        An empty query, then the only one, matches all. Every query must be understood in full by whoever applies it.
        """
        requester = resolve_patient_context(await self.requester(request), resource, letters)
        try:
            return requester, covering_queries(requester, resource, letters)
        except Problem:
            await self._tell_missing(requester, resource, letters)
            raise

    async def looker_up(self, request: Request, resource: str, letters: str) -> Requester:
        """As `caller`, for the directory, where nobody searches for persons without end; Problem 429 too."""
        requester = await self.caller(request, resource, letters)
        if resource == "Patient" and "s" in letters:
            await self._limits.search(requester)
        return requester

    async def _tell_missing(self, requester: Requester, resource: str, letters: str) -> None:
        await self._limits.turned_away("scope", requester.actor, requester.origin, f"{resource}.{letters}")

    def within(self, requester: Requester, resource: str, letters: str) -> list[Query]:
        """As `caller_within` of one who asks already, for a further type of resources; none: not covered at all."""
        try:
            return covering_queries(requester, resource, letters)
        except Problem:
            return []

    async def must_cover(self, requester: Requester, resource: str, letters: str) -> None:
        """Problem 403 unless the token of one who asks already covers `letters` of all of a type."""
        try:
            require_scope(requester, resource, letters)
        except Problem:
            await self._tell_missing(requester, resource, letters)
            raise

    async def again(self, known: Requester, resource: str = "", letters: str = "") -> Requester | None:
        """Who asked before, as he or she would ask now: for work that goes on without a request.

        None when nobody is like that any more, or may no longer do `letters` (SMART v2) to `resource`.
        """
        found = await self._signin.again(known)
        if found is not None and resource and not self.within(found, resource, letters):
            return None
        return found

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
        """Remove codes, attempts, tokens, assertions and permissions that have served their time; to be run daily."""
        now = datetime.now(UTC)
        async with self._db.transaction() as conn:
            await store.tidy(conn, now)
            await authorization_store.delete_expired(conn, now - timedelta(days=1))

    def readers(self) -> list[Consumer]:
        """What this room follows in the journal."""
        return self.lifecycle.readers()

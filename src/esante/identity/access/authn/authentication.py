"""Authentication: sessions of people, bearer tokens of software and scripts, and the requester of either."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import NIL, Database, Row
from esante.core.time_zone import today
from esante.core.web import LIFETIME, N_, NOT_FOUND, Problem, Sessions, clear_cookie, origin_of, redirect, set_cookie
from esante.identity.access.authn.assurance import assurance_rules
from esante.identity.access.authn.devices import device_of
from esante.identity.access.authn.motives import header_motive, local_path
from esante.identity.access.authn.person_lookups import current_requester
from esante.identity.access.authn.rate_limits import ANONYMOUS, RateLimits
from esante.identity.access.authn.requesters import principal_of, requester_from_principal, requester_of
from esante.identity.access.consent import store as consent_store
from esante.identity.access.consent.lifecycle import represented
from esante.identity.access.events import (
    AuthenticationConfirmed,
    SignedIn,
    SignedOut,
    SignInRefused,
    TokenIssued,
)
from esante.identity.access.model import Authentication, Requester
from esante.identity.access.representation.rules import may_act_alone
from esante.identity.access.smart import client_store
from esante.identity.access.smart.client_store import AccessToken
from esante.identity.access.smart.protocol import SECRET_PATTERN, generate_secret, hash_secret
from esante.identity.access.smart.scopes import common_scopes
from esante.identity.directory import Directory, current_motive

CACHE_SECONDS = 3.0
_CACHE_SIZE = 10_000
_SUSPENDED = N_("This account is suspended.")
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_CONTINUING = ("delegation", "workplace")
"""Ways in which somebody who is signed in goes on as another requester: they were authenticated before."""
_API_KINDS = ("patient", "practitioner", "organization", "operator")
"""Who may call the API by the session of the portal; vendors of software and researchers have pages only."""
_StatusKey = tuple[UUID, UUID | None, UUID | None]
"""A requester, and where a delegate acts for them: the delegate and the organisation."""
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class _Status:
    """What the directory says about a requester: whether they are suspended, and as what a practitioner may act.

    `suspended` is also true of a delegation that has ended. `represented`: others exercise all rights of a patient.
    `roles`: organisations and professions.
    """

    suspended: bool
    represented: bool
    roles: frozenset[tuple[UUID, str]]


class Authenticator:
    """Authenticates the requesters of requests, and starts and ends sessions and tokens.

    Tokens, and whether the directory has suspended somebody and where they work, are cached for `CACHE_SECONDS`.
    """

    def __init__(
        self, db: Database, journal: Journal, directory: Directory, sessions: Sessions, limits: RateLimits
    ) -> None:
        self._db, self._journal, self._directory, self._sessions = db, journal, directory, sessions
        self._limits = limits
        self._tokens: dict[bytes, tuple[float, AccessToken, Requester]] = {}
        self._statuses: dict[_StatusKey, tuple[float, _Status]] = {}

    async def authenticate(self, request: Request) -> Requester:
        """Return the requester of an API request: by bearer token, or else by the session of the portal.

        Raises: Problem 401 when there is neither, 403 for a change by a session without its CSRF token.
        """
        authorization = request.headers.get("authorization")
        if authorization is not None:
            found = await self._by_token(authorization, origin_of(request))
        else:
            found = replace(await self._by_session(request), origin=origin_of(request))
        found = await self._with_current_status(found, _unauthorized('Bearer error="invalid_token"', _SUSPENDED))
        current_requester.set(found)
        current_motive.set(header_motive(request, found))
        return found

    async def reauthenticate(self, known: Requester) -> Requester | None:
        """Return an earlier requester with what the directory and the software registry say now.

        For work that continues without a request. None when the directory no longer has the requester, or the software
        that acted is disabled; of the earlier scopes remain those that the software may still have.
        """
        scopes = known.scopes
        if known.client_id:
            client = await client_store.find_client(self._db, known.client_id)
            if client is None:
                return None
            scopes = None if scopes is None else common_scopes(scopes, client.scopes)
        found = await self._fetch_current(known)
        if found is None or await self.is_suspended(replace(found, delegate=known.delegate)):
            return None
        found = replace(found, client=known.client, client_id=known.client_id, origin=known.origin)
        found = replace(found, authentication=known.authentication)
        return replace(found, scopes=scopes, patient=known.patient, delegate=known.delegate)

    async def recognize(self, signer: Requester) -> Requester | None:
        """Return the requester of a request that somebody signed, as they are now, and work for them from here on.

        For messages that bring other proof than a token or a session, which the caller has checked. None when the
        directory no longer has them, or has suspended them.
        """
        found = await self.reauthenticate(signer)
        if found is not None:
            current_requester.set(found)
        return found

    async def page_requester(self, request: Request, kinds: Sequence[str]) -> Requester:
        """Return the requester of a page for some kinds of requesters.

        Raises: Problem 303 to /signin without a session, and to /signin/confirm for a sensitive act of somebody who
        was authenticated too long ago (`assurance.StepUp`); 404 for a requester of another kind.
        """
        session = await self._sessions.of(request)
        if session is None:
            raise _sign_in_first()
        found = requester_from_principal(session.principal, origin=origin_of(request))
        if found.kind not in kinds:
            raise Problem(404, "not-found", NOT_FOUND)
        found = await self._with_current_status(found, _sign_in_first())
        if request.method not in _SAFE_METHODS:
            _require_recent(request, found)
        current_requester.set(found)
        return found

    async def sign_in(
        self,
        request: Request,
        requester: Requester,
        *,
        method: str,
        to: str = "/",
        assurance: str = "",
        provider: str = "",
    ) -> Response:
        """Start a session of a requester who was authenticated by `method`, and journal it.

        `assurance`, `provider`: see `Authentication`. The session of the request, if there is one, ends. Returns a
        redirect to `to` that sets the cookie of the session.
        Raises: Problem 403 for somebody who is suspended or represented, and for a level of assurance that is too low
        for the requester; journalled too.
        """
        requester = replace(requester, origin=origin_of(request))
        authentication = await self._authentication(request, method, assurance, provider)
        requester = replace(requester, authentication=authentication)
        if not assurance_rules(today()).admits(requester.kind, authentication):
            event = SignInRefused(method=method, subject=str(requester.id), reason="assurance")
            await self._journal.append_for(requester, event, person_id=_filed_under(requester))
            raise Problem(
                403,
                "assurance",
                N_("This way of signing in is not sure enough for your account."),
                remedy=N_("Sign in in another way."),
            )
        people = [requester.id, *([requester.delegate.id] if requester.delegate else ())]
        if await self._directory.suspensions.among(people):
            event = SignInRefused(method=method, subject=str(requester.id), reason="suspended")
            await self._journal.append_for(requester, event, person_id=_filed_under(requester))
            raise Problem(403, "suspended", _SUSPENDED, remedy=N_("Contact the helpdesk."))
        if requester.kind == "patient" and await self._is_represented(requester.id):
            event = SignInRefused(method=method, subject=str(requester.id), reason="represented")
            await self._journal.append_for(requester, event, person_id=_filed_under(requester))
            raise represented()
        signed_in = SignedIn(method=method, assurance=authentication.assurance, provider=authentication.provider)
        await self._journal.append_for(requester, signed_in, person_id=_filed_under(requester))
        return await self._start_session(request, requester, to)

    async def confirm(
        self, request: Request, method: str, assurance: str, provider: str = "", to: str = "/"
    ) -> Response:
        """Keep in a new session of the same requester that they were authenticated again, and journal it."""
        session = await self._sessions.of(request)
        if session is None:
            raise _sign_in_first()
        requester = requester_from_principal(session.principal, origin=origin_of(request))
        authentication = await self._authentication(request, method, assurance, provider)
        event = AuthenticationConfirmed(method=method, assurance=assurance)
        await self._journal.append_for(requester, event, person_id=_filed_under(requester))
        return await self._start_session(request, replace(requester, authentication=authentication), to)

    async def _authentication(self, request: Request, method: str, assurance: str, provider: str) -> Authentication:
        session = await self._sessions.of(request) if method in _CONTINUING else None
        before = requester_from_principal(session.principal).authentication if session else None
        return before or Authentication(
            method=method, at=clock.now(), assurance=assurance, provider=provider, device=device_of(request)
        )

    async def _start_session(self, request: Request, requester: Requester, to: str) -> Response:
        """Replace the session of a request; the new one ends as long after the authentication as any."""
        await self._sessions.delete(request)
        since = requester.authentication.at if requester.authentication else clock.now()
        response = redirect(to)
        token = await self._sessions.create(principal_of(requester), since + LIFETIME - clock.now())
        set_cookie(response, request, token)
        return response

    async def sign_out(self, request: Request, *, to: str = "/signin") -> Response:
        """End the session of a request, and journal it. Returns a redirect to `to` that clears the cookie."""
        session = await self._sessions.of(request)
        if session is not None:
            requester = requester_from_principal(session.principal, origin=origin_of(request))
            await self._sessions.delete(request)
            await self._journal.append_for(requester, SignedOut(), person_id=_filed_under(requester))
        response = redirect(to)
        clear_cookie(response, request)
        return response

    async def issue_token(
        self, requester: Requester, scopes: frozenset[str], lifetime: timedelta, *, client_id: str = ""
    ) -> str:
        """Issue a bearer token for `requester`, or for the software `client_id` that acts for it; journalled."""
        value, rows = self.token_rows(requester, scopes, lifetime, client_id=client_id)
        await self._db.write(rows)
        return value

    async def _fetch_current(self, known: Requester) -> Requester | None:
        """Return a requester with their current entry in the directory, or None."""
        match known.kind:
            case "patient":
                person = await self._directory.person(known.id)
                return requester_of(person) if person else None
            case "organization":
                organization = await self._directory.organization(known.id)
                return requester_of(organization) if organization else None
            case "practitioner":
                practitioner = await self._directory.practitioner(known.id)
                if practitioner is None:
                    return None
                workplace = known.organization_id and await self._directory.organization(known.organization_id)
                found = requester_of(practitioner, workplace or None, known.profession)
                return await self._with_current_status(found, None)
        return None

    def token_rows(
        self,
        requester: Requester,
        scopes: frozenset[str],
        lifetime: timedelta,
        *,
        client_id: str = "",
        connection_id: UUID | None = None,
    ) -> tuple[str, list[Row]]:
        """Return a new bearer token, and the rows of its SHA-256 and of its journal entry; the token is not stored."""
        value, until = generate_secret(), clock.now() + lifetime
        client_id = client_id or requester.client_id
        token = AccessToken(
            principal=principal_of(replace(requester, client_id=client_id)),
            scopes=scopes,
            expires_at=until,
            client_id=client_id,
            connection_id=connection_id,
        )
        event = TokenIssued(scopes=" ".join(sorted(scopes)), until=until, client_id=client_id)
        entry = self._journal.rows_for(requester, event, person_id=_filed_under(requester))
        return value, [client_store.token_row(hash_secret(value), token), *entry]

    async def find_bearer_token(self, header: str) -> AccessToken | None:
        """Return the valid bearer token of an Authorization header, or None."""
        found = await self._resolve_token(_bearer_value(header))
        return found[0] if found else None

    def forget_tokens(self) -> None:
        """Clear the caches of tokens and of who is suspended, after some were revoked."""
        self._tokens.clear()
        self._statuses.clear()

    async def _by_token(self, header: str, origin: str) -> Requester:
        found = await self._resolve_token(_bearer_value(header), origin)
        if found is None:
            await self._limits.record_rejection("token", ANONYMOUS, origin)
            raise _unauthorized('Bearer error="invalid_token"', N_("Ask for a new token."))
        return found[1]

    async def find_token(self, value: str) -> AccessToken | None:
        """Return the valid bearer token of a value, or None."""
        found = await self._resolve_token(value)
        return found[0] if found else None

    async def _resolve_token(self, value: str, origin: str = "") -> tuple[AccessToken, Requester] | None:
        """Return a valid token and its requester, whose request comes from `origin`; None when it is not valid."""
        if not SECRET_PATTERN.fullmatch(value):
            return None
        key, now = hash_secret(value), time.monotonic()
        cached = self._tokens.get(key)
        if cached and now - cached[0] < CACHE_SECONDS and cached[1].expires_at > clock.now():
            since, token, requester = cached
            if requester.origin != origin:  # seldom: software usually sends all its requests from one address
                requester = replace(requester, origin=origin)
                self._tokens[key] = since, token, requester
            return token, requester
        found = await client_store.find_token(self._db, key)
        if found is None:
            return None
        requester = replace(requester_from_principal(found.principal, origin), scopes=found.scopes)
        _put(self._tokens, key, (now, found, requester))
        return found, requester

    async def _by_session(self, request: Request) -> Requester:
        session = await self._sessions.of(request)
        if session is None or session.principal["kind"] not in _API_KINDS:
            raise _unauthorized("Bearer", N_("Send a bearer token."))
        if request.method not in _SAFE_METHODS:
            csrf_token = request.headers.get("x-csrf-token", "")
            if not secrets.compare_digest(csrf_token.encode(), session.csrf.encode()):
                raise Problem(
                    403,
                    "forbidden",
                    N_("You need a bearer token to change data through the API."),
                    remedy=N_("Send a bearer token."),
                )
        return requester_from_principal(session.principal)

    async def is_suspended(self, requester: Requester) -> bool:
        """Return whether a requester is suspended now, or may not act alone; at most `CACHE_SECONDS` late."""
        status = await self._current_status(requester)
        return status.suspended or status.represented

    async def _with_current_status(self, requester: Requester, refusal: Problem | None) -> Requester:
        """Return a requester without the role in which they, a practitioner, may not act today.

        They then act for no organisation, in their own profession. Raises: `refusal`, unless it is None, for a
        requester whom the directory has suspended.
        """
        status = await self._current_status(requester)
        if status.suspended and refusal is not None:
            await self._limits.record_rejection("suspended", requester.actor, requester.origin)
            raise refusal
        if status.represented and refusal is not None:
            await self._limits.record_rejection("represented", requester.actor, requester.origin)
            raise represented()
        if requester.kind != "practitioner" or requester.organization_id is None:
            return requester
        if (requester.organization_id, requester.profession) in status.roles:
            return requester
        practitioner = await self._directory.practitioner(requester.id)
        profession = practitioner.profession if practitioner else ""
        return replace(requester, organization_id=None, organization="", profession=profession)

    async def _current_status(self, requester: Requester) -> _Status:
        """Return what the directory says about a requester, at most `CACHE_SECONDS` ago."""
        now = time.monotonic()
        delegate = requester.delegate.id if requester.delegate else None
        key = requester.id, delegate, requester.organization_id if delegate else None
        cached = self._statuses.get(key)
        if cached is None or now - cached[0] >= CACHE_SECONDS:
            cached = now, await self._fetch_status(requester)
            _put(self._statuses, key, cached)
        return cached[1]

    async def _is_represented(self, person_id: UUID) -> bool:
        """Return whether others exercise all rights of a person (law of 24 July 2014, articles 13 and 14)."""
        consents = await consent_store.fetch_consents(self._db, [person_id])
        return any(not may_act_alone(consent, "", today()) for consent in consents.values())

    async def _fetch_status(self, requester: Requester) -> _Status:
        roles: set[tuple[UUID, str]] = set()
        people, ended = [requester.id], False
        if requester.kind == "practitioner":
            found = await self._directory.roles_of(requester.id, today())
            roles = {(role.organization_id, role.profession) for role in found}
        if requester.delegate is not None:
            people.append(requester.delegate.id)
            delegations = await self._directory.delegations.of_delegate(requester.delegate.id, today())
            wanted = requester.id, requester.organization_id
            ended = wanted not in {(one.professional_id, one.organization_id) for one in delegations}
        suspended = await self._directory.suspensions.among([*people, *(place for place, _ in roles)])
        return _Status(
            suspended=ended or not suspended.isdisjoint(people),
            represented=requester.kind == "patient" and await self._is_represented(requester.id),
            roles=frozenset(role for role in roles if role[0] not in suspended),
        )


def _sign_in_first() -> Problem:
    return Problem(
        303,
        "login",
        N_("You need to sign in."),
        remedy=N_("Sign in, then try again."),
        headers={"Location": "/signin"},
    )


def _require_recent(request: Request, requester: Requester) -> None:
    """Raise Problem 303 to /signin/confirm for a sensitive act of somebody who was authenticated too long ago."""
    rule = assurance_rules(today()).step_up(request.url.path, requester.authentication, clock.now())
    if rule is None:
        return
    came_from = local_path(urlsplit(request.headers.get("referer", "")).path)
    raise Problem(
        303,
        "confirm",
        N_("Confirm that it is you."),
        remedy=N_("Sign in again, then send the form again."),
        headers={"Location": f"/signin/confirm?{urlencode({'next': came_from})}"},
    )


def _bearer_value(header: str) -> str:
    """Return the token of a Bearer Authorization header; "" for any other header."""
    scheme, _, value = header.partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def _filed_under(requester: Requester) -> UUID:
    """Return the person under whom events of authentication are filed: a patient, or nobody (the nil UUID)."""
    return requester.id if requester.kind == "patient" else NIL


def _unauthorized(challenge: str, remedy: str) -> Problem:
    return Problem(401, "login", N_("You are not signed in."), remedy=remedy, headers={"WWW-Authenticate": challenge})


def _put(cache: dict[K, V], key: K, value: V) -> None:
    if len(cache) >= _CACHE_SIZE:
        cache.clear()
    cache[key] = value

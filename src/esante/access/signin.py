"""Who asks: sessions of people, bearer tokens of software and scripts, and the requester behind both."""

import hashlib
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from esante.access import store_signin
from esante.access.events import SignedIn, SignedOut, TokenIssued
from esante.access.model import Requester
from esante.access.scopes import common_scopes, require_scope
from esante.access.store_signin import Token
from esante.directory import Directory, Organization, Person, Practitioner
from esante.journal import Journal
from esante.storage import Database
from esante.web import N_, NOT_FOUND, Problem, Sessions, clear_cookie, origin_of, redirect, set_cookie

CACHE_SECONDS = 3.0
_CACHE_SIZE = 10_000
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_SAFE = ("GET", "HEAD", "OPTIONS")


def requester_of(holder: Person | Practitioner | Organization, organization: Organization | None = None) -> Requester:
    """The requester that a person, a practitioner (acting for `organization`) or an organisation is."""
    if isinstance(holder, Person):
        return Requester(kind="patient", id=holder.id, name=holder.name)
    if isinstance(holder, Organization):
        return Requester(
            kind="organization",
            id=holder.id,
            name=holder.name,
            profession=holder.kind,
            organization_id=holder.id,
            organization=holder.name,
        )
    return Requester(
        kind="practitioner",
        id=holder.id,
        name=holder.name,
        profession=_profession(holder, organization),
        organization_id=organization.id if organization else None,
        organization=organization.name if organization else "",
    )


def principal_of(requester: Requester) -> dict[str, Any]:
    """A requester as sessions and tokens keep it."""
    return {
        "kind": requester.kind,
        "id": str(requester.id),
        "name": requester.name,
        "profession": requester.profession,
        "organization_id": str(requester.organization_id) if requester.organization_id else None,
        "organization": requester.organization,
        "client": requester.client,
        "client_id": requester.client_id,
    }


def requester_in(principal: dict[str, Any], origin: str = "") -> Requester:
    """The requester that a session or a token keeps."""
    organization_id = principal.get("organization_id")
    return Requester(
        kind=principal["kind"],
        id=UUID(principal["id"]),
        name=principal["name"],
        profession=principal.get("profession", ""),
        organization_id=UUID(organization_id) if organization_id else None,
        organization=principal.get("organization", ""),
        client=principal.get("client", ""),
        client_id=principal.get("client_id", ""),
        origin=origin,
    )


class SignIn:
    """Turns requests into requesters, and starts and ends sessions and tokens.

    A token, and where a practitioner works, are believed for `CACHE_SECONDS` without asking again.
    """

    def __init__(self, db: Database, journal: Journal, directory: Directory, sessions: Sessions) -> None:
        self._db, self._journal, self._directory, self._sessions = db, journal, directory, sessions
        self._tokens: dict[bytes, tuple[float, Token]] = {}
        self._places: dict[UUID, tuple[float, frozenset[UUID]]] = {}

    async def requester(self, request: Request) -> Requester:
        """Who sends an API request: by bearer token, or else by the portal's session. Problem 401 for nobody."""
        given = request.headers.get("authorization")
        if given is not None:
            found = await self._by_token(given)
        else:
            found = await self._by_session(request)
        return await self._at_work(replace(found, origin=origin_of(request)))

    async def page_requester(self, request: Request, kinds: Sequence[str]) -> Requester:
        """Who looks at a page: sends to /signin who is not signed in; the page is not there for other kinds."""
        session = await self._sessions.of(request)
        if session is None:
            raise Problem(
                303,
                "login",
                N_("Please sign in."),
                remedy=N_("Sign in, then try again."),
                headers={"Location": "/signin"},
            )
        found = requester_in(session.principal, origin=origin_of(request))
        if found.kind not in kinds:
            raise Problem(404, "not-found", NOT_FOUND)
        return await self._at_work(found)

    async def sign_in(self, request: Request, requester: Requester, *, method: str, to: str = "/") -> Response:
        """Start a session for who was recognised by `method`, journalled; answers with the cookie and goes to `to`."""
        requester = replace(requester, origin=origin_of(request))
        await self._journal.append(SignedIn(method=method), **_about(requester))
        await self._sessions.delete(request)
        response = redirect(to)
        set_cookie(response, request, await self._sessions.create(principal_of(requester)))
        return response

    async def sign_out(self, request: Request, *, to: str = "/signin") -> Response:
        """End the session of a request, journalled."""
        session = await self._sessions.of(request)
        if session is not None:
            requester = requester_in(session.principal, origin=origin_of(request))
            await self._sessions.delete(request)
            await self._journal.append(SignedOut(), **_about(requester))
        response = redirect(to)
        clear_cookie(response)
        return response

    async def issue_token(self, requester: Requester, scopes: frozenset[str], lifetime: timedelta) -> str:
        """A new bearer token for `requester`: 32 random bytes of which only the SHA-256 is kept. Journalled."""
        value = secrets.token_urlsafe(32)
        until = datetime.now(UTC) + lifetime
        token = Token(principal=principal_of(requester), scopes=scopes, expires_at=until)
        told = TokenIssued(scopes=" ".join(sorted(scopes)), until=until)
        await self._db.write(
            [store_signin.token_row(_hash(value), token), *self._journal.rows(told, **_about(requester))]
        )
        return value

    async def again(self, known: Requester, resource: str, letters: str) -> Requester | None:
        """Who was signed in some time ago, as he is today and without asking for a token.

        None when he is not in the directory any more, or when the software that acted for him is disabled, or may no
        longer do `letters` (SMART v2) to `resource`.
        """
        scopes = known.scopes
        if known.client_id:
            client = await store_signin.client(self._db, known.client_id)
            scopes = common_scopes(scopes or (), client.scopes if client else ())
        found = await self._today(known)
        if found is None:
            return None
        found = replace(found, client=known.client, client_id=known.client_id, scopes=scopes, origin=known.origin)
        try:
            require_scope(found, resource, letters)
        except Problem:
            return None
        return found

    async def _today(self, known: Requester) -> Requester | None:
        """Somebody as the directory knows him now."""
        match known.kind:
            case "patient":
                person = await self._directory.person(known.id)
                return requester_of(person) if person else None
            case "organization":
                organization = await self._directory.organization(known.id)
                return requester_of(organization) if organization else None
            case "practitioner":
                practitioner = await self._directory.practitioner(known.id)
                place = known.organization_id and await self._directory.organization(known.organization_id)
                return await self._at_work(requester_of(practitioner, place or None)) if practitioner else None
        return None

    async def _by_token(self, header: str) -> Requester:
        scheme, _, value = header.partition(" ")
        token = await self._token(value.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            raise _unauthorized('Bearer error="invalid_token"', N_("Ask for a new token."))
        return replace(requester_in(token.principal), scopes=token.scopes)

    async def _token(self, value: str) -> Token | None:
        if not _TOKEN.fullmatch(value):
            return None
        key, now = _hash(value), time.monotonic()
        known = self._tokens.get(key)
        if known and now - known[0] < CACHE_SECONDS and known[1].expires_at > datetime.now(UTC):
            return known[1]
        token = await store_signin.token(self._db, key)
        if token:
            _keep(self._tokens, key, (now, token))
        return token

    async def _by_session(self, request: Request) -> Requester:
        session = await self._sessions.of(request)
        if session is None:
            raise _unauthorized("Bearer", N_("Send a bearer token."))
        if request.method not in _SAFE:
            given = request.headers.get("x-csrf-token", "")
            if not secrets.compare_digest(given.encode(), session.csrf.encode()):
                raise Problem(
                    403,
                    "forbidden",
                    N_("A change over the API needs a bearer token."),
                    remedy=N_("Send a bearer token."),
                )
        return requester_in(session.principal)

    async def _at_work(self, requester: Requester) -> Requester:
        """A practitioner acts for an organisation only while he or she has a role there."""
        if requester.kind != "practitioner" or requester.organization_id is None:
            return requester
        now = time.monotonic()
        known = self._places.get(requester.id)
        if known is None or now - known[0] >= CACHE_SECONDS:
            found = await self._directory.organizations_of(requester.id, datetime.now(UTC).date())
            known = now, frozenset(organization.id for organization in found)
            _keep(self._places, requester.id, known)
        if requester.organization_id in known[1]:
            return requester
        return replace(requester, organization_id=None, organization="")


def _profession(practitioner: Practitioner, organization: Organization | None) -> str:
    today = datetime.now(UTC).date()
    for role in practitioner.roles:
        if organization and role.organization_id == organization.id and role.holds(today):
            return role.profession
    return practitioner.profession


def _about(requester: Requester) -> dict[str, Any]:
    """Sign-ins of a patient are filed under her, all others under nobody."""
    about: dict[str, Any] = {"actor": requester.actor, "origin": requester.origin}
    return about | ({"person_id": requester.id} if requester.kind == "patient" else {})


def _unauthorized(challenge: str, remedy: str) -> Problem:
    return Problem(401, "login", N_("You are not signed in."), remedy=remedy, headers={"WWW-Authenticate": challenge})


def _hash(value: str) -> bytes:
    return hashlib.sha256(value.encode()).digest()


def _keep(cache: dict[Any, Any], key: Any, value: Any) -> None:
    if len(cache) >= _CACHE_SIZE:
        cache.clear()
    cache[key] = value

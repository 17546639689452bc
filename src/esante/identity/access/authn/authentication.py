"""Who asks: sessions of people, bearer tokens of software and scripts, and the requester behind both."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from esante.core.journal import Journal
from esante.core.storage import Database, Row
from esante.core.web import N_, NOT_FOUND, Problem, Sessions, clear_cookie, origin_of, redirect, set_cookie
from esante.identity.access.authn.rate_limits import NOBODY, Limits
from esante.identity.access.events import SignedIn, SignedOut, TokenIssued
from esante.identity.access.model import Requester
from esante.identity.access.smart import client_store
from esante.identity.access.smart.client_store import AccessToken
from esante.identity.access.smart.protocol import SECRET_PATTERN, generate_secret, hash_secret
from esante.identity.access.smart.scopes import common_scopes
from esante.identity.directory import Directory, Organization, Person, Practitioner

CACHE_SECONDS = 3.0
_CACHE_SIZE = 10_000
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
        "patient": str(requester.patient) if requester.patient else None,
        "client_id": requester.client_id,
    }


def requester_in(principal: dict[str, Any], origin: str = "") -> Requester:
    """The requester that a session or a token keeps."""
    organization_id, patient = principal.get("organization_id"), principal.get("patient")
    return Requester(
        kind=principal["kind"],
        id=UUID(principal["id"]),
        name=principal["name"],
        profession=principal.get("profession", ""),
        organization_id=UUID(organization_id) if organization_id else None,
        organization=principal.get("organization", ""),
        client=principal.get("client", ""),
        patient=UUID(patient) if patient else None,
        client_id=principal.get("client_id", ""),
        origin=origin,
    )


class SignIn:
    """Turns requests into requesters, and starts and ends sessions and tokens.

    A token, and where a practitioner works, are believed for `CACHE_SECONDS` without asking again.
    """

    def __init__(
        self, db: Database, journal: Journal, directory: Directory, sessions: Sessions, limits: Limits
    ) -> None:
        self._db, self._journal, self._directory, self._sessions = db, journal, directory, sessions
        self._limits = limits
        self._tokens: dict[bytes, tuple[float, AccessToken, Requester]] = {}
        self._places: dict[UUID, tuple[float, frozenset[UUID]]] = {}

    async def requester(self, request: Request) -> Requester:
        """Who sends an API request: by bearer token, or else by the portal's session. Problem 401 for nobody."""
        given = request.headers.get("authorization")
        if given is not None:
            found = await self._by_token(given, origin_of(request))
        else:
            found = replace(await self._by_session(request), origin=origin_of(request))
        return await self._at_work(found)

    async def again(self, known: Requester) -> Requester | None:
        """Who asked before, as he or she would ask now: for work that goes on without a request.

        None when the directory knows nobody like that any more, or when the software that acted is disabled; of the
        scopes of then stay those that it may still have.
        """
        scopes = known.scopes
        if known.client_id:
            client = await client_store.find_client(self._db, known.client_id)
            if client is None:
                return None
            scopes = None if scopes is None else common_scopes(scopes, client.scopes)
        found = await self._today(known)
        if found is None:
            return None
        found = replace(found, client=known.client, client_id=known.client_id, origin=known.origin)
        return replace(found, scopes=scopes, patient=known.patient)

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

    async def issue_token(
        self, requester: Requester, scopes: frozenset[str], lifetime: timedelta, *, client_id: str = ""
    ) -> str:
        """A new bearer token for `requester`, or for the software of `client_id` that acts for it. Journalled."""
        value, rows = self.token_rows(requester, scopes, lifetime, client_id=client_id)
        await self._db.write(rows)
        return value

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

    def token_rows(
        self,
        requester: Requester,
        scopes: frozenset[str],
        lifetime: timedelta,
        *,
        client_id: str = "",
        connection_id: UUID | None = None,
    ) -> tuple[str, list[Row]]:
        """A new bearer token, of which only the SHA-256 is kept, with the rows of it and of its entry."""
        value, until = generate_secret(), datetime.now(UTC) + lifetime
        client_id = client_id or requester.client_id
        token = AccessToken(
            principal=principal_of(replace(requester, client_id=client_id)),
            scopes=scopes,
            expires_at=until,
            client_id=client_id,
            connection_id=connection_id,
        )
        told = TokenIssued(scopes=" ".join(sorted(scopes)), until=until, client_id=client_id)
        return value, [
            client_store.token_row(hash_secret(value), token),
            *self._journal.rows(told, **_about(requester)),
        ]

    async def bearer(self, header: str) -> AccessToken | None:
        """What the bearer token in an Authorization header stands for; None for any other header."""
        known = await self._known(_bearer_value(header))
        return known[0] if known else None

    def forget(self) -> None:
        """Believe no token any more without asking: some have just ended."""
        self._tokens.clear()

    async def _by_token(self, header: str, origin: str) -> Requester:
        known = await self._known(_bearer_value(header), origin)
        if known is None:
            await self._limits.turned_away("token", NOBODY, origin)
            raise _unauthorized('Bearer error="invalid_token"', N_("Ask for a new token."))
        return known[1]

    async def token(self, value: str) -> AccessToken | None:
        """What a bearer token stands for; None for what is none, or serves no longer."""
        known = await self._known(value)
        return known[0] if known else None

    async def _known(self, value: str, origin: str = "") -> tuple[AccessToken, Requester] | None:
        """A token and the requester that it stands for, who asks from `origin`."""
        if not SECRET_PATTERN.fullmatch(value):
            return None
        key, now = hash_secret(value), time.monotonic()
        known = self._tokens.get(key)
        if known and now - known[0] < CACHE_SECONDS and known[1].expires_at > datetime.now(UTC):
            since, token, requester = known
            if requester.origin != origin:  # seldom: software asks again and again from the same place
                requester = replace(requester, origin=origin)
                self._tokens[key] = since, token, requester
            return token, requester
        found = await client_store.find_token(self._db, key)
        if found is None:
            return None
        requester = replace(requester_in(found.principal, origin), scopes=found.scopes)
        _keep(self._tokens, key, (now, found, requester))
        return found, requester

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


def _bearer_value(header: str) -> str:
    """The token in an Authorization header; empty in any other."""
    scheme, _, value = header.partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


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


def _keep(cache: dict[Any, Any], key: Any, value: Any) -> None:
    if len(cache) >= _CACHE_SIZE:
        cache.clear()
    cache[key] = value

"""The coming of an app: a code becomes tokens, a refresh token the next ones, and all end together.

Sources: RFC 6749, sections 4.1.3 and 6; RFC 7636 (PKCE); RFC 7009; RFC 9700, section 4.14 (rotation).
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from esante.core.journal import Actor, Journal
from esante.core.storage import NIL, Connection, Database, insert
from esante.core.web import Sessions
from esante.identity.access.authn.authentication import Authenticator, requester_from_principal
from esante.identity.access.events import AppEnded
from esante.identity.access.matrix import policy
from esante.identity.access.smart import authorization_store, client_store
from esante.identity.access.smart.authorization_store import AppConnection
from esante.identity.access.smart.client_store import SoftwareClient
from esante.identity.access.smart.id_token import Identity
from esante.identity.access.smart.protocol import Issued, OAuthError, kept_as, new_secret
from esante.identity.access.smart.scopes import STAYING, common_scopes

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_BAD_CODE = "the code is not valid: expired, used, or not of this client, redirect_uri and code_verifier"
_BAD_REFRESH = "the refresh token is not valid: expired, used, or not of this client, or the access was ended"


class Connections:
    """Gives apps their tokens. A code and a refresh token serve once; one that comes again ends what came of it."""

    def __init__(
        self, db: Database, journal: Journal, signin: Authenticator, sessions: Sessions, identity: Identity
    ) -> None:
        self._db, self._journal, self._signin, self._sessions = db, journal, signin, sessions
        self._identity = identity

    async def begin(self, client: SoftwareClient, form: Mapping[str, str], origin: str) -> Issued:
        """Tokens for the code in a form; OAuthError."""
        async with self._db.transaction() as conn:
            found = await authorization_store.by_code(conn, kept_as(form.get("code", "")))
            answer = await self._begun(conn, client, found, form, origin)
        return self._given(answer)

    async def go_on(self, client: SoftwareClient, form: Mapping[str, str], origin: str) -> Issued:
        """New tokens for the refresh token in a form, for the same scopes or fewer; OAuthError."""
        token = kept_as(form.get("refresh_token", ""))
        async with self._db.transaction() as conn:
            known = await authorization_store.refresh(conn, token)
            found = await authorization_store.connection(conn, known[0], lock=True) if known else None
            if known is None or found is None or found.client_id != client.client_id:
                answer: Issued | OAuthError = OAuthError("invalid_grant", _BAD_REFRESH)
            elif known[1]:
                answer = await self._reused(conn, client, found, origin, _BAD_REFRESH)
            else:
                answer = await self._gone_on(conn, client, found, token, form, origin)
        return self._given(answer)

    async def give_back(self, client: SoftwareClient, token: str, origin: str) -> None:
        """End the coming of an app to which a token of it belongs, or that one token; any other is left alone."""
        key = kept_as(token)
        async with self._db.transaction() as conn:
            known = await authorization_store.refresh(conn, key)
            connection_id = known[0] if known else await client_store.connection_of(conn, key)
            found = await authorization_store.connection(conn, connection_id, lock=True) if connection_id else None
            if found is None:
                await client_store.drop_token(conn, key, client.client_id)
            elif found.client_id == client.client_id:
                await self._end(conn, client, found, "returned", origin)
        self._signin.forget_tokens()

    async def _begun(
        self,
        conn: Connection,
        client: SoftwareClient,
        found: AppConnection | None,
        form: Mapping[str, str],
        origin: str,
    ) -> Issued | OAuthError:
        if found is None or found.client_id != client.client_id:
            return OAuthError("invalid_grant", _BAD_CODE)
        if found.code_used:
            return await self._reused(conn, client, found, origin, _BAD_CODE)
        now = datetime.now(UTC)
        await authorization_store.use_code(conn, found.connection_id, now)
        fits = form.get("redirect_uri") == found.redirect_uri and proves(
            form.get("code_verifier", ""), found.challenge
        )
        if not (found.alive and found.code_until > now and fits):
            return OAuthError("invalid_grant", _BAD_CODE)
        more = {}
        if "openid" in found.scopes:
            who = requester_from_principal(found.principal)
            claims = self._identity.claims(who.kind, who.id, with_user="fhirUser" in found.scopes)
            more["id_token"] = self._identity.token(claims, client.client_id, found.nonce)
        return await self._issue(conn, client, found, found.scopes, origin, more)

    async def _gone_on(
        self,
        conn: Connection,
        client: SoftwareClient,
        found: AppConnection,
        token: bytes,
        form: Mapping[str, str],
        origin: str,
    ) -> Issued | OAuthError:
        online = "offline_access" not in found.scopes
        if not found.alive or (online and not await self._sessions.lives(conn, found.session_hash)):
            return OAuthError("invalid_grant", _BAD_REFRESH)
        scopes = found.scopes
        if form.get("scope"):
            scopes = common_scopes(form["scope"].split(), scopes)
        if not scopes:
            return OAuthError("invalid_scope", "none of the scopes asked for was granted before")
        await authorization_store.use_refresh(conn, token, datetime.now(UTC))
        return await self._issue(conn, client, found, scopes, origin, {})

    async def _issue(
        self,
        conn: Connection,
        client: SoftwareClient,
        found: AppConnection,
        scopes: frozenset[str],
        origin: str,
        more: dict[str, Any],
    ) -> Issued:
        now = datetime.now(UTC)
        requester = replace(requester_from_principal(found.principal), origin=origin)
        lifetime = min(policy(now.date()).app_token, found.until - now)
        token, rows = self._signin.token_rows(
            requester, scopes, lifetime, client_id=client.client_id, connection_id=found.connection_id
        )
        more["token_type"] = "Bearer"  # noqa: S105 - SMART writes it so for apps, and small for software itself
        if found.scopes & STAYING:
            more["refresh_token"] = new_secret()
            key = kept_as(more["refresh_token"])
            rows.append((authorization_store.REFRESH, (key, found.connection_id, found.until)))
        if requester.only_person_id is not None:
            more |= {"patient": str(requester.only_person_id), "need_patient_banner": True}
        await insert(conn, rows)
        return Issued(token=token, scopes=scopes, lifetime=lifetime, more=more)

    async def _reused(
        self, conn: Connection, client: SoftwareClient, found: AppConnection, origin: str, words: str
    ) -> OAuthError:
        await self._end(conn, client, found, "reused", origin)
        return OAuthError("invalid_grant", words)

    async def _end(
        self, conn: Connection, client: SoftwareClient, found: AppConnection, cause: str, origin: str
    ) -> None:
        if await authorization_store.end(conn, found.connection_id, datetime.now(UTC)):
            told = AppEnded(client_id=client.client_id, app=client.name, cause=cause)
            person_id = requester_from_principal(found.principal).only_person_id or NIL
            actor = Actor(kind="system", name=client.name, client=client.name)
            await insert(conn, self._journal.rows(told, person_id=person_id, actor=actor, origin=origin))

    def _given(self, answer: Issued | OAuthError) -> Issued:
        """Raised only here, after the commit: what a refusal ended stays ended."""
        if isinstance(answer, OAuthError):
            self._signin.forget_tokens()
            raise answer
        return answer


def proves(verifier: str, challenge: str) -> bool:
    """Whether a verifier is the one behind a challenge (RFC 7636, section 4.6, method S256)."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    return hmac.compare_digest(digest, challenge.encode())

"""The grant types of apps: exchange of an authorization code, refresh token rotation, revocation.

Sources: RFC 6749, sections 4.1.3 and 6; RFC 7636 (PKCE); RFC 7009; RFC 9700, section 4.14 (rotation).
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import replace

from esante.core import clock
from esante.core.journal import Actor, Journal
from esante.core.storage import NIL, Connection, Database, insert
from esante.core.time_zone import day_of
from esante.core.types import Json
from esante.core.web import Sessions
from esante.identity.access.authn.authentication import Authenticator
from esante.identity.access.authn.requesters import requester_from_principal
from esante.identity.access.events import AppEnded
from esante.identity.access.regulation.policy_set import policy
from esante.identity.access.smart import authorization_store, client_store
from esante.identity.access.smart.authorization_store import AppConnection
from esante.identity.access.smart.client_store import SoftwareClient
from esante.identity.access.smart.id_token import IdTokenIssuer
from esante.identity.access.smart.protocol import OAuthError, TokenResponse, generate_secret, hash_secret
from esante.identity.access.smart.scopes import REFRESH_SCOPES, common_scopes
from esante.identity.directory import Directory

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_INVALID_CODE = "the code is not valid: expired, used, or not of this client, redirect_uri and code_verifier"
_SUSPENDED = "whoever allowed the app may not use the platform any more"
_INVALID_REFRESH_TOKEN = (
    "the refresh token is not valid: expired, used, or not of this client, or the access was ended"  # noqa: S105
)


class TokenGrants:
    """Issues tokens to apps. A code and a refresh token are used once; a second use ends the whole connection."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        directory: Directory,
        signin: Authenticator,
        sessions: Sessions,
        id_tokens: IdTokenIssuer,
    ) -> None:
        self._db, self._journal, self._directory = db, journal, directory
        self._signin, self._sessions, self._id_tokens = signin, sessions, id_tokens

    async def exchange_code(self, client: SoftwareClient, form: Mapping[str, str], origin: str) -> TokenResponse:
        """Return the tokens for the authorization code in a form. Raises: `OAuthError` when it is not valid."""
        async with self._db.transaction() as conn:
            connection = await authorization_store.lock_connection_by_code(conn, hash_secret(form.get("code", "")))
            result = await self._exchange(conn, client, connection, form, origin)
        return self._return_or_raise(result)

    async def refresh(self, client: SoftwareClient, form: Mapping[str, str], origin: str) -> TokenResponse:
        """Return new tokens for the refresh token in a form, for the same scopes or fewer.

        Raises: `OAuthError` when the refresh token or the scopes are not valid.
        """
        token_hash = hash_secret(form.get("refresh_token", ""))
        async with self._db.transaction() as conn:
            known = await authorization_store.lock_refresh_token(conn, token_hash)
            connection = await authorization_store.lock_connection(conn, known[0]) if known else None
            if known is None or connection is None or connection.client_id != client.client_id:
                result: TokenResponse | OAuthError = OAuthError("invalid_grant", _INVALID_REFRESH_TOKEN)
            elif known[1]:
                result = await self._end_reused(conn, client, connection, origin, _INVALID_REFRESH_TOKEN)
            else:
                result = await self._rotate(conn, client, connection, token_hash, form, origin)
        return self._return_or_raise(result)

    async def revoke(self, client: SoftwareClient, token: str, origin: str) -> None:
        """End the connection to which a token of the client belongs, or that one token; ignore any other."""
        token_hash = hash_secret(token)
        async with self._db.transaction() as conn:
            known = await authorization_store.lock_refresh_token(conn, token_hash)
            connection_id = known[0] if known else await client_store.connection_of_token(conn, token_hash)
            connection = await authorization_store.lock_connection(conn, connection_id) if connection_id else None
            if connection is None:
                await client_store.delete_token(conn, token_hash, client.client_id)
            elif connection.client_id == client.client_id:
                await self._end(conn, client, connection, "returned", origin)
        self._signin.forget_tokens()

    async def _exchange(
        self,
        conn: Connection,
        client: SoftwareClient,
        connection: AppConnection | None,
        form: Mapping[str, str],
        origin: str,
    ) -> TokenResponse | OAuthError:
        if connection is None or connection.client_id != client.client_id:
            return OAuthError("invalid_grant", _INVALID_CODE)
        if connection.code_used:
            return await self._end_reused(conn, client, connection, origin, _INVALID_CODE)
        now = clock.now()
        await authorization_store.mark_code_used(conn, connection.connection_id, now)
        matches = form.get("redirect_uri") == connection.redirect_uri and verifies_challenge(
            form.get("code_verifier", ""), connection.challenge
        )
        if not (connection.alive and connection.code_until > now and matches):
            return OAuthError("invalid_grant", _INVALID_CODE)
        extra = {}
        if "openid" in connection.scopes:
            requester = requester_from_principal(connection.principal)
            with_fhir_user = "fhirUser" in connection.scopes
            claims = self._id_tokens.user_claims(requester.kind, requester.id, with_fhir_user=with_fhir_user)
            extra["id_token"] = self._id_tokens.issue(claims, client.client_id, connection.nonce)
        return await self._issue(conn, client, connection, connection.scopes, origin, extra)

    async def _rotate(
        self,
        conn: Connection,
        client: SoftwareClient,
        connection: AppConnection,
        token_hash: bytes,
        form: Mapping[str, str],
        origin: str,
    ) -> TokenResponse | OAuthError:
        online = "offline_access" not in connection.scopes
        if not connection.alive or (online and not await self._sessions.is_live(conn, connection.session_hash)):
            return OAuthError("invalid_grant", _INVALID_REFRESH_TOKEN)
        scopes = connection.scopes
        if form.get("scope"):
            scopes = common_scopes(form["scope"].split(), scopes)
        if not scopes:
            return OAuthError("invalid_scope", "none of the requested scopes was granted before")
        await authorization_store.mark_refresh_token_used(conn, token_hash, clock.now())
        return await self._issue(conn, client, connection, scopes, origin, {})

    async def _issue(
        self,
        conn: Connection,
        client: SoftwareClient,
        connection: AppConnection,
        scopes: frozenset[str],
        origin: str,
        extra: Json,
    ) -> TokenResponse | OAuthError:
        """Store an access token, and a refresh token where the scopes include one, and return the response.

        Returns an error for somebody whom the directory has suspended.
        """
        now = clock.now()
        requester = replace(requester_from_principal(connection.principal), origin=origin)
        if requester.id in await self._directory.suspensions.among([requester.id]):
            return OAuthError("invalid_grant", _SUSPENDED)
        lifetime = min(policy(day_of(now)).app_token, connection.until - now)
        token, rows = self._signin.token_rows(
            requester, scopes, lifetime, client_id=client.client_id, connection_id=connection.connection_id
        )
        extra["token_type"] = "Bearer"  # noqa: S105 - SMART writes it so for apps, in lower case for Backend Services
        if connection.scopes & REFRESH_SCOPES:
            extra["refresh_token"] = generate_secret()
            token_hash = hash_secret(extra["refresh_token"])
            rows.append((authorization_store.REFRESH, (token_hash, connection.connection_id, connection.until)))
        if requester.only_person_id is not None:
            extra |= {"patient": str(requester.only_person_id), "need_patient_banner": True}
        await insert(conn, rows)
        return TokenResponse(access_token=token, scopes=scopes, lifetime=lifetime, extra=extra)

    async def _end_reused(
        self, conn: Connection, client: SoftwareClient, connection: AppConnection, origin: str, description: str
    ) -> OAuthError:
        await self._end(conn, client, connection, "reused", origin)
        return OAuthError("invalid_grant", description)

    async def _end(
        self, conn: Connection, client: SoftwareClient, connection: AppConnection, cause: str, origin: str
    ) -> None:
        """End a connection and append its entry; `cause` as in `AppEnded`."""
        if await authorization_store.end_connection(conn, connection.connection_id, clock.now()):
            event = AppEnded(client_id=client.client_id, app=client.name, cause=cause)
            person_id = requester_from_principal(connection.principal).only_person_id or NIL
            actor = Actor(kind="system", name=client.name, client=client.name)
            await insert(conn, self._journal.rows(event, person_id=person_id, actor=actor, origin=origin))

    def _return_or_raise(self, result: TokenResponse | OAuthError) -> TokenResponse:
        """Raise an error only here, after the commit: a connection that a refusal ended stays ended."""
        if isinstance(result, OAuthError):
            self._signin.forget_tokens()
            raise result
        return result


def verifies_challenge(verifier: str, challenge: str) -> bool:
    """Return whether a code_verifier matches a code_challenge (RFC 7636, section 4.6, method S256)."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    return hmac.compare_digest(digest, challenge.encode())

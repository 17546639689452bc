"""The token endpoint and what belongs to it: tokens for software itself and for apps, introspection, revocation.

Sources: HL7 SMART App Launch 2.2, "App Launch", "Backend Services" and "Token Introspection"; RFC 6749, RFC 7009,
RFC 7662.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from esante.core.journal import Journal
from esante.core.storage import Database
from esante.identity.access.authn.authentication import Authenticator, requester_from_principal, requester_of
from esante.identity.access.authn.rate_limits import RateLimits
from esante.identity.access.events import SignInRefused
from esante.identity.access.matrix import policy
from esante.identity.access.smart.client_assertion import Assertions, claimed
from esante.identity.access.smart.client_store import SoftwareClient
from esante.identity.access.smart.clients import Clients
from esante.identity.access.smart.id_token import Identity
from esante.identity.access.smart.protocol import Issued, OAuthError
from esante.identity.access.smart.scopes import INTROSPECT, common_scopes, parse_scope
from esante.identity.access.smart.token_grants import Connections
from esante.identity.directory import Directory

LIFETIME = timedelta(minutes=5)
"""Of a token that software gets for itself ("Backend Services" asks for no more)."""


class Smart:
    """Gives tokens, tells what they stand for, and takes them back. Refusals are counted and journalled."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        directory: Directory,
        signin: Authenticator,
        clients: Clients,
        connections: Connections,
        identity: Identity,
        limits: RateLimits,
    ) -> None:
        self._journal, self._directory, self._signin, self._limits = journal, directory, signin, limits
        self._connections, self._identity = connections, identity
        self._assertions = Assertions(db, clients, f"{identity.issuer}/oauth/token")

    async def token(self, form: Mapping[str, str], origin: str) -> Issued:
        """A token for the form of a token request; raises OAuthError, and Problem 429 after too many refusals."""
        try:
            match form.get("grant_type"):
                case "client_credentials":
                    return await self._own(await self._assertions.signed(form), form.get("scope", ""), origin)
                case "authorization_code":
                    return await self._connections.begin(await self._assertions.client(form), form, origin)
                case "refresh_token":
                    return await self._connections.go_on(await self._assertions.client(form), form, origin)
            raise OAuthError(
                "unsupported_grant_type", "grant_type is authorization_code, refresh_token or client_credentials"
            )
        except OAuthError as error:
            await self._refused(form, error, origin)
            raise

    async def revoke(self, form: Mapping[str, str], origin: str) -> None:
        """Take back a token of the client that asks, with all that belong to it; raises as `token`.

        A token that is not there, or another's, is answered alike (RFC 7009, section 2.2).
        """
        try:
            client = await self._assertions.client(form)
            if "token" not in form:
                raise OAuthError("invalid_request", "the parameter token is missing")
        except OAuthError as error:
            await self._refused(form, error, origin)
            raise
        await self._connections.give_back(client, form["token"], origin)

    async def introspect(self, authorization: str, form: Mapping[str, str], origin: str) -> dict[str, Any]:
        """What an access token stands for, to software that has a token itself (header `authorization`).

        One that holds the scope `__introspect` may ask for every token, any other for those of the same client.
        """
        try:
            asker = await self._signin.find_bearer_token(authorization)
            if asker is None or not asker.client_id:
                raise OAuthError("invalid_token", "send the bearer token of a registered client", 401)
        except OAuthError as error:
            await self._refused(form, error, origin)
            raise
        found = await self._signin.find_token(form.get("token", ""))
        if found is None or not (INTROSPECT in asker.scopes or asker.client_id == found.client_id):
            return {"active": False}
        requester = requester_from_principal(found.principal)
        told: dict[str, Any] = {
            "active": True,
            "scope": " ".join(sorted(found.scopes)),
            "client_id": found.client_id,
            "exp": int(found.expires_at.timestamp()),
            "token_type": "Bearer",
        }
        if requester.only_person_id is not None:
            told["patient"] = str(requester.only_person_id)
        if "openid" in found.scopes:
            told |= self._identity.claims(requester.kind, requester.id, with_user="fhirUser" in found.scopes)
        return told

    async def _own(self, client: SoftwareClient, scope: str, origin: str) -> Issued:
        """A token for software that acts for its organisation."""
        if client.organization_id is None:
            raise OAuthError("unauthorized_client", "this client acts for no organisation")
        common = common_scopes(scope.split(), client.scopes)
        scopes = frozenset(text for text in common if text == INTROSPECT or _is_own(text))
        if not scopes:
            raise OAuthError("invalid_scope", "none of the scopes asked for is allowed to this client")
        organization = await self._directory.organization(client.organization_id)
        if organization is None:
            raise OAuthError("invalid_client", "the client's organisation is no longer in the directory", 401)
        requester = replace(requester_of(organization), client=client.name, origin=origin)
        token = await self._signin.issue_token(requester, scopes, LIFETIME, client_id=client.client_id)
        return Issued(token=token, scopes=scopes, lifetime=LIFETIME)

    async def _refused(self, form: Mapping[str, str], error: OAuthError, origin: str) -> None:
        terms = policy(datetime.now(UTC).date())
        limits = {f"oauth:{origin}": terms.attempts_per_origin}
        await self._limits.count_attempts(limits, terms.attempt_window, origin=origin)
        told = SignInRefused(method="smart", subject=claimed(form), reason=error.error)
        await self._journal.append(told, origin=origin)


def _is_own(text: str) -> bool:
    scope = parse_scope(text)
    return scope is not None and scope.level == "system"

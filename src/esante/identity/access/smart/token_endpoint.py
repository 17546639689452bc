"""The token, introspection and revocation endpoints of OAuth 2.0.

Sources: HL7 SMART App Launch 2.2, "App Launch", "Backend Services" and "Token Introspection"; RFC 6749, RFC 7009,
RFC 7662.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from esante.core.storage import Database
from esante.core.types import Json
from esante.identity.access.authn.authentication import Authenticator
from esante.identity.access.authn.rate_limits import RateLimits
from esante.identity.access.authn.requesters import requester_from_principal, requester_of
from esante.identity.access.events import SignInRefused
from esante.identity.access.smart.client_assertion import ClientAuthenticator, claimed_client_id
from esante.identity.access.smart.client_store import SoftwareClient
from esante.identity.access.smart.clients import ClientRegistry
from esante.identity.access.smart.id_token import IdTokenIssuer
from esante.identity.access.smart.protocol import OAuthError, TokenResponse
from esante.identity.access.smart.scopes import INTROSPECTION_SCOPE, common_scopes, parse_scope
from esante.identity.access.smart.token_grants import TokenGrants
from esante.identity.directory import Directory

LIFETIME = timedelta(minutes=5)
"""Of a token of the grant type client_credentials ("Backend Services" recommends at most five minutes)."""


class TokenEndpoints:
    """Issues, introspects and revokes tokens; errors are counted against the rate limit and journalled."""

    def __init__(
        self,
        db: Database,
        directory: Directory,
        signin: Authenticator,
        clients: ClientRegistry,
        grants: TokenGrants,
        id_tokens: IdTokenIssuer,
        limits: RateLimits,
    ) -> None:
        self._directory, self._signin, self._limits = directory, signin, limits
        self._grants, self._id_tokens = grants, id_tokens
        self._authenticator = ClientAuthenticator(db, clients, f"{id_tokens.issuer}/oauth/token")

    async def issue(self, form: Mapping[str, str], origin: str) -> TokenResponse:
        """Return the response to the form of a token request.

        Raises: `OAuthError` for a request that is refused, `Problem` 429 after too many refusals.
        """
        try:
            match form.get("grant_type"):
                case "client_credentials":
                    client = await self._authenticator.authenticate_assertion(form)
                    return await self._issue_client_token(client, form.get("scope", ""), origin)
                case "authorization_code":
                    client = await self._authenticator.authenticate(form)
                    return await self._grants.exchange_code(client, form, origin)
                case "refresh_token":
                    client = await self._authenticator.authenticate(form)
                    return await self._grants.refresh(client, form, origin)
            raise OAuthError(
                "unsupported_grant_type", "grant_type must be authorization_code, refresh_token or client_credentials"
            )
        except OAuthError as error:
            await self._record_error(form, error, origin)
            raise

    async def revoke(self, form: Mapping[str, str], origin: str) -> None:
        """Revoke a token of the client that sends the form, with all tokens of its connection; raises as `issue`.

        An unknown token and another client's are answered alike (RFC 7009, section 2.2).
        """
        try:
            client = await self._authenticator.authenticate(form)
            if "token" not in form:
                raise OAuthError("invalid_request", "the parameter token is missing")
        except OAuthError as error:
            await self._record_error(form, error, origin)
            raise
        await self._grants.revoke(client, form["token"], origin)

    async def introspect(self, authorization: str, form: Mapping[str, str], origin: str) -> Json:
        """Return what an access token stands for (RFC 7662), to a client with a token (header `authorization`).

        A caller with the scope `__introspect` may introspect every token, any other only those of the same client.
        Raises: as `issue`.
        """
        try:
            caller = await self._signin.find_bearer_token(authorization)
            if caller is None or not caller.client_id:
                raise OAuthError("invalid_token", "send the bearer token of a registered client", 401)
        except OAuthError as error:
            await self._record_error(form, error, origin)
            raise
        token = await self._signin.find_token(form.get("token", ""))
        if token is None or not (INTROSPECTION_SCOPE in caller.scopes or caller.client_id == token.client_id):
            return {"active": False}
        requester = requester_from_principal(token.principal)
        if await self._signin.is_suspended(requester):
            return {"active": False}
        response: Json = {
            "active": True,
            "scope": " ".join(sorted(token.scopes)),
            "client_id": token.client_id,
            "exp": int(token.expires_at.timestamp()),
            "token_type": "Bearer",
        }
        if requester.only_person_id is not None:
            response["patient"] = str(requester.only_person_id)
        if "openid" in token.scopes:
            with_fhir_user = "fhirUser" in token.scopes
            response |= self._id_tokens.user_claims(requester.kind, requester.id, with_fhir_user=with_fhir_user)
        return response

    async def _issue_client_token(self, client: SoftwareClient, scope: str, origin: str) -> TokenResponse:
        """Issue a token to software that acts for its organisation (grant type client_credentials)."""
        if client.organization_id is None:
            raise OAuthError("unauthorized_client", "this client is not registered for an organisation")
        common = common_scopes(scope.split(), client.scopes)
        scopes = frozenset(text for text in common if text == INTROSPECTION_SCOPE or _is_system_scope(text))
        if not scopes:
            raise OAuthError("invalid_scope", "none of the requested scopes is allowed to this client")
        organization = await self._directory.organization(client.organization_id)
        if organization is None:
            raise OAuthError("invalid_client", "the client's organisation is no longer in the directory", 401)
        if await self._directory.suspensions.among([organization.id]):
            raise OAuthError("invalid_client", "the client's organisation is suspended", 401)
        requester = replace(requester_of(organization), client=client.name, origin=origin)
        token = await self._signin.issue_token(requester, scopes, LIFETIME, client_id=client.client_id)
        return TokenResponse(access_token=token, scopes=scopes, lifetime=LIFETIME)

    async def _record_error(self, form: Mapping[str, str], error: OAuthError, origin: str) -> None:
        """Count an error against the rate limit of its network (`Problem` 429 beyond it) and append its entry."""
        event = SignInRefused(method="smart", subject=claimed_client_id(form), reason=error.error)
        await self._limits.count_refused_sign_in(event, origin)


def _is_system_scope(text: str) -> bool:
    scope = parse_scope(text)
    return scope is not None and scope.level == "system"

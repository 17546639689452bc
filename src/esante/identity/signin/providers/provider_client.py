"""A client of one sign-in service: discovery, the code flow with PKCE, and the checks of ID tokens.

joserfc checks signatures and claims. Source: OpenID Connect Core 1.0, sections 3.1.2 and 3.1.3.7; OpenID Connect
Discovery 1.0, section 4; RFC 7636 (PKCE); RFC 9207 (issuer in responses); RFC 9700 (best current practice).
"""

import base64
import hashlib
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from esante.core import clock
from esante.core.types import Json
from esante.identity.signin.providers.configuration import Provider, is_secure

ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "RS384", "PS384", "EdDSA"]
"""Signatures with a key pair only: with a shared secret or none, whoever knows the client could sign."""
LEEWAY = 30
"""Tolerated difference of two clocks, in seconds."""
_METADATA_SECONDS, _KEYS_SECONDS = 3_600.0, 60.0
_LONGEST = 256 * 1024
_TIMEOUT = 10.0


class ProviderRefused(Exception):
    """The sign-in service did not say, or not credibly, who somebody is; `reason` is a key for the journal."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ProviderClient:
    """Talks to one sign-in service. What it publishes is kept for an hour, its keys until an unknown one is used."""

    def __init__(self, provider: Provider, redirect_uri: str, http: httpx.AsyncClient | None = None) -> None:
        self.provider, self.redirect_uri = provider, redirect_uri
        self._http = http or httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False, follow_redirects=False)
        self._metadata: tuple[float, Json] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def authorization_url(
        self, *, state: str, nonce: str, verifier: str, language: str, confirm: bool = False
    ) -> str:
        """Return where the browser goes to sign in; `confirm`: again, although it is signed in there.

        Raises: ProviderRefused when the service cannot be reached or publishes what cannot be used.
        """
        metadata = await self._discover()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.provider.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": self.provider.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "ui_locales": language,
        }
        if self.provider.acr_values:
            query["acr_values"] = self.provider.acr_values
        if confirm:
            query |= {"prompt": "login", "max_age": "0"}
        return f"{metadata['authorization_endpoint']}?{urlencode(query)}"

    async def check_response(self, query: Mapping[str, str]) -> str:
        """Return the code of a response. Raises: ProviderRefused for an error, or a response of another service."""
        metadata = await self._discover()
        issuer = query.get("iss")
        if issuer is None and metadata.get("authorization_response_iss_parameter_supported") is True:
            raise ProviderRefused("issuer")
        if issuer not in (None, self.provider.issuer):
            raise ProviderRefused("issuer")
        if "error" in query:
            raise ProviderRefused("denied" if query["error"] == "access_denied" else "provider_error")
        code = query.get("code", "")
        if not code:
            raise ProviderRefused("response")
        return code

    async def claims(self, code: str, verifier: str, nonce: str, *, since: datetime | None = None) -> Json:
        """Return the claims of the ID token for a code.

        `since`: when the person was sent to the service to sign in again; they must have done so after.
        Raises: ProviderRefused for anything that is not as it must be.
        """
        metadata = await self._discover()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": verifier,
        }
        auth = None
        if self.provider.secret:
            auth = httpx.BasicAuth(quote(self.provider.client_id, safe=""), quote(self.provider.secret, safe=""))
        else:
            form["client_id"] = self.provider.client_id
        answer = await self._fetch("POST", metadata["token_endpoint"], data=form, auth=auth)
        id_token = answer.get("id_token")
        if not isinstance(id_token, str):
            raise ProviderRefused("token")
        claims = await self._verify(id_token)
        self._check(claims, nonce, since)
        return claims

    async def _verify(self, id_token: str) -> Json:
        """Return the claims of a token that a key of the service signed; unknown keys are looked for once again."""
        for refresh in (False, True):
            keys = await self._fetch_keys(refresh=refresh)
            try:
                return dict(jwt.decode(id_token, keys, algorithms=ALGORITHMS).claims)
            except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
                if refresh:
                    raise ProviderRefused("signature") from error
        raise ProviderRefused("signature")

    def _check(self, claims: Json, nonce: str, since: datetime | None) -> None:
        registry = jwt.JWTClaimsRegistry(
            now=lambda: int(clock.now().timestamp()),
            leeway=LEEWAY,
            iss={"essential": True, "value": self.provider.issuer},
            aud={"essential": True, "value": self.provider.client_id},
            nonce={"essential": True, "value": nonce},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            registry.validate(claims)
        except (JoseError, ValueError, TypeError) as error:
            raise ProviderRefused("claims") from error
        audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if (len(audience) > 1 or "azp" in claims) and claims.get("azp") != self.provider.client_id:
            raise ProviderRefused("claims")
        if since is not None:
            signed_in_at = claims.get("auth_time")
            if isinstance(signed_in_at, bool) or not isinstance(signed_in_at, int | float):
                raise ProviderRefused("stale")
            if signed_in_at < since.timestamp() - LEEWAY:
                raise ProviderRefused("stale")

    async def _discover(self) -> Json:
        """Return what the service publishes about itself. Raises: ProviderRefused."""
        now = time.monotonic()
        if self._metadata is None or now - self._metadata[0] >= _METADATA_SECONDS:
            address = f"{self.provider.issuer.rstrip('/')}/.well-known/openid-configuration"
            found = await self._fetch("GET", address)
            if found.get("issuer") != self.provider.issuer:
                raise ProviderRefused("issuer")
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                if not isinstance(found.get(name), str) or not is_secure(found[name]):
                    raise ProviderRefused("metadata")
            self._metadata = now, found
        return self._metadata[1]

    async def _fetch_keys(self, *, refresh: bool) -> KeySet:
        now = time.monotonic()
        if self._keys is None or (refresh and now - self._keys[0] >= _KEYS_SECONDS):
            found = await self._fetch("GET", (await self._discover())["jwks_uri"])
            try:
                self._keys = now, KeySet.import_key_set(found)  # type: ignore[arg-type]
            except (JoseError, ValueError, TypeError, KeyError) as error:
                raise ProviderRefused("metadata") from error
        return self._keys[1]

    async def _fetch(self, method: str, address: str, **options: Any) -> Json:
        """Return the JSON object at an address. Raises: ProviderRefused."""
        try:
            async with self._http.stream(method, address, **options) as response:
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _LONGEST:
                        raise ProviderRefused("metadata")
            content = orjson.loads(body) if response.status_code == 200 else None
        except (httpx.HTTPError, orjson.JSONDecodeError) as error:
            raise ProviderRefused("unreachable") from error
        if not isinstance(content, dict):
            raise ProviderRefused("token" if method == "POST" else "unreachable")
        return content

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

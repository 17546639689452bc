"""The client registry: software with tokens of its own, and apps that people may use.

Sources: RFC 7591 (the names in a registration file), RFC 8252 and RFC 9700, section 2.1 (redirect addresses),
HL7 SMART App Launch 2.2, "Register App with EHR".
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from esante.core.journal import SYSTEM, Actor, Journal
from esante.core.storage import Database, insert
from esante.core.types import Json
from esante.core.web import Problem
from esante.identity.access.events import ClientRegistered
from esante.identity.access.smart import client_store
from esante.identity.access.smart.client_store import SoftwareClient
from esante.identity.access.smart.scopes import INTROSPECTION_SCOPE, NON_RESOURCE_SCOPES, parse_scope
from esante.identity.directory import Directory

MAX_TEXT_LENGTH = 256
MAX_URI_LENGTH = 2_000
_MIN_RSA_BITS = 2_048
_CACHE_SECONDS = 5.0
_CLIENT_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")
_HOST_NAME = re.compile(r"[a-z0-9.-]+|[0-9a-f:]+")
_LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")
_DEFAULT_PORTS = {"https": 443, "http": 80}
_REGISTRATION_FIELDS = {
    "client_id",
    "client_name",
    "maker",
    "organization",
    "redirect_uris",
    "launch_url",
    "scope",
    "jwks",
}


class ClientRegistry:
    """Registers clients and finds them."""

    def __init__(self, db: Database, journal: Journal, directory: Directory) -> None:
        self._db, self._journal, self._directory = db, journal, directory
        self._origins: tuple[float, frozenset[str]] = (-_CACHE_SECONDS, frozenset())

    async def find(self, client_id: str) -> SoftwareClient | None:
        """Return a registered client that is not disabled, or None."""
        return await client_store.find_client(self._db, client_id) if _CLIENT_ID.fullmatch(client_id) else None

    async def all(self) -> list[SoftwareClient]:
        """Return every registered client, the disabled ones too, by name."""
        return await client_store.fetch_clients(self._db)

    async def find_all(self, client_ids: Sequence[str]) -> dict[str, SoftwareClient]:
        """Return the registered clients among `client_ids`, the disabled ones too, by id."""
        return {client.client_id: client for client in await client_store.fetch_clients(self._db, client_ids)}

    async def launchable(self) -> list[SoftwareClient]:
        """Return the apps that the portal can launch, by name."""
        return [client for client in await self.all() if client.launch_url and not client.disabled]

    async def register(self, client: SoftwareClient, *, actor: Actor = SYSTEM, origin: str = "") -> None:
        """Register a client or replace its registration.

        Raises: `ValueError` when the registration is not valid (see `check_client`), or its organisation is unknown.
        """
        check_client(client)
        if client.organization_id and await self._directory.organization(client.organization_id) is None:
            raise ValueError(f"client {client.client_id}: its organisation is not in the directory")
        event = ClientRegistered(
            client_id=client.client_id,
            organization_id=client.organization_id,
            scopes=" ".join(sorted(client.scopes)),
            redirect_uris=client.redirect_uris,
            launch_url=client.launch_url,
            disabled=client.disabled,
        )
        async with self._db.transaction() as conn:
            await client_store.upsert_client(conn, client)
            await insert(conn, self._journal.rows(event, actor=actor, origin=origin))

    async def disable(self, client_id: str) -> None:
        """Disable a client: it gets no more tokens, and those it has are no longer valid.

        Raises: `LookupError` when no such client is registered.
        """
        client = (await self.find_all([client_id])).get(client_id)
        if client is None:
            raise LookupError(f"no client is registered as {client_id!r}")
        await self.register(replace(client, disabled=True))

    async def parse_registration(self, registration: Mapping[str, Any]) -> SoftwareClient:
        """Return the client that a registration file describes.

        Raises: `ValueError` for a field that is unknown, missing or of a wrong type, or an unknown organisation.
        """
        unknown = set(registration) - _REGISTRATION_FIELDS
        if unknown:
            raise ValueError(
                f"unknown fields: {', '.join(sorted(unknown))} (known: {', '.join(sorted(_REGISTRATION_FIELDS))})"
            )
        uris = registration.get("redirect_uris", [])
        jwks = registration.get("jwks", {})
        if not isinstance(uris, list) or not isinstance(jwks, dict):
            raise ValueError(  # noqa: TRY004 - one exception class for a wrong file
                "redirect_uris must be a list of addresses, jwks an object"
            )
        organization = registration.get("organization")
        return SoftwareClient(
            client_id=_require_text(registration.get("client_id"), "client_id"),
            name=_require_text(registration.get("client_name"), "client_name"),
            maker=_require_text(registration.get("maker", ""), "maker"),
            organization_id=await self._find_organization(organization) if "organization" in registration else None,
            jwks=jwks,
            scopes=frozenset(_require_text(registration.get("scope"), "scope").split()),
            redirect_uris=tuple(_require_text(uri, "redirect_uris") for uri in uris),
            launch_url=_require_text(registration.get("launch_url", ""), "launch_url"),
        )

    async def _find_organization(self, identifier: Any) -> UUID:
        """Return the key of the organisation with an identifier `system|value`."""
        system, _, value = _require_text(identifier, "organization").rpartition("|")
        try:
            organization = await self._directory.find_organization(system or None, value)
        except Problem as problem:
            raise ValueError(f"organization: {problem.title}") from problem
        if organization is None:
            raise ValueError("organization: no organisation in the directory has this identifier (system|value)")
        return organization.id

    async def knows_origin(self, origin: str) -> bool:
        """Return whether a web origin (RFC 6454) is that of an enabled app; cached for a few seconds."""
        now = time.monotonic()
        read_at, origins = self._origins
        if now - read_at >= _CACHE_SECONDS:
            origins = frozenset(
                source
                for client in await self.all()
                if not client.disabled
                for uri in (*client.redirect_uris, client.launch_url)
                if uri and (source := uri_origin(uri)).startswith("http")
            )
            self._origins = now, origins
        return origin in origins


def check_client(client: SoftwareClient) -> None:
    """Check that id, name, addresses, scopes and keys of a client are valid and fit each other.

    Raises: `ValueError` for the first fault.
    """
    try:
        _check_names(client)
        _check_addresses(client)
        _check_scopes(client)
        if client.jwks:
            _check_keys(client.jwks)
    except ValueError as error:
        raise ValueError(f"client {client.client_id}: {error}") from error


def uri_origin(uri: str) -> str:
    """Return the web origin (RFC 6454) of an app's address, or `scheme:` (CSP 3) for a private-use scheme."""
    parts = urlsplit(uri)
    if parts.scheme not in _DEFAULT_PORTS:
        return f"{parts.scheme}:"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def _check_names(client: SoftwareClient) -> None:
    if not _CLIENT_ID.fullmatch(client.client_id):
        raise ValueError("client_id: must be 1 to 128 letters, digits and . _ ~ -")
    for name, text in (("client_name", client.name), ("maker", client.maker)):
        if len(text) > MAX_TEXT_LENGTH or not text.isprintable() or (name == "client_name" and not text.strip()):
            raise ValueError(f"{name}: must be up to {MAX_TEXT_LENGTH} printable characters")
    if client.redirect_uris and not client.maker.strip():
        raise ValueError("maker: is missing; people who authorize an app are shown who makes it")


def _check_addresses(client: SoftwareClient) -> None:
    for uri in client.redirect_uris:
        parts = _split_uri(uri)
        if not (_is_web_address(parts) or _PRIVATE_SCHEME.fullmatch(parts.scheme)):
            rule = "must be https, http on loopback (127.0.0.1), or of a private-use scheme like lu.example.app"
            raise ValueError(f"redirect_uris: {uri!r} {rule}")
    if client.launch_url and not _is_web_address(_split_uri(client.launch_url)):
        raise ValueError("launch_url: must be https, or http on loopback (127.0.0.1)")
    if client.launch_url and not client.redirect_uris:
        raise ValueError("launch_url: an app that the portal launches needs redirect_uris too")


def _check_scopes(client: SoftwareClient) -> None:
    system_scopes: set[str] = set()
    user_scopes: set[str] = set()
    for text in client.scopes:
        scope = parse_scope(text)
        if scope is None and text not in NON_RESOURCE_SCOPES:
            raise ValueError(f"scope: {text!r} is not a scope; write for example patient/Observation.rs")
        is_system = text == INTROSPECTION_SCOPE or (scope and scope.level == "system")
        (system_scopes if is_system else user_scopes).add(text)
    if not client.scopes:
        raise ValueError("scope: is empty")
    if system_scopes and (client.organization_id is None or not client.jwks):
        raise ValueError(f"scope: {min(system_scopes)} needs an organization and a key set (jwks)")
    if user_scopes and not client.redirect_uris:
        raise ValueError(f"scope: {min(user_scopes)} is for apps, which need redirect_uris")
    if client.redirect_uris and not any(parse_scope(text) or text == "openid" for text in user_scopes):
        raise ValueError("scope: an app needs scopes on resources, or openid")


def _check_keys(jwks: Json) -> None:
    try:
        keys = KeySet.import_key_set(jwks)  # type: ignore[arg-type]
    except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("jwks: the key set cannot be read") from error
    if not keys.keys or len(keys.keys) != len(jwks["keys"]):
        raise ValueError("jwks: a key is missing or of an unknown type")
    for data, key in zip(jwks["keys"], keys.keys, strict=True):
        if not data.get("kid") or key.is_private or not _is_strong(key):
            raise ValueError("jwks: each key must be public, have a kid, and be EC P-384 or RSA of 2048 bits or more")


def _is_strong(key: Any) -> bool:
    if isinstance(key, ECKey):
        return key.curve_name == "P-384"
    return isinstance(key, RSAKey) and key.public_key.key_size >= _MIN_RSA_BITS


def _split_uri(uri: str) -> SplitResult:
    """Return the parts of an address; raise ValueError for one that could be read in two ways."""
    clean = uri.isascii() and uri.isprintable() and not set(uri) & set(' "<>\\^`{|}#') and len(uri) <= MAX_URI_LENGTH
    parts = urlsplit(uri)
    if not clean or "@" in parts.netloc or parts.port == 0 or ".." in parts.path.split("/"):
        raise ValueError(f"{uri[:100]!r} is not an absolute address without user and fragment")
    if not uri.startswith(f"{parts.scheme}:") or parts.netloc != parts.netloc.lower():
        raise ValueError(f"{uri[:100]!r}: scheme and host must be in lower case")
    return parts


def _is_web_address(parts: SplitResult) -> bool:
    if parts.scheme == "https":
        return bool(_HOST_NAME.fullmatch(parts.hostname or ""))
    return parts.scheme == "http" and parts.hostname in _LOOPBACK_HOSTS


def _require_text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name}: must be a string")  # noqa: TRY004 - one exception class for a wrong file
    return value

"""The registry of software: who may sign in for itself, and which apps people may use.

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
from esante.core.web import Problem
from esante.identity.access.events import ClientRegistered
from esante.identity.access.smart import client_store
from esante.identity.access.smart.client_store import SoftwareClient
from esante.identity.access.smart.scopes import INTROSPECT, PLAIN, parse_scope
from esante.identity.directory import Directory

MAX_TEXT = 256
MAX_URI = 2_000
_MIN_RSA_BITS = 2_048
_CACHE_SECONDS = 5.0
_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")
_HOST = re.compile(r"[a-z0-9.-]+|[0-9a-f:]+")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_PORTS = {"https": 443, "http": 80}
_FIELDS = {
    "client_id",
    "client_name",
    "maker",
    "organization",
    "redirect_uris",
    "launch_url",
    "scope",
    "jwks",
}


class Clients:
    """Registers software, and finds it."""

    def __init__(self, db: Database, journal: Journal, directory: Directory) -> None:
        self._db, self._journal, self._directory = db, journal, directory
        self._origins: tuple[float, frozenset[str]] = (-_CACHE_SECONDS, frozenset())

    async def find(self, client_id: str) -> SoftwareClient | None:
        """A registered client that is not disabled."""
        return await client_store.client(self._db, client_id) if _ID.fullmatch(client_id) else None

    async def all(self) -> list[SoftwareClient]:
        """Every registered client, the disabled ones too, by name."""
        return await client_store.clients(self._db)

    async def named(self, client_ids: Sequence[str]) -> dict[str, SoftwareClient]:
        """Registered clients by id, the disabled ones too."""
        return {client.client_id: client for client in await client_store.clients(self._db, client_ids)}

    async def launchable(self) -> list[SoftwareClient]:
        """The apps that the portal can open, by name."""
        return [client for client in await self.all() if client.launch_url and not client.disabled]

    async def register(self, client: SoftwareClient, *, actor: Actor = SYSTEM, origin: str = "") -> None:
        """Register a client or replace its registration; ValueError for what cannot serve."""
        check_client(client)
        if client.organization_id and await self._directory.organization(client.organization_id) is None:
            raise ValueError(f"client {client.client_id}: its organisation is not in the directory")
        told = ClientRegistered(
            client_id=client.client_id,
            organization_id=client.organization_id,
            scopes=" ".join(sorted(client.scopes)),
            redirect_uris=client.redirect_uris,
            launch_url=client.launch_url,
            disabled=client.disabled,
        )
        async with self._db.transaction() as conn:
            await client_store.put_client(conn, client)
            await insert(conn, self._journal.rows(told, actor=actor, origin=origin))

    async def disable(self, client_id: str) -> None:
        """End the use of a client: it gets no token any more, and those it has serve no longer. LookupError."""
        known = (await self.named([client_id])).get(client_id)
        if known is None:
            raise LookupError(f"no client is registered as {client_id!r}")
        await self.register(replace(known, disabled=True))

    async def read(self, given: Mapping[str, Any]) -> SoftwareClient:
        """The client that a registration file describes; ValueError says what is wrong with it."""
        unknown = set(given) - _FIELDS
        if unknown:
            raise ValueError(f"not understood: {', '.join(sorted(unknown))} (known are {', '.join(sorted(_FIELDS))})")
        uris = given.get("redirect_uris", [])
        jwks = given.get("jwks", {})
        if not isinstance(uris, list) or not isinstance(jwks, dict):
            raise ValueError("redirect_uris is a list of addresses, jwks an object")  # noqa: TRY004 - one kind of error
        return SoftwareClient(
            client_id=_text(given.get("client_id"), "client_id"),
            name=_text(given.get("client_name"), "client_name"),
            maker=_text(given.get("maker", ""), "maker"),
            organization_id=await self._organization(given["organization"]) if "organization" in given else None,
            jwks=jwks,
            scopes=frozenset(_text(given.get("scope"), "scope").split()),
            redirect_uris=tuple(_text(uri, "redirect_uris") for uri in uris),
            launch_url=_text(given.get("launch_url", ""), "launch_url"),
        )

    async def _organization(self, wanted: Any) -> UUID:
        system, _, value = _text(wanted, "organization").rpartition("|")
        try:
            found = await self._directory.find_organization(system or None, value)
        except Problem as problem:
            raise ValueError(f"organization: {problem.title}") from problem
        if found is None:
            raise ValueError("organization: nobody in the directory has this identifier (system|value)")
        return found.id

    async def knows_origin(self, origin: str) -> bool:
        """Whether an app that is not disabled is at home at a web origin (RFC 6454); believed for a few seconds."""
        now = time.monotonic()
        read_at, origins = self._origins
        if now - read_at >= _CACHE_SECONDS:
            origins = frozenset(
                source
                for client in await self.all()
                if not client.disabled
                for uri in (*client.redirect_uris, client.launch_url)
                if uri and (source := source_of(uri)).startswith("http")
            )
            self._origins = now, origins
        return origin in origins


def check_client(client: SoftwareClient) -> None:
    """ValueError unless id, name, addresses, scopes and keys can serve, and fit each other."""
    try:
        _check_names(client)
        _check_addresses(client)
        _check_scopes(client)
        if client.jwks:
            _check_keys(client.jwks)
    except ValueError as error:
        raise ValueError(f"client {client.client_id}: {error}") from error


def source_of(uri: str) -> str:
    """Where an address of an app leads, as the origin (RFC 6454) or, of a scheme of its own, `scheme:` (CSP 3)."""
    parts = urlsplit(uri)
    if parts.scheme not in _PORTS:
        return f"{parts.scheme}:"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port in (None, _PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def _check_names(client: SoftwareClient) -> None:
    if not _ID.fullmatch(client.client_id):
        raise ValueError("client_id: 1 to 128 letters, digits and . _ ~ -")
    for name, text in (("client_name", client.name), ("maker", client.maker)):
        if len(text) > MAX_TEXT or not text.isprintable() or (name == "client_name" and not text.strip()):
            raise ValueError(f"{name}: up to {MAX_TEXT} printable characters")
    if client.redirect_uris and not client.maker.strip():
        raise ValueError("maker: whoever allows an app to see something is told who makes it")


def _check_addresses(client: SoftwareClient) -> None:
    for uri in client.redirect_uris:
        parts = _split(uri)
        if not (_on_the_web(parts) or _PRIVATE_SCHEME.fullmatch(parts.scheme)):
            rule = "must be https, http on this machine (127.0.0.1), or of a scheme like lu.example.app"
            raise ValueError(f"redirect_uris: {uri!r} {rule}")
    if client.launch_url and not _on_the_web(_split(client.launch_url)):
        raise ValueError("launch_url: must be https, or http on this machine (127.0.0.1)")
    if client.launch_url and not client.redirect_uris:
        raise ValueError("launch_url: an app that is opened needs a redirect address too")


def _check_scopes(client: SoftwareClient) -> None:
    own: set[str] = set()
    people: set[str] = set()
    for text in client.scopes:
        scope = parse_scope(text)
        if scope is None and text not in PLAIN:
            raise ValueError(f"scope: {text!r} is none; they are like patient/Observation.rs")
        (own if text == INTROSPECT or (scope and scope.level == "system") else people).add(text)
    if not client.scopes:
        raise ValueError("scope: none is given")
    if own and (client.organization_id is None or not client.jwks):
        raise ValueError(f"scope: {min(own)} is for software of an organisation that has a key")
    if people and not client.redirect_uris:
        raise ValueError(f"scope: {min(people)} is for apps, which need redirect_uris")
    if client.redirect_uris and not any(parse_scope(text) or text == "openid" for text in people):
        raise ValueError("scope: an app needs scopes on resources, or openid")


def _check_keys(jwks: dict[str, Any]) -> None:
    try:
        keys = KeySet.import_key_set(jwks)  # type: ignore[arg-type]
    except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("its key set cannot be read") from error
    if not keys.keys or len(keys.keys) != len(jwks["keys"]):
        raise ValueError("a key is missing or of an unknown kind")
    for data, key in zip(jwks["keys"], keys.keys, strict=True):
        if not data.get("kid") or key.is_private or not _usable(key):
            raise ValueError("each key must be public, have a kid, and be EC P-384 or RSA of 2048 bits or more")


def _usable(key: Any) -> bool:
    if isinstance(key, ECKey):
        return key.curve_name == "P-384"
    return isinstance(key, RSAKey) and key.public_key.key_size >= _MIN_RSA_BITS


def _split(uri: str) -> SplitResult:
    """An address in its parts; ValueError for what could be read in two ways."""
    clean = uri.isascii() and uri.isprintable() and not set(uri) & set(' "<>\\^`{|}#') and len(uri) <= MAX_URI
    parts = urlsplit(uri)
    if not clean or "@" in parts.netloc or parts.port == 0 or ".." in parts.path.split("/"):
        raise ValueError(f"{uri[:100]!r} is not an absolute address without user and fragment")
    if not uri.startswith(f"{parts.scheme}:") or parts.netloc != parts.netloc.lower():
        raise ValueError(f"{uri[:100]!r}: write scheme and host in small letters")
    return parts


def _on_the_web(parts: SplitResult) -> bool:
    if parts.scheme == "https":
        return bool(_HOST.fullmatch(parts.hostname or ""))
    return parts.scheme == "http" and parts.hostname in _LOOPBACK


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name}: a text is missing")  # noqa: TRY004 - one kind of error for a wrong file
    return value

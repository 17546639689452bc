"""Signing in with a sign-in service (OpenID Connect): who somebody is, by an identifier of the directory only."""

import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from esante.core import clock
from esante.core.time_zone import today
from esante.core.types import Json
from esante.core.web import N_, NOT_FOUND, Problem, language_of, origin_of, redirect
from esante.identity.access import ASSURANCE_LEVELS, Access, Requester
from esante.identity.directory import Directory
from esante.identity.signin.accounts.holders import Holders, holder_of
from esante.identity.signin.ceremonies import Ceremonies
from esante.identity.signin.providers.configuration import Link, Provider
from esante.identity.signin.providers.provider_client import ProviderClient, ProviderRefused

METHOD = "oidc"
_UNAVAILABLE = ("unreachable", "metadata", "issuer", "provider_error")


class Providers:
    """The sign-in services. The way back of each has an address of its own, which names the service."""

    def __init__(
        self,
        access: Access,
        directory: Directory,
        holders: Holders,
        ceremonies: Ceremonies,
        providers: Mapping[str, Provider],
        base_url: str,
    ) -> None:
        self._access, self._directory = access, directory
        self._holders, self._ceremonies = holders, ceremonies
        self._clients = {
            key: ProviderClient(provider, f"{base_url}/signin/with/{key}/callback")
            for key, provider in providers.items()
        }

    def offered(self) -> list[tuple[Provider, Link]]:
        """Return the services with the kinds of people who sign in by each, in the order of the file."""
        return [(one.provider, link) for one in self._clients.values() for link in one.provider.links]

    def find(self, key: str) -> Provider | None:
        """Return a service, or None."""
        client = self._clients.get(key)
        return client.provider if client else None

    async def start(self, request: Request, key: str, kind: str, to: str, *, confirm: bool = False) -> Response:
        """Send the browser to a service. Raises: Problem 404 for an unknown one, 503 for one that does not answer."""
        client = self._client(key)
        if client.provider.link(kind) is None:
            raise Problem(404, "not-found", NOT_FOUND)
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        try:
            address = await client.authorization_url(
                state=state, nonce=nonce, verifier=verifier, language=language_of(request), confirm=confirm
            )
        except ProviderRefused as error:
            raise await self._refuse(request, error.reason) from error
        content = {"state": state, "nonce": nonce, "verifier": verifier, "kind": kind, "to": to}
        if confirm:
            content["since"] = clock.now().isoformat()
        response = redirect(address)
        await self._ceremonies.begin(request, response, _purpose(key), content)
        return response

    async def finish(self, request: Request, key: str) -> Response:
        """Start the session of whoever comes back from a service, or keep that they confirmed who they are.

        Raises: Problem 403 for a response that is not valid, or somebody whom the directory does not know; journalled.
        """
        client = self._client(key)
        ceremony = await self._ceremonies.take(request, _purpose(key))
        try:
            claims = await self._claims(client, ceremony, request.query_params)
        except ProviderRefused as error:
            raise await self._refuse(request, error.reason) from error
        assert ceremony is not None  # `_claims` refuses without one
        link = client.provider.link(ceremony["kind"])
        requester = await self._requester(link, claims) if link else None
        if requester is None:
            raise await self._refuse(request, "unknown_holder")
        acr = claims.get("acr")
        level = client.provider.level_of(acr if isinstance(acr, str) else "", today())
        if "since" in ceremony:
            return await self._confirm(request, requester, key, level, ceremony["to"])
        to = await self._holders.first_page(requester, ceremony["to"])
        return await self._access.sign_in(request, requester, method=METHOD, to=to, assurance=level, provider=key)

    async def _claims(self, client: ProviderClient, ceremony: Json | None, query: Mapping[str, str]) -> Json:
        if ceremony is None or not hmac.compare_digest(query.get("state", "").encode(), ceremony["state"].encode()):
            raise ProviderRefused("state")
        code = await client.check_response(query)
        since = datetime.fromisoformat(ceremony["since"]) if "since" in ceremony else None
        return await client.claims(code, ceremony["verifier"], ceremony["nonce"], since=since)

    async def _requester(self, link: Link, claims: Json) -> Requester | None:
        """Return whose identifier a claim is; None where it is of nobody, or of several."""
        value = claims.get(link.claim)
        if not isinstance(value, str) or not value.strip():
            return None
        system = link.system
        known = {one.key: one.uri for one in self._directory.catalogue.systems}
        system, value = known.get(system, system), value.strip()
        if link.kind == "patient":
            person = await self._directory.find_person(system, value)
            return await self._holders.find("patient", person.id) if person else None
        practitioner = await self._directory.find_practitioner(system, value)
        return await self._holders.find("practitioner", practitioner.id) if practitioner else None

    async def _confirm(self, request: Request, requester: Requester, key: str, level: str, to: str) -> Response:
        signed_in = await self._access.page_requester(request, kinds=("patient", "practitioner"))
        if holder_of(signed_in).id != holder_of(requester).id:
            raise await self._refuse(request, "holder")
        before = signed_in.authentication
        if before is None or ASSURANCE_LEVELS.index(level) < ASSURANCE_LEVELS.index(before.assurance):
            raise await self._refuse(request, "assurance")
        return await self._access.confirm(request, method=METHOD, assurance=level, provider=key, to=to)

    def _client(self, key: str) -> ProviderClient:
        client = self._clients.get(key)
        if client is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return client

    async def _refuse(self, request: Request, reason: str) -> Problem:
        """Count and journal a refusal; return it. Raises: Problem 429 after too many from a network."""
        await self._access.refuse_sign_in(method=METHOD, reason=reason, origin=origin_of(request))
        if reason in _UNAVAILABLE:
            return Problem(
                503,
                "transient",
                N_("The sign-in service does not answer as it should."),
                remedy=N_("Try again later, or sign in in another way."),
            )
        if reason == "denied":
            return Problem(
                403,
                "sign-in-refused",
                N_("You did not sign in at the sign-in service."),
                remedy=N_("Try again, or sign in in another way."),
            )
        return Problem(
            403,
            "sign-in-refused",
            N_("We could not sign you in with this service."),
            remedy=N_(
                "Try again. If it does not work, contact the helpdesk: perhaps the directory does not know you."
            ),
        )


def _purpose(key: str) -> str:
    return f"oidc:{key}"

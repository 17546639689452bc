"""The use cases of sites: ask for a connection, decide, change, suspend, put into quarantine, end."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

from asyncpg import UniqueViolationError

from esante.core import clock
from esante.core.journal import SYSTEM, Actor, Event, Initiator, Journal
from esante.core.storage import NIL, Connection, Database, insert, uuid7
from esante.core.web import (
    N_,
    NOT_FOUND,
    Page,
    Problem,
    bad_request,
    clean_text,
    decode_uuid_cursor,
    encode_cursor,
)
from esante.identity.access import Requester, require_operator
from esante.identity.directory import Address, Directory
from esante.services.healthnet.addresses.service import Addresses
from esante.services.healthnet.policy.model import PLATFORM, Site
from esante.services.healthnet.sites import rules, site_store
from esante.services.healthnet.sites.model import (
    Contact,
    NetworkSite,
    SiteChanged,
    SiteDecided,
    SiteEnded,
    SiteEnrolled,
    SiteQuarantined,
    SiteRequest,
    SiteRequested,
    SiteState,
    SiteSuspended,
)
from esante.services.healthnet.sites.providers import Provider, acts_for, codes_of, find_provider
from esante.services.healthnet.sites.service_classes import service_classes

PAGE_SIZE = 20
_CODE = re.compile(r"\d{8}", re.ASCII)


class Sites:
    """The sites of the network."""

    def __init__(self, db: Database, journal: Journal, directory: Directory, addresses: Addresses) -> None:
        self._db, self._journal, self._directory, self._addresses = db, journal, directory, addresses

    async def request(self, requester: Requester, request: SiteRequest) -> NetworkSite:
        """Ask for a connection of a provider's place; return the site.

        Raises: Problem 400 for a wrong value, 404 for a code that the directory does not have or for which the
        requester does not act (both alike), 409 for a place that has a connection.
        """
        code = request.provider_code.replace("-", "").replace(" ", "")
        if not _CODE.fullmatch(code):
            raise bad_request("provider_code", N_("A provider code has eight digits."), code="value")
        provider = await find_provider(self._directory, code)
        if provider is None or not acts_for(requester, provider):
            raise Problem(404, "not-found", N_("The directory has no provider with this code for whom you may act."))
        return await self._request(requester, provider, request)

    async def request_platform(self, requester: Requester, name: str, request: SiteRequest) -> NetworkSite:
        """Ask for a site of the agency itself, of kind `platform`, which has no provider code; return it.

        The directory has no such provider: an operator names the place, and another one decides.
        Raises: Problem 403 for others than operators, 400 for a wrong value or a provider code, 409 for a label that
        another site of the agency has.
        """
        require_operator(requester)
        if request.provider_code:
            raise bad_request("provider_code", N_("A site of the agency has no provider code."), code="value")
        own = Provider(code="", holder_id=NIL, name=clean_text(name, 2, 120, "name"), kind=PLATFORM)
        return await self._request(requester, own, request)

    async def _request(self, requester: Requester, provider: Provider, request: SiteRequest) -> NetworkSite:
        site = NetworkSite(
            site_id=uuid7(),
            key="",
            provider_code=provider.code,
            name=provider.name,
            label=clean_text(request.label, 1, 80, "label"),
            kind=provider.kind,
            profession=provider.profession,
            address=_address(request.address),
            service_class=_service_class(request.service_class),
            contact=_contact(request.contact),
            state=SiteState.REQUESTED,
            is_quarantined=False,
            requested_at=clock.now(),
            requested_by=requester.name,
            requested_by_id=requester.id,
        )
        async with self._written() as conn:
            site = replace(site, key=rules.site_key(await site_store.next_number(conn)))
            event = SiteRequested(site=site.key, provider_code=site.provider_code, service_class=site.service_class)
            await insert(conn, [site_store.site_row(site), *self._journal.rows_for(requester, event)])
        return site

    async def decide(self, requester: Requester, site_id: UUID, *, approved: bool, reason: str = "") -> NetworkSite:
        """Approve a request, which gives the site its addresses, or refuse it with a reason; return the site.

        Raises: Problem 403 for others than operators and for the operator who asked, 404, 400 without a reason, 409
        when it was decided before or the plan has no address left.
        """
        require_operator(requester)
        text = clean_text(reason, 0 if approved else 10, 500, "reason")
        async with self._changed(requester, site_id, "decide") as (conn, site):
            if site.requested_by_id == requester.id:
                raise Problem(403, "forbidden", N_("Somebody else must decide about your request."))
            state = SiteState.APPROVED if approved else SiteState.REFUSED
            site = replace(site, state=state, decided_at=clock.now(), decided_by=requester.name, reason=text)
            await self._store(conn, requester, site, SiteDecided(site=site.key, approved=approved, reason=text))
            if approved:
                await self._addresses.assign(conn, requester, site.site_id, site.key)
        return site

    async def record_gateway(self, site_id: UUID, wireguard_key: str) -> NetworkSite:
        """Keep that the gateway of a site came up with a public key, at first or a new one; return the site.

        The controller calls this when an agent has enrolled.
        Raises: Problem 400 for what is no key, 404, 409 for a site whose state does not allow it or a key that another
        site has.
        """
        if not rules.is_wireguard_key(wireguard_key):
            raise bad_request("wireguard_key", N_("This is not a public key of WireGuard."), code="value")
        async with self._written() as conn:
            site = await site_store.fetch(conn, site_id, lock=True)
            if site is None:
                raise Problem(404, "not-found", NOT_FOUND)
            if site.state not in rules.ALLOWED["connect"]:
                raise _not_now()
            if site.wireguard_key == wireguard_key and site.state is SiteState.ACTIVE:
                return site
            site = replace(site, state=SiteState.ACTIVE, wireguard_key=wireguard_key, enrolled_at=clock.now())
            fingerprint = hashlib.sha256(base64.b64decode(wireguard_key)).hexdigest()
            await self._store(conn, Gateway(""), site, SiteEnrolled(site=site.key, fingerprint=fingerprint))
        return site

    async def change(
        self,
        requester: Requester,
        site_id: UUID,
        *,
        contact: Contact | None = None,
        service_class: str | None = None,
        label: str | None = None,
        address: Address | None = None,
    ) -> NetworkSite:
        """Change a site, or move it to another address; return it. What is None stays.

        Raises: Problem 400 for a wrong value, 404, 409 for an ended site or a label that another place has.
        """
        values = {
            "contact": _contact(contact) if contact else None,
            "service_class": _service_class(service_class) if service_class is not None else None,
            "label": clean_text(label, 1, 80, "label") if label is not None else None,
            "address": _address(address) if address else None,
        }
        async with self._changed(requester, site_id, "change") as (conn, site):
            fields = tuple(name for name, value in values.items() if value not in (None, getattr(site, name)))
            if fields:
                site = replace(site, **{name: values[name] for name in fields})  # type: ignore[arg-type]
                await self._store(conn, requester, site, SiteChanged(site=site.key, fields=fields))
        return site

    async def suspend(self, requester: Requester, site_id: UUID, reason: str) -> NetworkSite:
        """Take a site off the network until it is resumed; return it. Raises: Problem 403, 404, 400, 409."""
        require_operator(requester)
        return await self._set_suspended(requester, site_id, reason, suspended=True)

    async def resume(self, requester: Requester, site_id: UUID, reason: str) -> NetworkSite:
        """End the suspension of a site; return it. Raises: Problem 403, 404, 400, 409."""
        require_operator(requester)
        return await self._set_suspended(requester, site_id, reason, suspended=False)

    async def _set_suspended(
        self, requester: Requester, site_id: UUID, reason: str, *, suspended: bool
    ) -> NetworkSite:
        text = clean_text(reason, 10, 500, "reason")
        async with self._changed(requester, site_id, "suspend" if suspended else "resume") as (conn, site):
            back = SiteState.ACTIVE if site.wireguard_key else SiteState.APPROVED
            site = replace(site, state=SiteState.SUSPENDED if suspended else back)
            await self._store(conn, requester, site, SiteSuspended(site=site.key, suspended=suspended, reason=text))
        return site

    async def quarantine(self, requester: Requester, site_id: UUID, reason: str, *, quarantined: bool) -> NetworkSite:
        """Put a site into quarantine, which keeps the flows that the policy chose, or out of it; return it.

        Raises: Problem 403 for others than operators, 404, 400 without a reason, 409 for one that is so already.
        """
        require_operator(requester)
        text = clean_text(reason, 10, 500, "reason")
        async with self._changed(requester, site_id, "quarantine") as (conn, site):
            if site.is_quarantined == quarantined:
                raise _not_now()
            site = replace(site, is_quarantined=quarantined)
            event = SiteQuarantined(site=site.key, quarantined=quarantined, reason=text)
            await self._store(conn, requester, site, event)
        return site

    async def end(self, requester: Requester, site_id: UUID, reason: str) -> NetworkSite:
        """End a connection for good: its addresses and key end with it; return the site.

        Raises: Problem 404 for a site for which the requester does not act, 400 without a reason, 409.
        """
        text = clean_text(reason, 10, 500, "reason")
        async with self._changed(requester, site_id, "end") as (conn, site):
            site = replace(site, state=SiteState.ENDED, ended_at=clock.now(), wireguard_key="", reason=text)
            await self._store(conn, requester, site, SiteEnded(site=site.key, reason=text))
            await self._addresses.release(conn, requester, site.site_id, site.key)
        return site

    async def find(self, requester: Requester, site_id: UUID) -> NetworkSite:
        """Return a site for which the requester acts. Raises: Problem 404 for others, and for none."""
        return await self._own(requester, await site_store.fetch(self._db, site_id))

    async def by_id(self, site_id: UUID) -> NetworkSite | None:
        """Return a site, for packages that have decided already; None for no site."""
        return await site_store.fetch(self._db, site_id)

    async def by_key(self, key: str) -> NetworkSite | None:
        """Return the site with a key, for packages that have decided already; None for no site."""
        return await site_store.fetch_by_key(self._db, key)

    async def page(self, requester: Requester, text: str, state: str, cursor: str | None) -> Page[NetworkSite]:
        """Return a page of all sites, for operators, the newest first. Raises: Problem 403, 400."""
        require_operator(requester)
        after = decode_uuid_cursor(cursor)
        found = await site_store.fetch_page(self._db, None, text, state, after, PAGE_SIZE + 1)
        more = encode_cursor(found[PAGE_SIZE - 1].site_id) if len(found) > PAGE_SIZE else None
        return Page(found[:PAGE_SIZE], more)

    async def own(self, requester: Requester, cursor: str | None) -> tuple[list[str], Page[NetworkSite]]:
        """Return the provider codes for which somebody acts, and a page of their sites. Raises: Problem 400."""
        codes = await codes_of(self._directory, requester)
        after = decode_uuid_cursor(cursor)
        found = await site_store.fetch_page(self._db, codes, "", "", after, PAGE_SIZE + 1) if codes else []
        more = encode_cursor(found[PAGE_SIZE - 1].site_id) if len(found) > PAGE_SIZE else None
        return codes, Page(found[:PAGE_SIZE], more)

    async def counts(self) -> dict[str, int]:
        """Return how many sites there are by state, and as `quarantined` how many live ones are in quarantine."""
        return await site_store.count_states(self._db)

    async def connected(self) -> list[NetworkSite]:
        """Return the sites that are part of the network, by key."""
        return await site_store.fetch_states(self._db, [*rules.CONNECTED])

    async def live(self) -> list[NetworkSite]:
        """Return the sites that have addresses, by key."""
        return await site_store.fetch_states(self._db, [*rules.LIVE])

    async def _own(self, requester: Requester, site: NetworkSite | None) -> NetworkSite:
        code = site.provider_code if site else ""  # none: a site of the agency, for operators only
        provider = await find_provider(self._directory, code) if code else None
        is_own = requester.kind == "operator" or (provider is not None and acts_for(requester, provider))
        if site is None or not is_own:
            raise Problem(404, "not-found", NOT_FOUND)
        return site

    @asynccontextmanager
    async def _written(self) -> AsyncIterator[Connection]:
        """Open a transaction; a place or key that another site has is refused."""
        try:
            async with self._db.transaction() as conn:
                yield conn
        except UniqueViolationError as error:
            if error.constraint_name == "healthnet_site_wireguard":
                raise Problem(409, "conflict", N_("Another site has this key. Make a new one.")) from error
            raise Problem(
                409, "conflict", N_("This place of the provider has a connection already."), place="label"
            ) from error

    @asynccontextmanager
    async def _changed(
        self, requester: Requester, site_id: UUID, act: str
    ) -> AsyncIterator[tuple[Connection, NetworkSite]]:
        """Open a transaction with a site, locked, for which the requester acts and whose state allows the act."""
        await self.find(requester, site_id)
        async with self._written() as conn:
            site = await site_store.fetch(conn, site_id, lock=True)
            assert site is not None
            if site.state not in rules.ALLOWED[act]:
                raise _not_now()
            yield conn, site

    async def _store(self, conn: Connection, initiator: Initiator, site: NetworkSite, event: Event) -> None:
        await site_store.update(conn, site)
        await insert(conn, self._journal.rows_for(initiator, event))


class Gateway:
    """The gateway of a site, as the initiator of entries: it has no account."""

    def __init__(self, origin: str) -> None:
        self._origin = origin

    @property
    def actor(self) -> Actor:
        """The platform acts for it."""
        return SYSTEM

    @property
    def origin(self) -> str:
        """The address from which it asks."""
        return self._origin


def policy_site(site: NetworkSite) -> Site:
    """Return a site as the policy sees it."""
    return Site(key=site.key, kind=site.kind, profession=site.profession, is_quarantined=site.is_quarantined)


def _not_now() -> Problem:
    return Problem(409, "conflict", N_("This is not possible in the present state of the site."))


def _service_class(key: str) -> str:
    if key not in service_classes():
        raise bad_request("service_class", N_("Choose a class of service."), code="value")
    return key


def _address(address: Address) -> Address:
    return Address(
        clean_text(address.line, 1, 120, "line"),
        clean_text(address.postal_code, 3, 12, "postal_code"),
        clean_text(address.city, 1, 80, "city"),
    )


def _contact(contact: Contact) -> Contact:
    phone, email = contact.phone.strip(), contact.email.strip()
    if not rules.is_phone(phone):
        remedy = N_("Write it like +352 123456.")
        raise bad_request("phone", N_("This is not a telephone number."), remedy, code="value")
    if not rules.is_email(email):
        raise bad_request("email", N_("This is not an e-mail address."), code="value")
    return Contact(name=clean_text(contact.name, 2, 120, "contact"), phone=phone, email=email)

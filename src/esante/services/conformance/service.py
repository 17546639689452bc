"""The use cases of software: register products and versions, attest, publish. Every act is journalled."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from uuid import UUID

from asyncpg import UniqueViolationError

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, Row, insert, uuid7
from esante.core.time_zone import today
from esante.core.web import (
    N_,
    NOT_FOUND,
    Page,
    Problem,
    bad_request,
    clean_text,
    decode_cursor,
    encode_cursor,
)
from esante.identity.access import Access, Requester, require_operator
from esante.services.conformance import rules, store
from esante.services.conformance.model import (
    PHASES,
    Act,
    AttestationChanged,
    PhasePassed,
    Product,
    ProductRegistered,
    Statement,
    Status,
    Version,
    VersionRegistered,
)
from esante.services.conformance.profiles import profiles
from esante.services.conformance.store import Search

PAGE_SIZE = 20
Listed = tuple[Product, Version | None]
"""A product with one of its versions; None: it has none."""


class Conformance:
    """Products of vendors and the attestation of their versions.

    Operators see and register all, a vendor their own. Every method but `published` raises Problem 403 for others, and
    for a vendor `state`, which is for operators.
    """

    def __init__(self, db: Database, journal: Journal, access: Access) -> None:
        self._db, self._journal, self._access = db, journal, access

    async def published(
        self, text: str = "", profile: str = "", cursor: str | None = None, limit: int = PAGE_SIZE
    ) -> Page[Listed]:
        """Return a page of the attested versions, for everybody. Raises: Problem 400 for a wrong cursor."""
        wanted = Search(words=text.lower().split(), status=Status.ATTESTED.value, profile=profile)
        return await self._search(wanted, cursor, limit)

    async def search(
        self, requester: Requester, text: str = "", status: str = "", cursor: str | None = None
    ) -> Page[Listed]:
        """Return a page of all versions, by vendor and name. Raises: Problem 400 for a wrong cursor."""
        wanted = Search(words=text.lower().split(), status=status, vendor_id=_own(requester))
        return await self._search(wanted, cursor, PAGE_SIZE)

    async def _search(self, wanted: Search, cursor: str | None, limit: int) -> Page[Listed]:
        after = store.Place(*decode_cursor(cursor, str, str, UUID)) if cursor else store.FIRST
        found = await store.search(self._db, wanted, after, limit + 1)
        place = found[limit - 1][0] if len(found) > limit else None
        following = encode_cursor(place.vendor, place.name, place.version_id) if place else None
        return Page([(product, version) for _, product, version in found[:limit]], following)

    async def find(self, requester: Requester, product_id: UUID) -> tuple[Product, list[tuple[Version, list[Act]]]]:
        """Return a product with its versions, the newest first, and the acts of each. Raises: Problem 404."""
        product = await self._product(requester, product_id)
        versions = await store.fetch_versions(self._db, product_id)
        acts = await store.fetch_acts(self._db, [one.version_id for one in versions])
        return product, [(one, [act for act in acts if act.version_id == one.version_id]) for one in versions]

    async def find_version(self, requester: Requester, version_id: UUID) -> tuple[Product, Version]:
        """Return a version with its product. Raises: Problem 404."""
        own = _own(requester)
        found = await store.fetch_version(self._db, version_id)
        if found is None or own not in (None, found[0].vendor_id):
            raise Problem(404, "not-found", NOT_FOUND)
        return found

    async def _product(self, requester: Requester, product_id: UUID) -> Product:
        """Return a product. Raises: Problem 404 for an unknown one, and for a vendor one of another."""
        own = _own(requester)
        product = await store.fetch_product(self._db, product_id)
        if product is None or own not in (None, product.vendor_id):
            raise Problem(404, "not-found", NOT_FOUND)
        return product

    async def register_product(self, requester: Requester, name: str, vendor: str, contact: str) -> Product:
        """Register a product; `vendor` and `contact` are those of the account where the vendor does it.

        Raises: Problem 400 for a wrong text, 409 when the vendor has one of that name.
        """
        own = _own(requester)
        product = Product(
            product_id=uuid7(),
            name=_line(name, "name"),
            vendor=_line(vendor, "vendor"),
            contact=clean_text(contact, 0, rules.LONGEST_LINE, "contact"),
            registered_at=clock.now(),
            vendor_id=own,
        )
        event = ProductRegistered(product_id=product.product_id, name=product.name, vendor=product.vendor)
        rows = [store.product_row(product), *self._journal.rows_for(requester, event)]
        await self._insert(rows, "name", N_("This vendor has a product of this name already."))
        return product

    async def register_version(
        self, requester: Requester, product_id: UUID, version: str, chosen: Iterable[str], clients: str = ""
    ) -> Version:
        """Register a version of a product with the profiles that it implements; it is not attested yet.

        `clients`: ids of clients, separated by blanks, whose registration names the product's vendor as their maker.
        Raises: Problem 400 for a wrong text, profile or client, or no profile, 404 for an unknown product, 409 for a
        version that is registered already.
        """
        product = await self._product(requester, product_id)
        wanted = set(chosen)
        if not wanted or not wanted <= profiles().keys():
            raise bad_request("profiles", N_("Choose the profiles that the product implements."), code="value")
        new = Version(
            version_id=uuid7(),
            product_id=product_id,
            version=clean_text(version, 1, rules.LONGEST_LINE, "version"),
            profiles=tuple(key for key in profiles() if key in wanted),
            registered_at=clock.now(),
            clients=await self._own_clients(product, clients),
        )
        event = VersionRegistered(
            product_id=product_id,
            version_id=new.version_id,
            version=new.version,
            profiles=new.profiles,
            clients=new.clients,
        )
        rows = [store.version_row(new), *self._journal.rows_for(requester, event)]
        await self._insert(rows, "version", N_("This version is registered already."))
        return new

    async def state(self, requester: Requester, version_id: UUID, given: Statement) -> Version:
        """Record that a phase was passed, or suspend, resume or withdraw the attestation; return the version.

        Raises: Problem 400 for wrong evidence, 404 for an unknown version, 409 for what is not possible now.
        """
        require_operator(requester)
        now = clock.now()
        async with self._db.transaction() as conn:
            version = await store.lock_version(conn, version_id)
            if version is None:
                raise Problem(404, "not-found", NOT_FOUND)
            status = rules.status_after(version.status, given.kind)
            checked = rules.checked_statement(given, await store.fetch_acts(conn, [version_id]), today())
            act = Act(
                act_id=uuid7(),
                version_id=version_id,
                at=now,
                operator_id=requester.id,
                operator=requester.name,
                **asdict(checked),
            )
            attested_at = version.attested_at or (now if status is Status.ATTESTED else None)
            await store.write_status(conn, version_id, status, attested_at)
            await insert(conn, [store.act_row(act), *self._journal.rows_for(requester, _event_of(act))])
        return replace(version, status=status, attested_at=attested_at)

    async def _own_clients(self, product: Product, clients: str) -> tuple[str, ...]:
        """Return client ids, each once. Raises: Problem 400 for one that is unknown or has another maker."""
        wanted = tuple(dict.fromkeys(clean_text(clients, 0, rules.LONGEST, "clients").split()))
        for client_id in wanted:
            client = await self._access.clients.find(client_id)
            if client is None or client.maker.casefold() != product.vendor.casefold():
                raise bad_request(
                    "clients",
                    N_("There is no client of this vendor with this id."),
                    N_("Use the ids of registered clients that name this vendor as their maker."),
                    code="value",
                    detail=client_id,
                )
        return wanted

    async def _insert(self, rows: Sequence[Row], place: str, title: str) -> None:
        """Write rows in a transaction of their own. Raises: Problem 409 for a name that is taken."""
        try:
            async with self._db.transaction() as conn:
                await insert(conn, rows)
        except UniqueViolationError as error:
            raise Problem(409, "conflict", title, place=place) from error


def _event_of(act: Act) -> PhasePassed | AttestationChanged:
    if act.kind in PHASES and act.passed_on is not None:
        return PhasePassed(
            version_id=act.version_id,
            phase=act.kind.value,
            body=act.body,
            reference=act.reference,
            passed_on=act.passed_on,
        )
    return AttestationChanged(version_id=act.version_id, change=act.kind.value, reason=act.reason)


def _own(requester: Requester) -> UUID | None:
    """Return the account whose products a requester may see; None for an operator: all. Raises: Problem 403."""
    if requester.kind == "vendor":
        return requester.id
    require_operator(requester)
    return None


def _line(text: str, place: str) -> str:
    return clean_text(text, 2, rules.LONGEST_LINE, place)

"""The use cases of vendors: register, sign in with an access key, replace it; operators accept and suspend."""

import re
from uuid import UUID

from asyncpg import UniqueViolationError
from starlette.requests import Request
from starlette.responses import Response

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, insert, uuid7
from esante.core.time_zone import today
from esante.core.web import (
    N_,
    NOT_FOUND,
    Page,
    Problem,
    bad_request,
    clean_text,
    decode_uuid_cursor,
    encode_cursor,
    network_of,
    origin_of,
)
from esante.identity.access import (
    SECRET_PATTERN,
    Access,
    Requester,
    generate_secret,
    hash_secret,
    require_operator,
)
from esante.services.conformance.rules import LONGEST, LONGEST_LINE, SHORTEST
from esante.services.conformance.terms import terms_on
from esante.services.conformance.vendors import vendor_store
from esante.services.conformance.vendors.model import (
    Vendor,
    VendorChange,
    VendorChanged,
    VendorDeleted,
    VendorKeyReplaced,
    VendorRegistered,
    VendorStatus,
)
from esante.services.conformance.vendors.rules import status_after

HOME = "/"
ENTRY = "/vendors"
PAGE_SIZE = 20
MOST_COUNTED = 100
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


class Vendors:
    """The accounts of vendors. Every act is journalled; access keys are shown once and only their SHA-256 is kept."""

    def __init__(self, db: Database, journal: Journal, access: Access) -> None:
        self._db, self._journal, self._access = db, journal, access

    async def register(self, name: str, contact: str, email: str, origin: str) -> tuple[Vendor, str]:
        """Register a vendor; return it with its access key.

        Raises: Problem 400 for a wrong text, 409 for a name that is taken, 429 after too many from a network.
        """
        vendor = Vendor(
            vendor_id=uuid7(),
            name=clean_text(name, 2, LONGEST_LINE, "name"),
            contact=clean_text(contact, 2, LONGEST_LINE, "contact"),
            email=clean_text(email, SHORTEST, LONGEST_LINE, "email"),
            status=VendorStatus.REGISTERED,
            registered_at=clock.now(),
        )
        if not _EMAIL.fullmatch(vendor.email):
            raise bad_request("email", N_("This is not an email address."), code="value")
        terms = terms_on(today())
        limits = {f"vendor:{network_of(origin)}": terms.per_origin}
        await self._access.count_attempts(limits, terms.window, None, origin)
        key = generate_secret()
        event = VendorRegistered(vendor_id=vendor.vendor_id, name=vendor.name)
        rows = [
            vendor_store.vendor_row(vendor, hash_secret(key)),
            *self._journal.rows_for(vendor.requester(origin), event),
        ]
        try:
            async with self._db.transaction() as conn:
                await insert(conn, rows)
        except UniqueViolationError as error:
            raise Problem(409, "conflict", N_("A vendor of this name is registered already."), place="name") from error
        return vendor, key

    async def sign_in(self, request: Request, key: str) -> Response:
        """Start the session of the vendor who has an access key; return a redirect to their home page.

        Raises: Problem 400 for a key that nobody has or whose vendor is suspended, 429 after too many.
        """
        key, origin = key.strip(), origin_of(request)
        known = SECRET_PATTERN.fullmatch(key)
        vendor = await vendor_store.find_by_key(self._db, hash_secret(key)) if known else None
        if vendor is None or vendor.status is VendorStatus.SUSPENDED:
            subject, reason = (str(vendor.vendor_id), "suspended") if vendor else ("", "unknown_key")
            await self._access.refuse_sign_in(method="key", subject=subject, reason=reason, origin=origin)
            raise bad_request(
                "key", N_("This access key is not valid."), N_("Check it, or contact the helpdesk."), code="value"
            )
        return await self._access.sign_in(request, vendor.requester(origin), method="key", to=HOME)

    async def current(self, requester: Requester) -> Vendor:
        """Return the vendor who is signed in. Raises: Problem 303 to the vendors' page when the account has ended."""
        found = await vendor_store.find_vendor(self._db, requester.id) if requester.kind == "vendor" else None
        if found is None or found.status is VendorStatus.SUSPENDED:
            raise Problem(
                303,
                "login",
                N_("You need to sign in."),
                remedy=N_("Sign in, then try again."),
                headers={"Location": ENTRY},
            )
        return found

    async def accepted(self, requester: Requester) -> Vendor:
        """Return the vendor who is signed in. Raises: Problem 303 as `current`, 409 for one who is not accepted."""
        found = await self.current(requester)
        if found.status is not VendorStatus.ACCEPTED:
            raise Problem(
                409,
                "conflict",
                N_("Your account has not been accepted yet."),
                remedy=N_("Wait until staff of the agency have accepted it."),
            )
        return found

    async def replace_key(self, requester: Requester) -> str:
        """Return a new access key; the one before ends at once, and all sessions of the vendor with it."""
        vendor = await self.current(requester)
        key = generate_secret()
        async with self._db.transaction() as conn:
            await vendor_store.write_key(conn, vendor.vendor_id, hash_secret(key))
            await insert(conn, self._journal.rows_for(requester, VendorKeyReplaced(vendor_id=vendor.vendor_id)))
        await self._access.end_sign_ins(vendor.vendor_id, actor=requester.actor)
        return key

    async def search(
        self, requester: Requester, text: str = "", status: str = "", cursor: str | None = None
    ) -> Page[Vendor]:
        """Return a page of vendors, newest first. Raises: Problem 400 for a wrong cursor, 403 but for operators."""
        require_operator(requester)
        before = decode_uuid_cursor(cursor)
        found = await vendor_store.search(self._db, text.lower().split(), status, before, PAGE_SIZE + 1)
        following = encode_cursor(found[PAGE_SIZE - 1].vendor_id) if len(found) > PAGE_SIZE else None
        return Page(found[:PAGE_SIZE], following)

    async def find(self, requester: Requester, vendor_id: UUID) -> Vendor:
        """Return a vendor. Raises: Problem 403 for a requester who is not an operator, 404 for an unknown vendor."""
        require_operator(requester)
        return _found(await vendor_store.find_vendor(self._db, vendor_id))

    async def count_waiting(self) -> int:
        """Return how many vendors wait to be accepted; at most `MOST_COUNTED`."""
        return await vendor_store.count_registered(self._db, MOST_COUNTED)

    async def change(self, requester: Requester, vendor_id: UUID, change: VendorChange, reason: str = "") -> Vendor:
        """Accept, suspend or resume the account of a vendor; a suspension ends their sessions.

        Raises: Problem 400 for a suspension without a reason, 403 for a requester who is not an operator, 404 for an
        unknown vendor, 409 for what is not possible now.
        """
        require_operator(requester)
        shortest = SHORTEST if change is VendorChange.SUSPENSION else 0
        reason = clean_text(reason, shortest, LONGEST, "reason")
        async with self._db.transaction() as conn:
            vendor = _found(await vendor_store.lock_vendor(conn, vendor_id))
            status = status_after(vendor.status, change)
            await vendor_store.write_status(conn, vendor_id, status, reason)
            event = VendorChanged(vendor_id=vendor_id, change=change.value, reason=reason)
            await insert(conn, self._journal.rows_for(requester, event))
        if status is VendorStatus.SUSPENDED:
            await self._access.end_sign_ins(vendor_id, actor=requester.actor)
        return await self.find(requester, vendor_id)

    async def tidy(self) -> None:
        """Delete the registrations that nobody accepted in time; to be run daily."""
        before = clock.now() - terms_on(today()).keep_unaccepted
        async with self._db.transaction() as conn:
            deleted = await vendor_store.delete_unaccepted(conn, before)
            await insert(conn, [row for id_ in deleted for row in self._journal.rows(VendorDeleted(vendor_id=id_))])


def _found(vendor: Vendor | None) -> Vendor:
    if vendor is None:
        raise Problem(404, "not-found", NOT_FOUND)
    return vendor

"""The use cases of members: admit, change, name contacts, and who sees what."""

import re
from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from asyncpg import UniqueViolationError

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, insert, uuid7
from esante.core.time_zone import today
from esante.core.web import LANGUAGES, N_, NOT_FOUND, Page, Problem, bad_request, decode_cursor, encode_cursor
from esante.identity.access import Requester, require_operator
from esante.identity.directory import Directory
from esante.services.soc.tenants import tenant_store
from esante.services.soc.tenants.model import (
    Contact,
    ContactAddressChanged,
    ContactChanged,
    Scope,
    Tenant,
    TenantChanged,
)

PAGE_SIZE = 50
DEFAULT_QUOTA = 500
"""Events a second of a new member."""
MAX_QUOTA = 100_000
MAX_EMAIL = 254
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


class Tenants:
    """The members of the SOC."""

    def __init__(self, db: Database, journal: Journal, directory: Directory) -> None:
        self._db, self._journal, self._directory = db, journal, directory

    async def scope_of(self, requester: Requester) -> Scope:
        """Return what somebody sees: operators everything, contacts of a member that member.

        Raises: Problem 404 for everybody else.
        """
        if requester.kind == "operator":
            return Scope(None)
        if requester.kind == "practitioner" and requester.organization_id and requester.delegate is None:
            tenant = await tenant_store.fetch_of_contact(self._db, requester.id, requester.organization_id)
            if tenant is not None:
                return Scope(tenant.tenant_id)
        raise Problem(404, "not-found", NOT_FOUND)

    async def tenant(self, requester: Requester, tenant_id: UUID) -> Tenant:
        """Return a member. Raises: Problem 404 for an unknown one, and for one that the requester does not see."""
        scope = await self.scope_of(requester)
        tenant = await tenant_store.fetch(self._db, tenant_id) if scope.covers(tenant_id) else None
        if tenant is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return tenant

    async def page(self, requester: Requester, text: str = "", cursor: str | None = None) -> Page[Tenant]:
        """Return a page of the members by name. Raises: Problem 403."""
        require_operator(requester)
        after = decode_cursor(cursor, str, UUID) if cursor is not None else None
        found = await tenant_store.fetch_page(self._db, text.strip(), after, PAGE_SIZE + 1)
        shown = found[:PAGE_SIZE]
        more = len(found) > PAGE_SIZE
        return Page(shown, encode_cursor(shown[-1].name, shown[-1].tenant_id) if more else None)

    async def agency(self) -> Tenant:
        """Return the agency as a member; it becomes one when it is asked for the first time."""
        if found := await tenant_store.fetch_agency(self._db):
            return found
        tenant = _new(None, "", MAX_QUOTA)
        try:
            async with self._db.transaction() as conn:
                await insert(conn, [tenant_store.tenant_row(tenant), *self._journal.rows(_changed(tenant))])
        except UniqueViolationError:
            return await self.agency()
        return tenant

    async def of_organizations(self, organizations: Iterable[UUID]) -> dict[UUID, Tenant]:
        """Return the members among organisations, by organisation."""
        return await tenant_store.fetch_of_organizations(self._db, organizations)

    async def admit(self, requester: Requester, organization_id: UUID, quota: int = DEFAULT_QUOTA) -> Tenant:
        """Make an organisation a member.

        Raises: Problem 403, 404 for an unknown organisation, 400 for a wrong quota, 409 for one that is a member.
        """
        require_operator(requester)
        organization = await self._directory.organization(organization_id)
        if organization is None:
            raise Problem(404, "not-found", NOT_FOUND)
        tenant = _new(organization_id, organization.name, _checked(quota))
        try:
            async with self._db.transaction() as conn:
                rows = self._journal.rows_for(requester, _changed(tenant))
                await insert(conn, [tenant_store.tenant_row(tenant), *rows])
        except UniqueViolationError as error:
            raise Problem(409, "conflict", N_("This organisation is a member already.")) from error
        return tenant

    async def change(self, requester: Requester, tenant_id: UUID, *, is_active: bool, quota: int) -> Tenant:
        """Change a member's quota, and whether it is active. Raises: Problem 403, 404, 400 for a wrong quota."""
        require_operator(requester)
        async with self._db.transaction() as conn:
            tenant = await tenant_store.fetch(conn, tenant_id)
            if tenant is None:
                raise Problem(404, "not-found", NOT_FOUND)
            tenant = replace(tenant, is_active=is_active, events_per_second=_checked(quota))
            await tenant_store.update(conn, tenant_id, is_active=is_active, events_per_second=quota)
            await insert(conn, self._journal.rows_for(requester, _changed(tenant)))
        return tenant

    async def contacts(self, requester: Requester, tenant_id: UUID) -> list[Contact]:
        """Return the contacts of a member. Raises: Problem 404."""
        tenant = await self.tenant(requester, tenant_id)
        return await tenant_store.fetch_contacts(self._db, tenant.tenant_id)

    async def add_contact(self, requester: Requester, tenant_id: UUID, practitioner_id: UUID) -> None:
        """Make a professional of a member's organisation one of its contacts.

        Raises: Problem 403, 404, 400 for a professional without a role at the organisation.
        """
        require_operator(requester)
        tenant = await self.tenant(requester, tenant_id)
        practitioner = await self._directory.practitioner(practitioner_id)
        roles = await self._directory.roles_of(practitioner_id, today())
        is_there = any(role.organization_id == tenant.organization_id for role in roles)
        if practitioner is None or not is_there:
            remedy = N_("Choose somebody who works there.")
            raise bad_request("practitioner", N_("This professional does not work at the organisation."), remedy)
        contact = Contact(
            tenant_id=tenant_id, practitioner_id=practitioner_id, name=practitioner.name, added_at=clock.now()
        )
        event = ContactChanged(tenant_id=tenant_id, practitioner_id=practitioner_id, is_contact=True)
        async with self._db.transaction() as conn:
            await insert(conn, [tenant_store.contact_row(contact), *self._journal.rows_for(requester, event)])

    async def set_address(
        self, requester: Requester, tenant_id: UUID, practitioner_id: UUID, email: str, language: str
    ) -> None:
        """Set where a contact gets messages that a case needs them ("": nowhere), and in which language.

        Operators do it, and contacts for themselves. Raises: Problem 404, 400 for a wrong address or language.
        """
        await self.tenant(requester, tenant_id)
        if requester.kind != "operator" and requester.id != practitioner_id:
            raise Problem(404, "not-found", NOT_FOUND)
        email = email.strip()
        if email and (len(email) > MAX_EMAIL or not _EMAIL.fullmatch(email)):
            raise bad_request("email", N_("This is not an e-mail address."), code="value")
        if language not in LANGUAGES:
            raise bad_request("language", N_("Choose a value of the list."), code="value")
        event = ContactAddressChanged(tenant_id=tenant_id, practitioner_id=practitioner_id, is_set=bool(email))
        async with self._db.transaction() as conn:
            if not await tenant_store.update_address(conn, tenant_id, practitioner_id, email, language):
                raise Problem(404, "not-found", NOT_FOUND)
            await insert(conn, self._journal.rows_for(requester, event))

    async def end_contact(self, requester: Requester, tenant_id: UUID, practitioner_id: UUID) -> None:
        """End that a professional is a contact of a member. Raises: Problem 403, 404."""
        require_operator(requester)
        event = ContactChanged(tenant_id=tenant_id, practitioner_id=practitioner_id, is_contact=False)
        async with self._db.transaction() as conn:
            if not await tenant_store.delete_contact(conn, tenant_id, practitioner_id):
                raise Problem(404, "not-found", NOT_FOUND)
            await insert(conn, self._journal.rows_for(requester, event))


def _new(organization_id: UUID | None, name: str, quota: int) -> Tenant:
    return Tenant(
        tenant_id=uuid7(),
        organization_id=organization_id,
        name=name,
        is_active=True,
        events_per_second=quota,
        joined_at=clock.now(),
    )


def _checked(quota: int) -> int:
    """Return a quota. Raises: Problem 400 for one out of range."""
    if not 1 <= quota <= MAX_QUOTA:
        raise bad_request("quota", N_("The quota is 1 to 100,000 events a second."), code="value")
    return quota


def _changed(tenant: Tenant) -> TenantChanged:
    return TenantChanged(
        tenant_id=tenant.tenant_id,
        organization_id=tenant.organization_id,
        is_active=tenant.is_active,
        events_per_second=tenant.events_per_second,
    )

"""What the pages of members show: the list with its sums, organisations to admit, professionals to name."""

from collections.abc import Mapping
from uuid import UUID

from esante.core.storage import Database
from esante.core.time_zone import today
from esante.core.web import Page
from esante.identity.access import Requester, require_operator
from esante.identity.directory import Directory, Organization, Practitioner
from esante.services.soc.console import member_store
from esante.services.soc.console.model import SourceSums
from esante.services.soc.tenants.model import Scope, Tenant
from esante.services.soc.tenants.service import Tenants

MOST_FOUND = 20
"""Organisations that are offered for admission."""
_LOOKED_AT = 100
"""Professionals of a name, of whom those of the organisation are offered."""


class MemberLists:
    """The lists of the pages of members."""

    def __init__(self, db: Database, tenants: Tenants, directory: Directory) -> None:
        self._db, self._tenants, self._directory = db, tenants, directory

    async def page(
        self, requester: Requester, text: str, cursor: str | None
    ) -> Page[tuple[Tenant, SourceSums | None]]:
        """Return a page of the members with the sums over their sources. Raises: Problem 403, 400."""
        page = await self._tenants.page(requester, text, cursor)
        sums = await member_store.fetch_sums(self._db, [one.tenant_id for one in page.items])
        return Page([(one, sums.get(one.tenant_id)) for one in page.items], page.next)

    async def own(self, requester: Requester) -> Scope:
        """Return what somebody sees. Raises: Problem 404."""
        return await self._tenants.scope_of(requester)

    async def admissible(self, requester: Requester, text: str) -> list[tuple[Organization, Tenant | None]]:
        """Return organisations of a name, each with the member that it is already. Raises: Problem 403, 400."""
        require_operator(requester)
        if not text:
            return []
        found = (await self._directory.search_organizations(text, limit=MOST_FOUND)).items
        members = await self._tenants.of_organizations(one.id for one in found)
        return [(one, members.get(one.id)) for one in found]

    async def nameable(self, requester: Requester, tenant: Tenant, text: str) -> list[Practitioner]:
        """Return professionals of a name who work at a member. Raises: Problem 403, 400."""
        require_operator(requester)
        if not text:
            return []
        found = (await self._directory.search_practitioners(text, limit=_LOOKED_AT)).items
        day = today()
        return [
            one
            for one in found
            if any(role.organization_id == tenant.organization_id and role.is_in_force(day) for role in one.roles)
        ]

    async def names(self, tenants: set[UUID]) -> Mapping[UUID, str]:
        """Return the names of members, "" for the agency."""
        return await member_store.fetch_names(self._db, tenants)

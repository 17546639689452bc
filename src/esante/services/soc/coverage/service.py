"""The coverage of members: the loaded rules beside the sources that send."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

from esante.core.storage import Database, parse_uuid
from esante.core.web import NOT_FOUND, Problem
from esante.identity.access import Requester
from esante.services.soc.coverage.matrix import Coverage, coverage, navigator_layer
from esante.services.soc.hunting import archive_store
from esante.services.soc.rules.model import Rule
from esante.services.soc.rules.rule_set import load_rules
from esante.services.soc.silence import silence_store
from esante.services.soc.sources.model import SOURCE_KIND_NAMES
from esante.services.soc.tenants.model import Tenant
from esante.services.soc.tenants.service import Tenants


class CoverageOfMembers:
    """What the rules of a folder ("": none) can see of members."""

    kind_names: Mapping[str, str] = SOURCE_KIND_NAMES

    def __init__(self, db: Database, tenants: Tenants, rules: str) -> None:
        self._db, self._tenants, self._folder = db, tenants, rules

    @cached_property
    def _rules(self) -> Sequence[Rule]:
        if not self._folder or not Path(self._folder).exists():
            return ()
        return [one for one in load_rules(Path(self._folder)).rules if isinstance(one, Rule)]

    async def members(self, requester: Requester) -> list[Any]:
        """Return the members that somebody sees, by name. Raises: Problem 404."""
        scope = await self._tenants.scope_of(requester)
        return await archive_store.fetch_members(self._db, scope.tenant_id)

    async def of_member(self, requester: Requester, member: str) -> tuple[Tenant | None, Coverage | None]:
        """Return a member that somebody sees with its coverage; without a choice the own one, or for operators none.

        Raises: Problem 404 for an unknown one, and for one that the requester does not see.
        """
        scope = await self._tenants.scope_of(requester)
        key = _key(member) if member else scope.tenant_id
        if key is None:
            return None, None
        tenant = await self._tenants.tenant(requester, key)
        sends = await silence_store.fetch_kinds(self._db, tenant.tenant_id)
        return tenant, coverage(self._rules, sends)

    async def layer(self, requester: Requester, member: str) -> bytes:
        """Return the coverage of a member as a layer. Raises: Problem 404."""
        tenant, found = await self.of_member(requester, member)
        if tenant is None or found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return navigator_layer(found, tenant.name)


def _key(text: str) -> UUID:
    try:
        return parse_uuid(text)
    except ValueError as error:
        raise Problem(404, "not-found", NOT_FOUND) from error

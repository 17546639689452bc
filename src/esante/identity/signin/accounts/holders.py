"""Who may sign in: people of the directory, and the staff of the agency."""

from urllib.parse import urlencode
from uuid import UUID

from esante.core.storage import Database
from esante.core.time_zone import today
from esante.identity.access import Requester, requester_of
from esante.identity.directory import Directory
from esante.identity.signin.accounts import operator_store
from esante.identity.signin.model import Holder


class Holders:
    """Finds holders as they are now."""

    def __init__(self, db: Database, directory: Directory) -> None:
        self._db, self._directory = db, directory

    async def find(self, kind: str, holder_id: UUID) -> Requester | None:
        """Return a holder as a requester; None for one who is unknown, has died, or may no longer sign in.

        A practitioner acts for the first of their workplaces.
        """
        match kind:
            case "patient":
                person = await self._directory.person(holder_id)
                return requester_of(person) if person and person.deceased_at is None else None
            case "practitioner":
                return next(iter(await self.workplaces(holder_id)), None)
            case "operator":
                operator = await operator_store.find_operator(self._db, holder_id)
                if operator is not None and operator.ended_at is None:
                    return Requester(kind="operator", id=operator.operator_id, name=operator.name)
        return None

    async def identifiers(self, kind: str, holder_id: UUID) -> frozenset[str]:
        """Return the values of the identifiers of a holder in the directory; of an operator none."""
        match kind:
            case "patient":
                found = await self._directory.person(holder_id)
                return frozenset(one.value for one in found.identifiers) if found else frozenset()
            case "practitioner":
                practitioner = await self._directory.practitioner(holder_id)
                return frozenset(one.value for one in practitioner.identifiers) if practitioner else frozenset()
        return frozenset()

    async def workplaces(self, practitioner_id: UUID) -> list[Requester]:
        """Return as what a practitioner may act today: by workplace and profession; without any, for themselves."""
        practitioner = await self._directory.practitioner(practitioner_id)
        if practitioner is None:
            return []
        roles = await self._directory.roles_of(practitioner_id, today())
        places = await self._directory.organizations({role.organization_id for role in roles})
        found = {
            (role.organization_id, role.profession): requester_of(
                practitioner, places[role.organization_id], role.profession
            )
            for role in roles
            if role.organization_id in places
        }
        return sorted(found.values(), key=lambda one: (one.organization, one.profession)) or [
            requester_of(practitioner)
        ]

    async def first_page(self, requester: Requester, to: str) -> str:
        """Return where somebody goes who has signed in: to `to`, of several workplaces first to the choice."""
        if requester.kind == "practitioner" and len(await self.workplaces(requester.id)) > 1:
            return f"/workplace?{urlencode({'next': to})}"
        return to


def holder_of(requester: Requester) -> Holder:
    """Return the person behind a requester: a delegate is themselves, not the professional they act for."""
    if requester.delegate is not None:
        return Holder(requester.kind, requester.delegate.id, requester.delegate.name)
    return Holder(requester.kind, requester.id, requester.name)

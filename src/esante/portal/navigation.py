"""The navigation of every role, and how much waits at its places."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from esante.contract import HomeTile, NavigationItem, Platform, QuickAction
from esante.core.types import Json
from esante.identity.access import requester_from_principal

ROLES = ("patient", "practitioner", "organization", "operator", "vendor", "researcher")
EVERYONE, RECORD = "everyone", "record"
"""The roles of the places in the foot of every page, and on a professional's page of a patient."""

Item = TypeVar("Item", NavigationItem, QuickAction, HomeTile)


def of_role(items: Iterable[Item], role: str) -> list[Item]:
    """Return the items of a role, by their order."""
    return sorted((item for item in items if item.role == role), key=lambda item: item.order)


def navigation(platform: Platform) -> dict[str, list[NavigationItem]]:
    """Return the navigation of every role."""
    items = platform.declared("navigation")
    return {role: of_role(items, role) for role in (*ROLES, EVERYONE, RECORD)}


def waiting_counter(
    platform: Platform, places: Mapping[str, Sequence[NavigationItem]]
) -> Callable[[Json], Awaitable[Mapping[str, int]]]:
    """Return the function that counts what waits for the principal of a session, by the addresses of the places.

    Of the places that only some people of a role see (`only_for`), those that the principal sees are there.
    """

    async def count(principal: Json) -> Mapping[str, int]:
        requester = requester_from_principal(principal)
        found: dict[str, int] = {}
        for place in places.get(requester.kind, ()):
            if place.only_for is not None and not await place.only_for(platform, requester):
                continue
            if place.waiting is not None:
                found[place.url] = await place.waiting(platform, requester)
            elif place.only_for is not None:
                found[place.url] = 0
        return found

    return count

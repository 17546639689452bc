"""Gives and withdraws a patient's consent for a country; the access decision reads the grant that stands for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from esante.core.web import N_, NOT_FOUND, Problem
from esante.identity.access import Access, Grant, GrantKind, Requester
from esante.services.exchange.consent.countries import country_key


@dataclass(frozen=True, slots=True)
class CountryConsent:
    """A country, and since when its professionals may read the record of a patient; None: they may not."""

    country: str
    since: datetime | None


class CountryConsents:
    """The consents of patients for the countries whose contact points are registered."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def list(self, requester: Requester, countries: Sequence[str]) -> list[CountryConsent]:
        """Return the consents of the requester, a patient, for some countries, in their order."""
        grants = {one.holder_id: one for one in await self._grants(requester)}
        found = [(country, grants.get(country_key(country))) for country in countries]
        return [CountryConsent(country, grant.since if grant else None) for country, grant in found]

    async def give(self, requester: Requester, country: str, name: str) -> None:
        """Let the professionals of a country read the requester's own record; `name`: of the country, as they read it.

        Raises: as `Grants.allow_country`.
        """
        await self._access.grants.allow_country(requester, country_key(country), name)

    async def withdraw(self, requester: Requester, country: str) -> None:
        """End the consent for a country now. Raises: Problem 404 where there is none, and as `Grants.revoke`."""
        key = country_key(country)
        grant = next((one for one in await self._grants(requester) if one.holder_id == key), None)
        if grant is None:
            raise Problem(404, "not-found", NOT_FOUND, remedy=N_("It may have already ended."))
        await self._access.grants.revoke(requester, grant.id)

    async def _grants(self, requester: Requester) -> Sequence[Grant]:
        active = await self._access.grants.list_active(requester.id)
        return [one for one in active if one.kind is GrantKind.COUNTRY]

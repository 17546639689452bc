"""Whose receipts a professional sees: those of the sites of their own provider code, and of their practice."""

from esante.core.storage import Database
from esante.identity.access import Requester
from esante.identity.directory import Directory, catalogue
from esante.services.healthnet.policy.model import PRACTICE
from esante.services.healthnet.sites import site_store
from esante.services.healthnet.sites.model import NetworkSite

_MOST = 100


async def owned_sites(db: Database, directory: Directory, requester: Requester) -> list[NetworkSite]:
    """Return the sites of a professional, those of a practice that they work in included, the newest first.

    A delegate sees none, and who works in a hospital does not act for it.
    """
    if requester.kind != "practitioner" or requester.delegate is not None:
        return []
    holders = [await directory.practitioner(requester.id)]
    if requester.organization_id:
        organization = await directory.organization(requester.organization_id)
        holders += [organization] if organization and organization.kind == PRACTICE else []  # type: ignore[list-item]
    system = catalogue().system("provider_code").uri
    codes = [one.value for holder in holders if holder for one in holder.identifiers if one.system == system]
    return await site_store.fetch_page(db, codes, "", "", None, _MOST) if codes else []

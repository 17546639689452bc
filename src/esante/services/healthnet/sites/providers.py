"""Providers of the directory as sites of the network: by provider code, and who may act for them."""

from dataclasses import dataclass
from uuid import UUID

from esante.core.time_zone import today
from esante.identity.access import Requester
from esante.identity.directory import Directory
from esante.services.healthnet.policy.model import PRACTICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider of the directory: `holder_id` is the organisation or the professional."""

    code: str
    holder_id: UUID
    name: str
    kind: str
    profession: str = ""


async def find_provider(directory: Directory, code: str) -> Provider | None:
    """Return the one organisation or professional that has a provider code (eight digits), or None."""
    system = directory.catalogue.system("provider_code").uri
    organizations = await directory.find_organizations(system, code)
    practitioners = await directory.find_practitioners(system, code)
    if len(organizations) + len(practitioners) != 1:
        return None
    if practitioners:
        one = practitioners[0]
        return Provider(code=code, holder_id=one.id, name=one.name, kind=PRACTICE, profession=one.profession)
    found = organizations[0]
    profession = ""
    if found.kind == PRACTICE:
        professions = (await directory.professions_at([found.id], today())).get(found.id, [])
        profession = professions[0] if len(professions) == 1 else ""
    return Provider(code=code, holder_id=found.id, name=found.name, kind=found.kind, profession=profession)


async def codes_of(directory: Directory, requester: Requester) -> list[str]:
    """Return the provider codes for which somebody acts: of the professional, or of the organisation."""
    system = directory.catalogue.system("provider_code").uri
    if requester.kind == "practitioner":
        holder = await directory.practitioner(requester.id)
        return [one.value for one in holder.identifiers if one.system == system] if holder else []
    if requester.kind == "organization" and requester.organization_id:
        organization = await directory.organization(requester.organization_id)
        return [one.value for one in organization.identifiers if one.system == system] if organization else []
    return []


def acts_for(requester: Requester, provider: Provider) -> bool:
    """Return whether somebody acts for a provider: as the professional, as the organisation, or as the agency."""
    if requester.kind == "operator":
        return True
    if requester.kind == "practitioner":
        return requester.id == provider.holder_id
    return requester.kind == "organization" and requester.organization_id == provider.holder_id

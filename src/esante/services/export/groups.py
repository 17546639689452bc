"""FHIR Groups of the persons whose record a professional, or an organisation, may open right now.

A group has the id of the professional or organisation to whom the access was given. Its members follow the grants:
nothing is stored.
"""

from collections.abc import Mapping
from uuid import UUID

from esante.core.storage import NIL
from esante.core.types import Json
from esante.identity.access import Access, Requester

PROFESSIONAL_KINDS = ("practitioner", "organization")
MAX_MEMBERS = 10_000
"""A larger group shows the number of its members only; its export holds all of them."""
_SYSTEM = "https://esante.lu/fhir/CodeSystem/group"
_PAGE = 1_000


def group_owners(requester: Requester) -> Mapping[UUID, Json]:
    """Return the owner (a Reference) of each group that a requester may use, by the id of the group."""
    if requester.kind not in PROFESSIONAL_KINDS:
        return {}
    owners: dict[UUID, Json] = {}
    if requester.kind == "practitioner":
        owners[requester.id] = {"reference": f"Practitioner/{requester.id}", "display": requester.name}
    if requester.organization_id is not None:
        owners[requester.organization_id] = {
            "reference": f"Organization/{requester.organization_id}",
            "display": requester.organization,
        }
    return owners


async def fetch_group(access: Access, requester: Requester, group_id: UUID) -> Json | None:
    """Return a group with its members as a FHIR Group, and journal it; None when the requester has no such group."""
    owner = group_owners(requester).get(group_id)
    if owner is None:
        return None
    count = await access.grants.count_persons(requester, group_id)
    members = await _fetch_members(access, requester, group_id) if count <= MAX_MEMBERS else []
    await access.grants.record_group(requester, count)
    resource: Json = {
        "resourceType": "Group",
        "id": str(group_id),
        "active": True,
        "type": "person",
        "actual": True,
        "code": {"coding": [{"system": _SYSTEM, "code": "in-care", "display": "Persons in care"}]},
        "name": f"Persons in the care of {owner['display']}",
        "quantity": count,
        "managingEntity": owner,
    }
    if members:
        resource["member"] = [{"entity": {"reference": f"Patient/{person_id}"}} for person_id in members]
    return resource


async def _fetch_members(access: Access, requester: Requester, group_id: UUID) -> list[UUID]:
    members: list[UUID] = []
    while page := await access.grants.list_persons(
        requester, group_id, after=members[-1] if members else NIL, limit=min(_PAGE, MAX_MEMBERS)
    ):
        members += page
    return members

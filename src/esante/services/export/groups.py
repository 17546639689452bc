"""Named lists of persons as FHIR Groups: those whose record a professional, or an organisation, may open right now.

A group has the id of who the access was given to. Members come and go with it: nothing is stored.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from esante.core.storage import NIL
from esante.identity.access import Access, Requester

Resource = dict[str, Any]
PROFESSIONALS = ("practitioner", "organization")
MAX_MEMBERS = 10_000
"""Of a larger group only the number of members is told; its export has them all."""
_SYSTEM = "https://esante.lu/fhir/CodeSystem/group"
_PAGE = 1_000


def groups_of(requester: Requester) -> Mapping[UUID, Resource]:
    """The groups that are there for a requester, by id: whom each belongs to, as a Reference."""
    if requester.kind not in PROFESSIONALS:
        return {}
    found: dict[UUID, Resource] = {}
    if requester.kind == "practitioner":
        found[requester.id] = {"reference": f"Practitioner/{requester.id}", "display": requester.name}
    if requester.organization_id is not None:
        found[requester.organization_id] = {
            "reference": f"Organization/{requester.organization_id}",
            "display": requester.organization,
        }
    return found


async def group(access: Access, requester: Requester, group_id: UUID) -> Resource | None:
    """A group with its members, or None when it is not there for the requester."""
    owner = groups_of(requester).get(group_id)
    if owner is None:
        return None
    count = await access.grants.count_persons(requester, group_id)
    members = await _members(access, requester, group_id) if count <= MAX_MEMBERS else []
    resource: Resource = {
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


async def _members(access: Access, requester: Requester, group_id: UUID) -> list[UUID]:
    found: list[UUID] = []
    while page := await access.grants.list_persons(
        requester, group_id, after=found[-1] if found else NIL, limit=min(_PAGE, MAX_MEMBERS)
    ):
        found += page
    return found

"""Who looks at whose record, and what every page of it needs to know."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from esante.record.categories import CATEGORIES
from starlette.requests import Request

from esante.access import Access, Consent, Grant, Requester
from esante.directory import Directory
from esante.web import N_, Problem

ICONS = {
    "summary": "summary",
    "discharge": "hospital",
    "consultation": "consult",
    "laboratory": "lab",
    "imaging": "imaging",
    "operation": "surgery",
    "prescription": "medicine",
    "vaccination": "vaccine",
    "letter": "letter",
    "directive": "directive",
    "note": "note",
}
"""The icon of each category."""
LOOKS = {"categories": CATEGORIES, "icons": ICONS}
"""What the templates of documents need."""
_NO_ACCESS = N_("You have no access to this record.")
_ASK_FOR_CODE = N_("Ask your patient for a code, and enter it under Patients.")


@dataclass(frozen=True, slots=True)
class Visit:
    """Who looks at whose record, and under which addresses."""

    requester: Requester
    person_id: UUID
    home: str
    """The address of the timeline."""
    documents: str
    """The address that a document's key is added to."""

    @property
    def own(self) -> bool:
        """Whether the person looks at her own record."""
        return self.requester.kind == "patient"


class Visits:
    """Finds out who visits whose record: the patient her own, a professional the one in the address."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def own(self, request: Request) -> Visit:
        """The signed-in patient at her own record."""
        requester = await self._access.page_requester(request, kinds=("patient",))
        return Visit(requester, requester.id, "/record", "/record")

    async def professional(self, request: Request) -> Visit:
        """The signed-in professional at a patient's record."""
        requester = await self._access.page_requester(request, kinds=("practitioner",))
        person_id = request.path_params["person_id"]
        return Visit(requester, person_id, f"/patients/{person_id}", f"/patients/{person_id}/documents")


Banner = Callable[[Visit], Awaitable[dict[str, Any]]]


def banner_of(access: Access, directory: Directory) -> Banner:
    """What stands above a professional's pages: whose record it is, and the access he has."""

    async def banner(visit: Visit) -> dict[str, Any]:
        if visit.own:
            return {"person": None, "grant": None}
        person = await directory.person(visit.person_id)
        if person is None:
            raise no_access()
        consent = await access.consent(visit.person_id)
        return {"person": person, "grant": grant_of(consent, visit.requester, datetime.now(UTC))}

    return banner


def grant_of(consent: Consent, requester: Requester, at: datetime) -> Grant | None:
    """The access that a requester has by himself or by his organisation; the one that lasts longest."""
    holders = {requester.id, requester.organization_id}
    active = [grant for grant in consent.grants if grant.holder_id in holders and grant.active(at)]
    return max(active, key=lambda grant: (grant.until is None, grant.until or at), default=None)


def no_access() -> Problem:
    """The one answer for a record that is not there and for one that is not open to the professional."""
    return Problem(404, "not-found", _NO_ACCESS, remedy=_ASK_FOR_CODE)

"""Who looks at whose record, and what every page of it needs to know."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from starlette.requests import Request

from esante.core.web import N_, Problem
from esante.identity.access import Access, Requester, opening_grant
from esante.identity.directory import Directory
from esante.services.record.categories import CATEGORIES

ICONS = {
    "patient_summary": "summary",
    "discharge_letter": "hospital",
    "consultation_report": "consult",
    "laboratory_report": "lab",
    "imaging_report": "imaging",
    "operation_report": "surgery",
    "prescription": "medicine",
    "vaccination_history": "vaccine",
    "letter": "letter",
    "advance_directive": "directive",
    "patient_note": "note",
}
"""The icon of each category."""
LOOKS: dict[str, Any] = {"categories": CATEGORIES, "icons": ICONS}
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
    """What stands above a professional's pages: whose record it is, and the access he has.

    Whose it is belongs to his access; without one he reads the directory, and the person is told so.
    """

    async def banner(visit: Visit) -> dict[str, Any]:
        if visit.own:
            return {"person": None, "grant": None}
        asker, consent = visit.requester, await access.consent(visit.person_id)
        grant = opening_grant(consent, asker, datetime.now(UTC))
        if grant is not None:
            person = await directory.person(visit.person_id)
        else:
            person = await directory.read_person(visit.person_id, actor=asker.actor, origin=asker.origin)
        if person is None:
            raise no_access()
        return {"person": person, "grant": grant}

    return banner


def no_access() -> Problem:
    """The one answer for a record that is not there and for one that is not open to the professional."""
    return Problem(404, "not-found", _NO_ACCESS, remedy=_ASK_FOR_CODE)

"""The context of the pages of a record: the requester, the person, the addresses, and the banner."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from esante.core import clock
from esante.core.types import Json
from esante.core.web import N_, Problem
from esante.identity.access import Access, Action, Item, Purpose, Requester, decide, opening_grant, writable_classes
from esante.identity.directory import Directory
from esante.services.record.categories import CATEGORIES, display_of_type

ICONS = {
    "patient_summary": "summary",
    "discharge_letter": "hospital",
    "consultation_report": "consult",
    "laboratory_report": "lab",
    "imaging_report": "imaging",
    "imaging_study": "imaging",
    "operation_report": "surgery",
    "prescription": "medicine",
    "vaccination_history": "vaccine",
    "letter": "letter",
    "advance_directive": "directive",
    "organ_donation": "directive",
    "end_of_life": "directive",
    "patient_note": "note",
    "care_report": "consult",
    "medical_history": "record",
    "allergies": "warning",
    "devices": "surgery",
    "certificate": "document",
    "dispensing": "medicine",
    "nursing_assessment": "summary",
    "prevention": "check",
    "socio_educational": "people",
    "social_environment": "home",
    "legal_protection": "lock",
    "cover": "document",
    "education": "info",
}
"""The icon of each category."""
DOCUMENT_VARIABLES: Json = {"categories": CATEGORIES, "icons": ICONS, "display_of_type": display_of_type}
"""The variables of every template that shows documents."""
_NO_ACCESS = N_("You do not have access to this record.")
_ASK_FOR_CODE = N_("Ask your patient for a presence code and enter it under Patients.")


@dataclass(frozen=True, slots=True)
class PageContext:
    """The requester of a page, the person whose record it shows, and its addresses."""

    requester: Requester
    person_id: UUID
    timeline_url: str
    documents_url: str
    """The address that the key of a document is appended to."""
    request: Request

    @property
    def is_own(self) -> bool:
        """Whether the requester is the person themselves."""
        return self.requester.kind == "patient" and self.requester.id == self.person_id

    @property
    def is_represented(self) -> bool:
        """Whether the requester acts for the person, as a parent, guardian or trusted person."""
        return self.requester.kind == "patient" and self.requester.id != self.person_id


class PageContexts:
    """Resolves the context of a request: for patients their own record, for professionals the one in the address."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def resolve_own(self, request: Request) -> PageContext:
        """Return the context of the signed-in patient's own record."""
        requester = await self._access.page_requester(request, kinds=("patient",))
        return PageContext(requester, requester.id, "/record", "/record", request)

    async def resolve_patient(self, request: Request) -> PageContext:
        """Return the context of a patient's record for the signed-in professional."""
        requester = await self._access.page_requester(request, kinds=("practitioner",))
        person_id = request.path_params["person_id"]
        place = f"/patients/{person_id}"
        return PageContext(requester, person_id, place, f"{place}/documents", request)

    async def resolve_represented(self, request: Request) -> PageContext:
        """Return the context of the record of a person for whom the signed-in patient acts, if they do."""
        requester = await self._access.page_requester(request, kinds=("patient",))
        person_id = request.path_params["person_id"]
        place = f"/represented/{person_id}"
        return PageContext(replace(requester, patient=person_id), person_id, place, f"{place}/documents", request)


Resolver = Callable[[Request], Awaitable[PageContext]]
"""Returns the context of a request."""


PageMethod = Callable[[Request, PageContext], Awaitable[Response]]
"""Responds to a request with its context."""


def page_endpoint(resolve: Resolver, respond: PageMethod) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of a page: a method that also gets the context of the request."""

    async def endpoint(request: Request) -> Response:
        return await respond(request, await resolve(request))

    return endpoint


BannerLoader = Callable[[PageContext], Awaitable[Json]]
"""Returns the template variables of the banner."""


def banner_loader(access: Access, directory: Directory) -> BannerLoader:
    """Return the function that loads the banner of the pages of a professional, or of who acts for the person.

    It holds the person, the grant, and which document classes the professional may write.

    A grant covers reading who the person is. Without one the person is read from the directory, for a motive that is
    asked for once, which writes an audit entry that the person can see.
    """

    async def load(page: PageContext) -> Json:
        if page.is_own:
            return {"person": None, "grant": None, "writable": frozenset()}
        requester, consent = page.requester, await access.consent(page.person_id)
        now = clock.now()
        grant = opening_grant(consent, requester, now)
        if page.is_represented:
            acting = decide(consent, requester, Action.READ, Item(category=""), Purpose.TREATMENT, now).allowed
            person = await directory.person(page.person_id) if acting else None
        elif grant is not None:
            person = await directory.person(page.person_id)
        else:
            await access.motives.require(page.request, f"person:{page.person_id}")
            person = await directory.read_person(page.person_id, actor=requester.actor, origin=requester.origin)
        if person is None:
            raise no_access()
        return {
            "person": person,
            "grant": grant,
            "writable": writable_classes(consent, requester, now),
        }

    return load


def no_access() -> Problem:
    """Return the one answer for a record that does not exist and for one that the professional may not open."""
    return Problem(404, "not-found", _NO_ACCESS, remedy=_ASK_FOR_CODE)

"""The page of administrative staff: in the name of which professional they act."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.time_zone import today
from esante.core.web import NOT_FOUND, Problem, read_form, render
from esante.identity.access.authn.requesters import delegate_requester
from esante.identity.access.model import Requester
from esante.identity.access.pages.form_fields import form_uuid
from esante.identity.access.service import Access
from esante.identity.directory import Directory

_PRACTITIONER = ("practitioner",)


def routes(access: Access, directory: Directory) -> list[Route]:
    """Return the routes of acting for somebody else."""

    async def show(request: Request) -> Response:
        requester = await access.page_requester(request, _PRACTITIONER)
        return await render(
            request, "access/delegation.html", requester=requester, choices=await _choices(requester, directory)
        )

    async def act(request: Request) -> Response:
        requester = await access.page_requester(request, _PRACTITIONER)
        form = await read_form(request)
        wanted = form_uuid(form, "professional"), form_uuid(form, "organization")
        for chosen in await _choices(requester, directory):
            if (chosen.id, chosen.organization_id) == wanted:
                return await access.sign_in(request, chosen, method="delegation")
        raise Problem(404, "not-found", NOT_FOUND)

    return [Route("/acting", show), Route("/acting", act, methods=["POST"])]


async def _choices(requester: Requester, directory: Directory) -> list[Requester]:
    """Return in whose name a requester may act now, by their own delegations, sorted by name."""
    delegate_id = requester.delegate.id if requester.delegate else requester.id
    delegations = await directory.delegations.of_delegate(delegate_id, today())
    people = await directory.practitioners({delegate_id, *(one.professional_id for one in delegations)})
    places = await directory.organizations({one.organization_id for one in delegations})
    found = [
        delegate_requester(people[delegate_id], people[one.professional_id], places[one.organization_id])
        for one in delegations
        if one.professional_id in people and one.organization_id in places and delegate_id in people
    ]
    return sorted(found, key=lambda one: (one.name, one.organization))

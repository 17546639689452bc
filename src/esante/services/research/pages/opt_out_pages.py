"""The patient's page of secondary use: the opt-out, and which permits cover data such as theirs."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.core.web import NOT_FOUND, Problem, read_form, redirect, render
from esante.identity.access import Access
from esante.services.research.opt_out.own_use import OwnUse
from esante.services.research.opt_out.service import OptOuts
from esante.services.research.pages.form_values import PATIENT, catalogue_words
from esante.services.research.permits.model import PERMIT_KIND_NAMES, PERMIT_STATE_NAMES

OWN = "/secondary-use"


def routes(opt_outs: OptOuts, own_use: OwnUse, access: Access) -> list[BaseRoute]:
    """Return the routes of the patient's page."""

    async def show(request: Request) -> Response:
        requester = await access.page_requester(request, PATIENT)
        history = await opt_outs.history(requester)
        datasets = await own_use.datasets(requester)
        page = await own_use.permits(datasets, history, request.query_params.get("cursor"))
        return await render(
            request,
            "research/own_use.html",
            history=history,
            since=history[0].since if history and history[0].until is None else None,
            own_datasets=datasets,
            page=page,
            kinds=PERMIT_KIND_NAMES,
            states=PERMIT_STATE_NAMES,
            **catalogue_words(),
        )

    async def change(request: Request) -> Response:
        requester = await access.page_requester(request, PATIENT)
        await read_form(request)
        if request.path_params["act"] not in ("out", "in"):
            raise Problem(404, "not-found", NOT_FOUND)
        await opt_outs.change(requester, out=request.path_params["act"] == "out")
        return redirect(OWN)

    return [Route(OWN, show, methods=["GET"]), Route(f"{OWN}/{{act:str}}", change, methods=["POST"])]

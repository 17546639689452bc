"""The page that asks people at work why they look somebody up; it leads back to where they came from."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import Problem, read_form, redirect, render
from esante.identity.access.authn.motives import LONGEST, check_task, local_path, motives_for
from esante.identity.access.pages.form_fields import form_text
from esante.identity.access.service import Access

_KINDS = ("practitioner", "operator")


def routes(access: Access) -> list[Route]:
    """Return the route of the motive."""

    async def motive(request: Request) -> Response:
        requester = await access.page_requester(request, _KINDS)
        values = {name: request.query_params.get(name, "") for name in ("task", "to")} | {
            "purpose": "",
            "reference": "",
        }
        problem = None
        if request.method == "POST":
            form = await read_form(request)
            values = {name: form_text(form, name) for name in ("task", "to", "purpose", "reference")}
            try:
                await access.motives.state(request, requester, values["task"], values["purpose"], values["reference"])
                return redirect(local_path(values["to"]))
            except Problem as error:
                if error.status != 400 or error.place == "task":
                    raise
                problem = error
        check_task(values["task"])
        return await render(
            request,
            "access/motive.html",
            problem.status if problem else 200,
            problem=problem,
            values=values,
            motives=motives_for(requester.kind),
            longest=LONGEST,
        )

    return [Route("/motive", motive, methods=["GET", "POST"])]

"""The page on which a person takes her data along."""

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from esante.core.web import gettext_of, language_of, read_form, redirect, render, show_datetime
from esante.identity.access import Access, Requester
from esante.services.export.kickoff import Wish
from esante.services.export.model import Level, State
from esante.services.export.personal_export import Takeout
from esante.services.export.rules import percent
from esante.services.export.service import Exports

_PATIENT = ("patient",)
_ALL = Wish(types=None, since=None, ignored=())


def routes(exports: Exports, takeout: Takeout, access: Access) -> list[Route]:
    """`/takeout` (its state, and begin), `/takeout/data.zip` and `/takeout/delete`."""

    async def show(request: Request) -> Response:
        return await _show(request, exports, await access.page_requester(request, _PATIENT))

    async def begin(request: Request) -> Response:
        requester = await access.page_requester(request, _PATIENT)
        await read_form(request)
        jobs = await exports.jobs(requester)
        if not any(job.state is State.RUNNING for job in jobs):
            await _forget(exports, requester)
            await exports.ask(requester, _ALL, "/takeout", level=Level.PERSON, subject=requester.id)
        return redirect("/takeout")

    async def delete(request: Request) -> Response:
        requester = await access.page_requester(request, _PATIENT)
        await read_form(request)
        await _forget(exports, requester)
        return redirect("/takeout")

    async def download(request: Request) -> Response:
        requester = await access.page_requester(request, _PATIENT)
        luggage = await takeout.pack(requester)
        moment = show_datetime(luggage.job.asked.at, language_of(request))
        name = f"esante {luggage.job.asked.at:%Y-%m-%d}.zip"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        content = takeout.zipped(luggage, gettext_of(request), moment)
        return StreamingResponse(content, headers=headers, media_type="application/zip")

    return [
        Route("/takeout", show, methods=["GET"]),
        Route("/takeout", begin, methods=["POST"]),
        Route("/takeout/delete", delete, methods=["POST"]),
        Route("/takeout/data.zip", download, methods=["GET"]),
    ]


async def _show(request: Request, exports: Exports, requester: Requester) -> Response:
    job = next(iter(await exports.jobs(requester)), None)
    done = percent(job, exports.sections) if job else 0
    if job and job.state is State.RUNNING and request.query_params.get("shown") == str(done):
        return Response(status_code=204)  # the page shows that already: nothing is to be read out again
    files = await exports.files(job) if job and job.state is State.DONE else []
    return await render(
        request,
        "export/takeout.html",
        job=job,
        state=job.state.value if job else "",
        done=done,
        entries=sum(file.lines for file in files),
        documents=sum(file.lines for file in files if file.type == "DocumentReference"),
    )


async def _forget(exports: Exports, requester: Requester) -> None:
    """Remove what was prepared before."""
    for job in await exports.jobs(requester):
        await exports.cancel(requester, job.id)

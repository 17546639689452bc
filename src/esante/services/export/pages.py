"""The page on which patients download their data."""

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from esante.core.storage import JobState
from esante.core.web import language_of, read_form, redirect, render
from esante.identity.access import Access, Requester
from esante.services.export.kickoff import ExportParams
from esante.services.export.model import ExportLevel
from esante.services.export.personal_export import PersonalExports
from esante.services.export.rules import percent_done
from esante.services.export.service import Exports

_PATIENT = ("patient",)
_EVERYTHING = ExportParams(types=None, since=None, ignored=())


def routes(exports: Exports, personal_exports: PersonalExports, access: Access) -> list[Route]:
    """Return the routes `/takeout` (state, and begin), `/takeout/data.zip` and `/takeout/delete`."""

    async def show(request: Request) -> Response:
        return await _show(request, exports, await access.page_requester(request, _PATIENT))

    async def begin(request: Request) -> Response:
        requester = await access.page_requester(request, _PATIENT)
        await read_form(request)
        jobs = await exports.jobs(requester)
        if not any(job.state is JobState.RUNNING for job in jobs):
            await _cancel_all(exports, requester)
            level = ExportLevel.PERSON
            await exports.kick_off(requester, _EVERYTHING, "/takeout", level=level, subject=requester.id)
        return redirect("/takeout")

    async def delete(request: Request) -> Response:
        requester = await access.page_requester(request, _PATIENT)
        await read_form(request)
        await _cancel_all(exports, requester)
        return redirect("/takeout")

    async def download(request: Request) -> Response:
        requester = await access.page_requester(request, _PATIENT)
        export = await personal_exports.prepare(requester)
        exported_at = export.job.request.at
        headers = {
            "Content-Disposition": f'attachment; filename="esante {exported_at:%Y-%m-%d}.zip"',
            "Cache-Control": "no-store",
        }
        content = personal_exports.stream_zip(export, language_of(request))
        return StreamingResponse(content, headers=headers, media_type="application/zip")

    return [
        Route("/takeout", show, methods=["GET"]),
        Route("/takeout", begin, methods=["POST"]),
        Route("/takeout/delete", delete, methods=["POST"]),
        Route("/takeout/data.zip", download, methods=["GET"]),
    ]


async def _show(request: Request, exports: Exports, requester: Requester) -> Response:
    job = next(iter(await exports.jobs(requester)), None)
    percent = percent_done(job, exports.sections) if job else 0
    if job and job.state is JobState.RUNNING and request.query_params.get("shown") == str(percent):
        return Response(status_code=204)  # unchanged: a screen reader should not read the page out again
    files = await exports.files(job) if job and job.state is JobState.DONE else []
    return await render(
        request,
        "export/takeout.html",
        job=job,
        state=job.state.value if job else "",
        percent=percent,
        entries=sum(file.lines for file in files),
        documents=sum(file.lines for file in files if file.type == "DocumentReference"),
    )


async def _cancel_all(exports: Exports, requester: Requester) -> None:
    """Remove the exports that were prepared before."""
    for job in await exports.jobs(requester):
        await exports.cancel(requester, job.id)

"""The proof that a patient's access log is complete: asked for, made in the background, checked and fetched.

A patient has one proof at most, so no address names one: nobody can ask for another person's.
"""

import base64

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from esante.core.journal import Journal, ProofJob, verifier_source
from esante.core.storage import JobState
from esante.core.web import NOT_FOUND, Problem, read_form, redirect, render
from esante.identity.access.events import LogRead
from esante.identity.access.model import Requester
from esante.identity.access.service import Access

_PATIENT = ("patient",)
_PAGE = "/log/proof"


def routes(access: Access, journal: Journal) -> list[Route]:
    """Return the routes `/log/proof` (state, and begin), `/log/proof.json` and `/log/verifier.py`."""

    async def show(request: Request) -> Response:
        requester = await access.page_requester(request, _PATIENT)
        return await _show(request, requester, journal)

    async def begin(request: Request) -> Response:
        requester = await access.page_requester(request, _PATIENT)
        await read_form(request)
        job = await journal.proofs.current(requester.id)
        if job is None or job.state is not JobState.RUNNING:
            await access.count_proof(requester)
            asked = journal.rows_for(requester, LogRead(face="proof"), person_id=requester.id)
            await journal.proofs.ask(requester.id, asked)
        return redirect(_PAGE)

    async def download(request: Request) -> Response:
        requester = await access.page_requester(request, _PATIENT)
        job = await _finished_job(requester, journal)
        await journal.append_for(requester, LogRead(face="proof"), person_id=requester.id)
        headers = _headers("proof.json") | {"Content-Length": str(job.bytes)}
        return StreamingResponse(journal.proofs.stream(job), headers=headers, media_type="application/json")

    async def download_verifier(request: Request) -> Response:
        await access.page_requester(request, _PATIENT)
        return Response(verifier_source().encode(), headers=_headers("verifier.py"), media_type="text/x-python")

    return [
        Route(_PAGE, show, methods=["GET"]),
        Route(_PAGE, begin, methods=["POST"]),
        Route("/log/proof.json", download, methods=["GET"]),
        Route("/log/verifier.py", download_verifier, methods=["GET"]),
    ]


async def _show(request: Request, requester: Requester, journal: Journal) -> Response:
    job = await journal.proofs.current(requester.id)
    shown = request.query_params.get("shown")
    if job and job.state is JobState.RUNNING and shown == str(job.percent):
        return Response(status_code=204)  # unchanged: a screen reader should not read the page out again
    return await render(
        request,
        "access/proof.html",
        job=job,
        state=job.state.value if job else "",
        person_id=requester.id,
        key=base64.b64encode(journal.signer.public).decode(),
        verifier_key=str(journal.signer.verifier),
        witnesses=[witness.key for witness in journal.witnesses.remotes],
    )


async def _finished_job(requester: Requester, journal: Journal) -> ProofJob:
    """Return the requester's finished proof. Raises: `Problem` 404."""
    job = await journal.proofs.current(requester.id)
    if job is None or job.state is not JobState.DONE:
        raise Problem(404, "not-found", NOT_FOUND)
    return job


def _headers(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}

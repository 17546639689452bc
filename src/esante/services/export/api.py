"""FHIR endpoints of exports: kick-off, status, files, and the groups that can be exported.

Source: FHIR Bulk Data Access 2.0, "Bulk Data Export Operation Request Flow"; FHIR R4, "Asynchronous Request Pattern".
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from esante.core import clock
from esante.core.fhir.rest import SearchParams, convert_posted_search, fhir_response, read_resource, searchset
from esante.core.storage import JobState
from esante.core.types import Json
from esante.core.web import N_, Problem
from esante.identity.access import Access, Requester
from esante.services.export.groups import fetch_group, group_owners
from esante.services.export.kickoff import Pairs, parse_kickoff, parse_parameters, prefers_lenient
from esante.services.export.model import ExportFile, ExportLevel, Job
from esante.services.export.rules import percent_done, retry_after
from esante.services.export.service import Exports, gzip_size, not_found

NDJSON = "application/fhir+ndjson"
MAX_BODY = 64 * 1024
"""The most bytes of a kick-off request's body."""
_DEFINITION = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/"
_SEARCH_PARAMS = {"_id": "token", "managing-entity": "reference"}


def routes(exports: Exports, access: Access, base_url: str) -> list[Route]:
    """Return the routes under /fhir. They must come before the routes of single patients.

    `base_url` is the address of /fhir.
    """
    endpoints = _ExportEndpoints(exports, access, base_url)
    kick_off = ["GET", "POST"]

    async def find_groups_by_post(request: Request) -> Response:
        return await endpoints.find_groups(await convert_posted_search(request))

    return [
        Route("/fhir/$export", endpoints.kick_off(ExportLevel.SYSTEM), methods=kick_off),
        Route("/fhir/$export/{job}", endpoints.status, methods=["GET"]),
        Route("/fhir/$export/{job}", endpoints.cancel, methods=["DELETE"]),
        Route("/fhir/$export/{job}/{file}", endpoints.file, methods=["GET"]),
        Route("/fhir/Patient/$export", endpoints.kick_off(ExportLevel.PATIENTS), methods=kick_off),
        Route("/fhir/Patient/{id}/$export", endpoints.kick_off(ExportLevel.PERSON), methods=kick_off),
        Route("/fhir/Group", endpoints.find_groups, methods=["GET"]),
        Route("/fhir/Group/_search", find_groups_by_post, methods=["POST"]),
        Route("/fhir/Group/{id}", endpoints.read_group, methods=["GET"]),
        Route("/fhir/Group/{id}/$export", endpoints.kick_off(ExportLevel.GROUP), methods=kick_off),
    ]


def capabilities() -> list[Json]:
    """Return the entries of this service in CapabilityStatement.rest.resource."""
    return [
        {
            "type": "Group",
            "documentation": "The persons in one's care right now: those whose record one may open.",
            "interaction": [{"code": "read"}, {"code": "search-type"}],
            "searchParam": [{"name": name, "type": kind} for name, kind in _SEARCH_PARAMS.items()],
        }
    ]


OPERATIONS = {
    "Group": {"export": f"{_DEFINITION}group-export"},
    "Patient": {"export": f"{_DEFINITION}patient-export"},
}
"""Canonical URLs of the operations, by resource type and name. Patient/$export also exists for a single patient."""
SYSTEM_OPERATION: Json = {"name": "export", "definition": f"{_DEFINITION}export"}


@dataclass(frozen=True, slots=True)
class _ExportEndpoints:
    exports: Exports
    access: Access
    base_url: str

    def kick_off(self, level: ExportLevel) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint that begins exports of a level."""

        async def endpoint(request: Request) -> Response:
            if request.method == "HEAD":
                raise Problem(405, "not-supported", N_("You cannot do this here."), headers={"Allow": "GET, POST"})
            requester = await self.access.authenticate(request)
            lenient = prefers_lenient(request.headers.getlist("prefer"))
            pairs: Pairs = request.query_params.multi_items()
            if request.method == "POST":
                pairs = [*pairs, *parse_parameters(await read_resource(request, MAX_BODY))]
            params = parse_kickoff(pairs, lenient=lenient, supported=await self.exports.types_for(requester))
            subject = _id(request) if "id" in request.path_params else None
            url = self._kickoff_url(request)
            job = await self.exports.kick_off(requester, params, url, level=level, subject=subject)
            return Response(status_code=202, headers={"Content-Location": self._job_url(job)})

        return endpoint

    async def status(self, request: Request) -> Response:
        """Answer with the progress of an export (202), or with its manifest (200)."""
        job = await self.exports.job(await self.access.authenticate(request), _job_id(request))
        match job.state:
            case JobState.RUNNING:
                await self.exports.record_poll(job)
                percent = percent_done(job, self.exports.sections)
                seconds = retry_after(job, percent, clock.now())
                return Response(status_code=202, headers={"X-Progress": f"{percent}%", "Retry-After": str(seconds)})
            case JobState.DONE if job.expires_at is not None:
                return await self._manifest(job, job.expires_at)
        raise Problem(
            500,
            "exception",
            N_("The export could not be completed."),
            remedy=N_("Try again. If it does not work, contact the helpdesk."),
        )

    async def _manifest(self, job: Job, expires_at: datetime) -> Response:
        files = await self.exports.files(job)
        manifest = {
            "transactionTime": _instant(job.request.at),
            "request": job.request.request,
            "requiresAccessToken": True,
            "output": self._manifest_items(job, files, "output"),
            "deleted": self._manifest_items(job, files, "deleted"),
            "error": self._manifest_items(job, files, "error"),
        }
        headers = {"Expires": format_datetime(expires_at, usegmt=True)}
        return Response(orjson.dumps(manifest), headers=headers, media_type="application/json")

    def _manifest_items(self, job: Job, files: list[ExportFile], kind: str) -> list[Json]:
        return [
            {"type": file.type, "url": f"{self._job_url(job)}/{file.name}", "count": file.lines}
            for file in files
            if file.kind == kind
        ]

    async def file(self, request: Request) -> Response:
        """Send a file, compressed if the client accepts gzip."""
        requester = await self.access.authenticate(request)
        job, file = await self.exports.fetch_file(requester, _job_id(request), request.path_params["file"])
        compressed = _accepts_gzip(request.headers.get("accept-encoding", ""))
        headers = {
            "Content-Type": NDJSON,
            "Content-Length": str(gzip_size(file) if compressed else file.size),
            "Content-Disposition": f'attachment; filename="{file.name}"',
            "Vary": "Accept-Encoding",
        }
        if compressed:
            headers["Content-Encoding"] = "gzip"
        if request.method == "HEAD":
            return Response(headers=headers)
        chunks = self.exports.stream_gzip(job, file) if compressed else self.exports.stream_lines(job, file)
        return StreamingResponse(chunks, headers=headers)

    async def cancel(self, request: Request) -> Response:
        """Cancel an export, or confirm that its files were fetched: in both cases the files are removed."""
        await self.exports.cancel(await self.access.authenticate(request), _job_id(request))
        return Response(status_code=202)

    # Groups

    async def find_groups(self, request: Request) -> Response:
        """Search the groups of the requester."""
        requester = await self.access.authorize(request, "Group", "s")
        params = SearchParams(request, _SEARCH_PARAMS)
        ids = [key for key in group_owners(requester) if self._matches(requester, key, params)]
        groups = [found for key in ids[: params.count] if (found := await fetch_group(self.access, requester, key))]
        url = params.self_url(self.base_url)
        bundle = searchset(groups, self_url=url, base_url=self.base_url, total=len(ids), outcome=params.outcome)
        return fhir_response(bundle)

    def _matches(self, requester: Requester, key: UUID, params: SearchParams) -> bool:
        owner = group_owners(requester)[key]["reference"]
        references = {owner, f"{self.base_url}/{owner}"}
        owner_matches = all(not references.isdisjoint(values) for values in params.all("managing-entity"))
        return owner_matches and all(str(key) in values for values in params.all("_id"))

    async def read_group(self, request: Request) -> Response:
        """Return a group with its members."""
        requester = await self.access.authorize(request, "Group", "r")
        group = await fetch_group(self.access, requester, _id(request))
        if group is None:
            raise not_found()
        return fhir_response(group)

    # URLs

    def _job_url(self, job: Job) -> str:
        return f"{self.base_url}/$export/{job.id}"

    def _kickoff_url(self, request: Request) -> str:
        query = f"?{request.url.query}" if request.method == "GET" and request.url.query else ""
        return f"{self.base_url}{request.url.path.removeprefix('/fhir')}{query}"


def _id(request: Request) -> UUID:
    return _parse_uuid(request.path_params["id"])


def _job_id(request: Request) -> UUID:
    return _parse_uuid(request.path_params["job"])


def _parse_uuid(text: str) -> UUID:
    """Parse a UUID in its canonical form. Raises: `Problem` 404 for anything else."""
    try:
        found = UUID(text)
    except ValueError as error:
        raise not_found() from error
    if str(found) != text:
        raise not_found()
    return found


def _accepts_gzip(accept_encoding: str) -> bool:
    """Return whether an Accept-Encoding header asks for gzip (RFC 9110, section 12.5.3)."""
    for part in accept_encoding.split(","):
        coding, _, weight = part.partition(";")
        if coding.strip().lower() in ("gzip", "x-gzip"):
            return weight.strip().lower().replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

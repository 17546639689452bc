"""The FHIR face of exports: kick-off, status, files, and the groups to export.

Source: FHIR Bulk Data Access 2.0, "Bulk Data Export Operation Request Flow"; FHIR R4, "Asynchronous Request Pattern".
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from esante.core.fhir.rest import SearchParams, convert_posted_search, fhir_response, read_resource, searchset
from esante.core.web import N_, Problem
from esante.identity.access import Access, Requester
from esante.services.export.groups import group, groups_of
from esante.services.export.kickoff import Pairs, lenient, posted, wish
from esante.services.export.model import File, Job, Level, State
from esante.services.export.rules import ask_again, percent
from esante.services.export.service import Exports, absent, packed_size

Resource = dict[str, Any]
NDJSON = "application/fhir+ndjson"
MAX_BODY = 64 * 1024
_DEFINITION = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/"
_PARAMETERS = {"_id": "token", "managing-entity": "reference"}


def routes(exports: Exports, access: Access, base_url: str) -> list[Route]:
    """The routes under /fhir; `base_url` is the address of /fhir. They come before those of single patients."""
    face = _Face(exports, access, base_url)
    kick_off = ["GET", "POST"]

    async def posted_groups(request: Request) -> Response:
        return await face.find_groups(await convert_posted_search(request))

    return [
        Route("/fhir/$export", face.asking(Level.SYSTEM), methods=kick_off),
        Route("/fhir/$export/{job}", face.status, methods=["GET"]),
        Route("/fhir/$export/{job}", face.cancel, methods=["DELETE"]),
        Route("/fhir/$export/{job}/{file}", face.file, methods=["GET"]),
        Route("/fhir/Patient/$export", face.asking(Level.PATIENTS), methods=kick_off),
        Route("/fhir/Patient/{id}/$export", face.asking(Level.PERSON), methods=kick_off),
        Route("/fhir/Group", face.find_groups, methods=["GET"]),
        Route("/fhir/Group/_search", posted_groups, methods=["POST"]),
        Route("/fhir/Group/{id}", face.read_group, methods=["GET"]),
        Route("/fhir/Group/{id}/$export", face.asking(Level.GROUP), methods=kick_off),
    ]


def capabilities() -> list[Resource]:
    """What this room adds to CapabilityStatement.rest.resource."""
    return [
        {
            "type": "Group",
            "documentation": "The persons in one's care right now: those whose record one may open.",
            "interaction": [{"code": "read"}, {"code": "search-type"}],
            "searchParam": [{"name": name, "type": kind} for name, kind in _PARAMETERS.items()],
        }
    ]


OPERATIONS = {
    "Group": {"export": f"{_DEFINITION}group-export"},
    "Patient": {"export": f"{_DEFINITION}patient-export"},
}
"""The operations of this face, by type and name. That on patients is also there for one of them."""
SYSTEM_OPERATION: Resource = {"name": "export", "definition": f"{_DEFINITION}export"}


@dataclass(frozen=True, slots=True)
class _Face:
    exports: Exports
    access: Access
    base_url: str

    def asking(self, level: Level) -> Callable[[Request], Awaitable[Response]]:
        """The kick-off of exports of a level."""

        async def endpoint(request: Request) -> Response:
            if request.method == "HEAD":
                raise Problem(405, "not-supported", N_("This cannot be done here."), headers={"Allow": "GET, POST"})
            requester = await self.access.requester(request)
            ignoring = lenient(request.headers.getlist("prefer"))
            pairs: Pairs = request.query_params.multi_items()
            if request.method == "POST":
                pairs = [*pairs, *posted(await read_resource(request, MAX_BODY))]
            wanted = wish(pairs, lenient=ignoring, supported=await self.exports.types(requester))
            subject = _id(request) if "id" in request.path_params else None
            job = await self.exports.ask(requester, wanted, self._asked_at(request), level=level, subject=subject)
            return Response(status_code=202, headers={"Content-Location": self._place(job)})

        return endpoint

    async def status(self, request: Request) -> Response:
        """How far an export is, or the list of its files."""
        job = await self.exports.job(await self.access.requester(request), _job_id(request))
        match job.state:
            case State.RUNNING:
                await self.exports.polled(job)
                done = percent(job, self.exports.sections)
                again = ask_again(job, done, datetime.now(UTC))
                return Response(status_code=202, headers={"X-Progress": f"{done}%", "Retry-After": str(again)})
            case State.DONE:
                return await self._manifest(job)
        raise Problem(
            500,
            "exception",
            N_("The export could not be finished."),
            remedy=N_("Ask for it again, and tell the helpdesk if that fails too."),
        )

    async def _manifest(self, job: Job) -> Response:
        files = await self.exports.files(job)
        found = {
            "transactionTime": _instant(job.asked.at),
            "request": job.asked.request,
            "requiresAccessToken": True,
            "output": self._named(job, files, "output"),
            "deleted": self._named(job, files, "deleted"),
            "error": self._named(job, files, "error"),
        }
        assert job.expires_at is not None
        headers = {"Expires": format_datetime(job.expires_at, usegmt=True)}
        return Response(orjson.dumps(found), headers=headers, media_type="application/json")

    def _named(self, job: Job, files: list[File], kind: str) -> list[Resource]:
        return [
            {"type": file.type, "url": f"{self._place(job)}/{file.name}", "count": file.lines}
            for file in files
            if file.kind == kind
        ]

    async def file(self, request: Request) -> Response:
        """A file, compressed for who takes it so."""
        requester = await self.access.requester(request)
        job, file = await self.exports.fetch(requester, _job_id(request), request.path_params["file"])
        packed = _takes_gzip(request.headers.get("accept-encoding", ""))
        headers = {
            "Content-Type": NDJSON,
            "Content-Length": str(packed_size(file) if packed else file.size),
            "Content-Disposition": f'attachment; filename="{file.name}"',
            "Vary": "Accept-Encoding",
        }
        if packed:
            headers["Content-Encoding"] = "gzip"
        if request.method == "HEAD":
            return Response(headers=headers)
        chunks = self.exports.packed(job, file) if packed else self.exports.lines(job, file)
        return StreamingResponse(chunks, headers=headers)

    async def cancel(self, request: Request) -> Response:
        """End an export, or say that its files were fetched: they are removed."""
        await self.exports.cancel(await self.access.requester(request), _job_id(request))
        return Response(status_code=202)

    # Groups

    async def find_groups(self, request: Request) -> Response:
        """The groups of the requester."""
        requester = await self.access.caller(request, "Group", "s")
        params = SearchParams(request, _PARAMETERS)
        ids = [key for key in groups_of(requester) if self._matches(requester, key, params)]
        found = [resource for key in ids[: params.count] if (resource := await group(self.access, requester, key))]
        url = params.self_url(self.base_url)
        bundle = searchset(found, self_url=url, base_url=self.base_url, total=len(ids), outcome=params.outcome)
        return fhir_response(bundle)

    def _matches(self, requester: Requester, key: UUID, params: SearchParams) -> bool:
        owner = groups_of(requester)[key]["reference"]
        names = {owner, f"{self.base_url}/{owner}"}
        owned = all(not names.isdisjoint(values) for values in params.all("managing-entity"))
        return owned and all(str(key) in values for values in params.all("_id"))

    async def read_group(self, request: Request) -> Response:
        """A group with its members."""
        requester = await self.access.caller(request, "Group", "r")
        found = await group(self.access, requester, _id(request))
        if found is None:
            raise absent()
        return fhir_response(found)

    # Addresses

    def _place(self, job: Job) -> str:
        return f"{self.base_url}/$export/{job.id}"

    def _asked_at(self, request: Request) -> str:
        query = f"?{request.url.query}" if request.method == "GET" and request.url.query else ""
        return f"{self.base_url}{request.url.path.removeprefix('/fhir')}{query}"


def _id(request: Request) -> UUID:
    return _uuid(request.path_params["id"])


def _job_id(request: Request) -> UUID:
    return _uuid(request.path_params["job"])


def _uuid(text: str) -> UUID:
    """A key as it is written here; Problem 404 for anything else."""
    try:
        found = UUID(text)
    except ValueError as error:
        raise absent() from error
    if str(found) != text:
        raise absent()
    return found


def _takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header asks for gzip (RFC 9110, section 12.5.3)."""
    for part in accepted.split(","):
        coding, _, weight = part.partition(";")
        if coding.strip().lower() in ("gzip", "x-gzip"):
            return weight.strip().lower().replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""The FHIR face of the record: IHE MHD 4.2 ITI-65, 66, 67, 68 and 105, and withdrawing.

Source: IHE MHD 4.2 and the EU Health Data API 1.0.0-ballot, "Document Access Provider with Submission Option".
"""

import base64
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.core.fhir import Issue, operation_outcome, parse_logical_id
from esante.core.fhir.rest import SearchParams, convert_posted_search, fhir_response, require_fhir_json, searchset
from esante.core.storage import uuid7
from esante.core.web import FHIR_JSON, N_, Problem, decode_cursor, encode_cursor, too_large
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.record import audit
from esante.services.record.clinical.routes import ClinicalRoutes
from esante.services.record.clinical.routes import capabilities as clinical_capabilities
from esante.services.record.clinical.transaction_api import BundlesFace, is_submission
from esante.services.record.documents.docref import as_search
from esante.services.record.documents.document_reference import (
    Resource,
    binary,
    content_path,
    document_reference,
    instant,
    submission_set,
)
from esante.services.record.documents.mhd_parser import Decoder, Submission, checked, malformed
from esante.services.record.documents.search_params import DOCUMENT_PARAMETERS, LIST_PARAMETERS, Search
from esante.services.record.documents.service import Record
from esante.services.record.documents.validation_messages import FINDINGS, InvalidContent
from esante.services.record.model import MAX_CONTENT, Deposited, Document, Filters, Order, Status

MAX_BODY = 4 * MAX_CONTENT // 3 + 4 * 1024 * 1024
"""A document of the largest size in base64, and what is said of it."""
MAX_BUNDLE = 64 * 1024 * 1024
"""A batch or transaction, of which no document is made in memory."""
_EXTENSIONS = {
    "application/pdf": "pdf",
    "application/hl7-cda+xml": "xml",
    "image/png": "png",
    "image/jpeg": "jpg",
    "text/plain": "txt",
    FHIR_JSON: "json",
}
_PLACES = {
    "contentType": "content[0].attachment.contentType",
    "content": "content[0].attachment",
    "title": "content[0].attachment.title",
    "language": "content[0].attachment.language",
    "format": "content[0].format",
    "date": "context.period.start",
}
"""Where the service's places stand in a DocumentReference."""

Endpoint = Callable[[Request], Awaitable[Response]]


def capabilities() -> list[Resource]:
    """The resources of this face, for CapabilityStatement.rest.resource."""
    return [
        *clinical_capabilities(),
        _capability("DocumentReference", ("create", "read", "update", "search-type"), DOCUMENT_PARAMETERS),
        _capability("List", ("read", "search-type"), LIST_PARAMETERS),
        _capability("Binary", ("read",), {}),
        _capability("Bundle", ("read",), {}),
    ]


def routes(record: Record, directory: Directory, access: Access, base_url: str) -> list[BaseRoute]:
    """The routes under /fhir; `base_url` is the address of /fhir."""
    bundles = BundlesFace(record.transactions(base_url), access, base_url)
    face = _Face(record, directory, access, base_url, Decoder(directory, base_url), bundles)
    get, post, put = ["GET"], ["POST"], ["PUT"]
    reference, lists = "/fhir/DocumentReference", "/fhir/List"
    return [
        ClinicalRoutes(record, directory, access, base_url),
        Route("/fhir", _told(face.provide), methods=post),
        Route("/fhir/", _told(face.provide), methods=post),
        Route(reference, face.find_documents, methods=get),
        Route(reference, _told(face.publish), methods=post),
        Route(f"{reference}/_search", _posted(face.find_documents), methods=post),
        Route(f"{reference}/$docref", _told(face.docref), methods=["GET", "POST"]),
        Route(f"{reference}/{{id}}", face.read_document, methods=get),
        Route(f"{reference}/{{id}}", _told(face.withdraw), methods=put),
        Route(lists, face.find_lists, methods=get),
        Route(f"{lists}/_search", _posted(face.find_lists), methods=post),
        Route(f"{lists}/{{id}}", face.read_list, methods=get),
        Route("/fhir/Bundle/{id}", face.retrieve_bundle, methods=get),
        Route("/fhir/Binary/{id}", face.retrieve_binary, methods=get),
    ]


@dataclass(frozen=True, slots=True)
class _Face:
    record: Record
    directory: Directory
    access: Access
    base_url: str
    decoder: Decoder
    bundles: BundlesFace

    # Deposit

    async def provide(self, request: Request) -> Response:
        """A batch or transaction."""
        await self.access.requester(request)
        require_fhir_json(request)
        async with self.record.large.body(request, MAX_BUNDLE) as body:
            if is_submission(body):
                return await self._provided(request, body)
            return await self.bundles.take(request, body)

    async def _provided(self, request: Request, body: bytes) -> Response:
        """ITI-65: the documents of a transaction, all or none."""
        requester = await self.access.caller(request, "DocumentReference", "c")
        if len(body) > MAX_BODY:
            raise too_large(MAX_BODY)
        submission = await self.decoder.provided(body, uuid7())
        with _placed(submission):
            deposited = await self.record.deposit_all(requester, submission.person_id, submission.entries)
        return fhir_response(self._transaction_response(body, submission, deposited))

    def _transaction_response(self, body: bytes, submission: Submission, deposited: list[Deposited]) -> Resource:
        """What became of each entry, in the order of the request."""
        answers: dict[int, Resource] = {}
        for place, content, one in zip(submission.places, submission.contents, deposited, strict=True):
            answers[place] = self._entry(one, f"DocumentReference/{one.document.key}") | {
                "resource": document_reference(one.document, self.base_url)
            }
            if told := _told_of(one, submission.warnings):
                answers[place]["response"]["outcome"] = told
            if content is not None:
                answers[content] = self._entry(one, content_path(one.document))
        first = deposited[0].document
        own = {"List": f"List/{first.person_id.hex}{first.submission_id.hex}", "Patient": f"Patient/{first.person_id}"}
        entries = []
        for index, entry in enumerate(orjson.loads(body)["entry"]):
            type_ = entry.get("resource", {}).get("resourceType")
            if index in answers:
                entries.append(answers[index])
            elif type_ == "List":
                entries.append(self._entry(deposited[0], own["List"]))
            else:
                entries.append({"response": {"status": "200", "location": own.get(type_, entry["request"]["url"])}})
        return {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}

    def _entry(self, one: Deposited, location: str) -> Resource:
        status = "201" if one.created else "200"
        changed = instant(one.document.changed_at)
        return {
            "fullUrl": f"{self.base_url}/{location}",
            "response": {"status": status, "location": location, "lastModified": changed},
        }

    async def publish(self, request: Request) -> Response:
        """ITI-105: one document inside its DocumentReference."""
        requester = await self.access.caller(request, "DocumentReference", "c")
        require_fhir_json(request)
        async with self.record.large.body(request, MAX_BODY) as body:
            submission = await self.decoder.simplified(body)
            with _placed(submission):
                [one] = await self.record.deposit_all(requester, submission.person_id, submission.entries)
        location = f"{self.base_url}/DocumentReference/{one.document.key}"
        resource = document_reference(one.document, self.base_url)
        return fhir_response(resource, 201 if one.created else 200, {"Location": location})

    async def withdraw(self, request: Request) -> Response:
        """PUT with status entered-in-error and the reason in `description`; nothing else can be changed."""
        requester = await self.access.caller(request, "DocumentReference", "u")
        person_id, document_id = _keys(request)
        require_fhir_json(request)
        async with self.record.large.body(request, MAX_BODY) as body:
            given = checked(body, "DocumentReference")
        if given.get("id") != request.path_params["id"]:
            raise malformed(N_("The id is not that of the address."), "DocumentReference.id", N_("Send the same id."))
        if given.get("status") != Status.WITHDRAWN:
            raise malformed(
                N_("A document can only be withdrawn."),
                "DocumentReference.status",
                N_("Send status entered-in-error, or a new document that replaces this one."),
                "not-supported",
            )
        reason = given.get("description", "")
        try:
            document = await self.record.withdraw(requester, person_id, document_id, reason)
        except InvalidContent as invalid:
            invalid.place = "DocumentReference.description"
            raise
        return fhir_response(document_reference(document, self.base_url))

    # Find

    async def find_documents(self, request: Request) -> Response:
        """ITI-67: the documents of a patient that the requester may see."""
        requester = await self.access.caller(request, "DocumentReference", "s")
        params = SearchParams(request, DOCUMENT_PARAMETERS)
        search = await Search.of(params, self.directory, self.base_url, requester.only)
        documents: tuple[Document, ...] = ()
        following = None
        if search.person_id is not None:
            timeline = await self.record.timeline(
                requester,
                search.person_id,
                search.filters,
                cursor=params.cursor,
                limit=params.count,
                order=Order.DEPOSITED,
                matching=search.matches,
            )
            documents, following = timeline.documents, timeline.next
        resources = [document_reference(document, self.base_url) for document in documents]
        return fhir_response(self._searchset(params, resources, following))

    async def docref(self, request: Request) -> Response:
        """IPA's way to ask for documents."""
        return await self.find_documents(await as_search(request))

    async def find_lists(self, request: Request) -> Response:
        """ITI-66: the submission sets of a patient's documents, the newest first."""
        requester = await self.access.caller(request, "List", "s")
        params = SearchParams(request, LIST_PARAMETERS)
        search = await Search.of(params, self.directory, self.base_url, requester.only)
        sets: dict[str, list[Document]] = {}
        if search.person_id is not None:
            for document in await self._all(requester, search.person_id):
                sets.setdefault(document.submission_id.hex, []).append(document)
        resources = [
            submission_set(documents, self.base_url) for documents in sets.values() if search.matches_set(documents)
        ]
        start = _offset(params.cursor)
        end = start + params.count
        following = encode_cursor(end) if params.count and end < len(resources) else None
        return fhir_response(self._searchset(params, resources[start:end], following))

    def _searchset(self, params: SearchParams, resources: list[Resource], following: str | None) -> Resource:
        return searchset(
            resources,
            self_url=params.self_url(self.base_url),
            base_url=self.base_url,
            next_url=params.next_url(self.base_url, following),
            outcome=params.outcome,
        )

    async def _all(self, requester: Requester, person_id: UUID) -> list[Document]:
        """Every document that the requester may see, of whatever status."""
        found: list[Document] = []
        cursor = None
        while True:
            page = await self.record.timeline(
                requester, person_id, Filters(status=()), cursor=cursor, limit=500, order=Order.DEPOSITED
            )
            found += page.documents
            if (cursor := page.next) is None:
                return found

    # Read

    async def read_document(self, request: Request) -> Response:
        """A document's metadata."""
        requester = await self.access.caller(request, "DocumentReference", "r")
        document = await self.record.document(requester, *_keys(request))
        return fhir_response(document_reference(document, self.base_url))

    async def read_list(self, request: Request) -> Response:
        """A submission set, as far as the requester sees its documents."""
        requester = await self.access.caller(request, "List", "r")
        person_id, submission_id = _keys(request)
        documents = [
            document for document in await self._all(requester, person_id) if document.submission_id == submission_id
        ]
        if not documents:
            raise audit.not_found()
        return fhir_response(submission_set(documents, self.base_url))

    async def retrieve_bundle(self, request: Request) -> Response:
        """ITI-68 of a FHIR document: the stored bytes, which are FHIR."""
        requester = await self.access.caller(request, "Bundle", "r")
        document, content = await self.record.content(
            requester, *_keys(request), matching=lambda document: document.kind == "fhir"
        )
        return _bytes(request, document, content)

    async def retrieve_binary(self, request: Request) -> Response:
        """ITI-68 of any other document: the stored bytes, or a Binary resource for who asks for FHIR."""
        requester = await self.access.caller(request, "Binary", "r")
        document, content = await self.record.content(
            requester, *_keys(request), matching=lambda document: document.kind != "fhir"
        )
        if _wants_fhir(request):
            return fhir_response(binary(document, content), headers={"Cache-Control": "no-store"})
        return _bytes(request, document, content)


@contextmanager
def _placed(submission: Submission) -> Iterator[None]:
    """Turns the places that the service names into places of the request."""
    try:
        yield
    except Problem as problem:
        if problem.place and not problem.place.startswith("Bundle"):
            index = problem.entry if isinstance(problem, InvalidContent) else 0
            path = f"Bundle.entry[{submission.places[index]}].resource" if submission.places else "DocumentReference"
            problem.place = f"{path}.{_PLACES.get(problem.place, problem.place)}"
        raise


def _told(endpoint: Endpoint) -> Endpoint:
    """An endpoint whose refusals of a document list every problem that was found in it."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except InvalidContent as invalid:
            if not invalid.issues:
                raise
            return fhir_response(operation_outcome(invalid.issues), invalid.status)

    return answer


def _told_of(one: Deposited, warnings: tuple[str, ...]) -> Resource | None:
    """The remarks on an accepted document as an OperationOutcome, or None."""
    issues = [
        Issue("warning", "informational", finding.place, f"{FINDINGS[finding.key].text} {finding.detail}".strip())
        for finding in one.findings
    ]
    issues += [Issue("warning", "not-supported", "DocumentReference.relatesTo", text) for text in warnings]
    if not one.created:
        text = "The same bytes are in the record already: nothing was added."
        issues.append(Issue("information", "duplicate", "", text))
    return operation_outcome(issues) if issues else None


def _posted(endpoint: Endpoint) -> Endpoint:
    async def answer(request: Request) -> Response:
        return await endpoint(await convert_posted_search(request))

    return answer


def _keys(request: Request) -> tuple[UUID, UUID]:
    keys = parse_logical_id(request.path_params["id"])
    if keys is None:
        raise audit.not_found()
    return keys


def _offset(cursor: str | None) -> int:
    return max(0, int(str(decode_cursor(cursor, int)[0]))) if cursor else 0


def _wants_fhir(request: Request) -> bool:
    accepted = [part.partition(";")[0].strip() for part in request.headers.get("accept", "").split(",")]
    return FHIR_JSON in accepted or request.query_params.get("_format") in (FHIR_JSON, "json")


def _bytes(request: Request, document: Document, content: bytes) -> Response:
    """The stored bytes, never to be rendered as a page of ours (RFC 9530 for the digest)."""
    tag = f'"{document.sha256.hex()}"'
    headers = {
        "ETag": tag,
        "Content-Digest": f"sha-256=:{base64.b64encode(document.sha256).decode()}:",
        "Content-Disposition": f'attachment; filename="{document.id}.{_EXTENSIONS[document.media_type]}"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "no-store",
    }
    if document.language:
        headers["Content-Language"] = document.language
    known = [part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")]
    if tag in known:
        return Response(status_code=304, headers=headers)
    # Set by hand: Starlette would add a charset to text, which belongs to the stored bytes and not to us.
    response = Response(content, headers=headers)
    response.headers["Content-Type"] = document.media_type
    return response


def _capability(type_: str, interactions: tuple[str, ...], parameters: dict[str, str]) -> Resource:
    found: Resource = {"type": type_, "interaction": [{"code": code} for code in interactions]}
    if parameters:
        found["searchParam"] = [{"name": name, "type": kind} for name, kind in parameters.items()]
    return found

"""The FHIR endpoints for documents: IHE MHD 4.2 ITI-65, 66, 67, 68 and 105, and withdrawal.

Source: IHE MHD 4.2 and the EU Health Data API 1.0.0-ballot, "Document Access Provider with Submission Option".
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.core.fhir import operation_outcome, parse_logical_id
from esante.core.fhir.rest import (
    PART_PARAMETERS,
    SearchParams,
    convert_posted_search,
    fhir_response,
    part_of,
    require_fhir_json,
    require_known_parameters,
    searchset,
)
from esante.core.fhir.search import select_part
from esante.core.storage import uuid7
from esante.core.types import Json
from esante.core.web import N_, Problem, bad_request, decode_offset_cursor, encode_cursor, too_large
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.record import errors
from esante.services.record.clinical.routes import ClinicalRoutes
from esante.services.record.clinical.routes import capabilities as clinical_capabilities
from esante.services.record.clinical.transactions.transaction_api import BundleEndpoints, is_submission
from esante.services.record.documents.content.validation import parse_resource
from esante.services.record.documents.content.validation_messages import InvalidContent
from esante.services.record.documents.docref import as_search
from esante.services.record.documents.document_reference import (
    binary,
    document_reference,
    submission_set,
)
from esante.services.record.documents.mhd_parser import Submission, SubmissionParser
from esante.services.record.documents.retrieval import accepts_fhir, content_response
from esante.services.record.documents.search_params import DOCUMENT_PARAMETERS, LIST_PARAMETERS, DocumentSearch
from esante.services.record.documents.service import Record
from esante.services.record.documents.submission_response import differences_outcome, transaction_response
from esante.services.record.identification.check import PersonDiffers
from esante.services.record.model import MAX_CONTENT, Document, Filters, Order, Status

MAX_BODY = 4 * MAX_CONTENT // 3 + 4 * 1024 * 1024
"""Bytes of a document of the largest size in base64, and its metadata."""
MAX_BUNDLE = 64 * 1024 * 1024
"""Bytes of a batch or transaction without documents."""
_PLACES = {
    "contentType": "content[0].attachment.contentType",
    "content": "content[0].attachment",
    "title": "content[0].attachment.title",
    "language": "content[0].attachment.language",
    "format": "content[0].format",
    "date": "context.period.start",
    "reason": "extension",
}
"""The elements of a DocumentReference by the places that the service names."""

Endpoint = Callable[[Request], Awaitable[Response]]


def capabilities() -> list[Json]:
    """Return the resources of these endpoints, for CapabilityStatement.rest.resource."""
    return [
        *clinical_capabilities(),
        _capability("DocumentReference", ("create", "read", "update", "search-type"), DOCUMENT_PARAMETERS),
        _capability("List", ("read", "search-type"), LIST_PARAMETERS),
        _capability("Binary", ("read",), {}),
        _capability("Bundle", ("read",), {}),
    ]


def routes(record: Record, directory: Directory, access: Access, base_url: str) -> list[BaseRoute]:
    """Return the routes under /fhir; `base_url` is the address of /fhir."""
    bundles = BundleEndpoints(record.transactions(base_url), access, base_url)
    endpoints = _MhdEndpoints(record, directory, access, base_url, SubmissionParser(directory, base_url), bundles)
    get, post, put = ["GET"], ["POST"], ["PUT"]
    reference, lists = "/fhir/DocumentReference", "/fhir/List"
    return [
        ClinicalRoutes(record, directory, access, base_url),
        Route("/fhir", _obeying(_with_issues(endpoints.submit_bundle)), methods=post),
        Route("/fhir/", _obeying(_with_issues(endpoints.submit_bundle)), methods=post),
        Route(reference, endpoints.find_documents, methods=get),
        Route(reference, _obeying(_with_issues(endpoints.publish_document)), methods=post),
        Route(f"{reference}/_search", _accept_post(endpoints.find_documents), methods=post),
        Route(f"{reference}/$docref", _with_issues(endpoints.docref), methods=["GET", "POST"]),
        Route(f"{reference}/{{id}}", _obeying(endpoints.read_document, *PART_PARAMETERS), methods=get),
        Route(f"{reference}/{{id}}", _obeying(_with_issues(endpoints.withdraw_document)), methods=put),
        Route(lists, endpoints.find_lists, methods=get),
        Route(f"{lists}/_search", _accept_post(endpoints.find_lists), methods=post),
        Route(f"{lists}/{{id}}", _obeying(endpoints.read_list, *PART_PARAMETERS), methods=get),
        Route("/fhir/Bundle/{id}", _obeying(endpoints.retrieve_bundle), methods=get),
        Route("/fhir/Binary/{id}", _obeying(endpoints.retrieve_binary), methods=get),
    ]


@dataclass(frozen=True, slots=True)
class _MhdEndpoints:
    record: Record
    directory: Directory
    access: Access
    base_url: str
    parser: SubmissionParser
    bundles: BundleEndpoints

    async def submit_bundle(self, request: Request) -> Response:
        """Process a batch or transaction, with documents (ITI-65) or without."""
        requester = await self.access.authenticate(request)
        require_fhir_json(request)
        async with self.record.large_bodies.body(request, MAX_BUNDLE, requester.id) as body:
            if is_submission(body):
                return await self._provide_documents(request, body)
            return await self.bundles.process(request, body)

    async def _provide_documents(self, request: Request, body: bytes) -> Response:
        """Deposit the documents of a transaction, all or none (ITI-65)."""
        requester = await self.access.authorize(request, "DocumentReference", "c")
        if len(body) > MAX_BODY:
            raise too_large(MAX_BODY)
        submission = await self.parser.parse_iti65(body, uuid7())
        with _locating_problems(submission):
            deposited = await self.record.deposit_all(requester, submission.person_id, submission.items)
        return fhir_response(transaction_response(body, submission, deposited, self.base_url))

    async def publish_document(self, request: Request) -> Response:
        """Deposit one document inside its DocumentReference (ITI-105)."""
        requester = await self.access.authorize(request, "DocumentReference", "c")
        require_fhir_json(request)
        async with self.record.large_bodies.body(request, MAX_BODY, requester.id) as body:
            submission = await self.parser.parse_iti105(body)
            del body  # others are parsed while a worker opens the document: only its own bytes stay
            with _locating_problems(submission):
                [one] = await self.record.deposit_all(requester, submission.person_id, submission.items)
        location = f"{self.base_url}/DocumentReference/{one.document.key}"
        resource = document_reference(one.document, self.base_url)
        return fhir_response(resource, 201 if one.created else 200, {"Location": location})

    async def withdraw_document(self, request: Request) -> Response:
        """Withdraw a document: PUT with status entered-in-error and the reason in `description`.

        Nothing else can be changed.
        """
        requester = await self.access.authorize(request, "DocumentReference", "u")
        person_id, document_id = _keys(request)
        require_fhir_json(request)
        async with self.record.large_bodies.body(request, MAX_BODY, requester.id) as body:
            resource = parse_resource(body, "DocumentReference")
        if resource.get("id") != request.path_params["id"]:
            raise bad_request(
                "DocumentReference.id", N_("The id does not match the id in the address."), N_("Use the same id.")
            )
        if resource.get("status") != Status.WITHDRAWN:
            raise bad_request(
                "DocumentReference.status",
                N_("A document can only be withdrawn."),
                N_("Use the status entered-in-error, or send a new document to replace this one."),
                status=422,
                code="not-supported",
            )
        reason = resource.get("description", "")
        try:
            document = await self.record.withdraw(requester, person_id, document_id, reason)
        except InvalidContent as invalid:
            invalid.place = "DocumentReference.description"
            raise
        return fhir_response(document_reference(document, self.base_url))

    async def find_documents(self, request: Request) -> Response:
        """Search the documents of a patient that the requester may see (ITI-67)."""
        requester = await self.access.authorize(request, "DocumentReference", "s")
        known = DOCUMENT_PARAMETERS.keys() | PART_PARAMETERS | self.record.descriptions.parameters
        params = SearchParams(request, known)
        part = params.part("DocumentReference")
        search = await DocumentSearch.parse(params, self.directory, self.base_url, requester.only_person_id)
        if search.person_id is not None:
            search = search.narrowed(await self.record.descriptions.predicates(requester, search.person_id, params))
        if part.summary == "count":
            return await self._count_documents(requester, params, search)
        documents: tuple[Document, ...] = ()
        next_cursor = None
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
            documents, next_cursor = timeline.documents, timeline.next
        resources = [select_part(one, part) for one in await self._references(requester, documents)]
        return fhir_response(self._searchset(params, resources, next_cursor))

    async def _references(self, requester: Requester, documents: Sequence[Document]) -> list[Json]:
        """Return the DocumentReferences of documents of one person, with what services say of them."""
        resources = [document_reference(document, self.base_url) for document in documents]
        await self.record.descriptions.describe(requester, documents, resources)
        return resources

    async def _count_documents(self, requester: Requester, params: SearchParams, search: DocumentSearch) -> Response:
        """Return the number of documents that a search finds, without them (`_summary=count`)."""
        found: list[Document] = []
        if search.person_id is not None:
            found = await self._all_documents(requester, search.person_id, search)
        return fhir_response(self._searchset(params, [], None, total=len(found)))

    async def docref(self, request: Request) -> Response:
        """Search documents by the operation $docref of IPA."""
        return await self.find_documents(await as_search(request))

    async def find_lists(self, request: Request) -> Response:
        """Search the submission sets of a patient's documents, the newest first (ITI-66)."""
        requester = await self.access.authorize(request, "List", "s")
        params = SearchParams(request, LIST_PARAMETERS.keys() | PART_PARAMETERS)
        part = params.part("List")
        search = await DocumentSearch.parse(params, self.directory, self.base_url, requester.only_person_id)
        sets: dict[str, list[Document]] = {}
        if search.person_id is not None:
            for document in await self._all_documents(requester, search.person_id):
                sets.setdefault(document.submission_id.hex, []).append(document)
        resources = [
            submission_set(documents, self.base_url) for documents in sets.values() if search.matches_set(documents)
        ]
        if part.summary == "count":
            return fhir_response(self._searchset(params, [], None, total=len(resources)))
        start = decode_offset_cursor(params.cursor)
        end = start + params.count
        next_cursor = encode_cursor(end) if params.count and end < len(resources) else None
        shown = [select_part(resource, part) for resource in resources[start:end]]
        return fhir_response(self._searchset(params, shown, next_cursor))

    def _searchset(
        self, params: SearchParams, resources: list[Json], next_cursor: str | None, total: int | None = None
    ) -> Json:
        return searchset(
            resources,
            self_url=params.self_url(self.base_url),
            base_url=self.base_url,
            next_url=params.next_url(self.base_url, next_cursor),
            total=total,
            outcome=params.outcome,
        )

    async def _all_documents(
        self, requester: Requester, person_id: UUID, search: DocumentSearch | None = None
    ) -> list[Document]:
        """Return every document that the requester may see and a search finds; without one, of any status."""
        search = search or DocumentSearch(person_id, Filters(status=()))
        found: list[Document] = []
        cursor = None
        while True:
            page = await self.record.timeline(
                requester,
                person_id,
                search.filters,
                cursor=cursor,
                limit=500,
                order=Order.DEPOSITED,
                matching=search.matches,
            )
            found += page.documents
            if (cursor := page.next) is None:
                return found

    async def read_document(self, request: Request) -> Response:
        """Return the metadata of a document."""
        requester = await self.access.authorize(request, "DocumentReference", "r")
        part = part_of(request, "DocumentReference")
        document = await self.record.document(requester, *_keys(request))
        [resource] = await self._references(requester, [document])
        return fhir_response(select_part(resource, part))

    async def read_list(self, request: Request) -> Response:
        """Return a submission set, with the documents that the requester may see."""
        requester = await self.access.authorize(request, "List", "r")
        part = part_of(request, "List")
        person_id, submission_id = _keys(request)
        visible = await self._all_documents(requester, person_id)
        documents = [document for document in visible if document.submission_id == submission_id]
        if not documents:
            raise errors.not_found()
        return fhir_response(select_part(submission_set(documents, self.base_url), part))

    async def retrieve_bundle(self, request: Request) -> Response:
        """Return the stored bytes of a FHIR document (ITI-68)."""
        requester = await self.access.authorize(request, "Bundle", "r")
        document, content = await self.record.content(
            requester, *_keys(request), matching=lambda document: document.kind == "fhir"
        )
        return content_response(request, document, content)

    async def retrieve_binary(self, request: Request) -> Response:
        """Return the stored bytes of any other document, or a Binary for clients that accept FHIR JSON (ITI-68)."""
        requester = await self.access.authorize(request, "Binary", "r")
        document, content = await self.record.content(
            requester, *_keys(request), matching=lambda document: document.kind != "fhir"
        )
        if accepts_fhir(request):
            return fhir_response(binary(document, content), headers={"Cache-Control": "no-store"})
        return content_response(request, document, content)


@contextmanager
def _locating_problems(submission: Submission) -> Iterator[None]:
    """Replace the place of a problem raised within the block, as the service names it, by its path in the request."""
    try:
        yield
    except Problem as problem:
        if problem.place and not problem.place.startswith("Bundle"):
            index = problem.index if isinstance(problem, InvalidContent) else 0
            path = _reference_path(submission, index)
            problem.place = f"{path}.{_PLACES.get(problem.place, problem.place)}"
        raise


def _reference_path(submission: Submission, index: int) -> str:
    if not submission.reference_indexes:
        return "DocumentReference"
    return f"Bundle.entry[{submission.reference_indexes[index]}].resource"


def _with_issues(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint whose refusals of a document list every issue that was found in it."""

    async def respond(request: Request) -> Response:
        try:
            return await endpoint(request)
        except PersonDiffers as differs:
            return fhir_response(differences_outcome(differs), differs.status)
        except InvalidContent as invalid:
            if not invalid.issues:
                raise
            return fhir_response(operation_outcome(invalid.issues), invalid.status)

    return respond


def _obeying(endpoint: Endpoint, *known: str) -> Endpoint:
    """Return an endpoint that refuses parameters other than the `known` ones (see `require_known_parameters`)."""

    async def respond(request: Request) -> Response:
        require_known_parameters(request, known)
        return await endpoint(request)

    return respond


def _accept_post(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint that takes its search parameters from the form of a POST."""

    async def respond(request: Request) -> Response:
        return await endpoint(await convert_posted_search(request))

    return respond


def _keys(request: Request) -> tuple[UUID, UUID]:
    keys = parse_logical_id(request.path_params["id"])
    if keys is None:
        raise errors.not_found()
    return keys


def _capability(type_: str, interactions: tuple[str, ...], parameters: dict[str, str]) -> Json:
    capability: Json = {"type": type_, "interaction": [{"code": code} for code in interactions]}
    if parameters:
        capability["searchParam"] = [{"name": name, "type": kind} for name, kind in parameters.items()]
    return capability

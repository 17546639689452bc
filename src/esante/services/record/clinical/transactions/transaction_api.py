"""The FHIR batch and transaction interactions (FHIR R4, http.html, "batch/transaction")."""

import asyncio
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
from starlette.requests import Request
from starlette.responses import Response

from esante.core.fhir.rest import (
    JSON_PATCH,
    BundleEntry,
    CountedEntry,
    NotFhir,
    decode_bundle,
    parse_bundle,
    return_preference,
)
from esante.core.types import Json
from esante.core.web import FHIR_JSON, N_, Problem, bad_request, problem_outcome
from esante.identity.access import Access, Requester
from esante.services.record.clinical.transactions.transaction import TransactionProcessor
from esante.services.record.documents.content.validation import IN_THREAD
from esante.services.record.documents.content.validation_messages import InvalidContent

MAX_BATCH = 200
"""The largest number of entries of a batch, each of which is a request of its own."""
MAX_BATCH_RESPONSE = 32 * 1024 * 1024
"""Bytes of the responses to a batch, which are in memory together, after which no more entries are carried out."""
_SCOPE_LETTERS = {"POST": "c", "PUT": "u", "PATCH": "u", "DELETE": "d", "GET": "r"}
"""The letter of each method in SMART scopes."""
_KEPT_HEADERS = (b"authorization", b"cookie", b"prefer", b"host")
_KEPT_SCOPE = ("type", "asgi", "http_version", "scheme", "server", "client", "root_path")


class _Type(msgspec.Struct):
    resourceType: str = ""


class _TypedEntry(CountedEntry):
    resource: _Type = msgspec.field(default_factory=_Type)


class _TypedBundle(msgspec.Struct):
    type: str = ""
    entry: list[_TypedEntry] = []


_typed = msgspec.json.Decoder(_TypedBundle)


def is_submission(body: bytes) -> bool:
    """Return whether a body sent to /fhir is a submission of documents (with a DocumentReference or List).

    True also for what is not a Bundle. Raises: `Problem` 413 for too many entries.
    """
    try:
        bundle = decode_bundle(_typed, body)
    except NotFhir:
        return True
    types = {entry.resource.resourceType for entry in bundle.entry}
    others = bundle.type == "transaction" and types.isdisjoint(("DocumentReference", "List")) and bundle.entry
    return not (bundle.type == "batch" or others)


@dataclass(frozen=True, slots=True)
class BundleEndpoints:
    """The endpoint of batch and transaction Bundles; `base_url` is the address of /fhir."""

    transactions: TransactionProcessor
    access: Access
    base_url: str

    async def process(self, request: Request, body: bytes) -> Response:
        """Process a batch or transaction. Raises: `Problem`, and `InvalidContent` for a body that is not R4."""
        try:
            if len(body) > IN_THREAD:
                type_, items = await asyncio.to_thread(parse_bundle, body, f"{self.base_url}/")
            else:
                type_, items = parse_bundle(body, f"{self.base_url}/")
        except NotFhir as error:
            raise InvalidContent("request", issues=error.issues) from None
        match type_:
            case "transaction":
                entries = await self._transaction(request, items)
            case "batch":
                entries = await self._batch(request, items)
            case _:
                raise bad_request(
                    "Bundle.type",
                    N_("The Bundle must be a batch or a transaction."),
                    N_("Send a Bundle of type batch or transaction."),
                    status=422,
                )
        bundle: Json = {"resourceType": "Bundle", "type": f"{type_}-response"}
        if entries:
            bundle["entry"] = entries
        return Response(orjson.dumps(bundle), media_type=FHIR_JSON)

    async def _transaction(self, request: Request, items: list[BundleEntry]) -> list[Json]:
        requester = await self._caller(request, items)
        with_resources = "prefer" in request.headers and return_preference(request.headers) == "representation"
        return await self.transactions.process(requester, items, with_resources=with_resources)

    async def _caller(self, request: Request, items: Iterable[BundleEntry]) -> Requester:
        """Return the requester, whose token allows all entries. Raises: `Problem` 401 or 403."""
        needed = sorted({(item.type, _scope_letters(item)) for item in items if item.type})
        requesters = [await self.access.authorize(request, type_, letters) for type_, letters in needed]
        bound_to_patient = (requester for requester in requesters if requester.only_person_id is not None)
        return next(bound_to_patient, None) or await self.access.authenticate(request)

    async def _batch(self, request: Request, items: list[BundleEntry]) -> list[Json]:
        """Send each entry as a request of its own, one after the other; return the response entries."""
        if len(items) > MAX_BATCH:
            raise Problem(
                413,
                "too-long",
                N_("This file or request is too large."),
                place="Bundle.entry",
                detail=f"{MAX_BATCH} entries are allowed.",
                remedy=N_("Send less at a time."),
            )
        await self.access.authenticate(request)
        entries, size = [], 0
        for item in items:
            entry, length = await self._single(request, item) if size < MAX_BATCH_RESPONSE else (_too_much(item), 0)
            entries.append(entry)
            size += length
        return entries

    async def _single(self, request: Request, item: BundleEntry) -> tuple[Json, int]:
        """Return the response entry of a batch entry, and the bytes of its body."""
        if not item.path:  # a Bundle within a Bundle
            return _refused(item, Problem(400, "not-supported", N_("You cannot do this here."))), 0
        status, headers, body = await _send(request, item)
        if body and status < 400 and headers.get("content-type") != FHIR_JSON:  # a file, whatever is in it
            return _refused(item, Problem(406, "not-supported", N_("Responses are not available in this format."))), 0
        response: Json = {"status": str(status)}
        entry: Json = {"response": response}
        for name in ("location", "etag"):
            if name in headers:
                response[name] = headers[name]
        if body and status < 400:
            entry["resource"] = orjson.Fragment(body)
        elif body:
            response["outcome"] = orjson.Fragment(body)
        return entry, len(body)


def _refused(item: BundleEntry, problem: Problem) -> Json:
    """Return the response entry of an entry that is refused."""
    problem.place = item.place
    return {"response": {"status": str(problem.status), "outcome": problem_outcome(problem)}}


def _too_much(item: BundleEntry) -> Json:
    """Return the response entry of an entry that is not carried out, since the responses before it are too large."""
    detail = f"{MAX_BATCH_RESPONSE:,} bytes of responses are allowed."
    problem = Problem(413, "too-long", N_("This file or request is too large."), detail=detail)
    problem.remedy = N_("Send less at a time.")
    return _refused(item, problem)


def _scope_letters(item: BundleEntry) -> str:
    """Return the scope letters that an entry needs; a Patient entry only names the patient."""
    if item.type == "Patient":
        return "r"
    letters = _SCOPE_LETTERS.get(item.method, "r")
    if item.criteria is None:
        return letters
    return "cus" if item.method == "PUT" else f"{letters}s"


async def _send(request: Request, item: BundleEntry) -> tuple[int, dict[str, str], bytes]:
    """Send an entry to the application with the rights of the batch; return status, headers and body."""
    is_patch = item.method == "PATCH"
    body, media_type = (item.patch, JSON_PATCH) if is_patch else (bytes(item.body), FHIR_JSON)
    own = [(name, value) for name, value in request.headers.raw if name in _KEPT_HEADERS]
    own += [
        (b"accept", FHIR_JSON.encode()),
        (b"content-type", media_type.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    own += [(header, value.encode()) for header, value in item.conditions]
    scope: MutableMapping[str, Any] = {
        **{name: request.scope[name] for name in _KEPT_SCOPE if name in request.scope},
        "method": item.method,
        "path": f"/fhir/{item.path}",
        "raw_path": f"/fhir/{item.path}".encode(),
        "query_string": item.query.encode(),
        "headers": own,
    }
    status, headers, chunks = 500, dict[str, str](), list[bytes]()

    async def receive() -> Json:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            headers.update({name.decode(): value.decode() for name, value in message["headers"]})
        else:
            chunks.append(message.get("body", b""))

    await request.app(scope, receive, send)
    return status, headers, b"".join(chunks)

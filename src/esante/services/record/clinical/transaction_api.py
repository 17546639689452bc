"""Batch and transaction over HTTP (FHIR R4, http.html, "batch/transaction")."""

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
from esante.core.web import FHIR_JSON, N_, Problem, outcome
from esante.identity.access import Access, Requester
from esante.services.record.clinical.transaction import Transactions
from esante.services.record.documents.validation import IN_THREAD
from esante.services.record.documents.validation_messages import InvalidContent

Json = dict[str, Any]
MAX_BATCH = 200
"""Entries of a batch, each of which is a request of its own."""
_LETTERS = {"POST": "c", "PUT": "u", "PATCH": "u", "DELETE": "d", "GET": "r"}

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
    """Whether what is sent to /fhir hands in documents (a List stands for a set of them), or cannot be told.

    Problem 413 for too many entries.
    """
    try:
        bundle = decode_bundle(_typed, body)
    except NotFhir:
        return True
    types = {entry.resource.resourceType for entry in bundle.entry}
    others = bundle.type == "transaction" and types.isdisjoint(("DocumentReference", "List")) and bundle.entry
    return not (bundle.type == "batch" or others)


@dataclass(frozen=True, slots=True)
class BundlesFace:
    """Takes Bundles of requests; `base_url` is the address of /fhir."""

    transactions: Transactions
    access: Access
    base_url: str

    async def take(self, request: Request, body: bytes) -> Response:
        """A batch or transaction."""
        try:
            if len(body) > IN_THREAD:
                kind, items = await asyncio.to_thread(parse_bundle, body, f"{self.base_url}/")
            else:
                kind, items = parse_bundle(body, f"{self.base_url}/")
        except NotFhir as error:
            raise InvalidContent("request", issues=error.issues) from None
        match kind:
            case "transaction":
                entries = await self._transaction(request, items)
            case "batch":
                entries = await self._batch(request, items)
            case _:
                raise Problem(
                    422,
                    "invalid",
                    N_("The Bundle is neither a batch nor a transaction."),
                    place="Bundle.type",
                    remedy=N_("Send a Bundle of type batch or transaction."),
                )
        answer: Json = {"resourceType": "Bundle", "type": f"{kind}-response"}
        if entries:
            answer["entry"] = entries
        return Response(orjson.dumps(answer), media_type=FHIR_JSON)

    async def _transaction(self, request: Request, items: list[BundleEntry]) -> list[Json]:
        requester = await self._may(request, items)
        whole = "prefer" in request.headers and return_preference(request.headers) == "representation"
        return await self.transactions.carry_out(requester, items, whole=whole)

    async def _may(self, request: Request, items: Iterable[BundleEntry]) -> Requester:
        """Who asks, and may by his token do all that the entries want; Problem 401 or 403."""
        wanted = sorted({(item.type, _letters(item)) for item in items if item.type})
        found = [await self.access.caller(request, type_, letters) for type_, letters in wanted]
        bound = (requester for requester in found if requester.only is not None)
        return next(bound, None) or await self.access.requester(request)

    async def _batch(self, request: Request, items: list[BundleEntry]) -> list[Json]:
        """Each entry as a request of its own, one after the other."""
        if len(items) > MAX_BATCH:
            raise Problem(
                413,
                "too-long",
                N_("This is too large."),
                place="Bundle.entry",
                detail=f"{MAX_BATCH} entries are allowed.",
                remedy=N_("Please send less at once."),
            )
        await self.access.requester(request)
        return [await self._single(request, item) for item in items]

    async def _single(self, request: Request, item: BundleEntry) -> Json:
        if not item.path:  # a Bundle within a Bundle
            problem = Problem(400, "not-supported", N_("This cannot be done here."), place=item.place)
            return {"response": {"status": "400", "outcome": outcome(problem)}}
        status, headers, body = await _sent(request, item)
        response: Json = {"status": str(status)}
        answer: Json = {"response": response}
        for name in ("location", "etag"):
            if name in headers:
                response[name] = headers[name]
        if body and status < 400:
            answer["resource"] = orjson.Fragment(body)
        elif body:
            response["outcome"] = orjson.Fragment(body)
        return answer


def _letters(item: BundleEntry) -> str:
    """What a token must cover for an entry; a Patient is only named."""
    if item.type == "Patient":
        return "r"
    letters = _LETTERS.get(item.method, "r")
    if item.criteria is None:
        return letters
    return "cus" if item.method == "PUT" else f"{letters}s"


async def _sent(request: Request, item: BundleEntry) -> tuple[int, dict[str, str], bytes]:
    """What the application answers to an entry, sent as a request with the rights of the batch."""
    is_patch = item.method == "PATCH"
    body, media_type = (item.patch, JSON_PATCH) if is_patch else (bytes(item.body), FHIR_JSON)
    own = [(name, value) for name, value in request.headers.raw if name in _KEPT_HEADERS]
    own += [(b"content-type", media_type.encode()), (b"content-length", str(len(body)).encode())]
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

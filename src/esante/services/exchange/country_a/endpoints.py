"""The endpoints of country A: SOAP 1.2 over mutual TLS, each message recorded before it is answered."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from lxml import etree
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.core import clock
from esante.core.soap import (
    MEDIA_TYPE,
    Malformed,
    parse_message,
    read_package,
    related_type,
    write_fault,
    write_message,
    write_package,
)
from esante.core.storage import uuid7
from esante.core.web import LargeBodyQueue, Problem, origin_of
from esante.core.xds import XDSB
from esante.identity.access import Requester
from esante.services.exchange.audit import AuditTrail, Exchanged, Side
from esante.services.exchange.consent import country_key
from esante.services.exchange.contact_points import ContactPoint, ContactPoints, Transaction
from esante.services.exchange.contact_points.publication import PATHS
from esante.services.exchange.country_a import discovery, document_query, retrieval, submission
from esante.services.exchange.country_a.connection import peer_certificate
from esante.services.exchange.country_a.model import Answered, Incoming

MAX_REQUEST = 4 * 1024 * 1024
"""Bytes of a message with its attachments."""
_ATTEMPTS = 3
NOBODYS = "The certificate of the connection is that of no contact point that is registered here."


@dataclass(frozen=True, slots=True)
class Handler:
    """What answers a transaction: the action of its answer, and whether the answer is packed as MTOM."""

    transaction: Transaction
    action: str
    answer: Callable[[Incoming], Awaitable[Answered]]
    is_packed: bool = False


Handlers = Mapping[str, Handler]
"""What answers a message, by the element in its body."""
QUERY = "{urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0}AdhocQueryRequest"
RETRIEVE = f"{{{XDSB}}}RetrieveDocumentSetRequest"
PROVIDE = f"{{{XDSB}}}ProvideAndRegisterDocumentSetRequest"


class Endpoints:
    """The HTTP side of country A."""

    def __init__(
        self,
        points: ContactPoints,
        trail: AuditTrail,
        discoveries: discovery.Discovery,
        queries: document_query.DocumentQueries,
        retrievals: retrieval.Retrievals,
        submissions: submission.Submissions,
    ) -> None:
        self._points, self._trail, self._bodies = points, trail, LargeBodyQueue()
        lists = Handler(Transaction.LIST, document_query.ACTION, queries.answer)
        retrieves = Handler(Transaction.RETRIEVE, retrieval.ACTION, retrievals.answer, is_packed=True)
        self._services: Mapping[str, Handlers] = {
            PATHS[Transaction.DISCOVERY]: {
                discovery.REQUEST: Handler(Transaction.DISCOVERY, discovery.ACTION, discoveries.answer)
            },
            PATHS[Transaction.LIST]: {QUERY: lists, RETRIEVE: retrieves},
            PATHS[Transaction.SUBMIT]: {PROVIDE: Handler(Transaction.SUBMIT, submission.ACTION, submissions.answer)},
        }

    def routes(self) -> list[BaseRoute]:
        """Return the routes, one for each service."""
        return [Route(path, self._handle, methods=["POST"]) for path in self._services]

    async def _handle(self, request: Request) -> Response:
        """Answer a message: whose connection it is decides first, before a byte of it is read."""
        certificate = peer_certificate(request)
        point = await self._points.of_tls(certificate) if certificate is not None else None
        if point is None:
            await self._trail.refuse(certificate, request.url.path, origin_of(request))
            return Response(write_fault(NOBODYS), 403, media_type=MEDIA_TYPE)
        try:
            async with self._bodies.body(request, MAX_REQUEST, point.country) as body:
                return await self._answer(request, point, bytes(body))
        except Problem as problem:
            return Response(write_fault(problem.title), problem.status, media_type=MEDIA_TYPE)

    async def _answer(self, request: Request, point: ContactPoint, body: bytes) -> Response:
        began = clock.now()
        handlers = self._services[request.url.path]
        handler = next(iter(handlers.values()))
        message_id = ""
        for attempt in range(_ATTEMPTS):
            try:
                incoming = _read(request, point, body, began)
                message_id = incoming.message_id
                if (found := handlers.get(str(incoming.content.tag))) is None:
                    raise Malformed("Body: this service does not answer such a message")
                handler = found
                answered = await handler.answer(incoming)
            except Malformed as error:
                return await self._refuse(request, point, handler, body, message_id, str(error), began)
            answer_id = uuid7().urn
            root = write_message(handler.action, message_id, answered.content, answer_id)
            media_type, data = await _pack(root, answered, is_packed=handler.is_packed)
            done = _exchanged(request, point, handler, answered, body, data, message_id, answer_id, began)
            try:
                await self._trail.record(done, answered.rows)
            except asyncpg.UniqueViolationError:
                if attempt == _ATTEMPTS - 1:
                    raise
                await asyncio.sleep(0)
                continue  # another request answered the same at the same moment: now its answer is found
            return Response(data, media_type=media_type)
        raise AssertionError("every attempt returns or raises")

    async def _refuse(
        self,
        request: Request,
        point: ContactPoint,
        handler: Handler,
        body: bytes,
        message_id: str,
        reason: str,
        began: datetime,
    ) -> Response:
        """Return the fault of a message that is not understood."""
        data = write_fault(reason)
        answered = Answered(content=etree.Element("fault"), outcome="soap:Sender")
        done = _exchanged(request, point, handler, answered, body, data, message_id, "", began)
        await self._trail.record(done)
        return Response(data, 400, media_type=MEDIA_TYPE)


def _read(request: Request, point: ContactPoint, body: bytes, at: datetime) -> Incoming:
    """Return the message of a body. Raises: `Malformed`."""
    package = read_package(body, request.headers.get("content-type", ""))
    message = parse_message(package.root)
    return Incoming(
        point=point,
        message_id=message.message_id[:200],
        content=message.content,
        header=message.header,
        package=package,
        at=at,
        origin=origin_of(request),
    )


async def _pack(root: bytes, answered: Answered, *, is_packed: bool) -> tuple[str, bytes]:
    """Return the media type and the bytes of an answer, whole: its hash is recorded before it is sent."""
    if not is_packed:
        return MEDIA_TYPE, root
    boundary = secrets.token_hex(16)
    pieces = [bytes(piece) async for piece in write_package(root, answered.attachments, boundary)]
    return related_type(boundary), b"".join(pieces)


def _exchanged(
    request: Request,
    point: ContactPoint,
    handler: Handler,
    answered: Answered,
    body: bytes,
    data: bytes,
    message_id: str,
    answer_id: str,
    began: datetime,
) -> Exchanged:
    asking = answered.asking
    return Exchanged(
        side=Side.ANSWERED,
        transaction=handler.transaction,
        content=answered.class_code[:200],
        country=point.country,
        initiator=asking.requester if asking else contact_point_requester(point, origin_of(request)),
        role=asking.professional.role if asking else "",
        purpose=asking.professional.purpose if asking else "",
        person_id=answered.person_id,
        patient=answered.patient[:200],
        message_id=message_id,
        answer_id=answer_id,
        request=body,
        answer=data,
        outcome=answered.outcome,
        documents=answered.documents,
        rule=answered.verdict.rule if answered.verdict else "",
        began_at=began,
        ended_at=clock.now(),
    )


def contact_point_requester(point: ContactPoint, origin: str) -> Requester:
    """Return the contact point itself as who asks: of a message in which nobody is believed."""
    key = country_key(point.country)
    return Requester(kind="organization", id=key, name=f"NCP {point.country}", organization_id=key, origin=origin)

"""Events over HTTPS: JSON, JSON lines, OCSF, FHIR AuditEvent (BALP), text, and files (EVTX, ZIP).

A request is answered when all its events are stored. A member that is over its quota gets 429, and 503 is answered
when too much waits of all; both say when to try again.
"""

import asyncio
import hashlib
import math
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from esante.core import clock
from esante.core.fhir.rest import fhir_response
from esante.core.web import HANDLERS, N_, Problem
from esante.services.soc.intake.bodies import audit_events, read_body, split_body
from esante.services.soc.intake.event_uploads import is_file, read_upload
from esante.services.soc.intake.model import Delivery, Message
from esante.services.soc.intake.pipeline import Pipeline
from esante.services.soc.sources.valid_keys import Sender, ValidKeys

STORED_SECONDS = 30.0
"""How long a request waits to be stored."""
MAX_UNSTORED = 4
"""Requests of one member that wait at once."""
MAX_WAIT = 5.0
"""Seconds that the quota of a member may make a request wait; with more it is refused."""
HELD_BYTES = 256 << 20
"""Bytes of requests that are being read, of all members."""
_HANDLERS = {kind: handler for kind, handler in HANDLERS.items() if kind is not HTTPException}
"""What has no address here needs no page."""
CERTIFICATE = "esante.certificate"
"""Under which the client certificate (DER) stands in the scope of a request."""


class IntakeEndpoints:
    """The endpoints of a process."""

    def __init__(self, pipeline: Pipeline, keys: ValidKeys) -> None:
        self._pipeline, self._keys = pipeline, keys
        self._waiting: dict[UUID, int] = {}
        self._held = 0

    def application(self) -> Starlette:
        """Return the application."""
        return Starlette(
            routes=[
                Route("/api/events", self.post_events, methods=["POST"]),
                Route("/fhir/AuditEvent", self.post_audit_event, methods=["POST"]),
                Route("/fhir", self.post_bundle, methods=["POST"]),
                Route("/health", self.health, methods=["GET"]),
            ],
            exception_handlers=_HANDLERS,
        )

    async def health(self, request: Request) -> Response:
        """Answer that the process serves."""
        return JSONResponse({"status": "ok"})

    async def post_events(self, request: Request) -> Response:
        """Store the events of a body or a file; answer how many, and how many of them could not be read."""
        sender = self._sender(request)

        async def read(body: bytes) -> Sequence[Message]:
            return await read_upload(body) if is_file(body) else split_body(body)

        delivery = await self._store(request, sender, read)
        return JSONResponse({"stored": delivery.stored, "unreadable": delivery.faults})

    async def post_audit_event(self, request: Request) -> Response:
        """Store one AuditEvent (IHE ITI-20, FHIR feed)."""
        sender = self._sender(request)

        async def read(body: bytes) -> Sequence[Message]:
            return [body]

        delivery = await self._store(request, sender, read)
        if delivery.faults:
            raise Problem(400, "structure", N_("The request cannot be read."), remedy=N_("Send a valid AuditEvent."))
        return Response(status_code=201, headers={"Location": f"AuditEvent/{_id(delivery.messages[0])}"})

    async def post_bundle(self, request: Request) -> Response:
        """Store the AuditEvents of a Bundle; the answer says of each that it is stored."""
        sender = self._sender(request)

        async def read(body: bytes) -> Sequence[Message]:
            return audit_events(body)

        delivery = await self._store(request, sender, read)
        entries = [{"response": {"status": "201", "location": f"AuditEvent/{_id(one)}"}} for one in delivery.messages]
        return fhir_response({"resourceType": "Bundle", "type": "batch-response", "entry": entries})

    def _sender(self, request: Request) -> Sender:
        """Return who sends a request. Raises: Problem 401, 503 while keys cannot be read."""
        if not self._keys.are_fresh:
            raise _later(503, N_("The service is not available at the moment."), 5.0)
        certificate = request.scope.get(CERTIFICATE)
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        found = None
        if scheme.lower() == "bearer":
            found = self._keys.of_secret(secret.strip())
        elif certificate is not None:
            found = self._keys.of_certificate(certificate)
        if found is None:
            raise _unknown_key()
        return found

    async def _store(
        self, request: Request, sender: Sender, read: Callable[[bytes], Awaitable[Sequence[Message]]]
    ) -> Delivery:
        """Read a request and store it. Raises: Problem 401, 413, 415, 429, 503, and what `read` raises."""
        self._admit(sender)
        held = 0

        def hold(size: int) -> None:
            nonlocal held
            held += size
            self._held += size
            if self._held > HELD_BYTES:
                raise _later(503, N_("Too many events are waiting."), 2.0)

        self._waiting[sender.tenant_id] = self._waiting.get(sender.tenant_id, 0) + 1
        try:
            messages = await read(await read_body(request.stream(), request.headers.get("content-encoding", ""), hold))
            if self._keys.current(sender.key_id) is None:
                raise _unknown_key()
            return await self._stored(sender, messages)
        finally:
            self._held -= held
            self._waiting[sender.tenant_id] -= 1
            if not self._waiting[sender.tenant_id]:
                del self._waiting[sender.tenant_id]

    def _admit(self, sender: Sender) -> None:
        """Raise Problem 429 for a member that is over its quota, 503 where there is no space."""
        seconds = self._pipeline.seconds_to_wait(sender.tenant_id, sender.quota)
        if seconds > MAX_WAIT or self._waiting.get(sender.tenant_id, 0) >= MAX_UNSTORED:
            raise _later(429, N_("You send more events than agreed."), seconds)
        if not self._pipeline.has_space(sender.tenant_id):
            raise _later(503, N_("Too many events are waiting."), 2.0)

    async def _stored(self, sender: Sender, messages: Sequence[Message]) -> Delivery:
        """Return messages as stored. Raises: Problem 503 when that takes too long."""
        delivery = Delivery(sender.tenant_id, sender.source_id, sender.quota, messages, clock.now())
        self._pipeline.deliver(delivery)
        try:
            async with asyncio.timeout(STORED_SECONDS):
                await asyncio.shield(delivery.done)
        except TimeoutError as error:
            self._pipeline.withdraw(delivery)
            raise _later(503, N_("The events could not be stored in time."), 5.0) from error
        return delivery


def _unknown_key() -> Problem:
    return Problem(
        401,
        "login",
        N_("This key does not work."),
        remedy=N_("Use a key that has not expired, or ask the agency for a new one."),
        headers={"WWW-Authenticate": "Bearer", "Connection": "close"},
    )


def _later(status: int, what: str, seconds: float) -> Problem:
    remedy = N_("Send it again later; nothing of it is lost if you keep it until then.")
    headers = {"Retry-After": str(max(1, math.ceil(seconds)))}
    return Problem(status, "throttled", what, remedy=remedy, headers=headers)


def _id(message: Message) -> str:
    return hashlib.blake2b(message if isinstance(message, bytes) else message.head, digest_size=16).hexdigest()

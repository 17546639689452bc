"""The addresses of the exchange: token service, exchange, description and schemas."""

import logging
from collections.abc import Awaitable, Callable, Mapping

from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from esante.core.storage import Overloaded, Unavailable, uuid7
from esante.core.web import (
    N_,
    NOT_FOUND,
    LargeBodyQueue,
    Problem,
    language_of,
    network_of,
    origin_of,
    translator,
)
from esante.services.billing.exchange.envelope import (
    CONTENT_TYPES,
    MESSAGE_LIMIT,
    fault_envelope,
    soap_version,
)
from esante.services.billing.exchange.faults import fault, fault_element, fault_status
from esante.services.billing.exchange.model import Signer
from esante.services.billing.exchange.names import SYNC
from esante.services.billing.exchange.schemas import published_schemas, wsdl
from esante.services.billing.exchange.service import ExchangeSecurity
from esante.services.billing.exchange.token_messages import issued_token, requested_code

log = logging.getLogger(__name__)
PATH = "/billing/exchange"
Answer = Callable[[Signer, etree._Element, str], Awaitable[etree._Element]]
"""Answers the content of a message in a language."""
_XML = "text/xml; charset=utf-8"


class ExchangeEndpoints:
    """The exchange; `models`: what answers each kind of message (modelUID)."""

    def __init__(self, security: ExchangeSecurity, models: Mapping[str, Answer]) -> None:
        self._security, self._models = security, models
        self._queue = LargeBodyQueue()

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route(PATH, self.describe, methods=["GET"]),
            Route(PATH, self.exchange, methods=["POST"]),
            Route(f"{PATH}/token", self.describe, methods=["GET"]),
            Route(f"{PATH}/token", self.issue_token, methods=["POST"]),
            Route(f"{PATH}/certificate.pem", self.certificate),
            Route(f"{PATH}/schemas/{{name}}", self.schema),
        ]

    async def describe(self, request: Request) -> Response:
        """Return the WSDL (?wsdl)."""
        if "wsdl" not in {name.lower() for name in request.query_params}:
            raise Problem(404, "not-found", NOT_FOUND)
        return Response(wsdl(self._security.address), media_type=_XML)

    async def schema(self, request: Request) -> Response:
        """Return a schema to which the WSDL refers."""
        found = published_schemas().get(request.path_params["name"])
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return Response(found, media_type=_XML)

    async def certificate(self, request: Request) -> Response:
        """Return the certificate with which answers are signed."""
        pem = self._security.key.certificate.public_bytes(Encoding.PEM).decode()
        return PlainTextResponse(pem, media_type="application/x-pem-file")

    async def issue_token(self, request: Request) -> Response:
        """Answer a RequestSecurityToken."""
        return await self._answer(request, self._token)

    async def exchange(self, request: Request) -> Response:
        """Answer a RequestInfo."""
        return await self._answer(request, self._exchanged)

    async def _token(self, data: bytes, request: Request, correlation_id: str) -> tuple[str, etree._Element]:
        envelope = await self._security.read(data, origin_of(request))
        requester, fingerprint, body = await self._security.token_signer(envelope, origin_of(request))
        request.state.signer = requester
        code = requested_code(body, self._security.address)
        text, token = await self._security.issue(requester, fingerprint, code)
        return envelope.soap, issued_token(text, token.expires_at, self._security.address)

    async def _exchanged(self, data: bytes, request: Request, correlation_id: str) -> tuple[str, etree._Element]:
        envelope = await self._security.read(data, origin_of(request))
        signer, body = await self._security.signer(envelope, origin_of(request))
        request.state.signer = signer.requester
        info = body.find(f"{{{SYNC}}}RequestInfo")
        if info is None or len(body) != 1 or len(info) != 1:
            raise fault("malformed", "Body/RequestInfo", "One RequestInfo with one element in it is needed.")
        model = str(info.get("modelUID", ""))
        if model not in self._models:
            raise fault("model-unknown", "Body/RequestInfo/@modelUID", model[:80])
        content = await self._models[model](signer, info[0], language_of(request))
        answer = etree.Element(f"{{{SYNC}}}ResponseInfo", nsmap={"mySecu": SYNC})
        answer.set("modelUID", model)
        answer.set("correlationId", correlation_id)
        answer.append(content)
        return envelope.soap, answer

    async def _answer(
        self, request: Request, work: Callable[[bytes, Request, str], Awaitable[tuple[str, etree._Element]]]
    ) -> Response:
        correlation_id, data, origin = str(uuid7()), b"", origin_of(request)
        try:
            async with self._queue.body(request, MESSAGE_LIMIT, network_of(origin)) as data:
                soap, content = await work(data, request, correlation_id)
                body = await self._security.sign(soap, content, correlation_id)
                return _response(body, soap, 200, correlation_id)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            return await self._refuse(request, data, error, correlation_id)

    async def _refuse(self, request: Request, data: bytes, error: Exception, correlation_id: str) -> Response:
        """Return the fault for whatever was raised; a refused message is journalled."""
        problem = _problem_of(error, correlation_id)
        if problem.status < 500:
            signer = getattr(request.state, "signer", None)
            try:
                await self._security.record_refusal(problem.code, correlation_id, origin_of(request), signer)
            except (Problem, Unavailable, Overloaded) as further:
                problem = _problem_of(further, correlation_id)
        soap, language = soap_version(data, request.headers.get("content-type", "")), language_of(request)
        element = fault_element(problem, soap, language, translator(language).gettext, correlation_id)
        if problem.status == 429:  # whoever sends too much does not get a signature for it
            body = fault_envelope(element, soap)
        else:
            body = await self._security.sign(soap, element, correlation_id)
        response = _response(body, soap, fault_status(problem, soap), correlation_id)
        for name in ("Retry-After", "Connection"):
            if name in problem.headers:
                response.headers[name] = problem.headers[name]
        return response


def _response(body: bytes, soap: str, status: int, correlation_id: str) -> Response:
    headers = {"Content-Type": CONTENT_TYPES[soap], "Correlation-ID": correlation_id, "Cache-Control": "no-store"}
    return Response(body, status, headers)


def _problem_of(error: Exception, correlation_id: str) -> Problem:
    """Return what a fault says of an error: of an internal one only that it happened; the log has the rest."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, (Unavailable, Overloaded)):
        log.warning("exchange: %s", error)
        title, remedy = (
            N_("The service is not available at the moment."),
            N_("Nothing has been changed. Try again in a moment."),
        )
        return Problem(503, "transient", title, remedy=remedy, headers={"Retry-After": "2"})
    log.error("internal error in the exchange, correlation id %s", correlation_id, exc_info=error)
    return Problem(500, "exception", N_("Something went wrong. The problem is on our side."))

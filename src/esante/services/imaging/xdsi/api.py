"""The endpoints of XDS-I.b: SOAP 1.2 with MTOM over HTTP, with the bearer token of every other interface."""

from collections.abc import Awaitable, Callable, Hashable

from lxml import etree
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.core.dated_data import packaged_text
from esante.core.soap import (
    Malformed,
    Message,
    Package,
    answer_message,
    soap_response,
    write_message,
)
from esante.identity.access import Access
from esante.services.imaging.manifest.model import MAX_MANIFEST
from esante.services.imaging.xdsi import provide, retrieve
from esante.services.imaging.xdsi.provide import ImagingDocumentRecipient
from esante.services.imaging.xdsi.retrieve import ImagingDocumentSource
from esante.services.record import Record

PATH = "/api/xds-i"
MAX_REQUEST = 8 * 1024 * 1024
MAX_PROVIDED = 4 * MAX_MANIFEST // 3 + 1024 * 1024
"""Bytes of a request, and of one with a manifest in base64."""


def routes(
    source: ImagingDocumentSource,
    recipient: ImagingDocumentRecipient,
    record: Record,
    access: Access,
    base_url: str,
) -> list[BaseRoute]:
    """Return the routes; `base_url` is the address of the platform."""
    endpoints = _Endpoints(source, recipient, record, access, base_url)
    return [
        Route(PATH, endpoints.describe, methods=["GET"]),
        Route(f"{PATH}/retrieve", endpoints.retrieve, methods=["POST"]),
        Route(f"{PATH}/provide", endpoints.provide, methods=["POST"]),
    ]


class _Endpoints:
    def __init__(
        self,
        source: ImagingDocumentSource,
        recipient: ImagingDocumentRecipient,
        record: Record,
        access: Access,
        base_url: str,
    ) -> None:
        self._source, self._recipient, self._record = source, recipient, record
        self._access, self._base_url = access, base_url

    async def describe(self, request: Request) -> Response:
        """Return the WSDL."""
        text = packaged_text("esante.services.imaging.xdsi", "xdsi.wsdl").replace("{address}", self._base_url + PATH)
        return Response(text, media_type="application/xml")

    async def retrieve(self, request: Request) -> Response:
        """Answer RAD-69."""
        requester = await self._access.authorize(request, "ImagingStudy", "r")

        async def work(message: Message, package: Package) -> Response:
            found = await self._source.retrieve(requester, message.content)
            root = write_message(retrieve.ACTION, message.message_id, found.content)
            return soap_response(root, found.attachments, is_mtom=True)

        return await self._answer(request, requester.id, MAX_REQUEST, retrieve.REQUEST, work)

    async def provide(self, request: Request) -> Response:
        """Answer RAD-68."""
        requester = await self._access.authorize(request, "ImagingStudy", "c")

        async def work(message: Message, package: Package) -> Response:
            answer = await self._recipient.provide(requester, message.content, package)
            root = write_message(provide.ACTION, message.message_id, answer)
            return soap_response(root, is_mtom=package.is_mtom)

        return await self._answer(request, requester.id, MAX_PROVIDED, provide.REQUEST, work)

    async def _answer(
        self,
        request: Request,
        client: Hashable,
        limit: int,
        expected: str,
        work: Callable[[Message, Package], Awaitable[Response]],
    ) -> Response:
        """Return the answer of `work` to a message with an expected content, or a fault."""

        async def work_expected(message: Message, package: Package) -> Response:
            if message.content.tag != expected:
                raise Malformed(f"Body: {etree.QName(expected).localname} is needed")
            return await work(message, package)

        return await answer_message(request, self._record.large_bodies, limit, client, work_expected)

"""Sends a message to the contact point of another country, over mutual TLS, and returns its answer.

Every message has a connection of its own: what a contact point sends beyond one answer is never taken for the answer
to the next message.
"""

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import aiohttp
from lxml import etree

from esante.core.soap import (
    MEDIA_TYPE,
    Attachment,
    Malformed,
    Package,
    parse_message,
    read_fault,
    read_package,
    related_type,
    write_package,
    write_request,
)
from esante.core.storage import uuid7
from esante.services.exchange.contact_points import ContactPoint, NotConfigured, Transaction
from esante.services.exchange.country_b.errors import INTEGRITY, NO_CONNECTION

MAX_ANSWER = 40 << 20
"""Bytes of an answer: a document of 20 MiB as base64, and what is around it."""
TIMEOUT_SECONDS = 30.0
CONNECT_SECONDS = 5.0
_ACTIONS = {
    Transaction.DISCOVERY: "urn:hl7-org:v3:PRPA_IN201305UV02:CrossGatewayPatientDiscovery",
    Transaction.LIST: "urn:ihe:iti:2007:CrossGatewayQuery",
    Transaction.RETRIEVE: "urn:ihe:iti:2007:CrossGatewayRetrieve",
    Transaction.SUBMIT: "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b",
}


@dataclass(frozen=True, slots=True)
class Request:
    """A message as it is sent: its id, its bytes, their media type."""

    message_id: str
    data: bytes = field(repr=False)
    media_type: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: bytes, and, when they are a message, its id, its element, its attachments."""

    data: bytes = field(repr=False)
    message_id: str
    content: etree._Element
    package: Package


class NoReply(Exception):
    """No answer that can be used; `reached`: whether the message may have reached the contact point.

    `code`: the name of the error; `data`: the bytes that came, b"" for none.
    """

    def __init__(self, code: str, reason: str, *, reached: bool, data: bytes = b"") -> None:
        super().__init__(reason)
        self.code, self.reason, self.reached, self.data = code, reason, reached, data


class Fault(NoReply):
    """A fault that the contact point sent; `is_final`: the message was refused, and not only failed."""

    def __init__(self, code: str, reason: str, data: bytes) -> None:
        is_final = code in ("Sender", "MustUnderstand", "VersionMismatch", "DataEncodingUnknown")
        super().__init__("ERROR_GENERIC", reason, reached=not is_final, data=data)
        self.is_final = is_final


async def write_message(
    transaction: Transaction,
    url: str,
    content: etree._Element,
    security: Sequence[etree._Element],
    attachment: Attachment | None = None,
) -> Request:
    """Return a message with assertions, as it is sent; with a document, as MTOM."""
    message_id = uuid7().urn
    data = write_request(_ACTIONS[transaction], url, message_id, content, security)
    if attachment is None:
        return Request(message_id, data, f"{MEDIA_TYPE}; charset=utf-8")
    boundary = uuid7().hex
    pieces = [bytes(piece) async for piece in write_package(data, [attachment], boundary)]
    return Request(message_id, b"".join(pieces), related_type(boundary))


class Gateway:
    """The connections to contact points; `context` makes the TLS context for one of them, in force now."""

    def __init__(self, context: Callable[[ContactPoint], ssl.SSLContext], timeout: float = TIMEOUT_SECONDS) -> None:
        self._context = context
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_SECONDS)

    async def send(self, point: ContactPoint, url: str, request: Request) -> Reply:
        """Send a message once, and return the answer to it. Raises: `NoReply`."""
        try:
            context = self._context(point)
        except NotConfigured as error:
            raise NoReply(NO_CONNECTION, str(error), reached=False) from error
        data, media_type = await self._exchange(context, url, request)
        try:
            package = read_package(data, media_type)
            message = parse_message(package.root)
        except Malformed as error:
            raise NoReply(INTEGRITY, str(error), reached=True, data=data) from error
        if message.relates_to and message.relates_to != request.message_id:
            reason = "the answer is that to another message"
            raise NoReply(INTEGRITY, reason, reached=True, data=data)
        if fault := read_fault(message.content):
            raise Fault(*fault, data)
        return Reply(data, message.message_id, message.content, package)

    async def _exchange(self, context: ssl.SSLContext, url: str, request: Request) -> tuple[bytes, str]:
        headers = {"Content-Type": request.media_type, "Accept-Encoding": "identity"}
        connector = aiohttp.TCPConnector(ssl=context, force_close=True)
        data = bytearray()
        try:
            async with (
                aiohttp.ClientSession(
                    connector=connector,
                    timeout=self._timeout,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    auto_decompress=False,
                ) as session,
                session.post(url, data=request.data, headers=headers, allow_redirects=False) as response,
            ):
                async for chunk in response.content.iter_any():
                    data += chunk
                    if len(data) > MAX_ANSWER:
                        reason = f"the answer is larger than {MAX_ANSWER >> 20} MiB"
                        raise NoReply(INTEGRITY, reason, reached=True)
                if response.status not in (200, 400, 500):
                    raise NoReply(NO_CONNECTION, f"the status of the answer is {response.status}", reached=True)
                return bytes(data), response.headers.get("Content-Type", "")
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            raise NoReply(NO_CONNECTION, f"there is no connection: {type(error).__name__}", reached=False) from error
        except (aiohttp.ServerTimeoutError, aiohttp.ConnectionTimeoutError) as error:
            reached = not isinstance(error, aiohttp.ConnectionTimeoutError)
            raise NoReply(NO_CONNECTION, "there was no answer in time", reached=reached) from error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            reason = "there was no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
            raise NoReply(NO_CONNECTION, reason, reached=True, data=bytes(data)) from error

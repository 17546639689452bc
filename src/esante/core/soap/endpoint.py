"""What every endpoint of SOAP does: read a message within its turn, and answer a malformed one with a fault."""

from collections.abc import Awaitable, Callable, Hashable

from starlette.requests import Request
from starlette.responses import Response

from esante.core.soap.envelope import MEDIA_TYPE, Malformed, Message, parse_message, write_fault
from esante.core.soap.mtom import Package, read_package
from esante.core.web import LargeBodyQueue


async def answer_message(
    request: Request,
    bodies: LargeBodyQueue,
    limit: int,
    client: Hashable,
    work: Callable[[Message, Package], Awaitable[Response]],
) -> Response:
    """Return the answer of `work` to a message of at most `limit` bytes, or a fault for what is malformed.

    `client`: in whose name the turn is taken. Raises: what `work` raises, and `Problem` 413, 429, 503 of the queue.
    """
    try:
        async with bodies.body(request, limit, client) as body:
            package = read_package(bytes(body), request.headers.get("content-type", ""))
            return await work(parse_message(package.root), package)
    except Malformed as error:
        return Response(write_fault(str(error)), 400, media_type=MEDIA_TYPE)

"""The HTTP interface of a witness."""

import logging

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from esante.core.web import Problem, read_body
from esante.core.witness.witness import Refusal, Witness, WrongOldSize

log = logging.getLogger(__name__)
MAX_BODY = 64 * 1024
"""Bytes of a submission: a proof of 63 hashes, and a checkpoint with 16 signatures, also of post-quantum keys."""
_SIZE_TYPE = "text/x.tlog.size"


def create_app(witness: Witness) -> Starlette:
    """Return the application with `POST /add-checkpoint`."""

    async def add_checkpoint(request: Request) -> Response:
        try:
            return PlainTextResponse(await witness.add_checkpoint(await read_body(request, MAX_BODY)))
        except WrongOldSize as refusal:
            return Response(refusal.text, refusal.status, headers={"Content-Type": _SIZE_TYPE})
        except Refusal as refusal:
            return PlainTextResponse(refusal.text, refusal.status)
        except OSError:
            log.exception("a checkpoint cannot be stored, so it is not co-signed")
            return PlainTextResponse("the checkpoint cannot be stored\n", 503, headers={"Retry-After": "30"})
        except Problem as problem:
            return PlainTextResponse(f"{problem.detail}\n", problem.status, headers=problem.headers)

    return Starlette(routes=[Route("/add-checkpoint", add_checkpoint, methods=["POST"])])

"""What a request carries in, within limits: bodies, forms, where it came from."""

import hmac
from io import BytesIO
from typing import IO

from starlette.datastructures import FormData
from starlette.requests import Request

from esante.core.web.i18n import N_
from esante.core.web.problems import Problem

FORM_LIMIT = 1024 * 1024
"""Bytes of a form that carries no file."""
DRAINED = 24 * 1024 * 1024
"""Bytes beyond a limit that are read and thrown away at most."""


async def read_body(request: Request, limit: int) -> bytes:
    """The body, at most `limit` bytes; Problem 413 for more."""
    body = BytesIO()  # gives what was written into it without a copy, which counts when it is large
    await take_in(request, limit, body)
    return body.getvalue()


async def take_in(request: Request, limit: int, file: IO[bytes]) -> int:
    """Write the body, at most `limit` bytes, into a file and give its size; Problem 413 for more.

    Most clients look for an answer only when they have sent everything: so of what is somewhat too large the rest is
    read and thrown away, and what is far too large is refused as soon as that is known.
    """
    declared = request.headers.get("content-length", "0")
    most = limit + min(max(limit, FORM_LIMIT), DRAINED)
    if declared.isdigit() and int(declared) > most:
        raise too_large(limit)
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            file.write(chunk)
        elif size > most:
            break
    if size > limit:
        raise too_large(limit)
    return size


async def read_form(request: Request, limit: int = FORM_LIMIT) -> FormData:
    """A form that one of our own pages sent; Problem 403 for one from elsewhere.

    In a session it must carry the session's token (field `_csrf`, or header X-CSRF-Token). Without one (signing
    in) the browser's word on where it comes from counts.
    """
    declared = request.headers.get("content-length", "")
    if not declared.isdigit() or int(declared) > limit:
        raise too_large(limit)
    session = await request.app.state.sessions.of(request)
    if session is None and not _is_ours(request):
        raise _foreign()
    try:
        form = await request.form(max_fields=100, max_files=4, max_part_size=limit)
    except Exception as error:
        raise Problem(400, "structure", N_("This form cannot be read."), remedy=N_("Please send it again.")) from error
    given = form.get("_csrf") or request.headers.get("x-csrf-token", "")
    if session and not (isinstance(given, str) and hmac.compare_digest(given.encode(), session.csrf.encode())):
        raise _foreign()
    return form


def _is_ours(request: Request) -> bool:
    """Whether a browser says that a request comes from a page of ours (W3C Fetch Metadata; RFC 6454, section 7).

    Every browser sends at least Origin with a form. What sends neither is none, and so carries nobody's cookies.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site in ("same-origin", "none")
    host = request.headers.get("host", "")
    return origin in (None, f"http://{host}", f"https://{host}")  # a proxy before us may speak TLS for us


def _foreign() -> Problem:
    return Problem(
        403,
        "forbidden",
        N_("This form was not sent from our own page, or it is too old."),
        remedy=N_("Please open the page again and send the form once more."),
    )


def origin_of(request: Request) -> str:
    """Where a request came from: the client's address, for the journal and for limits."""
    return request.client.host if request.client else ""


def too_large(limit: int) -> Problem:
    """The refusal of what has more than `limit` bytes."""
    return Problem(
        413,
        "too-long",
        N_("This is too large."),
        detail=f"{limit:,} bytes are allowed.",
        remedy=N_("Please send less at once."),
        headers={"Connection": "close"},
    )

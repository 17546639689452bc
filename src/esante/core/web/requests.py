"""Reading of requests within limits: bodies, forms, texts, the address of the client."""

import hmac
from io import BytesIO
from ipaddress import IPv6Address, ip_address, ip_network
from typing import IO

from starlette.datastructures import FormData
from starlette.requests import Request

from esante.core.web.i18n import N_
from esante.core.web.problems import Problem, bad_request

FORM_LIMIT = 1024 * 1024
"""Bytes of a form without files."""
DRAIN_LIMIT = 24 * 1024 * 1024
"""Bytes beyond a limit that are read and discarded at most."""


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body, at most `limit` bytes. Raises: `Problem` 413 for a larger one."""
    body = BytesIO()  # its `getvalue` makes no copy, which matters for large bodies
    await stream_body(request, limit, body)
    return body.getvalue()


async def stream_body(request: Request, limit: int, file: IO[bytes]) -> int:
    """Write the body, at most `limit` bytes, into a file; return its size in bytes.

    Most clients read the response only after they have sent everything. So the rest of a body that is slightly too
    large is read and discarded, and one that is far too large is refused as soon as that is known.
    Raises: `Problem` 413 for a larger body.
    """
    declared = request.headers.get("content-length", "0")
    drained = limit + min(max(limit, FORM_LIMIT), DRAIN_LIMIT)
    if declared.isdigit() and int(declared) > drained:
        raise too_large(limit)
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            file.write(chunk)
        elif size > drained:
            break
    if size > limit:
        raise too_large(limit)
    return size


async def read_form(request: Request, limit: int = FORM_LIMIT, *, fields: int = 100) -> FormData:
    """Return a form that one of our own pages sent.

    In a session it must have the session's token (field `_csrf`, or header X-CSRF-Token). Without a session (sign-in)
    the headers by which the browser names the sending page decide. `fields`: how many it may have.
    Raises: `Problem` 403 for a form from another site, 413 for one of more than `limit` bytes or of undeclared length,
    400 for one that cannot be parsed.
    """
    declared = request.headers.get("content-length", "")
    if not declared.isdigit() or int(declared) > limit:
        await _discard_body(request)
        raise too_large(limit)
    session = await request.app.state.sessions.of(request)
    if session is None and not _is_same_origin(request):
        raise _cross_site_form()
    try:
        form = await request.form(max_fields=fields, max_files=4, max_part_size=limit)
    except Exception as error:
        raise Problem(400, "structure", N_("We could not read this form."), remedy=N_("Send it again.")) from error
    token = form.get("_csrf") or request.headers.get("x-csrf-token", "")
    if session and not (isinstance(token, str) and hmac.compare_digest(token.encode(), session.csrf.encode())):
        raise _cross_site_form()
    return form


async def _discard_body(request: Request) -> None:
    """Read and discard a body of at most `DRAIN_LIMIT` bytes: browsers read the response only after sending it."""
    declared, size = request.headers.get("content-length", ""), 0
    if not declared.isdigit() or int(declared) > DRAIN_LIMIT:
        return
    async for chunk in request.stream():
        size += len(chunk)
        if size > DRAIN_LIMIT:
            break


def _is_same_origin(request: Request) -> bool:
    """Return whether the browser says that a request comes from a page of ours (Fetch Metadata; RFC 6454, section 7).

    Every browser sends at least Origin with a form. A client that sends neither is no browser, so its requests do not
    carry the cookies of a person who visits another site.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site in ("same-origin", "none")
    host = request.headers.get("host", "")
    return origin in (None, f"http://{host}", f"https://{host}")  # a proxy in front may terminate TLS


def _cross_site_form() -> Problem:
    return Problem(
        403,
        "forbidden",
        N_("This form was not sent from our website, or it has expired."),
        remedy=N_("Open the page again and send the form again."),
    )


def clean_text(text: str, shortest: int, longest: int, place: str) -> str:
    """Return a text without control characters and repeated blanks.

    Raises: Problem 400 when it then has fewer than `shortest` or more than `longest` characters.
    """
    clean = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    if len(clean) < shortest:
        raise bad_request(
            place,
            N_("This text is too short."),
            N_("Give more details."),
            code="required",
            detail=f"{shortest}-{longest}",
        )
    if len(clean) > longest:
        raise bad_request(
            place,
            N_("This text is too long."),
            N_("Use fewer words."),
            code="too-long",
            detail=f"{shortest}-{longest}",
        )
    return clean


def origin_of(request: Request) -> str:
    """Return the address of the client, for the journal and for rate limits; "" when it is unknown."""
    return request.client.host if request.client else ""


def network_of(origin: str) -> str:
    """Return what rate limits count of an origin: an IPv4 address, or the /64 of an IPv6 one, which is a client's own.

    Of one subscriber's line come 2^64 addresses (RFC 6177; RFC 7934, section 6). What is no address is returned as is.
    """
    try:
        address = ip_address(origin.partition("%")[0])
    except ValueError:
        return origin
    if not isinstance(address, IPv6Address):
        return str(address)
    return str(address.ipv4_mapped or ip_network((address, 64), strict=False))


def too_large(limit: int) -> Problem:
    """Return the refusal of a body of more than `limit` bytes."""
    return Problem(
        413,
        "too-long",
        N_("This file or request is too large."),
        detail=f"{limit:,} bytes are allowed.",
        remedy=N_("Send less at a time."),
        headers={"Connection": "close"},
    )

"""The session of a run: bounded requests to the target, each recorded with its answer."""

import asyncio
import re
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import orjson

from esante.services.conformance.kits.model import Exchange, Fault, NotApplicable

MAX_ANSWER = 4 * 1024 * 1024
"""Bytes of an answer that are read at most."""
MAX_SHOWN = 4_096
"""Characters of a request or an answer in the transcript."""
ANSWER_SECONDS = 10.0
LOOPBACK = "127.0.0.1"
_SECRET = re.compile(
    r"(?i)((?:access_token|refresh_token|id_token|client_assertion|client_secret|password)[\"']?\s*[:=]\s*[\"']?)[^\"'&\s]+"
)
_ABSOLUTE = re.compile(r"(?i)[a-z][a-z0-9+.-]*:")
_BEARER = re.compile(r"(?i)bearer [\w.~+/=-]+")
_ASSERTION = re.compile(r"<((?:[\w.-]+:)?Assertion)\b.*?(?:</\1>|\Z)", re.DOTALL)
"""A SAML assertion in a message: whoever has it acts as the user."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the target."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the parsed body. Raises: `Fault` when it is not JSON."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise Fault(f"The answer is not JSON: {error}.", "Answer with JSON, in UTF-8.") from error


class Session:
    """Requests to one target for the check of one requirement after the other.

    `values` is what checks leave for those that build on them; `open_until_end` closes at the end what they started.
    `listen`: the address of this machine on which a kit may wait for calls of the target. `secrets`: texts that the
    transcript leaves out. Nothing is sent to another origin than the target's; redirects are answers and are not
    followed; answers are asked for without compression.
    """

    def __init__(
        self,
        target: str,
        options: Mapping[str, str],
        transport: httpx.AsyncBaseTransport | None = None,
        listen: str = LOOPBACK,
        secrets: Sequence[str] = (),
    ) -> None:
        self.target, self.options, self.listen = target.rstrip("/"), options, listen
        self.open_until_end = AsyncExitStack()
        self.values: dict[str, Any] = {}
        self._secrets = secrets
        self._exchanges: list[Exchange] = []
        self._http = httpx.AsyncClient(timeout=ANSWER_SECONDS, transport=transport, trust_env=False)

    async def close(self) -> None:
        """Close the connections, and what checks started."""
        await self.open_until_end.aclose()
        await self._http.aclose()

    def option(self, name: str) -> str:
        """Return an option of the run. Raises: `NotApplicable` when it was not given."""
        found = self.options.get(name, "")
        if not found:
            raise NotApplicable(f"The run was not given the option {name}.")
        return found

    def value(self, name: str) -> Any:
        """Return what an earlier check left. Raises: `NotApplicable` when there is nothing."""
        if name not in self.values:
            raise NotApplicable(f"No earlier check of this run left: {name}.")
        return self.values[name]

    def take_exchanges(self) -> tuple[Exchange, ...]:
        """Return what was exchanged since the last call."""
        taken, self._exchanges = tuple(self._exchanges), []
        return taken

    async def send(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request to a path below the target, or to an address of the same origin; return the answer.

        Raises: `Fault` when there is no answer in time, or one that is too large, and for an address elsewhere.
        """
        address = self.address_of(path)
        body = orjson.dumps(json) if json is not None else content
        shown = self.shown(body or (b"&".join(f"{k}={v}".encode() for k, v in form.items()) if form else b""))
        began = time.monotonic()
        try:
            reply = await asyncio.wait_for(self._receive(method, address, body, form, headers), ANSWER_SECONDS)
        except (httpx.HTTPError, TimeoutError, ssl.SSLError, ValueError) as error:
            what = f"No answer: {type(error).__name__}{f' ({error})' if str(error) else ''}."
            self._keep(method, address, shown, 0, what, began)
            remedy = f"Answer within {ANSWER_SECONDS:.0f} seconds over HTTP/1.1."
            raise Fault(f"{method} {address} got no answer ({type(error).__name__}).", remedy) from error
        self._keep(method, address, shown, reply.status, self.shown(reply.body), began)
        if len(reply.body) > MAX_ANSWER:
            raise Fault(f"The answer to {method} {address} is longer than {MAX_ANSWER} bytes.", "Answer with a page.")
        return reply

    def address_of(self, path: str) -> str:
        """Return an absolute address. Raises: `Fault` for one of another origin than the target's."""
        address = path if _ABSOLUTE.match(path) else f"{self.target}/{path.lstrip('/')}"
        if urlsplit(address)[:2] != urlsplit(self.target)[:2]:
            raise Fault(f"The address {address[:200]} is not on the target.", "Give addresses of the target's origin.")
        return address

    def root_address(self, path: str) -> str:
        """Return the address of a path at the root of the target's origin."""
        return urljoin(self.target, path)

    def received(self, method: str, path: str, body: bytes, status: int, answer: object) -> None:
        """Keep a call of the target to the kit, with the answer that it got, in the transcript."""
        text = self.shown(answer.encode() if isinstance(answer, str) else orjson.dumps(answer))
        self._keep(method, f"(to us) {path}", self.shown(body), status, text, time.monotonic())

    def shown(self, body: bytes) -> str:
        """Return the beginning of a body as text, without secrets and control characters."""
        text = body[: MAX_SHOWN * 2].decode(errors="replace")
        for secret in self._secrets:
            text = text.replace(secret, "…")
        text = _ASSERTION.sub(r"<\1>…</\1>", text)
        text = "".join(char if char.isprintable() or char in "\n\t" else "�" for char in text[:MAX_SHOWN])
        return _BEARER.sub("Bearer …", _SECRET.sub(r"\1…", text))

    async def _receive(
        self,
        method: str,
        address: str,
        body: bytes | None,
        form: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
    ) -> Reply:
        given = {"Accept-Encoding": "identity"} | dict(headers or {})
        async with self._http.stream(
            method, address, content=body, data=dict(form) if form else None, headers=given
        ) as answer:
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise ValueError("the answer is compressed, which was not asked for")
            parts, size = [], 0
            async for part in answer.aiter_bytes():
                parts.append(part)
                size += len(part)
                if size > MAX_ANSWER:
                    break
            return Reply(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, b"".join(parts))

    def _keep(self, method: str, address: str, shown: str, status: int, answer: str, began: float) -> None:
        self._exchanges.append(
            Exchange(
                method=method,
                address=self.shown(address[:500].encode()),
                request=shown,
                status=status,
                answer=answer,
                milliseconds=round((time.monotonic() - began) * 1000),
            )
        )

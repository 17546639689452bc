"""Twins of a server, each with one fault: what they pass on differs at one point."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

Change = Callable[[httpx.Request, "Answer"], "Answer | None"]


@dataclass
class Answer:
    """An answer of the real server, to be changed."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the parsed body."""
        return orjson.loads(self.body)

    def with_json(self, content: object) -> "Answer":
        """Return the answer with another body."""
        return Answer(self.status, self.headers, orjson.dumps(content))

    def with_status(self, status: int) -> "Answer":
        """Return the answer with another status."""
        return Answer(status, self.headers, self.body)


@dataclass
class Twin(httpx.AsyncBaseTransport):
    """Passes requests on to the real server, and changes the answers; `seen` counts them."""

    change: Change
    real: httpx.AsyncBaseTransport = field(default_factory=httpx.AsyncHTTPTransport)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer of the real server, changed."""
        real = await self.real.handle_async_request(request)
        content = await real.aread()
        headers = {
            k.lower(): v for k, v in real.headers.items() if k.lower() not in ("content-length", "content-encoding")
        }
        answer = Answer(real.status_code, headers, content)
        changed = self.change(request, answer) or answer
        return httpx.Response(changed.status, headers=changed.headers, content=changed.body)

    async def aclose(self) -> None:
        """Close the connections to the real server."""
        await self.real.aclose()


def at(method: str, part: str, change: Callable[[httpx.Request, Answer], Answer | None]) -> Change:
    """Return a change of answers to requests of a method whose address holds a text."""

    def apply(request: httpx.Request, answer: Answer) -> Answer | None:
        return change(request, answer) if request.method == method and part in str(request.url) else None

    return apply


def set_field(name: str, value: object) -> Callable[[httpx.Request, Answer], Answer]:
    """Return a change of a field of the JSON answer; None removes it."""

    def apply(_: httpx.Request, answer: Answer) -> Answer:
        content = answer.json()
        content[name] = value
        return answer.with_json({key: one for key, one in content.items() if one is not None})

    return apply


def edit(change: Callable[[Any], None]) -> Callable[[httpx.Request, Answer], Answer]:
    """Return a change of the JSON answer, which a function changes in place."""

    def apply(_: httpx.Request, answer: Answer) -> Answer:
        content = answer.json()
        change(content)
        return answer.with_json(content)

    return apply


def edit_entries(change: Callable[[Any], None]) -> Callable[[httpx.Request, Answer], Answer]:
    """Return a change of the resources of the Bundle that is answered, each changed in place."""

    def apply(bundle: Any) -> None:
        for entry in bundle.get("entry", ()):
            change(entry["resource"])

    return edit(apply)


def remember(kept: dict[str, Answer], wanted: str, given: str) -> Change:
    """Return a change that answers requests whose address holds `given` as the last one that holds `wanted`."""

    def apply(request: httpx.Request, answer: Answer) -> Answer | None:
        address = str(request.url)
        if wanted in address and answer.status == 200:
            kept["answer"] = answer
        return kept["answer"] if given in address and wanted not in address else None

    return apply


def replace_status(before: int, after: int) -> Callable[[httpx.Request, Answer], Answer | None]:
    """Return a change of one status to another."""
    return lambda _, answer: answer.with_status(after) if answer.status == before else None


def set_status(status: int) -> Callable[[httpx.Request, Answer], Answer]:
    """Return a change of the status."""
    return lambda _, answer: answer.with_status(status)


def drop_header(name: str) -> Callable[[httpx.Request, Answer], Answer]:
    """Return a change that leaves a header out."""
    return lambda _, answer: Answer(
        answer.status, {key: one for key, one in answer.headers.items() if key != name}, answer.body
    )

"""The faults of a mock: latency, refusals, silence, repetition, wrong order, down for a time."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

SILENCE_SECONDS = 60.0
"""For how long a silent mock holds a connection."""
Answer = Callable[[], Awaitable[Response]]


@dataclass(kw_only=True)
class Faults:
    """What goes wrong, settable while the mock runs.

    `latency`: seconds before each answer. `refuse`: a share of messages (0 to 1) that are refused, or a code with
    which all are. `silent`: a share that gets no answer; every second one of them is carried out all the same.
    `duplicate`: what is reported is reported twice. `reorder`: it is reported before the answer to what caused it.
    After `down_after` requests (0: never) none is answered for `down_for` seconds.
    """

    latency: float = 0.0
    refuse: str = ""
    silent: float = 0.0
    duplicate: bool = False
    reorder: bool = False
    down_after: int = 0
    down_for: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - it draws faults
        self._requests, self._silences, self._down_since = 0, 0, 0.0

    def change(self, values: dict[str, Any]) -> None:
        """Set some of them. Raises: ValueError for a name that there is not, or a value of another type."""
        for name, value in values.items():
            if name not in Faults.__dataclass_fields__:
                raise ValueError(f"there is no fault {name}")
            kind = type(getattr(self, name))
            setattr(self, name, kind(value))
            if name == "down_after":
                self._requests = 0

    async def answer(self, make: Answer, refuse: Callable[[str], Response]) -> Response:
        """Return the answer of `make`, or what goes wrong with it."""
        self._requests += 1
        if self._is_down():
            return JSONResponse({"code": "DOWN", "text": "not available"}, 503)
        await asyncio.sleep(self.latency)
        if code := self._refusal():
            return refuse(code)
        if self.silent and self._random.random() < self.silent:
            self._silences += 1
            if self._silences % 2:
                await make()
            await asyncio.sleep(SILENCE_SECONDS)
            return JSONResponse({"code": "SILENT", "text": "too late"}, 504)
        return await make()

    def _is_down(self) -> bool:
        if self.down_after and self._requests > self.down_after:
            self._down_since, self.down_after = monotonic(), 0
        return bool(self._down_since) and monotonic() - self._down_since < self.down_for

    def _refusal(self) -> str:
        """Return the code with which a message is refused, "" when it is not."""
        if not self.refuse:
            return ""
        try:
            share = float(self.refuse)
        except ValueError:
            return self.refuse
        return "REFUSED" if self._random.random() < share else ""


async def change_faults(request: Request, faults: Faults) -> Response:
    """Answer a request that sets faults (JSON)."""
    try:
        faults.change(await request.json())
    except (ValueError, TypeError, AttributeError) as error:
        return JSONResponse({"code": "FAULTS", "text": str(error)}, 400)
    return Response(status_code=204)

"""A witness in this process to which a journal submits its heads, over its HTTP interface."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from esante.core.journal import Cosigner, Journal
from esante.core.witness import Witness, WitnessState, create_app

NAME = "witness.example/w1"
URL = "http://witness.test"


class ServedWitness:
    """The witness of a journal, and the client that reaches it; `requests` are the bodies that it got."""

    def __init__(self, journal: Journal, cosigner: Cosigner, folder: Path) -> None:
        self.cosigner = cosigner
        self.requests: list[bytes] = []
        self._journal, self._folder = journal, folder
        self._state = WitnessState.open(folder)
        self.restart()

    def restart(self, *, forget: bool = False) -> None:
        """Begin anew with what is stored, or (`forget`) with nothing."""
        if forget:
            for path in self._folder.glob("*.checkpoint"):
                path.unlink()
        self._app = create_app(Witness(self.cosigner, [self._journal.signer.verifier], self._state))

    async def cosign(self, http: httpx.AsyncClient | None = None) -> bool:
        """Let the journal submit its newest head; return whether it was co-signed."""
        (remote,) = self._journal.witnesses.remotes
        if http:
            return await self._journal.witnesses.submit(http, remote)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self)) as own:
            return await self._journal.witnesses.submit(own, remote)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request (ASGI)."""
        self.requests.append(b"")

        async def received() -> Any:
            message = await receive()
            self.requests[-1] += message.get("body", b"")
            return message

        await self._app(scope, received, send)

    def close(self) -> None:
        """Unlock the folder."""
        self._state.close()


@asynccontextmanager
async def served_witness(journal: Journal, cosigner: Cosigner, folder: Path) -> AsyncIterator[ServedWitness]:
    """The witness of a journal with its state in a folder."""
    witness = ServedWitness(journal, cosigner, folder)
    yield witness
    witness.close()

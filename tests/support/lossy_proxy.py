"""A proxy before PostgreSQL that loses the connection at a commit, as a network does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

_COMMIT = b"COMMIT;"


class LossyProxy:
    """Passes everything on, until `lose` says at which side of the next commit the connection is lost.

    "before": the server never gets the commit; "after": it commits, and its answer is lost.
    """

    def __init__(self, server: Path) -> None:
        self._server = server
        self.lose = ""
        self.lost = 0
        self._answer_is_lost = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection."""
        answers, requests = await asyncio.open_unix_connection(self._server)
        back = asyncio.create_task(self._relay(answers, writer))
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                how = self.lose if _COMMIT in data else ""
                if how == "before":
                    break
                self._answer_is_lost = how == "after"
                requests.write(data)
                await requests.drain()
                if how == "after":
                    await back
                    break
            self.lost += bool(self.lose)
        back.cancel()
        for one in (requests, writer):
            one.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                if self._answer_is_lost:
                    return
                writer.write(data)
                await writer.drain()
            writer.close()


@contextlib.asynccontextmanager
async def lossy_proxy(dsn: str, folder: Path) -> AsyncIterator[tuple[LossyProxy, str]]:
    """Yield a proxy before the server at a DSN with a folder of sockets, and the DSN of the proxy."""
    address, _, sockets = dsn.partition("host=")
    proxy = LossyProxy(Path(sockets) / ".s.PGSQL.5432")
    server = await asyncio.start_unix_server(proxy.serve, folder / ".s.PGSQL.5432")
    async with server:
        yield proxy, f"{address}host={folder}"

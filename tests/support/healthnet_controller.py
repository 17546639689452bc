"""A controller as a process: `python -m tests.support.healthnet_controller DSN FOLDER ADDRESS PORT`.

The folder has `root.key`, `server.pem` with certificate and key, and `policy_words.json`.
"""

import asyncio
import contextlib
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from esante.services.healthnet.controller.service import Controller
from esante.services.healthnet.policy.parser import parse_policy
from tests.conftest import open_journal
from tests.support.healthnet import WORDS


def open_controller(db, journal, folder, **given):
    """A controller whose policies may name the words of these tests."""
    return Controller(
        db,
        journal,
        (Path(folder) / "root.key").read_bytes(),
        read_policy=lambda text: parse_policy("lab.yaml", text, WORDS),
        **{"heartbeat_seconds": 2, **given},
    )


async def repeat(work, seconds):
    """Do work again and again."""
    while True:
        try:
            await work()
        except Exception as error:  # as the platform's tasks: logged, and tried again
            print(f"{work.__qualname__}: {error!r}", file=sys.stderr, flush=True)
        await asyncio.sleep(seconds)


async def main(dsn, folder, address, port):
    async with open_journal(dsn, Path(folder) / "journal") as journal:
        controller = open_controller(journal.db, journal, folder)
        app = Starlette(routes=controller.routes())
        pem = str(Path(folder) / "server.pem")
        server = uvicorn.Server(
            uvicorn.Config(app, host=address, port=int(port), ssl_certfile=pem, log_level="warning", lifespan="off")
        )
        tasks = [asyncio.create_task(repeat(work, 0.25)) for work in (controller.tick, controller.refresh)]
        await server.serve()
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

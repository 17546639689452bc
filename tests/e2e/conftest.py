"""A served demo, a small world to copy, and a browser for the end-to-end tests."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.support.demo_server import DemoServer, list_demo_people, serve_demo
from tests.support.processes import Server
from tests.support.small_world import SmallWorld, build_small_world
from tests.support.visitors import chromium

PERSONS = 33
DEMO_PERSONS = 60


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    """The demo with 60 persons and a witness, loaded and served once."""
    data = tmp_path_factory.mktemp("demo") / "data"
    server, witness = serve_demo(data, DEMO_PERSONS)
    try:
        yield DemoServer(server, list_demo_people(data))
    finally:
        server.stop()
        witness.stop()
        shutil.rmtree(data, ignore_errors=True)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, started once."""
    async with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> SmallWorld:
    """A small world in a data folder without a server, to be copied."""
    return asyncio.run(build_small_world(tmp_path_factory.mktemp("template") / "data", PERSONS))


@pytest.fixture
def world(template: SmallWorld, tmp_path: Path) -> Iterator[SmallWorld]:
    """A copy of the small world for one test."""
    yield copy_world(template, tmp_path / "data")
    shutil.rmtree(tmp_path / "data", ignore_errors=True)


def copy_world(world: SmallWorld, data: Path) -> SmallWorld:
    """Copy a world to another data folder."""
    shutil.copytree(world.data, data, symlinks=True)
    return replace(world, data=data)


@pytest.fixture
def serving() -> Iterator[list[Server]]:
    """A list of servers that are stopped after the test."""
    servers: list[Server] = []
    yield servers
    for server in servers:
        server.stop()

"""What the end-to-end tests share: a demo that is served, a small world to copy, a browser."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.e2e.browsers import chromium
from tests.e2e.demos import Demo, load_demo, people_of
from tests.e2e.processes import Server
from tests.e2e.worlds import World, make_world

PERSONS = 33
DEMO_PERSONS = 60


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo country of 60 persons, loaded and served once."""
    data = tmp_path_factory.mktemp("demo") / "data"
    server = load_demo(data, DEMO_PERSONS)
    try:
        yield Demo(server, people_of(data))
    finally:
        server.stop()
        shutil.rmtree(data, ignore_errors=True)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, started once."""
    async with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A small world in a data folder that no server runs on: copies of it begin alike."""
    return asyncio.run(make_world(tmp_path_factory.mktemp("template") / "data", PERSONS))


@pytest.fixture
def world(template: World, tmp_path: Path) -> Iterator[World]:
    """A copy of the small world, this test's own."""
    yield copy_of(template, tmp_path / "data")
    shutil.rmtree(tmp_path / "data", ignore_errors=True)


def copy_of(world: World, data: Path) -> World:
    """The same world in another data folder."""
    shutil.copytree(world.data, data, symlinks=True)
    return replace(world, data=data)


@pytest.fixture
def serving() -> Iterator[list[Server]]:
    """Servers put in here are ended after the test, whatever happened."""
    servers: list[Server] = []
    yield servers
    for server in servers:
        server.stop()

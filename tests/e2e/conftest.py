"""What the end-to-end tests share: a small world to copy, and servers that are always ended."""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.processes import Server
from tests.e2e.worlds import World, make_world

PERSONS = 33


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

"""A pool of workers and previews from it."""

from dataclasses import dataclass

import pytest

from esante.core.storage import sha256
from esante.services.record.rendering.preview import Previews
from esante.services.record.rendering.worker_pool import WorkerPool


@dataclass
class HashedContent:
    """The part of a document that previews use."""

    sha256: bytes


@pytest.fixture
async def workers():
    """A pool of workers."""
    pool = WorkerPool()
    yield pool
    await pool.close()


@pytest.fixture
def preview(workers):
    """A function that calls a method of `Previews` with some bytes."""

    async def render(method, content, *arguments):
        return await getattr(Previews(workers), method)(HashedContent(sha256(content)), content, *arguments)

    return render

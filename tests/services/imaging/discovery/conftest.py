"""Image sharing with what finds studies."""

import pytest

from esante.services.imaging.discovery.document_search import StudyDescriber
from esante.services.imaging.discovery.priors import Priors
from esante.services.imaging.discovery.study_index import StudyIndex
from esante.services.imaging.manifest.service import Manifests
from esante.services.imaging.model import CATEGORY, StudyDeposited
from tests.support.record import BASE


@pytest.fixture(scope="module", autouse=True)
def descriptions(world, imaging):
    """The record describes studies."""
    world.record.descriptions.register(CATEGORY, StudyDescriber(world.db, imaging.archive, BASE))


@pytest.fixture(scope="module")
def follow(world, imaging):
    """Let the index follow the deposits of a person."""
    index = StudyIndex(world.db, world.record, Manifests(world.db, imaging.archive, world.directory, BASE))

    async def follow(person) -> None:
        entries = await world.journal.entries_of(person.id, [StudyDeposited], limit=100)
        async with world.db.transaction() as conn:
            await index.consumer.handle(conn, list(reversed(entries)))

    return follow


@pytest.fixture(scope="module")
def priors(world, imaging):
    """What finds priors."""
    return Priors(world.db, imaging.archive)

"""The card over this module's database: a world of people, the cards, the histories."""

import pytest

from esante.services.vaccination.card.service import VaccinationCards
from esante.services.vaccination.health_cards.issuer import HealthCards
from esante.services.vaccination.health_links.service import HealthLinks
from esante.services.vaccination.history.compiler import Histories
from esante.services.vaccination.products.catalogue import use_samples
from tests.support.record import BASE, open_world


@pytest.fixture(autouse=True, scope="module")
def samples():
    """The invented packs and recalls of a demonstration."""
    use_samples(True)
    yield
    use_samples(False)


@pytest.fixture(scope="module")
async def world(db, journal, objects):
    """A world over this module's database."""
    async with open_world(db, journal, objects) as world:
        yield world


@pytest.fixture(scope="module")
def cards(world):
    """The cards of all persons."""
    return VaccinationCards(world.db, world.record, world.directory, world.access, f"{BASE}/fhir")


@pytest.fixture(scope="module")
def histories(world):
    """The histories of all persons."""
    return Histories(world.db, world.record, world.directory, world.access)


@pytest.fixture(scope="module")
def key_file(tmp_path_factory):
    """The file of the key that signs cards."""
    return tmp_path_factory.mktemp("keys") / "health-cards.pem"


@pytest.fixture(scope="module")
def proofs(world, cards, key_file):
    """The health cards of all persons."""
    return HealthCards(world.db, world.journal, cards, world.directory, BASE, key_file)


@pytest.fixture(scope="module")
def links(world, proofs):
    """The health links of all persons."""
    return HealthLinks(world.db, world.journal, proofs, world.record, world.access, BASE)

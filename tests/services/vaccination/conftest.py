"""The card over this module's database: a world of people, the cards, the histories."""

import pytest

from esante.core.disclosure import StatisticsKey
from esante.services.vaccination.card.service import VaccinationCards
from esante.services.vaccination.card.write_rules import ImmunizationRules
from esante.services.vaccination.health_cards.issuer import HealthCards
from esante.services.vaccination.health_links.service import HealthLinks
from esante.services.vaccination.history.compiler import Histories
from esante.services.vaccination.products.catalogue import use_samples
from esante.services.vaccination.recalls.service import Recalls
from esante.services.vaccination.reminders.forecasts import Forecasts
from esante.services.vaccination.reminders.service import Reminders
from esante.services.vaccination.stock.service import Stocks
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
    world.record.type_rules["Immunization"] = ImmunizationRules()
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


@pytest.fixture(scope="module")
def statistics_key():
    """The secret of the statistics."""
    return StatisticsKey(b"s" * 32)


@pytest.fixture(scope="module")
def forecasts(world, statistics_key):
    """The kept forecasts of all persons."""
    return Forecasts(world.db, world.journal, world.directory, statistics_key)


@pytest.fixture(scope="module")
def reminders(world):
    """The reminders of all persons."""
    return Reminders(world.db, world.journal, world.directory, world.access)


@pytest.fixture(scope="module")
def recalls(world):
    """Lots and their recalls."""
    return Recalls(world.db, world.journal, world.directory)


@pytest.fixture(scope="module")
def stocks(world):
    """The stock of all sites."""
    return Stocks(world.db, world.journal, world.directory)

"""Extension to other professions and documents by data alone: the packaged samples on real events of the record."""

from datetime import date
from decimal import Decimal

import pytest

from esante.core.journal import Actor
from esante.core.storage import uuid7
from esante.services.incentives.evidence.sources import sources
from esante.services.incentives.schemes.scheme_file import load_schemes, use_samples
from esante.services.record import ClinicalCreated, ClinicalDeleted, DepositedEvent
from tests.support.incentives import IncentiveWorld

DAY = date(2026, 2, 2)


@pytest.fixture
async def sample_world(make_world, db, journal):
    """A world with the packaged schemes, samples included."""
    await make_world()
    use_samples(True)
    try:
        yield IncentiveWorld(db, journal, load_schemes("", sources().kinds))
    finally:
        use_samples(False)


async def act(world, code, profession, made):
    """Let a professional make events."""
    professional = await world.doctor(code, profession)
    actor = Actor(kind="practitioner", id=professional.id, role=profession, client="Exempla", client_id="exempla")
    await world.append([(DAY, one, actor, uuid7()) for one in made])


async def test_physiotherapist_who_deposits_enough_is_paid_once(sample_world):
    world = sample_world
    await act(world, "90300100", "physiotherapist", [DepositedEvent(documents=(uuid7(),)) for _ in range(5)])
    await act(world, "90300200", "doctor", [DepositedEvent(documents=(uuid7(),)) for _ in range(5)])
    assert await world.decide("2026-Q1") == Decimal("250.00")
    await act(world, "90300100", "physiotherapist", [DepositedEvent(documents=(uuid7(),)) for _ in range(5)])
    assert await world.decide("2026-Q2") == 0


async def test_pharmacist_is_paid_for_each_vaccination_that_was_not_deleted(sample_world):
    world, doses = sample_world, [f"Immunization/{uuid7()}" for _ in range(9)]
    await act(world, "90400100", "pharmacist", [ClinicalCreated(resources=tuple(doses[:8]))])
    await act(world, "90400100", "pharmacist", [ClinicalCreated(resources=(doses[8], f"Condition/{uuid7()}"))])
    await act(world, "90400100", "pharmacist", [ClinicalDeleted(resources=(doses[0],))])
    assert await world.decide("2026-Q1") == Decimal("10.04")  # 8 x 1.2550


async def test_refused_access_is_no_evidence(sample_world):
    world = sample_world
    made = [DepositedEvent(documents=(uuid7(),), allowed=False) for _ in range(5)]
    await act(world, "90300300", "physiotherapist", made)
    assert await world.decide("2026-Q1") == 0

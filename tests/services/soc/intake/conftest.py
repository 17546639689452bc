"""An intake over this module's database."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from esante.services.soc.findings import rule_folder
from tests.support.soc_intake import IntakeWorld, run_intake, write_rules


@pytest.fixture
async def world(db, journal):
    """Members with sources."""
    return IntakeWorld(db, journal)


@pytest.fixture
async def running(world, tmp_path, monkeypatch):
    """An intake with rules, which listens on free ports."""
    monkeypatch.setattr(rule_folder, "new_pool", lambda: ThreadPoolExecutor(1))  # a process takes seconds to start
    async with run_intake(world, tmp_path, write_rules(tmp_path / "rules")) as running:
        yield running

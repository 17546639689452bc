"""The demo and real records never meet: neither is served, nor loaded, as the other."""

from dataclasses import replace

import pytest

from esante.app import create_app, open_platform
from esante.demo import load
from esante.settings import Settings
from tests.support.processes import run_esante
from tests.support.small_world import build_small_world


async def start(settings: Settings) -> None:
    """Start the application as a server process does, and stop it."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        pass


async def test_database_of_the_demo_is_served_as_a_demo_only(platform):
    await platform.admit()
    served = replace(platform.settings, database_url=platform.dsn)
    with pytest.raises(RuntimeError, match="invented people"):
        await start(replace(served, demo=False))
    await start(served)


async def test_real_records_are_never_served_nor_loaded_as_a_demo(tmp_path):
    data = tmp_path / "data"
    await build_small_world(data)
    with pytest.raises(RuntimeError, match="anyone sign in as anyone"):
        await start(Settings(data=data, demo=True))
    async with open_platform(Settings(data=data, demo=True)) as platform:
        with pytest.raises(RuntimeError, match="not of the demo"):
            await load(platform, persons=20)
        with pytest.raises(RuntimeError, match="anyone sign in as anyone"):
            await platform.admit()
    refused = run_esante("serve", "--data", data, "--port", "0", check=False, ESANTE_DEMO="1")
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert "unset ESANTE_DEMO" in refused.stderr

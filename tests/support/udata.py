"""A udata of the tests' own, as an open data portal: fixtures to be imported by a conftest."""

import json
import subprocess
from pathlib import Path

import httpx
import pytest

from esante.core.open_data import PortalTarget

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".tools" / "udata-17.18.0"
PINS = ["udata==17.18.0", "mongomock==4.3.0"]


@pytest.fixture(scope="package")
def udata(tmp_path_factory):
    """A running udata: its address, and an API key."""
    python = HOME / "bin" / "python"
    if not python.exists():
        uv = str(ROOT / ".venv" / "bin" / "uv")
        for command in (
            [uv, "venv", "--quiet", str(HOME)],
            [uv, "pip", "install", "--quiet", "--python", str(python), *PINS],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"udata cannot be installed here: {done.stderr[-300:]}")
    script = ROOT / "tests" / "support" / "udata_server.py"
    folder = tmp_path_factory.mktemp("udata")
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen([python, "-P", script], stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder) as process,
    ):
        line = process.stdout.readline()
        assert line, (folder / "log").read_text()[-2_000:]
        yield json.loads(line)
        process.kill()


@pytest.fixture
def target(udata):
    """The portal with an organisation of one test's own, without datasets."""
    organization = httpx.post(f"{udata['url']}/-/organization", timeout=30).json()["id"]
    return PortalTarget(udata["url"], udata["key"], organization)

"""Fixtures: a running udata, and editions to push."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from esante.services.bulletin.dissemination.udata_client import PortalTarget
from esante.services.bulletin.publication.dcat import Edition
from esante.services.bulletin.publication.issue_files import publish
from tests.support.bulletin_issue import BASE, sample_issue

ROOT = Path(__file__).resolve().parents[4]
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


@pytest.fixture(scope="module")
def editions(tmp_path_factory):
    """Two versions of a month with few files: one that udata stores, one that it does not store, a PDF."""
    wanted = ("v1.csv", "v1.parquet", "-fr.pdf", "dictionary-fr.csv")
    issue = sample_issue(months=2)
    first = [
        file for file in publish(issue, tmp_path_factory.mktemp("files"), BASE) if file.path.name.endswith(wanted)
    ]
    second = []
    for file in first[:1]:
        path = file.path.with_name(file.path.name.replace("-v1", "-v2"))
        path.write_bytes(file.path.read_bytes() + b"\r\n")
        second.append(replace(file, path=path))
    return [
        Edition("2026-10", 1, "provisional", issue.released_at, first),
        Edition("2026-10", 2, "revised", issue.released_at.replace(day=20), second, "Late deposits"),
    ]

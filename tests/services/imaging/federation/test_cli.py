"""The commands with which operators keep the directory of archives."""

from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from esante.core.storage import uuid7
from esante.identity.directory import Directory, Identifier, Organization
from esante.services.imaging.cli import imaging
from tests.support.hospital_archive import LOCATION
from tests.support.small_world import open_test_platform

pytestmark = pytest.mark.long
SYSTEM, VALUE = "urn:example:organisations", "H-1"


@pytest.fixture
async def data(tmp_path):
    """A data folder with one hospital in its directory."""
    async with open_test_platform(tmp_path / "var") as platform:
        await platform.journal.ensure_months(datetime.now(UTC), datetime.now(UTC))
        await platform[Directory].register_organization(
            Organization(id=uuid7(), identifiers=(Identifier(SYSTEM, VALUE),), name="Hôpital du Nord", kind="hospital")
        )
    return tmp_path / "var"


def run(*arguments):
    return CliRunner().invoke(imaging, ["location", *map(str, arguments)])


def test_archive_is_set_listed_and_removed(data):
    where = ("--data", data)
    address = "https://archive.example/dicomweb"
    unknown = run("set", LOCATION, address, "--organization", f"{SYSTEM}|other", *where)
    assert (unknown.exit_code, "no organisation" in unknown.output) == (1, True)
    wrong = run("set", LOCATION, "https://user:secret@archive.example/", "--organization", f"{SYSTEM}|{VALUE}", *where)
    assert (wrong.exit_code, "without name, password" in wrong.output) == (1, True)
    done = run("set", LOCATION, address, "--organization", f"{SYSTEM}|{VALUE}", *where)
    assert (done.exit_code, done.output) == (0, f"{LOCATION}  {address}  Hôpital du Nord\n")
    assert run("list", *where).output == done.output
    assert run("remove", LOCATION, *where).exit_code == 0
    assert run("list", *where).output == ""
    assert run("remove", LOCATION, *where).exit_code == 1

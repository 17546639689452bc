"""The ceremony of the root by its commands: on a machine without a network and a database, and at the installation."""

import asyncio

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from esante.app import open_platform
from esante.services.healthnet.certificates.service import Certificates
from esante.services.healthnet.cli import healthnet
from esante.settings import Settings
from tests.conftest import create_database

PASSWORD = "correct horse battery"


def run(*arguments, env=None, given=None):
    """Run a command."""
    return CliRunner().invoke(healthnet, ["ca", *map(str, arguments)], env=env, input=given)


async def test_root_signs_the_request_of_an_installation_which_takes_it_into_use(server, tmp_path):
    environ = {"ESANTE_DATABASE_URL": await create_database(server), "ESANTE_DATA": str(tmp_path / "data")}
    settings = Settings.from_environ(data=tmp_path / "data", database_url=environ["ESANTE_DATABASE_URL"])
    async with open_platform(settings, migrate=True):
        pass
    root = tmp_path / "root"
    made = run("make-root", root, "--organization", "Agency", given=f"{PASSWORD}\n{PASSWORD}\n")
    assert made.exit_code == 0 and "SHA-256" in made.output, made.output
    assert (root / "root.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(ValueError):
        load_pem_private_key((root / "root.key").read_bytes(), b"another password")
    request = await asyncio.to_thread(run, "request", env=environ)
    (tmp_path / "request.pem").write_text(request.output)
    out = tmp_path / "healthnet.pem"
    signed = run("sign", root, tmp_path / "request.pem", "--out", out, given=f"{PASSWORD}\n")
    assert signed.exit_code == 0, signed.output
    installed = await asyncio.to_thread(run, "install", out, root / "root.pem", "--by", "Ann", env=environ)
    assert installed.exit_code == 0, installed.output
    async with open_platform(settings) as platform:
        assert (await platform[Certificates].chain()).startswith(out.read_text().strip())
    refused = await asyncio.to_thread(run, "install", root / "root.pem", root / "root.pem", env=environ)
    assert refused.exit_code == 1 and "not accepted" in refused.output


def test_root_is_made_once_and_with_a_password_that_is_long_enough(tmp_path):
    short = run("make-root", tmp_path, "--organization", "Agency", "--password", "short")
    assert short.exit_code == 1 and not list(tmp_path.iterdir())
    assert run("make-root", tmp_path, "--organization", "Agency", "--password", PASSWORD).exit_code == 0
    key = (tmp_path / "root.key").read_bytes()
    again = run("make-root", tmp_path, "--organization", "Agency", "--password", PASSWORD)
    assert again.exit_code == 1 and "exists" in again.output
    assert (tmp_path / "root.key").read_bytes() == key


def test_wrong_password_or_request_is_refused_without_a_file(tmp_path):
    run("make-root", tmp_path, "--organization", "Agency", "--password", PASSWORD)
    (tmp_path / "request.pem").write_text("nothing")
    for password in ("wrong password", PASSWORD):
        done = run("sign", tmp_path, tmp_path / "request.pem", "--out", tmp_path / "out.pem", "--password", password)
        assert done.exit_code == 1 and done.output.startswith("Error: "), done.output
    assert not (tmp_path / "out.pem").exists()

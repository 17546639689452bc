"""Commands of operators over a database of their own: networks for NetBox and from it, zone files."""

import asyncio

import pytest
from click.testing import CliRunner

from esante.app import open_platform
from esante.command_line import ensure_journal_month
from esante.services.healthnet.addresses.service import Addresses
from esante.services.healthnet.declaration import healthnet
from esante.services.healthnet.sites.service import Sites
from esante.settings import Settings
from tests.conftest import create_database
from tests.support.healthnet_world import HealthnetWorld


@pytest.fixture(scope="module")
async def platform_folder(server, tmp_path_factory):
    """A platform with a connected laboratory; the folder, the environment, the key of the site."""
    folder = tmp_path_factory.mktemp("platform")
    environ = {"ESANTE_DATABASE_URL": await create_database(server), "ESANTE_DATA": str(folder)}
    settings = Settings.from_environ(data=folder, database_url=environ["ESANTE_DATABASE_URL"])
    async with open_platform(settings, migrate=True) as platform:
        await ensure_journal_month(platform)
        world = HealthnetWorld(platform.db, platform.journal)
        world.sites, world.addresses = platform[Sites], platform[Addresses]
        site, _ = await world.active("laboratory")
    return folder, environ, site.key


async def run(environ, *arguments):
    """Run a command in a thread, which has no loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, healthnet, [*map(str, arguments)], env=environ)


async def test_networks_go_to_netbox_and_come_back(platform_folder, tmp_path):
    _, environ, key = platform_folder
    for form in ("csv", "json"):
        done = await run(environ, "prefixes", "--format", form)
        assert done.exit_code == 0 and key in done.output, done.output
        (tmp_path / "prefixes").write_text(done.output)
        done = await run(environ, "import-prefixes", tmp_path / "prefixes", "--by", "Ann")
        assert (done.exit_code, "2 networks, 0 sites changed." in done.output) == (0, True), done.output


async def test_file_that_is_refused_says_where_and_why(platform_folder, tmp_path):
    _, environ, key = platform_folder
    (tmp_path / "prefixes").write_text(f"prefix,description\nfd00::/64,{key}\n")
    done = await run(environ, "import-prefixes", tmp_path / "prefixes")
    assert (done.exit_code, "line 2: fd00::/64 is no /64 of" in done.output) == (1, True), done.output


async def test_zones_name_the_site_and_what_it_offers(platform_folder, tmp_path):
    _, environ, key = platform_folder
    done = await run(environ, "zones", tmp_path / "zones")
    assert done.exit_code == 0, done.output
    zone = (tmp_path / "zones" / "healthnet.internal.zone").read_text()
    assert f"{key.lower()} IN AAAA fd5a:4c58:e540:1::1" in zone
    assert f"laboratory-results.{key.lower()} IN CNAME {key.lower()}" in zone
    assert len(list((tmp_path / "zones").iterdir())) == 3


async def test_connection_is_asked_for_decided_by_another_and_ended(platform_folder):
    folder, environ, _ = platform_folder
    settings = Settings.from_environ(data=folder, database_url=environ["ESANTE_DATABASE_URL"])
    async with open_platform(settings) as platform:
        _, code = await HealthnetWorld(platform.db, platform.journal).provider("hospital")
    asked = (
        "site", "request", code, "--line", "1, rue du Test", "--postal-code", "L-1234", "--city", "Esch",
        "--service-class", "large", "--contact", "Anne Weber", "--phone", "+352 123456", "--by", "Ann",
    )  # fmt: skip
    wrong = await run(environ, *asked, "--email", "anne")
    assert (wrong.exit_code, wrong.output) == (1, "Error: email: This is not an e-mail address.\n")
    done = await run(environ, *asked, "--email", "anne@hospital.example")
    assert done.exit_code == 0, done.output
    key = done.output.split()[0]
    own = await run(environ, "site", "decide", key, "--by", "Ann")
    assert own.exit_code == 1 and "Somebody else must decide" in own.output
    decided = await run(environ, "site", "decide", key, "--by", "Ben")
    assert "approved" in decided.output, decided.output
    reason = ("--reason", "A trial of the commands.")
    for command, state in (("quarantine", "in quarantine"), ("suspend", "suspended"), ("end", "ended")):
        done = await run(environ, "site", command, key, *reason)
        assert state in done.output, done.output
    assert key in (await run(environ, "site", "list", "--state", "ended")).output
    unknown = await run(environ, "site", "end", "S99999", *reason)
    assert unknown.exit_code == 1 and "there is no site S99999" in unknown.output


async def test_site_of_the_agency_is_asked_for_and_decided_by_another(platform_folder):
    _, environ, _ = platform_folder
    asked = (
        "site", "request-platform", "Data centre North", "--line", "1, rue du Test", "--postal-code", "L-1234", "--city",
        "Esch", "--service-class", "large", "--contact", "Anne Weber", "--phone", "+352 123456", "--email",
        "anne@agency.example", "--by", "Ann",
    )  # fmt: skip
    done = await run(environ, *asked)
    assert (done.exit_code, "platform" in done.output) == (0, True), done.output
    key = done.output.split()[0]
    assert "Somebody else must decide" in (await run(environ, "site", "decide", key, "--by", "Ann")).output
    assert "approved" in (await run(environ, "site", "decide", key, "--by", "Ben")).output


async def test_key_that_signs_bundles_is_exchanged_by_commands(platform_folder):
    _, environ, _ = platform_folder
    done = await run(environ, "controller", "rotate-signing-key")
    assert (done.exit_code, done.output) == (0, "key 2 announced\n"), done.output
    again = await run(environ, "controller", "rotate-signing-key")
    assert again.exit_code == 1 and "announced already" in again.output
    assert (await run(environ, "controller", "end-signing-key")).exit_code == 0
    unknown = await run(environ, "controller", "relay", "S99999")
    assert (unknown.exit_code, unknown.output) == (1, "Error: there is no site S99999\n")

"""The checks of a contact point: each fault is named with its remedy."""

import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.serialization import Encoding

from esante.command_line import operator_of_shell
from esante.core import clock
from esante.core.clock import use_clock
from esante.core.journal import Journal
from esante.core.storage import Database
from esante.services.exchange.contact_points import ContactPoints
from esante.services.exchange.contact_points.doctor import Check, Level, examine
from esante.services.exchange.settings import ExchangeSettings
from tests.support.contact_points import contact_points, trial_country, trial_keys

ANN = operator_of_shell("Ann")
GOOD = ExchangeSettings(ncp_connector="record")


@pytest.fixture
async def ours(db: Database, journal: Journal, tmp_path: Path) -> ContactPoints:
    await db.fetch("DELETE FROM exchange_contact_point")
    return contact_points(db, journal, tmp_path / "exchange")


async def checked(ours: ContactPoints, settings: ExchangeSettings = GOOD, *, is_online: bool = False) -> list[Check]:
    found = [check async for check in examine(ours, settings, is_online=is_online)]
    assert all(check.remedy or check.level is Level.OK or "missing" in check.found for check in found)
    return found


def said(found: list[Check], level: Level) -> str:
    return "\n".join(str(check) for check in found if check.level is level)


async def register(ours: ContactPoints, url: str = "https://127.0.0.1:1") -> None:
    there = trial_country("PT")
    await ours.register(ANN, there.files(url), there.confirmed)


async def test_contact_point_without_keys_and_connector_is_told_so(
    db: Database, journal: Journal, tmp_path: Path
) -> None:
    found = await checked(ContactPoints(db, journal, tmp_path / "none", "LU", "2.999.1"), ExchangeSettings())
    faults = said(found, Level.FAULT)
    assert "seal.crt is missing" in faults and "no connector is set" in faults


async def test_registered_country_is_named_with_its_end(ours: ContactPoints) -> None:
    await register(ours)
    found = await checked(ours)
    assert not said(found, Level.FAULT) and "PT is registered until" in said(found, Level.OK)
    await ours.suspend(ANN, "PT", "A reason.")
    assert "PT is suspended" in said(await checked(ours), Level.WARNING)


@pytest.mark.parametrize(("days", "level", "text"), [(70, Level.WARNING, "ends in"), (100, Level.FAULT, "ended on")])
async def test_certificates_and_registrations_are_named_before_they_end_and_after(
    ours: ContactPoints, days: int, level: Level, text: str
) -> None:
    await register(ours)
    now = clock.now() + timedelta(days=days)
    with use_clock(lambda: now):
        found = said(await checked(ours), level)
    for thing in ("the seal", "the certificate of connections", "the registration of PT"):
        assert f"{thing} " in found and text in found


async def test_key_that_others_can_read_is_a_fault(ours: ContactPoints) -> None:
    (ours.folder / "seal.pem").chmod(0o644)
    assert "chmod 600" in said(await checked(ours), Level.FAULT)


@pytest.mark.parametrize(
    ("text", "level", "expected"),
    [
        ("date = 2020-01-01", Level.WARNING, "days old"),
        ("date = 1", Level.FAULT, "the catalogue cannot be used"),
    ],
)
async def test_catalogue_is_checked(
    ours: ContactPoints, tmp_path: Path, text: str, level: Level, expected: str
) -> None:
    folder = tmp_path / "catalogue"
    folder.mkdir()
    (folder / "catalogue.toml").write_text(text)
    (folder / "set.fsh").write_text(
        'ValueSet: A\nId: a\n* ^identifier.value = "urn:oid:2.999.7"\n* $loinc#1234-5 "A"\n'
    )
    settings = ExchangeSettings(ncp_connector="record", ncp_catalogue=str(folder))
    assert expected in said(await checked(ours, settings), level)


async def answering(date: Callable[[], str]) -> tuple[web.AppRunner, str]:
    """Serve as Portugal over TLS, with a date in each answer; return the runner and the address."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=405, headers={"Date": date()})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    keys = trial_keys("PT")
    context.load_cert_chain(keys / "tls.crt", keys / "tls.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=trial_country("LU").own.tls.public_bytes(Encoding.DER))
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    return runner, f"https://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("seconds", "level", "text"),
    [(0, Level.OK, "its clock agrees"), (3_600, Level.FAULT, "s apart")],
)
async def test_other_country_is_reached_and_its_clock_compared(
    ours: ContactPoints, seconds: int, level: Level, text: str
) -> None:
    def date() -> str:
        return (clock.now() + timedelta(seconds=seconds)).strftime("%a, %d %b %Y %H:%M:%S GMT")

    runner, url = await answering(date)
    try:
        await register(ours, url)
        assert text in said(await checked(ours, is_online=True), level)
    finally:
        await runner.cleanup()


async def test_country_that_is_down_is_named(ours: ContactPoints) -> None:
    await register(ours)
    assert "PT does not answer at https://127.0.0.1:1" in said(await checked(ours, is_online=True), Level.FAULT)

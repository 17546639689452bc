"""Contact points in the database: registered, suspended, recognised by their connections."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from esante.command_line import operator_of_shell
from esante.core.journal import Journal
from esante.core.storage import Database
from esante.services.exchange.contact_points import ContactPoints, NotConfigured
from esante.services.exchange.contact_points.model import ContactPointChanged
from esante.services.exchange.model import NotUsable
from tests.support.contact_points import contact_points, trial_country

ANN = operator_of_shell("Ann, who has a name of more than sixteen bytes")


@pytest.fixture
async def ours(db: Database, journal: Journal, tmp_path: Path) -> ContactPoints:
    await db.fetch("DELETE FROM exchange_contact_point")
    return contact_points(db, journal, tmp_path / "exchange")


async def registered(ours: ContactPoints, *countries: str) -> None:
    for country in countries:
        there = trial_country(country)
        await ours.register(ANN, there.files(), there.confirmed)


async def changes(db: Database) -> list[str]:
    """Return what became of contact points, in order."""
    rows = await db.fetch(
        "SELECT content FROM journal_entry WHERE type = $1 ORDER BY entry_id", ContactPointChanged.TYPE
    )
    kinds = ("registered", "renewed", "suspended", "resumed", "removed")
    return [next(kind for kind in kinds if f'"{kind}"'.encode() in bytes(row["content"])) for row in rows]


async def test_registered_country_is_found_and_a_suspended_one_is_not(ours: ContactPoints) -> None:
    await registered(ours, "PT", "MT")
    assert [one.country for one in await ours.all()] == ["MT", "PT"]
    found = await ours.find("PT")
    assert found and found.home == "2.999.2"
    await ours.suspend(ANN, "PT", "Its key was lost.")
    assert await ours.find("PT") is None and await ours.find("MT")
    assert await ours.of_tls(trial_country("PT").own.tls) is None
    await registered(ours, "PT")
    assert await ours.find("PT") is None, "a renewal does not end a suspension"
    await ours.resume(ANN, "PT", "It has a new one.")
    assert await ours.find("PT")
    await ours.remove(ANN, "PT", "No longer.")
    assert [one.country for one in await ours.all()] == ["MT"]


async def test_every_change_is_journalled(ours: ContactPoints, db: Database) -> None:
    before = len(await changes(db))
    await registered(ours, "PT", "PT")
    await ours.suspend(ANN, "PT", "A reason.")
    await ours.suspend(ANN, "PT", "A reason.")
    await ours.resume(ANN, "PT", "A reason.")
    await ours.remove(ANN, "PT", "A reason.")
    assert (await changes(db))[before:] == ["registered", "renewed", "suspended", "resumed", "removed"]


async def test_own_files_and_those_of_a_known_community_are_refused(ours: ContactPoints) -> None:
    own = trial_country("LU")
    with pytest.raises(NotUsable, match="the contact point itself"):
        await ours.register(ANN, own.files(), own.confirmed)
    await registered(ours, "PT")
    malta = trial_country("MT")
    files = malta.files()
    files["contact-point.toml"] = files["contact-point.toml"].replace(b"2.999.3", b"2.999.2")
    with pytest.raises(NotUsable, match="PT has the same home community"):
        await ours.register(ANN, files, malta.confirmed)
    assert [one.country for one in await ours.all()] == ["PT"]


async def test_unknown_country_cannot_be_suspended(ours: ContactPoints) -> None:
    with pytest.raises(KeyError):
        await ours.suspend(ANN, "XX", "A reason.")


async def test_seals_and_connections_are_recognised_only_of_their_own_country(ours: ContactPoints) -> None:
    await registered(ours, "PT", "MT")
    portugal, malta = trial_country("PT").own, trial_country("MT").own
    point = await ours.of_tls(portugal.tls)
    assert point and point.country == "PT"
    assert ours.trusts(point, portugal.issuer.certificate) and not ours.trusts(point, malta.issuer.certificate)
    assert await ours.of_tls(portugal.issuer.certificate) is None, "a seal is no certificate of connections"


async def test_contact_point_without_keys_says_what_is_missing(db: Database, journal: Journal, tmp_path: Path) -> None:
    none = ContactPoints(db, journal, tmp_path / "nothing", "LU", "2.999.1")
    assert not none.is_configured
    with pytest.raises(NotConfigured, match=r"seal\.crt is missing"):
        none.server_context()


async def test_keys_that_do_not_belong_together_are_refused(db: Database, journal: Journal, tmp_path: Path) -> None:
    mixed = contact_points(db, journal, tmp_path / "exchange")
    (tmp_path / "exchange" / "seal.crt").write_bytes((tmp_path / "exchange" / "tls.crt").read_bytes())
    assert not mixed.is_configured
    with pytest.raises(NotConfigured, match="of another key"):
        _ = mixed.own


Connect = Callable[[str, str], Awaitable[bytes]]


@pytest.fixture
async def connect(ours: ContactPoints, journal: Journal, db: Database, tmp_path: Path) -> Connect:
    """`await connect(client, server)`: what a country that is us reads from a server with the keys of another one."""

    async def connected(client: str, server: str) -> bytes:
        there = contact_points(db, journal, tmp_path / server, server)
        there._known = [one for one in await ours.all() if one.country == client]
        context = there.server_context()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"hello")
            writer.close()

        listening = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        port = listening.sockets[0].getsockname()[1]
        point = await ours.find("PT")
        assert point
        asking = contact_points(db, journal, tmp_path / client, client)
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=asking.client_context(point))
            try:
                return await reader.read()
            except (ssl.SSLError, ConnectionError):
                return b""  # with TLS 1.3 a server refuses a client after its own part of the handshake
            finally:
                writer.close()
        finally:
            listening.close()

    return connected


async def test_connection_stands_between_registered_countries_only(ours: ContactPoints, connect: Connect) -> None:
    await registered(ours, "PT", "MT")
    assert await connect("MT", "PT") == b"hello"
    with pytest.raises(ssl.SSLCertVerificationError):
        await connect("MT", "LU")  # the server has another key than Portugal's
    assert await connect("LU", "PT") == b"", "the client is not known to the server"

"""The listener as a process: mutual TLS, its own routes, and no start without a connector."""

import asyncio
import contextlib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from esante.core.soap import MEDIA_TYPE, parse_message, write_request
from esante.core.storage import uuid7
from esante.services.exchange.assertions.rules import rules_on
from esante.services.exchange.contact_points import NotConfigured
from esante.services.exchange.contact_points.own import TLS, load_own
from esante.services.exchange.contact_points.registration import fingerprint
from esante.services.exchange.country_a.assembly import require_connector
from esante.services.exchange.country_a.server import server_of
from esante.services.exchange.hl7v3 import discovery
from esante.services.exchange.hl7v3.model import InstanceId, PatientQuery
from esante.services.exchange.settings import ExchangeSettings
from tests.support.contact_points import HOMES, trial_country, trial_keys
from tests.support.country_a import COUNTRY, XCPD, exchanged
from tests.support.exchange_assertions import DOCTOR
from tests.support.processes import environment, free_port, run_esante

SETTINGS = {"ESANTE_NCP_HOME": HOMES["LU"]}


@pytest.fixture(scope="module")
def platform(tmp_path_factory) -> Path:
    """A data folder of a platform with its keys, where another country is registered."""
    folder = tmp_path_factory.mktemp("ncp")
    data, country = folder / "data", folder / COUNTRY
    run_esante("ncp", "keys", "--data", data, **SETTINGS)
    country.mkdir()
    there = trial_country(COUNTRY)
    for name, content in there.files().items():
        (country / name).write_bytes(content)
    seal = fingerprint(there.own.issuer.certificate)
    run_esante("ncp", "import", country, "--fingerprint", seal, "--by", "Ann, an operator", "--data", data, **SETTINGS)
    return data


def test_contact_point_without_connector_does_not_start(tmp_path):
    done = run_esante("ncp", "serve", "--data", tmp_path / "data", check=False, **SETTINGS)
    assert not (tmp_path / "data").exists(), "no database is started"
    assert done.returncode == 1
    assert "Error: ESANTE_NCP_CONNECTOR is not set: nothing answers other countries." in done.stderr


def test_unknown_connector_is_refused_by_name():
    with pytest.raises(NotConfigured, match="'other'; the connector that there is: record"):
        require_connector(ExchangeSettings(ncp_connector="other"))


@contextlib.contextmanager
def serving(data: Path) -> Iterator[int]:
    """Run the listener on a free port."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "esante.cli", "ncp", "serve", "--data", data, "--port", str(port)],
        env=environment(**SETTINGS, ESANTE_NCP_CONNECTOR="record"),
    )
    try:
        for _ in range(600):
            assert process.poll() is None, "the listener ended"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        assert process.wait(30) in (0, -15)


def context_of(keys: Path | None, server: Path) -> ssl.SSLContext:
    """Return the context of a client that believes the server alone, with a certificate or without one."""
    context = ssl.create_default_context(cafile=str(server / TLS))
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if keys is not None:
        context.load_cert_chain(keys / TLS, keys / "tls.pem")
    return context


@pytest.mark.long
def test_listener_answers_who_is_registered_and_nobody_else(platform):
    there = load_own(trial_keys(COUNTRY), COUNTRY, HOMES[COUNTRY])
    now = datetime.now(UTC)
    hcp = there.issuer.professional(DOCTOR, rules_on(now.date()), now)
    ids = [InstanceId("2.999.77", "1")]
    query = PatientQuery(InstanceId(str(uuid7())), InstanceId(str(uuid7())), HOMES[COUNTRY], HOMES["LU"], ids=ids)
    body = write_request("urn:x", "https://x", uuid7().urn, discovery.write_query(query), [hcp])
    with serving(platform) as port:
        url = f"https://127.0.0.1:{port}"
        with httpx.Client(verify=context_of(trial_keys(COUNTRY), platform / "exchange")) as client:
            answer = client.post(url + XCPD, content=body, headers={"Content-Type": MEDIA_TYPE})
            assert answer.status_code == 200
            found = discovery.read_answer(parse_message(answer.content).content, query)
            assert found.refusal.code == "ERROR_PI_NO_MATCH"
            for path in ("/", "/fhir/Patient/1", "/fhir/Observation", "/signin", "/health"):
                assert client.get(url + path).status_code == 404
        for keys in (None, trial_keys("MT")):
            with (
                httpx.Client(verify=context_of(keys, platform / "exchange")) as client,
                pytest.raises(httpx.TransportError),
            ):
                client.post(url + XCPD, content=body, headers={"Content-Type": MEDIA_TYPE})


async def test_certificate_of_the_connection_says_who_asks(world, opened):
    abroad, points = opened
    await points.all()
    port = free_port()
    server = server_of(abroad.application, points.server_context(), "127.0.0.1", port)
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    url, body = f"https://127.0.0.1:{port}{XCPD}", b"<a/>"
    try:
        async with httpx.AsyncClient(verify=context_of(trial_keys(COUNTRY), trial_keys("LU"))) as client:
            before = len(await exchanged(world))
            answer = await client.post(url, content=body, headers={"Content-Type": MEDIA_TYPE})
            assert answer.status_code == 400
            [event] = await exchanged(world, before)
            assert event.country == COUNTRY
        for keys in (None, trial_keys("MT")):
            async with httpx.AsyncClient(verify=context_of(keys, trial_keys("LU"))) as client:
                with pytest.raises(httpx.TransportError):
                    await client.post(url, content=body)
    finally:
        server.should_exit = True
        await serving

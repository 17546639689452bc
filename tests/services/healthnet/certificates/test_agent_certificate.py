"""An agent gets a certificate when it enrols, renews it by itself, and loses it with its connection."""

import time
from datetime import timedelta

import httpx
import pytest
from cryptography import x509
from starlette.applications import Starlette

from esante.core import clock
from esante.core.web import HANDLERS
from esante.services.healthnet.agent import certificate
from esante.services.healthnet.agent.client import Client, Rejected
from esante.services.healthnet.agent.loop import Agent
from esante.services.healthnet.agent.system import System
from esante.services.healthnet.certificates.api import CertificateEndpoints, SiteIdentity
from esante.services.healthnet.certificates.service import MOST_A_DAY
from esante.services.healthnet.controller import backup_store
from esante.services.healthnet.controller.site_follower import Following
from tests.services.healthnet.lab.test_agents import POLICY
from tests.support.healthnet_agents import FakeAgent
from tests.support.healthnet_controller import open_controller
from tests.support.healthnet_world import der, pem

REASON = "A reason that is long enough."


@pytest.fixture
async def network(world, tmp_path):
    """The register of sites with the controller: `agent` of an approved site that has a token."""
    async with world.db.transaction() as conn:
        await backup_store.clear(conn)
        await conn.execute("INSERT INTO healthnet_compilation VALUES (0)")
        await conn.execute("INSERT INTO healthnet_signing_key VALUES (1, clock_timestamp())")
    world.folder = tmp_path
    (tmp_path / "root.key").write_bytes(bytes(range(64)))
    world.controller = open_controller(world.db, world.journal, tmp_path, certify=world.certificates.enrol)
    await world.controller.rollouts.begin(POLICY)
    world.following = Following(world.controller.connections, world.sites, world.addresses)
    authentication = world.controller.api.authentication
    identity = SiteIdentity(world.certificates, proxied=False)
    endpoints = CertificateEndpoints(world.certificates, identity, authentication.site_key)
    app = Starlette(routes=[*world.controller.routes(), *endpoints.routes()], exception_handlers=HANDLERS)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://controller") as world.http:
        world.site, _ = await world.approved("laboratory")
        await world.following.follow()
        world.agent = FakeAgent(world, world.site.key, await world.controller.connections.issue_token(world.site.key))
        yield world


async def enrolled(network):
    """Enrol as the program does; it keeps what the controller answers."""
    response = await network.agent.enrol()
    assert response.status_code == 200, response.text
    if given := response.json()["content"].get("certificate"):
        certificate.keep(network.agent.state, given)
    await network.controller.refresh()
    await network.following.follow()


async def renew(network):
    """Ask for a certificate as the program does; the response."""
    asked = {"request": certificate.request_for(network.agent.state, network.agent.site)}
    return await network.agent.ask("POST", certificate.RENEWALS, asked, base="")


def kept(network):
    """The certificate that the agent has."""
    return x509.load_pem_x509_certificate((network.agent.state.folder / "certificate.pem").read_bytes())


async def test_enrolled_agent_has_a_certificate_that_counts_and_renews_it(network):
    await network.install_authority()
    await enrolled(network)
    first = kept(network)
    assert (await network.certificates.identify(der(first))).key == network.site.key
    assert certificate.not_after(network.agent.state) == int(first.not_valid_after_utc.timestamp())
    assert not certificate.is_due(network.agent.state, time.time())
    assert certificate.is_due(network.agent.state, time.time() + 2.1 * 86_400)
    answer = await renew(network)
    certificate.keep(network.agent.state, answer.json())
    assert kept(network).serial_number != first.serial_number
    assert (await network.certificates.identify(der(kept(network)))).key == network.site.key


async def test_agent_that_enrolled_without_an_authority_asks_later(network):
    await enrolled(network)
    assert certificate.not_after(network.agent.state) is None
    assert certificate.is_due(network.agent.state, time.time())
    assert (await renew(network)).status_code == 503
    await network.install_authority()
    assert (await renew(network)).status_code == 200


async def test_agent_whose_certificate_has_ended_gets_another(network):
    await network.install_authority()
    await enrolled(network)
    old, later = kept(network), clock.now() + timedelta(days=8)
    with clock.use_clock(lambda: later):
        assert await network.certificates.identify(der(old)) is None
        assert (await renew(network)).status_code == 200


@pytest.mark.parametrize("act", ["suspend", "end", "revoke"])
async def test_certificate_counts_no_more_when_the_site_is_off_and_cannot_be_renewed(network, act):
    await network.install_authority()
    await enrolled(network)
    if act == "suspend":
        await network.sites.suspend(network.ann, network.site.site_id, REASON)
    elif act == "end":
        await network.sites.end(network.ann, network.site.site_id, REASON)
    else:
        await network.controller.connections.revoke(network.site.key)
    await network.following.follow()
    await network.certificates.revoke_ended()
    await network.controller.refresh()
    assert await network.certificates.identify(der(kept(network))) is None
    listed = x509.load_der_x509_crl(await network.certificates.revocations())
    assert [one.serial_number for one in listed] == [kept(network).serial_number]
    assert (await renew(network)).status_code == 403
    assert ("certificates_revoked" in await network.events(network.site.key)) == (act != "suspend")


async def test_renewal_with_a_forged_signature_and_one_that_comes_again_are_refused(network):
    await network.install_authority()
    await enrolled(network)
    asked = {"request": certificate.request_for(network.agent.state, network.agent.site)}
    headers, body = network.agent.signed("POST", certificate.RENEWALS, asked, base="")
    forged = {**headers, "Signature": headers["Signature"][:-9] + "AAAAAAA=:"}
    answers = [
        await network.http.post(certificate.RENEWALS, headers=one, content=body) for one in (forged, headers, headers)
    ]
    assert [answer.status_code for answer in answers] == [403, 200, 403]


async def test_site_that_asks_for_many_certificates_is_told_to_wait(network):
    await network.install_authority()
    await enrolled(network)
    answers = [(await renew(network)).status_code for _ in range(MOST_A_DAY)]
    assert answers == [200] * (MOST_A_DAY - 1) + [429]
    later = clock.now() + timedelta(days=1, minutes=1)
    with clock.use_clock(lambda: later):
        assert (await renew(network)).status_code == 200


async def test_certificate_of_another_key_is_not_kept(network):
    await network.install_authority()
    await enrolled(network)
    _, _, other = await network.certified("laboratory")
    before = kept(network)
    with pytest.raises(ValueError, match="another key"):
        certificate.keep(network.agent.state, {"certificate": pem(other).decode(), "renew_at": 1})
    assert kept(network) == before


async def test_program_asks_in_time_and_again_when_it_was_refused(network, monkeypatch):
    await network.install_authority()
    await enrolled(network)
    state, asked = network.agent.state, []
    state.write_json(
        "site.json",
        {"site": network.site.key, "controller": "https://c", "ca_file": "", "trusted": {}, "release_keys": {}},
    )

    def signed(self, state, site, method, path, value, timeout=10.0, base=""):
        asked.append(base + path)
        raise Rejected(503, "not now")

    monkeypatch.setattr(Client, "signed", signed)
    agent = Agent(state, System(state.folder / "hosts"))
    agent.keep_certificate(0.0)
    assert asked == []
    state.write_json("certificate.json", {"renew_at": 1})
    for moment in (1.0, 2.0, 1.0 + certificate.RETRY):
        agent.keep_certificate(moment)
    assert asked == [certificate.RENEWALS] * 2

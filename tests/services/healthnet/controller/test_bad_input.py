"""Forged, replayed, late, too many: the controller refuses, and the network stays as it was."""

import json
import time

import pytest

from esante.services.healthnet.agent.client import parse_token
from esante.services.healthnet.bundles.format import canonical
from esante.services.healthnet.bundles.secrets import derive
from esante.services.healthnet.controller import authentication
from esante.services.healthnet.controller.limits import RateLimit
from tests.support.healthnet_agents import BASE, FakeAgent, facts


async def token_for(world, site):
    await world.controller.connections.put(facts(site))
    return await world.controller.connections.issue_token(site)


async def test_token_is_used_once_and_its_agent_may_ask_again(world):
    token = await token_for(world, "A1")
    agent, thief = FakeAgent(world, "A1", token), FakeAgent(world, "A1", token)
    message = agent.enrolment()
    assert (await agent.enrol(message)).status_code == 200
    assert (await agent.enrol(message)).status_code == 200
    refused = await thief.enrol()
    assert refused.status_code == 403
    stranger = FakeAgent(world, "A1", token.replace(token.split(".")[1], "0198c0de-0000-7000-8000-000000000000"))
    assert (await stranger.enrol()).text == refused.text
    assert len(await world.events("healthnet.agent_enrolled")) >= 1
    identity = (await world.controller.connections.site("A1")).identity
    assert identity.hex() == json.loads(message)["content"]["identity"]


async def test_enrolment_without_the_secret_of_the_token_is_refused(world):
    token = await token_for(world, "A1")
    forged = ".".join([*token.split(".")[:3], "A" * 43])
    assert (await FakeAgent(world, "A1", forged).enrol()).status_code == 403


@pytest.mark.parametrize("field", ["site", "identity", "tunnel", "request"])
async def test_enrolment_of_which_a_field_was_exchanged_on_its_way_is_refused(world, field):
    message = json.loads(FakeAgent(world, "A1", await token_for(world, "A1")).enrolment())
    other = json.loads(FakeAgent(world, "A2", await token_for(world, "A2")).enrolment())
    message["content"][field] = other["content"][field]
    assert (await FakeAgent(world, "A1", "").enrol(canonical(message))).status_code == 403
    assert (await world.controller.connections.site("A1")).identity is None


async def test_token_of_another_site_or_with_another_request_is_refused(world):
    token = await token_for(world, "A1")
    await token_for(world, "A2")
    message = json.loads(FakeAgent(world, "A1", token).enrolment())
    message["content"]["site"] = "A2"
    proof = derive(parse_token(token)[2], "request\n" + canonical(message["content"]).decode()).hex()
    response = await FakeAgent(world, "A2", "").enrol(canonical({"content": message["content"], "proof": proof}))
    assert response.status_code == 403


async def test_new_token_ends_the_one_before(world):
    first = await token_for(world, "A1")
    await world.controller.connections.issue_token("A1")
    assert (await FakeAgent(world, "A1", first).enrol()).status_code == 403


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"content":{},"proof":""}', b'{"content":null}', b"\xff" * 70_000]
)
async def test_what_is_no_enrolment_is_refused_with_a_reason(world, body):
    response = await world.http.post(f"{BASE}/enrolments", content=body)
    assert response.status_code in (400, 413)
    assert response.json()["error"]


async def test_request_with_a_forged_signature_is_refused_as_one_of_an_unknown_site(world):
    agents = await world.connect("A1", "A2")
    headers, _body = agents.A1.signed("GET", "/time")
    answers = [await world.http.get(f"{BASE}/time", headers=headers | changed) for changed in (
        {"Signature": headers["Signature"][:-9] + "AAAAAAA=:"},
        {"Signature-Input": headers["Signature-Input"].replace("A1", "A2")},
        {"Signature-Input": headers["Signature-Input"].replace("A1", "A9")},
        {"Signature-Input": headers["Signature-Input"].replace("ed25519", "none")},
    )]  # fmt: skip
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers[:3]}) == 1
    assert (await world.http.get(f"{BASE}/time", headers=headers)).status_code == 200


async def test_body_and_query_that_were_not_signed_are_refused(world):
    agents = await world.connect("A1")
    headers, body = agents.A1.signed("POST", "/heartbeats", {"version": "1", "serial": 1})
    answer = await world.http.post(f"{BASE}/heartbeats", headers=headers, content=body.replace(b"1", b"2"))
    assert answer.status_code == 401
    headers, _ = agents.A1.signed("GET", "/bundle?have=0&after=0&wait=0")
    assert (await world.http.get(f"{BASE}/bundle?have=1&after=1&wait=0", headers=headers)).status_code == 401


async def test_request_that_comes_again_is_refused(world):
    agents = await world.connect("A1")
    headers, body = agents.A1.signed("POST", "/heartbeats", {"version": "1", "serial": 1})
    answers = [await world.http.post(f"{BASE}/heartbeats", headers=headers, content=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 409]


@pytest.mark.parametrize(("ahead", "status"), [(-250, 200), (250, 200), (-3600, 401), (3600, 401)])
async def test_clock_that_differs_much_is_refused_with_the_time(world, ahead, status):
    agents = await world.connect("A1")
    agents.A1.ahead = ahead
    answer = await agents.A1.ask("GET", "/time")
    assert answer.status_code == status
    assert abs(int(answer.headers["Healthnet-Time"]) - time.time()) < 60


async def test_site_that_floods_is_slowed_and_others_are_not(world):
    agents = await world.connect("A1", "A2")
    world.controller.api.authentication._sites = RateLimit(authentication.SITE_RATE, 5, lambda: 0.0)
    answers = [await agents.A1.beat() for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[-1].headers["Retry-After"] == "1"
    assert (await agents.A2.beat()).status_code == 200


async def test_network_that_floods_without_signatures_is_slowed(world):
    world.controller.api.authentication._networks = RateLimit(authentication.NETWORK_RATE, 5, lambda: 0.0)
    answers = [await world.http.get(f"{BASE}/time") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]


def test_rate_limit_admits_a_burst_and_then_its_rate():
    now = [0.0]
    limit = RateLimit(2.0, 3, lambda: now[0])
    assert [limit.take("x") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    now[0] = 0.5
    assert [limit.take("x"), limit.take("x")] == [0.0, 0.5]
    assert limit.take("y") == 0.0


async def test_receipt_of_a_bundle_that_was_not_offered_is_refused(world):
    agents = await world.connect("A1")
    assert (await agents.A1.receipt(serial=99)).status_code == 400
    assert (await agents.A1.receipt("invented")).status_code == 400


@pytest.mark.parametrize("generation", [0, 1, 5])
async def test_key_of_a_wrong_generation_or_of_another_site_is_refused(world, generation):
    agents = await world.connect("A1", "A2")
    other = agents.A2.state.tunnel_public(1)
    answer = await agents.A1.ask("POST", "/keys", {"generation": generation, "public": other})
    assert answer.status_code in (400, 409)


@pytest.mark.parametrize(
    "wrong",
    [{"serial": -1}, {"serial": "1"}, {"version": "x" * 21}, {"paths": 5}, {"paths": [{}]}, {"paths": [{"site": []}]},
     {"paths": [{"site": "L1", "loss": 101}]}, {"certificate_not_after": 2**62}, {"target": []}],
)  # fmt: skip
async def test_heartbeat_of_a_wrong_form_is_refused_and_not_kept(world, wrong):
    agents = await world.connect("A1", "L1")
    await agents.A1.ask("POST", "/keys", {"generation": 2, "public": agents.A1.state.tunnel_public(2)})
    answer = await agents.A1.ask("POST", "/heartbeats", {"version": "1", "serial": 1, **wrong})
    assert (answer.status_code, "this is no heartbeat" in answer.text) == (400, True)
    await world.settle()
    assert await world.db.fetchval("SELECT count(*) FROM healthnet_status") == 0


async def test_agent_of_an_old_version_that_sends_less_is_served(world):
    agents = await world.connect("A1")
    answer = await agents.A1.ask(
        "POST", "/heartbeats", {"version": "0.1", "serial": 1, "paths": [{"site": "L1", "age": 3}]}
    )
    assert answer.status_code == 200
    await world.controller.refresh()
    assert await world.db.fetchval("SELECT version FROM healthnet_status WHERE site = 'A1'") == "0.1"


async def test_agent_asks_again_with_the_time_of_the_controller(world, monkeypatch):
    from esante.services.healthnet.agent import client

    agents = await world.connect("A1")
    made, seen = client.Client("https://controller", ""), []

    def send(self, method, path, body, headers, timeout):
        created = int(headers["Signature-Input"].split("created=")[1].split(";")[0])
        seen.append(created)
        if abs(created - (time.time() + 5_000)) > 300:
            self.offset = 5_000.0
            raise client.Rejected(401, "time")
        return b"{}"

    monkeypatch.setattr(client.Client, "send", send)
    assert made.signed(agents.A1.state, "A1", "GET", "/time", None) == {}
    assert len(seen) == 2


async def test_certificate_request_of_another_key_is_refused(world):
    token = await token_for(world, "A1")
    message = json.loads(FakeAgent(world, "A1", token).enrolment())
    other = json.loads(FakeAgent(world, "A1", token).enrolment())
    message["content"]["request"] = other["content"]["request"]
    proof = derive(parse_token(token)[2], "request\n" + canonical(message["content"]).decode()).hex()
    response = await FakeAgent(world, "A1", "").enrol(canonical({"content": message["content"], "proof": proof}))
    assert response.status_code == 400

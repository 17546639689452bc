"""Which addresses are allowed: public ones, named networks, and host names that change."""

import asyncio
from ipaddress import ip_address
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.subscriptions import (
    parse_networks,
    subscription_policy,
)
from esante.services.subscriptions.delivery import endpoint_policy as endpoint_policy_module
from esante.services.subscriptions.delivery.endpoint_policy import EndpointNotAllowed, EndpointPolicy
from esante.services.subscriptions.subscription_parser import parse_endpoint
from tests.support.rest_hook_receiver import receiving, resolve_names_to
from tests.support.subscriptions import FHIR, body

REFUSED = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.5", "172.16.3.4", "192.168.1.1", "100.64.0.1", "169.254.169.254",
    "168.63.129.16", "192.0.0.192", "198.18.0.1", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::",
    "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2001:20::1", "192.88.99.1", "2002:7f00:1::1", "2002:a9fe:a9fe::", "::ffff:168.63.129.16",
    "fec0::1", "feff::1", "4000::1", "2620:fe::5efe:10.0.0.1", "2620:fe::200:5efe:169.254.169.254",
    "fec0::5efe:9.9.9.9",
]  # fmt: skip

PUBLIC = ["9.9.9.9", "2620:fe::fe", "64:ff9b::909:909", "::ffff:9.9.9.9", "2620:fe::5efe:9.9.9.9"]


def endpoint_policy(*allowed: str) -> EndpointPolicy:
    return EndpointPolicy(parse_networks(" ".join(allowed)), subscription_policy().refused_networks)


@pytest.mark.parametrize("address", REFUSED)
def test_non_public_address_is_refused(address):
    assert not endpoint_policy().allows(ip_address(address), "https")
    assert not endpoint_policy().allows(ip_address(address), "http")


@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_is_allowed_with_tls_only(address):
    assert endpoint_policy().allows(ip_address(address), "https")
    assert not endpoint_policy().allows(ip_address(address), "http")


def test_named_network_is_allowed_and_plain_http_on_loopback_only():
    agency = endpoint_policy("10.20.0.0/16", "127.0.0.0/8", "::1/128")
    for address, https, http in (
        ("10.20.3.4", True, False),
        ("10.21.3.4", False, False),
        ("127.0.0.1", True, True),
        ("::1", True, True),
        ("::ffff:127.0.0.1", True, True),
        ("::ffff:10.21.0.1", False, False),
    ):
        assert (agency.allows(ip_address(address), "https"), agency.allows(ip_address(address), "http")) == (
            https,
            http,
        )


@given(st.ip_addresses())
def test_private_address_is_never_allowed(address):
    for scheme in ("https", "http"):
        if endpoint_policy().allows(address, scheme):
            assert address.is_global
            assert not address.is_private


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "[::ffff:7f00:1]", "0",
     "169.254.169.254", "[fd00:ec2::254]", "does-not-exist.invalid"],
)  # fmt: skip
async def test_internal_host_in_any_notation_is_refused_alike(platform, host):
    async with platform.public_only.client(platform.people["hospital"]) as http:
        answer = await http.post("/fhir/Subscription", content=body(f"https://{host}:9999/x"), headers=FHIR)
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["diagnostics"] == (
        "We cannot send notifications to this address. Use an https address on the public internet."
    )


async def test_plain_http_to_public_address_is_refused(platform):
    async with platform.client(platform.people["hospital"]) as http:
        answer = await http.post("/fhir/Subscription", content=body("http://9.9.9.9:8080/x"), headers=FHIR)
    assert answer.status_code == 422


async def test_one_internal_address_among_public_ones_is_refused(monkeypatch):
    resolve_names_to(monkeypatch, ["9.9.9.9", "10.0.0.1"])
    with pytest.raises(EndpointNotAllowed):
        await endpoint_policy().resolve(parse_endpoint("https://mixed.example/", subscription_policy()))


async def test_dns_rebinding_reaches_no_internal_address(platform, monkeypatch):
    """DNS rebinding: public when the subscription is created, internal at the delivery."""
    async with receiving() as internal:
        public_only = platform.public_only
        resolve_names_to(monkeypatch, ["9.9.9.9"], ["127.0.0.1"])
        laboratory = platform.people["laboratory"]
        created = await public_only.subscribe(laboratory, f"https://rebind.example:{internal.port}/")
        await public_only.deliver()
        found = await public_only.read(laboratory, created)
        assert (found["status"], found["error"]) == (
            "error",
            "We cannot send notifications to the address of the endpoint.",
        )
        assert internal.connections == 0


async def test_names_that_resolve_slowly_hold_up_no_other_threads(monkeypatch):
    slow, end = parse_endpoint("https://slow.example/", subscription_policy()), Event()
    monkeypatch.setattr(endpoint_policy_module, "look_up", lambda *_: end.wait() and ["9.9.9.9"])
    waiting = [asyncio.ensure_future(endpoint_policy().resolve(slow)) for _ in range(100)]
    try:
        await asyncio.wait_for(asyncio.to_thread(lambda: None), 60)
        assert not any(one.done() for one in waiting)
    finally:
        end.set()
    assert [str(one) for (one,) in await asyncio.gather(*waiting)] == ["9.9.9.9"] * 100


async def test_name_that_does_not_resolve_in_time_is_refused(monkeypatch):
    end = Event()
    monkeypatch.setattr(endpoint_policy_module, "look_up", lambda *_: end.wait() and ["9.9.9.9"])
    monkeypatch.setattr(endpoint_policy_module, "RESOLVE_SECONDS", 0.01)
    try:
        with pytest.raises(EndpointNotAllowed):
            await endpoint_policy().resolve(parse_endpoint("https://slow.example/", subscription_policy()))
    finally:
        end.set()

"""The HTTP client: checked addresses, TLS, and a reason for each fault."""

from dataclasses import replace

import pytest

from esante.core.outbound import AddressPolicy
from esante.services.subscriptions import (
    subscription_policy,
)
from esante.services.subscriptions.delivery.rest_hook import (
    EndpointUnreachable,
    NotificationNotAccepted,
    RestHookClient,
)
from esante.services.subscriptions.subscription_parser import parse_endpoint
from tests.support.certificates import certificate
from tests.support.rest_hook_receiver import RESPONSES, receiving, resolve_names_to
from tests.support.subscriptions import LOOPBACK_NETWORKS


async def test_connection_uses_the_checked_address(monkeypatch):
    """The name is looked up once: what it means a moment later is of no account."""
    async with receiving() as receiver:
        resolve_names_to(monkeypatch, ["127.0.0.1"], ["9.9.9.9"])
        endpoint = parse_endpoint(f"http://ehr.example:{receiver.port}/hook", subscription_policy())
        async with RestHookClient(AddressPolicy(LOOPBACK_NETWORKS)).connect(endpoint, 5) as connection:
            await connection.post(b"{}", "application/fhir+json", ())
        assert receiver.requests[0].headers["host"] == f"ehr.example:{receiver.port}"


async def test_tls_verifies_the_host_name(tmp_path, monkeypatch):
    server, trusting = certificate(tmp_path, "ehr.example", "127.0.0.1")
    async with receiving(context=server) as receiver:
        resolve_names_to(monkeypatch, ["127.0.0.1"])
        by_name = parse_endpoint(f"https://ehr.example:{receiver.port}/", subscription_policy())
        by_address = parse_endpoint(f"https://127.0.0.1:{receiver.port}/", subscription_policy())
        for endpoint in (by_name, by_address):
            async with RestHookClient(AddressPolicy(LOOPBACK_NETWORKS), trusting).connect(endpoint, 5) as connection:
                await connection.post(b"{}", "application/fhir+json", ())
        assert len(receiver.requests) == 2
        other = parse_endpoint(f"https://other.example:{receiver.port}/", subscription_policy())
        for endpoint, context in ((other, trusting), (by_name, None)):
            with pytest.raises(EndpointUnreachable) as unreached:
                async with RestHookClient(AddressPolicy(LOOPBACK_NETWORKS), context).connect(endpoint, 5):
                    pass
            assert unreached.value.reason == "tls"
        assert len(receiver.requests) == 2


async def test_plain_http_server_at_https_endpoint_is_unreachable():
    async with receiving() as receiver:
        endpoint = parse_endpoint(f"https://127.0.0.1:{receiver.port}/", subscription_policy())
        with pytest.raises(EndpointUnreachable):
            async with RestHookClient(AddressPolicy(LOOPBACK_NETWORKS)).connect(endpoint, 0.5):
                pass


@pytest.mark.parametrize(
    ("mode", "reason"),
    [("500", "status 500"), ("302", "status 302"), ("hang", "timeout"), ("drop", "answer"), ("nothing", "answer"),
     ("garbage", "answer"), ("flood", "answer"), ("101", "answer")],
)  # fmt: skip
async def test_each_fault_has_its_reason(mode, reason):
    async with receiving(mode) as receiver:
        endpoint = parse_endpoint(receiver.url, subscription_policy())
        with pytest.raises(NotificationNotAccepted) as not_taken:
            async with RestHookClient(AddressPolicy(LOOPBACK_NETWORKS)).connect(
                endpoint, 0.5 if mode == "hang" else 5
            ) as connection:
                await connection.post(b"{}", "application/fhir+json", ())
    assert not_taken.value.reason == reason


async def test_closed_port_and_refused_address_have_their_own_reasons():
    async with receiving() as receiver:
        endpoint = parse_endpoint(receiver.url, subscription_policy())
    with pytest.raises(EndpointUnreachable) as unreached:
        async with RestHookClient(AddressPolicy(LOOPBACK_NETWORKS)).connect(endpoint, 5):
            pass
    assert unreached.value.reason == "connection"
    with pytest.raises(EndpointUnreachable) as refused:
        async with RestHookClient(AddressPolicy()).connect(replace(endpoint, scheme="https"), 5):
            pass
    assert refused.value.reason == "address"


async def test_redirect_is_not_followed(platform):
    async with receiving() as elsewhere, receiving("302") as receiver:
        RESPONSES["302"] = RESPONSES["302"].replace(b"127.0.0.1:1/", f"127.0.0.1:{elsewhere.port}/".encode())
        created = await platform.subscribe(platform.people["laboratory"], receiver.url)
        await platform.deliver()
        assert (await platform.read(platform.people["laboratory"], created))["status"] == "error"
        assert elsewhere.connections == 0

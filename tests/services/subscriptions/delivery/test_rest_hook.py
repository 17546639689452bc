"""The HTTP client: checked addresses, TLS, and a reason for each fault."""

import datetime
import ipaddress
import ssl
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

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
from tests.support.rest_hook_receiver import RESPONSES, receiving, resolve_names_to
from tests.support.subscriptions import LOOPBACK_NETWORKS


def certificate(tmp_path, *names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for names, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    alternatives = [
        x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name) for name in names
    ]
    created = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    file.write_bytes(created.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=str(file))


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

"""Where notifications go, and where never: names, addresses, and names that change their mind."""

import asyncio
import datetime
import ipaddress
import socket
import ssl
from dataclasses import replace
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from esante.core.web import Problem
from esante.services.subscriptions import parse_networks, subscription_policy
from esante.services.subscriptions.delivery.endpoint_policy import EndpointNotAllowed, EndpointPolicy
from esante.services.subscriptions.delivery.rest_hook import (
    EndpointUnreachable,
    NotificationNotAccepted,
    RestHookClient,
)
from esante.services.subscriptions.subscription_parser import parse_endpoint

from .conftest import FHIR, LOOPBACK, body
from .receivers import receiving

REFUSED = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.5", "172.16.3.4", "192.168.1.1", "100.64.0.1", "169.254.169.254",
    "168.63.129.16", "192.0.0.192", "198.18.0.1", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::",
    "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2001:20::1", "192.88.99.1", "2002:7f00:1::1", "2002:a9fe:a9fe::", "::ffff:168.63.129.16",
]  # fmt: skip
PUBLIC = ["9.9.9.9", "2620:fe::fe", "64:ff9b::909:909", "::ffff:9.9.9.9"]


def gate(*allowed: str) -> EndpointPolicy:
    return EndpointPolicy(parse_networks(" ".join(allowed)), subscription_policy().refused_networks)


@pytest.mark.parametrize("address", REFUSED)
def test_what_is_not_the_public_internet_is_refused(address):
    assert not gate().allows(ip_address(address), "https")
    assert not gate().allows(ip_address(address), "http")


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_is_spoken_to_by_tls_only(address):
    assert gate().allows(ip_address(address), "https")
    assert not gate().allows(ip_address(address), "http")


def test_a_network_of_the_agency_is_spoken_to_where_it_is_named_and_without_tls_on_this_machine_only():
    inside = gate("10.20.0.0/16", "127.0.0.0/8", "::1/128")
    for address, https, http in (
        ("10.20.3.4", True, False),
        ("10.21.3.4", False, False),
        ("127.0.0.1", True, True),
        ("::1", True, True),
        ("::ffff:127.0.0.1", True, True),
        ("::ffff:10.21.0.1", False, False),
    ):
        assert (inside.allows(ip_address(address), "https"), inside.allows(ip_address(address), "http")) == (
            https,
            http,
        )


@given(st.ip_addresses())
def test_nothing_that_python_calls_private_is_ever_let_through(address):
    for scheme in ("https", "http"):
        if gate().allows(address, scheme):
            assert address.is_global
            assert not address.is_private


@pytest.mark.parametrize(
    "url",
    [
        "", "https://", "https:///path", "ftp://example.org/", "file:///etc/passwd", "gopher://example.org:70/_x",
        "javascript:alert(1)", "//example.org/", "example.org", "https://user:pw@example.org/", "https://@example.org/",
        "https://example.org/#part", "https://example.org:0/", "https://example.org:25/", "https://example.org:99999/",
        "https://example.org:x/", "https://exa mple.org/", "https://example.org/a b", "https://exämple.org/",
        "https://example.org\\@internal/", "https://example.org/\r\nX-Evil: 1", "https://[::1", "https://[fe80::1%eth0]/",
        "https://-example.org/", "http://example.org:80/", "https://" + "a" * 1_100 + ".org/", "https://example.org/\x00",
    ],
)  # fmt: skip
def test_addresses_that_cannot_be_spoken_to(url):
    with pytest.raises(Problem) as refused:
        parse_endpoint(url, subscription_policy())
    assert (refused.value.status, refused.value.place) == (422, "Subscription.channel.endpoint")


@given(st.text(max_size=60) | st.builds("https://{}".format, st.text(max_size=40)))
def test_any_text_is_an_endpoint_or_a_problem(url):
    try:
        found = parse_endpoint(url, subscription_policy())
    except Problem:
        return
    assert found.target.startswith("/")
    assert all("!" <= sign <= "~" for sign in found.target + found.host)
    assert found.port == 443 or found.port >= 1024


def test_the_parts_of_an_address():
    found = parse_endpoint("https://EHR.Example.org.:8443/a/b?c=d", subscription_policy())
    assert (found.scheme, found.host, found.port, found.target) == ("https", "ehr.example.org", 8443, "/a/b?c=d")
    assert found.origin == "https://ehr.example.org:8443"
    assert parse_endpoint("https://[2620:fe::fe]/", subscription_policy()).origin == "https://[2620:fe::fe]"
    assert parse_endpoint("https://example.org?x=1", subscription_policy()).target == "/?x=1"


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "[::ffff:7f00:1]", "0",
     "169.254.169.254", "[fd00:ec2::254]", "does-not-exist.invalid"],
)  # fmt: skip
async def test_names_and_disguises_of_what_is_inside_are_refused_alike(country, host):
    async with country.outside.client(country.people["hospital"]) as http:
        answer = await http.post("/fhir/Subscription", content=body(f"https://{host}:9999/x"), headers=FHIR)
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["diagnostics"] == (
        "This address cannot be notified. Send an https address on the public internet."
    )


async def test_http_is_refused_but_on_this_machine(country):
    async with country.client(country.people["hospital"]) as http:
        answer = await http.post("/fhir/Subscription", content=body("http://9.9.9.9:8080/x"), headers=FHIR)
    assert answer.status_code == 422


def answering(monkeypatch, *answers):
    """Let names be looked up with these answers, one after the other; the last one stays."""
    left = list(answers)

    async def getaddrinfo(host, port, **_):
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)


async def test_one_address_inside_among_public_ones_is_enough_to_refuse(monkeypatch):
    answering(monkeypatch, ["9.9.9.9", "10.0.0.1"])
    with pytest.raises(EndpointNotAllowed):
        await gate().resolve(parse_endpoint("https://mixed.example/", subscription_policy()))


async def test_a_name_that_changes_its_mind_leads_nowhere(country, monkeypatch):
    """DNS rebinding: public when it is asked for, inside when it is spoken to."""
    async with receiving() as inside:
        outside = country.outside
        answering(monkeypatch, ["9.9.9.9"], ["127.0.0.1"])
        laboratory = country.people["laboratory"]
        made = await outside.subscribe(laboratory, f"https://rebind.example:{inside.port}/")
        await outside.delivered()
        found = await outside.read(laboratory, made)
        assert (found["status"], found["error"]) == ("error", "The address of the endpoint cannot be notified.")
        assert inside.connections == 0


async def test_what_is_connected_to_is_the_address_that_was_looked_at(monkeypatch):
    """The name is looked up once: what it means a moment later is of no account."""
    async with receiving() as receiver:
        answering(monkeypatch, ["127.0.0.1"], ["9.9.9.9"])
        endpoint = parse_endpoint(f"http://ehr.example:{receiver.port}/hook", subscription_policy())
        async with RestHookClient(EndpointPolicy(LOOPBACK)).connect(endpoint, 5) as line:
            await line.post(b"{}", "application/fhir+json", ())
        assert receiver.requests[0].headers["host"] == f"ehr.example:{receiver.port}"


# TLS


def certificate(tmp_path, *names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for names, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    alternatives = [
        x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name) for name in names
    ]
    made = (
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
    file.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=str(file))


async def test_tls_is_spoken_with_the_name_that_was_asked_for(tmp_path, monkeypatch):
    server, trusting = certificate(tmp_path, "ehr.example", "127.0.0.1")
    async with receiving(context=server) as receiver:
        answering(monkeypatch, ["127.0.0.1"])
        by_name = parse_endpoint(f"https://ehr.example:{receiver.port}/", subscription_policy())
        by_address = parse_endpoint(f"https://127.0.0.1:{receiver.port}/", subscription_policy())
        for endpoint in (by_name, by_address):
            async with RestHookClient(EndpointPolicy(LOOPBACK), trusting).connect(endpoint, 5) as line:
                await line.post(b"{}", "application/fhir+json", ())
        assert len(receiver.requests) == 2
        other = parse_endpoint(f"https://other.example:{receiver.port}/", subscription_policy())
        for endpoint, context in ((other, trusting), (by_name, None)):
            with pytest.raises(EndpointUnreachable) as unreached:
                async with RestHookClient(EndpointPolicy(LOOPBACK), context).connect(endpoint, 5):
                    pass
            assert unreached.value.reason == "tls"
        assert len(receiver.requests) == 2


async def test_plain_http_where_tls_is_expected_is_a_fault_of_the_endpoint():
    async with receiving() as receiver:
        endpoint = parse_endpoint(f"https://127.0.0.1:{receiver.port}/", subscription_policy())
        with pytest.raises(EndpointUnreachable):
            async with RestHookClient(EndpointPolicy(LOOPBACK)).connect(endpoint, 0.5):
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
            async with RestHookClient(EndpointPolicy(LOOPBACK)).connect(
                endpoint, 0.5 if mode == "hang" else 5
            ) as line:
                await line.post(b"{}", "application/fhir+json", ())
    assert not_taken.value.reason == reason


async def test_a_closed_port_is_told_apart_from_an_answer():
    async with receiving() as receiver:
        endpoint = parse_endpoint(receiver.url, subscription_policy())
    with pytest.raises(EndpointUnreachable) as unreached:
        async with RestHookClient(EndpointPolicy(LOOPBACK)).connect(endpoint, 5):
            pass
    assert unreached.value.reason == "connection"
    with pytest.raises(EndpointUnreachable) as refused:
        async with RestHookClient(gate()).connect(replace(endpoint, scheme="https"), 5):
            pass
    assert refused.value.reason == "address"

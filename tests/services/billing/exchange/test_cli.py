"""The commands of the exchange, and a server of its own that asks clients for a certificate."""

import datetime
import ipaddress
import ssl
import subprocess
import sys
import time
from datetime import UTC

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from esante.core.storage import uuid7
from esante.identity.directory import Directory, Identifier, Practitioner
from tests.support.exchange import envelope, fault_of, make_card, sign, token_request
from tests.support.processes import environment, free_port, run_esante
from tests.support.small_world import open_test_platform

CODE = "90000018"


def _issue(folder, name, issuer=None):
    """Make a certificate for this machine in a folder: `name.pem`, `name.key`; return certificate and key."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
    )
    if issuer is None:
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    else:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer[1].public_key())
        builder = builder.add_extension(identifier, False)
    certificate = builder.sign(issuer[1] if issuer else key, SHA256())
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / f"{name}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, key


@pytest.fixture(scope="module")
async def data(tmp_path_factory):
    """A data folder with one doctor in its directory."""
    folder = tmp_path_factory.mktemp("exchange") / "var"
    async with open_test_platform(folder) as platform:
        await platform.journal.ensure_months(datetime.datetime.now(UTC), datetime.datetime.now(UTC))
        directory = platform[Directory]
        system = directory.catalogue.system("provider_code").uri
        identifiers = (Identifier(system, CODE),)
        await directory.register_practitioner(
            Practitioner(id=uuid7(), identifiers=identifiers, family="Faber", given=("Anne",), profession="doctor")
        )
    return folder


@pytest.fixture(scope="module")
def card(data):
    """The card of the doctor, whose certificate is in a file."""
    card = make_card("Faber")
    (data.parent / "card.pem").write_bytes(card.pem)
    return card


def test_certificate_is_added_listed_and_revoked_by_commands(data):
    card = make_card("Lost card")
    file = data.parent / "lost.pem"
    file.write_bytes(card.pem)
    added = run_esante("billing", "certificate", "add", file, CODE, "--data", data).stdout
    fingerprint = card.certificate.fingerprint(SHA256()).hex()
    assert fingerprint in added
    again = run_esante("billing", "certificate", "add", file, CODE, "--data", data, check=False)
    assert (again.returncode, "already" in again.stderr) == (1, True)
    run_esante("billing", "certificate", "revoke", fingerprint, "--reason", "lost", "--data", data)
    listed = run_esante("billing", "certificate", "list", "--data", data).stdout
    (line,) = [line for line in listed.splitlines() if line.startswith(fingerprint)]
    assert "revoked" in line
    assert "lost" in line
    assert "Faber" in line


@pytest.mark.parametrize(
    "arguments",
    [("revoke", "00" * 32, "--reason", "x"), ("revoke", "no-digits", "--reason", "x"), ("add", "CARD", "99")],
)
def test_wrong_argument_is_told_without_trace(data, card, arguments):
    given = [str(data.parent / "card.pem") if one == "CARD" else one for one in arguments]
    done = run_esante("billing", "certificate", *given, "--data", data, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """A folder with an authority, certificates of the server and of a client, and one of a stranger."""
    folder = tmp_path_factory.mktemp("pki")
    authority = _issue(folder, "ca")
    for name in ("server", "client"):
        _issue(folder, name, authority)
    _issue(folder, "stranger", _issue(folder, "other-ca"))
    return folder


@pytest.fixture(scope="module")
def address(data, card, pki):
    """The address of a served exchange, for which the card is enrolled."""
    run_esante("billing", "certificate", "add", data.parent / "card.pem", CODE, "--data", data)
    port = free_port()
    address = f"https://127.0.0.1:{port}/billing/exchange"
    arguments = [
        "--data",
        data,
        "--port",
        port,
        "--tls-cert",
        pki / "server.pem",
        "--tls-key",
        pki / "server.key",
        "--client-ca",
        pki / "ca.pem",
    ]
    log = data.parent / "exchange.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "esante.cli", "billing", "exchange", *map(str, arguments)],
            env=environment(ESANTE_EXCHANGE_URL=address),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(address, _context(pki, "client"), process, log)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def _wait(address, context, process, log):
    until = time.monotonic() + 90
    while True:
        try:
            httpx.get(f"{address}?wsdl", verify=context).raise_for_status()
            return
        except httpx.HTTPError:
            assert process.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.2)


def _context(pki, name="", version=None):
    context = ssl.create_default_context(cafile=pki / "ca.pem")
    if name:
        context.load_cert_chain(pki / f"{name}.pem", pki / f"{name}.key")
    if version:
        context.maximum_version = version
    return context


def test_client_with_certificate_gets_a_token_over_tls(address, card, pki):
    message = sign(envelope(token_request(CODE, address), card=card), card)
    from lxml import etree

    with httpx.Client(verify=_context(pki, "client")) as http:
        response = http.post(f"{address}/token", content=etree.tostring(message), headers={"Content-Type": "text/xml"})
        assert response.status_code == 200, response.text
        assert b"RequestedSecurityToken" in response.content
        assert fault_of(http.post(address, content=b"nonsense")) == "malformed"
        assert http.get(address.replace("/billing/exchange", "/signin")).status_code == 404


@pytest.mark.parametrize(
    ("name", "version"),
    [("", None), ("stranger", None), ("client", ssl.TLSVersion.TLSv1_2)],
    ids=["no-certificate", "other-authority", "tls-1.2"],
)
def test_handshake_without_certificate_of_the_authority_fails(address, pki, name, version):
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{address}?wsdl", verify=_context(pki, name, version))

"""The commands: certificates of organisations, and a listener that knows hospitals by them."""

import datetime
import socket
import ssl
import subprocess
import sys
from datetime import UTC

import pytest
from cryptography.hazmat.primitives.hashes import SHA256

from esante.core.storage import uuid7
from esante.identity.directory import Directory, Identifier, Organization
from esante.services.exchange.hospital.model import CertificateEnded
from tests.services.exchange.mllp.messages import header, message, pid
from tests.support.exchange import make_card
from tests.support.processes import environment, run_esante
from tests.support.small_world import open_test_platform

CODE = "80000011"


@pytest.fixture(scope="module")
async def data(tmp_path_factory):
    """A data folder with one hospital in its directory, and cards beside it."""
    folder = tmp_path_factory.mktemp("mllp") / "var"
    async with open_test_platform(folder) as platform:
        await platform.journal.ensure_months(datetime.datetime.now(UTC), datetime.datetime.now(UTC))
        directory = platform[Directory]
        identifiers = (Identifier(directory.catalogue.system("provider_code").uri, CODE),)
        await directory.register_organization(
            Organization(id=uuid7(), identifiers=identifiers, name="Hôpital du Sud", kind="hospital")
        )
    for name in ("server", "hospital", "stranger"):
        card = make_card(name)
        (folder.parent / f"{name}.pem").write_bytes(card.pem)
        (folder.parent / f"{name}.key").write_bytes(card.key_pem)
    both = (folder.parent / "hospital.pem").read_bytes() + (folder.parent / "stranger.pem").read_bytes()
    (folder.parent / "authorities.pem").write_bytes(both)
    return folder


@pytest.mark.long
async def test_certificate_is_registered_listed_and_ended_by_commands_under_a_name(data):
    card = make_card("Lost")
    file = data.parent / "lost.pem"
    file.write_bytes(card.pem)
    fingerprint = card.certificate.fingerprint(SHA256()).hex()
    assert fingerprint in run_esante("hospital", "register", file, CODE, "--data", data).stdout
    again = run_esante("hospital", "register", file, CODE, "--data", data, check=False)
    assert (again.returncode, "already" in again.stderr) == (1, True)
    run_esante("hospital", "end", fingerprint, "--reason", "lost", "--by", "Olga Operator", "--data", data)
    listed = run_esante("hospital", "list", "--organization", CODE, "--data", data).stdout
    assert fingerprint in listed and "ended" in listed and "Hôpital du Sud" in listed
    async with open_test_platform(data) as platform:
        (row,) = await platform.db.fetch(
            "SELECT convert_from(content, 'utf8') AS text FROM journal_entry WHERE type = $1", CertificateEnded.TYPE
        )
    assert '"Olga Operator"' in row["text"]


@pytest.mark.long
@pytest.mark.parametrize(
    "arguments",
    [
        ("hospital", "end", "00" * 32, "--reason", "x"),
        ("mllp", "serve", "--host", "0.0.0.0"),
        ("mllp", "serve", "--organization", "99"),
    ],
)
def test_wrong_arguments_are_told_without_trace(data, arguments):
    given = [str(data.parent / one) if one.endswith(".pem") else one for one in arguments]
    done = run_esante(*given, "--data", data, check=False)
    assert done.returncode in (1, 2)
    assert done.stderr and "Traceback" not in done.stderr


def test_listener_answers_hospitals_that_it_knows_by_their_certificate(data):
    folder = data.parent
    run_esante("hospital", "register", folder / "hospital.pem", CODE, "--data", data)
    command = [
        sys.executable, "-m", "esante.cli", "mllp", "serve", "--port", "0", "--data", str(data),
        "--tls-certificate", str(folder / "server.pem"), "--tls-key", str(folder / "server.key"),
        "--tls-authorities", str(folder / "authorities.pem"),
    ]  # fmt: skip
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int(process.stdout.readline().rpartition(":")[2])
            assert b"MSA|AR|cli1" in _send(folder, "hospital", port)
            assert _send(folder, "stranger", port) == b""
        finally:
            process.terminate()
        assert process.wait(30) == 0


def _send(folder, name: str, port: int) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(folder / "server.pem")
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    found = b""
    try:
        with socket.create_connection(("127.0.0.1", port), 30) as raw, context.wrap_socket(raw) as connection:
            connection.sendall(b"\x0b" + message(header("ADT^A40", "cli1"), pid("1")) + b"\x1c\r")
            while not found.endswith(b"\x1c\r") and (piece := connection.recv(4096)):
                found += piece
    except (ssl.SSLError, ConnectionError):
        return b""
    return found

"""A time-stamp authority (RFC 3161) whose stamps OpenSSL makes, and one with faults."""

import asyncio
import subprocess
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from tests.support.processes import free_port

CONFIGURATION = """\
[tsa]
default_tsa = own
[own]
serial = serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
"""


class TimeStampAuthority(AbstractAsyncContextManager):
    """An authority with its own root; `fault`: gone, error, garbage, other (a stamp of something else), huge."""

    def __init__(self, folder, fault=""):
        self.folder, self.fault = folder, fault
        folder.mkdir()
        (folder / "tsa.cnf").write_text(CONFIGURATION)
        (folder / "serial").write_text("01\n")
        self.certificate = self._make_certificates()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"

    def _make_certificates(self):
        root_key, root = a_certificate("Test root", None, None)
        key, own = a_certificate("Test authority", root_key, root)
        _, foreign = a_certificate("Foreign root", None, None)
        for name, content in (("root.pem", root), ("own.pem", own), ("foreign.pem", foreign)):
            (self.folder / name).write_bytes(content.public_bytes(Encoding.PEM))
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.folder / "own.key").write_bytes(private)
        return root

    async def __aenter__(self):
        if self.fault == "gone":
            return self
        app = Starlette(routes=[Route("/", self.answer, methods=["POST"])])
        config = uvicorn.Config(app, port=self.port, log_level="critical", access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._task = asyncio.create_task(self._server._serve())
        while not self._server.started:
            await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *_):
        if self.fault != "gone":
            self._server.should_exit = True
            await self._task

    async def answer(self, request):
        query = await request.body()
        if self.fault == "error":
            return Response(b"no", 500)
        if self.fault in ("garbage", "huge"):
            return Response(b"0" * (10 if self.fault == "garbage" else 200_000))
        return Response(await asyncio.to_thread(self.stamp, query), media_type="application/timestamp-reply")

    def stamp(self, query):
        """The answer of OpenSSL to a query."""
        if self.fault == "other":
            self._run("-query", "-data", "tsa.cnf", "-sha512", "-cert", "-out", "query.tsq")
        else:
            (self.folder / "query.tsq").write_bytes(query)
        self._run(
            "-reply", "-config", "tsa.cnf", "-queryfile", "query.tsq", "-signer", "own.pem", "-inkey", "own.key", "-out", "answer.tsr",
        )  # fmt: skip
        return (self.folder / "answer.tsr").read_bytes()

    def _run(self, *arguments):
        subprocess.run(["openssl", "ts", *arguments], cwd=self.folder, capture_output=True, check=True)


def a_certificate(name, issuer_key, issuer, host=""):
    key = rsa.generate_private_key(65537, 2048)
    subject, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), clock.now()
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=3))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer:
        builder = builder.add_extension(usage, critical=True)
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())
        builder = builder.add_extension(authority, critical=False)
    if host:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    return key, builder.sign(issuer_key or key, SHA256())

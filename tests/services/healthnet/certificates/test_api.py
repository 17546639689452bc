"""The identity of clients by the certificate that the proxy hands on, and the other endpoints of certificates."""

import base64
import time

import httpx
import pytest
from cryptography import x509
from starlette.applications import Starlette

from esante.core.web import HANDLERS
from esante.services.healthnet.certificates.algorithms import ALGORITHMS
from esante.services.healthnet.certificates.api import CertificateEndpoints, SiteIdentity
from esante.services.healthnet.controller.authentication import Authentication
from esante.services.healthnet.controller.registry import Registry
from tests.support.healthnet_world import a_request, der

REASON = "A reason that is long enough."


def field(certificate):
    """The field with which the proxy hands a certificate on."""
    return {"Client-Cert": f":{base64.b64encode(der(certificate)).decode()}:"}


def client_of(world, *, proxied):
    """A client of the endpoints."""
    authentication = Authentication(Registry(world.db))
    identity = SiteIdentity(world.certificates, proxied=proxied)
    endpoints = CertificateEndpoints(world.certificates, identity, authentication.site_key)
    app = Starlette(routes=endpoints.routes(), exception_handlers=HANDLERS)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://test/healthnet/certificates/")


@pytest.fixture
async def api(world):
    """A client behind the proxy, and a site with its certificate."""
    await world.install_authority()
    async with client_of(world, proxied=True) as client:
        client.site, client.key, client.certificate = await world.certified("laboratory")
        yield client


async def test_site_is_known_by_its_certificate(api):
    answer = await api.get("identity", headers=field(api.certificate))
    assert answer.json() == {"site": api.site.key, "provider_code": api.site.provider_code, "kind": "laboratory"}
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("value", [None, "", ":", "::", ":AAAA:", "AAAA", ":é:", "x" * 9_000])
async def test_what_is_no_certificate_is_nobody(api, value):
    headers = {} if value is None else {"Client-Cert": value.encode()}
    for answer in (await api.get("identity", headers=headers), await api.post("renew", headers=headers)):
        assert answer.status_code == 403


async def test_two_certificates_in_one_request_are_nobody(api):
    one = field(api.certificate)["Client-Cert"]
    assert (await api.get("identity", headers=[("Client-Cert", one), ("Client-Cert", one)])).status_code == 403


async def test_field_counts_only_behind_a_proxy(world, api):
    async with client_of(world, proxied=False) as client:
        assert (await client.get("identity", headers=field(api.certificate))).status_code == 403


async def test_revoked_certificate_is_nobody_in_the_next_request_and_stands_in_the_list(world, api):
    await world.certificates.revoke(world.ann, api.site, REASON)
    assert (await api.get("identity", headers=field(api.certificate))).status_code == 403
    listed = x509.load_der_x509_crl((await api.get("revoked.crl")).content)
    assert [one.serial_number for one in listed] == [api.certificate.serial_number]


async def test_certificate_is_renewed_with_the_present_one_and_comes_with_its_chain(world, api):
    key = ALGORITHMS["ed25519"].make_key()
    answer = await api.post("renew", json={"request": a_request(key).decode()}, headers=field(api.certificate))
    renewed, *chain = x509.load_pem_x509_certificates(answer.json()["certificate"].encode())
    assert renewed.public_key() == key.public_key()
    assert chain == x509.load_pem_x509_certificates((await api.get("chain.pem")).content)
    assert (await api.get("identity", headers=field(renewed))).json()["site"] == api.site.key
    assert 1.5 < (answer.json()["renew_at"] - time.time()) / 86_400 < 2.5


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"request": 1}', b'{"request": "x"}', b'{"request": "\\ud800"}', b"[" * 30_000]
)
async def test_renewal_without_a_request_is_refused(api, body):
    answer = await api.post("renew", content=body, headers=field(api.certificate))
    assert (answer.status_code, "Traceback" in answer.text) == (400, False)


async def test_renewal_that_is_too_large_is_refused(api):
    answer = await api.post("renew", content=b" " * 200_000, headers=field(api.certificate))
    assert answer.status_code == 413


async def test_without_an_authority_nobody_is_known_and_the_chain_is_not_ready(world):
    async with client_of(world, proxied=True) as client:
        assert (await client.get("chain.pem")).status_code == 503
        assert (await client.get("identity", headers={"Client-Cert": ":AAAA:"})).status_code == 403

"""Requests reach allowed addresses only: internal ones are refused, also when a name resolves to one later."""

from ipaddress import ip_network

import httpx
import pytest

from esante.core.outbound import AddressPolicy, CheckedTransport
from tests.support.certificates import certificate
from tests.support.rest_hook_receiver import receiving, resolve_names_to

LOOPBACK = [ip_network("127.0.0.0/8")]


def client(*allowed):
    return httpx.AsyncClient(transport=CheckedTransport(AddressPolicy(allowed)))


async def test_allowed_address_is_called_with_the_host_of_the_name(monkeypatch):
    resolve_names_to(monkeypatch, ["127.0.0.1"])
    async with receiving() as target, client(*LOOPBACK) as http:
        answer = await http.post(f"http://software.example:{target.port}/notes?x=1", content=b"{}")
        assert answer.status_code == 200
        (request,) = target.requests
        assert request.headers["host"] == f"software.example:{target.port}"
        assert (request.target, request.body) == ("/notes?x=1", b"{}")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "169.254.169.254", "0"])
async def test_internal_address_is_not_called(host):
    async with receiving() as internal, client() as http:
        for scheme in ("http", "https"):
            with pytest.raises(httpx.ConnectError, match="not allowed"):
                await http.get(f"{scheme}://{host}:{internal.port}/")
        assert internal.connections == 0


async def test_plain_http_to_public_address_is_refused():
    async with client() as http:
        with pytest.raises(httpx.ConnectError, match="not allowed"):
            await http.get("http://9.9.9.9:8080/")


async def test_dns_rebinding_reaches_no_internal_address(monkeypatch):
    """A name that was allowed when it was checked first, and resolves to an internal address at the next request."""
    async with receiving() as internal, client(*LOOPBACK) as http:
        resolve_names_to(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
        assert (await http.post(f"http://rebind.example:{internal.port}/", content=b"{}")).status_code == 200
        with pytest.raises(httpx.ConnectError, match="not allowed"):
            await http.post(f"http://rebind.example:{internal.port}/", content=b"{}")
        assert internal.connections == 1


async def test_host_with_one_internal_address_is_not_called(monkeypatch):
    resolve_names_to(monkeypatch, ["9.9.9.9", "127.0.0.1"])
    async with client() as http:
        with pytest.raises(httpx.ConnectError, match="not allowed"):
            await http.get("https://mixed.example/")


async def test_certificate_of_another_name_is_refused(monkeypatch, tmp_path):
    """TLS verifies the name of the request, not the address that it goes to."""
    server, trusting = certificate(tmp_path, "software.example", "127.0.0.1")
    resolve_names_to(monkeypatch, ["127.0.0.1"])
    transport = CheckedTransport(AddressPolicy(LOOPBACK), trusting)
    async with receiving(context=server) as target, httpx.AsyncClient(transport=transport) as http:
        assert (await http.post(f"https://software.example:{target.port}/", content=b"{}")).status_code == 200
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await http.post(f"https://other.example:{target.port}/", content=b"{}")

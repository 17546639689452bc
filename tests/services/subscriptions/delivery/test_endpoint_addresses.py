"""Endpoints of subscriptions: internal addresses are refused, also when a name resolves to one later."""

import pytest

from tests.support.rest_hook_receiver import receiving, resolve_names_to
from tests.support.subscriptions import FHIR, body


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

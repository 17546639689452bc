"""Targets that answer nonsense: every kit gives a verdict on each requirement, calls nothing else, and passes none."""

import asyncio
from collections.abc import Mapping
from random import Random

import httpx
import orjson
import pytest
from joserfc.jwk import ECKey

from esante.services.conformance.kits.catalogue import kits
from esante.services.conformance.kits.model import Verdict
from esante.services.conformance.kits.runner import run_kit

TARGET = "http://target.example/base"
KITS = ("dicomweb", "dsp", "eu-api", "fhir", "smart", "xds")
_KEY = ECKey.generate_key("P-384", parameters={"kid": "1"}, private=True)
OPTIONS = {
    "patient": "urn:example|1",
    "token": "t0ken",
    "log-token": "t0ken-of-the-log",
    "client": "client",
    "key": orjson.dumps(_KEY.as_dict(private=True)).decode(),
    "app": "app",
    "redirect": "https://app.example/callback",
    "cookie": "session=1",
    "other-patient": "2",
    "patient-id": "1",
    "patient-name": "A^B",
    "patient-cx": "1^^^&1.2.3&ISO",
    "assertion": "<Assertion/>",
}
_SMART = {name: f"{TARGET}/{name}" for name in ("token_endpoint", "authorization_endpoint", "jwks_uri")} | {
    "issuer": TARGET,
    "grant_types_supported": ["client_credentials"],
    "capabilities": ["client-confidential-asymmetric", "sso-openid-connect"],
    "code_challenge_methods_supported": ["S256"],
    "token_endpoint_auth_methods_supported": ["private_key_jwt"],
    "token_endpoint_auth_signing_alg_values_supported": ["ES384"],
}
_JUNK = Random(18).randbytes(4_000)
_LOOP = b'<html><form method="post" action="/base/again"><button name="decision" value="allow">x</button></form>'
_AWAY = b'<html><form method="post" action="https://other.example/"><button name="decision" value="allow"></form>'
ANSWERS: Mapping[str, tuple[int, Mapping[str, str], bytes]] = {
    "empty object": (200, {"content-type": "application/fhir+json"}, b"{}"),
    "list": (200, {"content-type": "application/dicom+json"}, b"[1, null, []]"),
    "null": (200, {"content-type": "application/json"}, b"null"),
    "bundle of nothing": (
        200,
        {"content-type": "application/fhir+json"},
        b'{"resourceType": "Bundle", "type": "searchset", "entry": [null, {}, {"resource": []}]}',
    ),
    "junk": (200, {"content-type": "application/dicom"}, _JUNK),
    "multipart of junk": (
        200,
        {"content-type": "multipart/related; boundary=x"},
        b"--x\r\n\r\n" + bytes(128) + b"DICM" + _JUNK + b"\r\n--x--",
    ),
    "no boundary": (200, {"content-type": "multipart/related"}, b"--"),
    "soap of nothing": (
        200,
        {"content-type": "application/soap+xml"},
        b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><x/></s:Body></s:Envelope>',
    ),
    "entities": (200, {"content-type": "text/xml"}, b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
    "forms without end": (200, {"content-type": "text/html"}, _LOOP),
    "form that leads away": (200, {"content-type": "text/html"}, _AWAY),
    "redirect": (302, {"location": "http://internal.example/"}, b""),
    "redirect to itself": (302, {"location": "/base/x"}, b""),
    "server error": (500, {}, b"Traceback"),
    "no content": (204, {}, b""),
}


class _Target(httpx.AsyncBaseTransport):
    """A target that answers everything alike, but a SMART configuration where one is asked for."""

    def __init__(self, answer: tuple[int, Mapping[str, str], bytes]) -> None:
        self._answer, self.hosts = answer, set[str]()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.hosts.add(request.url.host)
        if request.url.path.endswith("smart-configuration"):
            return httpx.Response(200, json=_SMART)
        status, headers, body = self._answer
        return httpx.Response(status, headers=dict(headers), content=body)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
@pytest.mark.parametrize("kit", KITS)
async def test_nonsense_gets_verdicts_and_nothing_else_is_called(
    kit: str, answer: tuple[int, Mapping[str, str], bytes]
) -> None:
    target = _Target(answer)
    run = await asyncio.wait_for(run_kit(kits()[kit], TARGET, OPTIONS, lambda *_: None, target), 60)
    assert len(run.outcomes) == len(kits()[kit].requirements)
    assert not run.passed and target.hosts == {"target.example"}
    assert all(one.what for one in run.outcomes if one.verdict is not Verdict.PASSED)

"""SMART Backend Services with real keys: client assertions, tokens, registration."""

import asyncio
import base64
import hmac
import time
from dataclasses import replace

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from esante.core.storage import NIL, uuid7
from esante.identity.access import (
    SignInRefused,
    SoftwareClient,
)
from esante.identity.access.smart.client_assertion import ASSERTION_TYPE
from tests.identity.access.conftest import BASE, terms, within_one_window
from tests.support.authentication_app import authentication_app

ENDPOINT = f"{BASE}/oauth/token"


SCOPES = frozenset({"system/DocumentReference.cruds", "system/Patient.rs"})


@pytest.fixture(scope="module")
def keys():
    return {
        "ES384": ECKey.generate_key("P-384", {"kid": "ec-1"}),
        "RS384": RSAKey.generate_key(2048, {"kid": "rsa-1"}),
    }


def public(*keys):
    return {"keys": [key.as_dict(private=False) for key in keys]}


@pytest.fixture(scope="module")
async def client(house, keys):
    found = SoftwareClient(
        client_id="hospital-his",
        name="Hospital HIS",
        organization_id=house.hospital.id,
        jwks=public(*keys.values()),
        scopes=SCOPES,
    )
    await house.access.clients.register(found)
    return found


@pytest.fixture
async def http(house, journal):
    transport = httpx.ASGITransport(authentication_app(house, journal))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as found:
        yield found


def assertion(key, alg, client_id="hospital-his", header=None, **changes):
    now = int(time.time())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": ENDPOINT,
        "exp": now + 240,
        "iat": now,
        "jti": str(uuid7()),
    } | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": alg, "kid": key.kid, "typ": "JWT", **(header or {})}, claims, key, algorithms=[alg])


async def ask(http, signed, scope="system/DocumentReference.rs", **changes):
    form = {
        "grant_type": "client_credentials",
        "scope": scope,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": signed,
    } | changes
    return await http.post("/oauth/token", data={name: value for name, value in form.items() if value is not None})


@pytest.mark.parametrize("alg", ["ES384", "RS384"])
async def test_client_gets_token_with_its_key_and_uses_it(http, house, client, keys, alg, journal):
    answer = await ask(http, assertion(keys[alg], alg))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("bearer", 300, "system/DocumentReference.rs")
    who = await http.get("/fhir/whoami", headers={"Authorization": f"Bearer {body['access_token']}"})
    assert who.json() == {
        "kind": "organization",
        "id": str(house.hospital.id),
        "client": "Hospital HIS",
        "organization": str(house.hospital.id),
        "profession": "hospital",
    }


async def test_discovery_lists_signing_algorithms(http):
    for path in ("/.well-known/smart-configuration", "/fhir/.well-known/smart-configuration"):
        found = (await http.get(path)).json()
        assert found["token_endpoint"] == ENDPOINT
        assert set(found["token_endpoint_auth_signing_alg_values_supported"]) == {"ES384", "RS384"}
        assert "client-confidential-asymmetric" in found["capabilities"]


async def test_concurrent_reuse_of_assertion_gives_one_token(http, client, keys):
    signed = assertion(keys["ES384"], "ES384")
    answers = await asyncio.gather(*(ask(http, signed) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401, 401, 401]
    assert {answer.json()["error"] for answer in answers if answer.status_code == 401} == {"invalid_client"}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def with_public_key_as_secret(keys):
    _, body, _ = assertion(keys["RS384"], "RS384").split(".")
    head = b64(b'{"alg":"HS384","kid":"rsa-1"}')
    secret = keys["RS384"].as_pem(private=False)
    return f"{head}.{body}." + b64(hmac.digest(secret, f"{head}.{body}".encode(), "sha384"))


def with_parts(keys, head=None, signature=None):
    own_head, body, own_signature = assertion(keys["ES384"], "ES384").split(".")
    return ".".join((own_head if head is None else head, body, own_signature if signature is None else signature))


def ahead(seconds):
    return int(time.time()) + seconds


def ec(keys, **changes):
    return assertion(keys["ES384"], "ES384", **changes)


FORGED = {
    "another key": lambda keys: assertion(ECKey.generate_key("P-384", {"kid": "ec-1"}), "ES384"),
    "a weaker curve": lambda keys: assertion(ECKey.generate_key("P-256", {"kid": "ec-1"}), "ES256"),
    "an algorithm not asked for": lambda keys: assertion(keys["RS384"], "RS256"),
    "the public key as a secret": with_public_key_as_secret,
    "no signature": lambda keys: with_parts(keys, head=b64(b'{"alg":"none","kid":"ec-1"}'), signature=""),
    "a cut signature": lambda keys: with_parts(keys, signature="AAAA"),
    "another header": lambda keys: with_parts(keys, head=b64(b'{"alg":"ES384","kid":"ec-1"}')),
    "an unknown kid": lambda keys: ec(keys, header={"kid": "other"}),
    "an unknown client": lambda keys: ec(keys, client_id="nobody"),
    "expired": lambda keys: ec(keys, exp=ahead(-60)),
    "too long ahead": lambda keys: ec(keys, exp=ahead(3_600)),
    "no exp": lambda keys: ec(keys, exp=None),
    "exp as text": lambda keys: ec(keys, exp="soon"),
    "a huge exp": lambda keys: ec(keys, exp=1e300),
    "not yet": lambda keys: ec(keys, nbf=ahead(200)),
    "another audience": lambda keys: ec(keys, aud="https://other.example/oauth/token"),
    "no jti": lambda keys: ec(keys, jti=None),
    "a long jti": lambda keys: ec(keys, jti="x" * 300),
    "jti of another kind": lambda keys: ec(keys, jti=["x"]),
    "another subject": lambda keys: ec(keys, sub="nobody"),
    "an issuer of another kind": lambda keys: ec(keys, iss={"a": 1}),
    "nothing": lambda keys: "",
    "noise": lambda keys: "\x00.\x00.\x00",
    "dots": lambda keys: "a.b.c",
    "long": lambda keys: "A" * 60_000,
    "deep": lambda keys: with_parts(keys, head=b64(b"[" * 20_000)),
}


@pytest.mark.parametrize("name", FORGED)
async def test_invalid_assertion_is_refused(http, client, keys, name):
    answer = await ask(http, FORGED[name](keys))
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json()) == {"error", "error_description"}


async def test_unknown_client_and_wrong_signature_get_identical_refusals(http, client, keys):
    answers = [(await ask(http, FORGED[name](keys))).json() for name in ("another key", "an unknown client", "dots")]
    assert answers[0] == answers[1] == answers[2]


async def test_refusal_is_journalled_without_assertion(http, client, keys, journal):
    signed = FORGED["expired"](keys)
    await ask(http, signed)
    entry = (await journal.entries_of(NIL, [SignInRefused], limit=1))[0]
    assert (entry.event.subject, entry.event.reason) == ("hospital-his", "invalid_client")
    assert signed not in str(entry)


async def test_granted_scopes_are_requested_and_allowed(http, client, keys):
    wanted = "system/*.r system/Patient.cruds system/Claim.rs user/Patient.rs nonsense"
    body = (await ask(http, assertion(keys["ES384"], "ES384"), wanted)).json()
    assert set(body["scope"].split()) == {"system/DocumentReference.r", "system/Patient.rs"}
    for scope in ("system/Claim.rs", "", "openid", "user/*.rs", "system/Patient.rs?nonsense=1"):
        answer = await ask(http, assertion(keys["ES384"], "ES384"), scope)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": None}, "unsupported_grant_type"),
        ({"client_assertion_type": "other"}, "invalid_client"),
        ({"client_assertion": None}, "invalid_client"),
    ],
)
async def test_invalid_request_gets_oauth_error(http, client, keys, changes, error):
    answer = await ask(http, assertion(keys["ES384"], "ES384"), **changes)
    assert answer.json()["error"] == error


async def test_body_other_than_form_is_refused(http):
    for content, kind in (
        (b'{"a": 1}', "application/json"),
        (b"grant_type=a&grant_type=b", "application/x-www-form-urlencoded"),
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=1" % i for i in range(100)), "application/x-www-form-urlencoded"),
    ):
        answer = await http.post("/oauth/token", content=content, headers={"content-type": kind})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    large = await http.post(
        "/oauth/token", content=b"a" * 100_000, headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert large.status_code == 413


async def test_disabled_client_gets_no_token(http, house, client, keys):
    await house.access.clients.register(replace(client, disabled=True))
    try:
        assert (await ask(http, assertion(keys["ES384"], "ES384"))).status_code == 401
    finally:
        await house.access.clients.register(client)


@pytest.mark.filterwarnings("ignore:Key size")
async def test_client_with_invalid_keys_or_scopes_is_not_registered(house, client, keys):
    weak = RSAKey.generate_key(1024, {"kid": "weak"})
    for changes in (
        {"jwks": {"keys": [keys["ES384"].as_dict(private=True)]}},
        {"jwks": public(ECKey.generate_key("P-256", {"kid": "k"}))},
        {"jwks": public(weak)},
        {"jwks": {"keys": []}},
        {"jwks": {}},
        {"jwks": {"keys": [{"kty": "oct", "k": "AAAA", "kid": "k"}]}},
        {"jwks": {"keys": [{name: v for name, v in public(keys["ES384"])["keys"][0].items() if name != "kid"}]}},
        {"scopes": frozenset()},
        {"scopes": frozenset({"user/Patient.rs"})},
        {"scopes": frozenset({"everything"})},
        {"client_id": ""},
        {"organization_id": uuid7()},
    ):
        with pytest.raises(ValueError, match="client"):
            await house.access.clients.register(replace(client, **changes))


async def test_refused_assertions_are_throttled_per_origin(http, db):
    await within_one_window()
    await ask(http, "a.b.c")
    limit = terms().attempts_per_origin
    await db.fetch("UPDATE access_attempt SET attempts = $1 WHERE subject = 'oauth:127.0.0.1'", limit)
    answer = await ask(http, "a.b.c")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0

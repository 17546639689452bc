"""Signing in with a sign-in service: a provider that others wrote, and one that lies."""

import time
from datetime import date, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from esante.core import clock
from esante.core.storage import NIL
from esante.identity.access import SignedIn, SignInRefused
from esante.identity.access.authn.requesters import principal_of, requester_from_principal
from esante.identity.signin.providers.configuration import Level, Link, Provider, is_secure, read_providers
from esante.identity.signin.providers.provider_client import ProviderClient, ProviderRefused
from esante.settings import PerLanguage
from tests.identity.access.conftest import MRN
from tests.support.authentications import with_passkey
from tests.support.openid_provider import SECRET, openid_provider, sign_in_at
from tests.support.signed_in_pages import BASE

SUBSTANTIAL, LOW = "http://eidas.europa.eu/LoA/substantial", "http://eidas.europa.eu/LoA/low"
CALLBACK = f"{BASE}/signin/with/eid/callback"


def provider(issuer, **changes):
    links = (
        Link(kind="patient", claim="matricule", system=MRN),
        Link(kind="practitioner", claim="ehealth", system="ehealth_id"),
    )
    return Provider(
        **{
            "key": "eid",
            "label": PerLanguage("eID"),
            "issuer": issuer,
            "client_id": "esante",
            "secret": SECRET,
            "acr_values": SUBSTANTIAL,
            "links": links,
        }
        | changes
    )


@pytest.fixture(scope="module")
def issuer():
    with openid_provider(CALLBACK, f"{BASE}/signin/with/other/callback") as found:
        yield found


@pytest.fixture
async def provider_settings(issuer):
    other = provider(issuer, key="other")
    return {"eid": provider(issuer), "other": other}


async def start(browser, kind="patient", key="eid", **query):
    answer = await browser.http.get(f"/signin/with/{key}/{kind}", params=query)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def come_back(browser, address):
    parts = urlsplit(address)
    return await browser.http.get(f"{parts.path}?{parts.query}")


async def last_refusal(journal):
    (entry,) = await journal.entries_of(NIL, [SignInRefused], limit=1)
    return entry.event.reason


async def person_of(house, patient, **claims):
    return {"sub": str(patient.id), "acr": SUBSTANTIAL, "matricule": await house.identifier(patient)} | claims


async def test_person_signs_in_with_the_level_that_the_service_states(signin, house, journal):
    patient = await house.open_patient()
    browser = await signin.browser()
    address = await start(browser, next="/sharing")
    sent = parse_qs(urlsplit(address).query)
    assert sent["code_challenge_method"] == ["S256"] and len(sent["state"][0]) >= 32 and len(sent["nonce"][0]) >= 32
    answer = await come_back(browser, await sign_in_at(address, await person_of(house, patient)))
    assert (answer.status_code, answer.headers["location"]) == (303, "/sharing"), await last_refusal(journal)
    (session,) = await signin.access.sessions.list_of(str(patient.id))
    how = requester_from_principal(session.principal).authentication
    assert (how.method, how.assurance, how.provider) == ("oidc", "substantial", "eid")
    (entry,) = await journal.entries_of(patient.id, [SignedIn], limit=1)
    assert (entry.event.method, entry.event.assurance, entry.event.provider) == ("oidc", "substantial", "eid")


async def test_professional_with_a_low_level_is_refused(signin, house, journal):
    number = await signin.number(house, house.doctor)
    for acr, status in ((LOW, 403), ("", 403), ("urn:unknown", 403), (SUBSTANTIAL, 303)):
        browser = await signin.browser()
        person = {"sub": f"doctor {acr}", "acr": acr, "ehealth": number}
        answer = await come_back(browser, await sign_in_at(await start(browser, "practitioner"), person))
        assert answer.status_code == status, acr
        assert ("__Host-esante_session" in answer.headers.get("set-cookie", "")) == (status == 303)


@pytest.mark.parametrize("claim", [None, "", "MRN-unknown", ["MRN-1"], 7, {"x": 1}])
async def test_identifier_that_nobody_has_is_refused(signin, house, journal, claim):
    browser = await signin.browser()
    person = {"sub": f"x{claim}", "acr": SUBSTANTIAL} | ({} if claim is None else {"matricule": claim})
    answer = await come_back(browser, await sign_in_at(await start(browser), person))
    assert answer.status_code == 403 and await last_refusal(journal) == "unknown_holder"


async def test_subject_of_the_service_is_no_identifier(signin, house, journal):
    patient = await house.open_patient()
    browser = await signin.browser()
    person = {"sub": await house.identifier(patient), "acr": SUBSTANTIAL, "matricule": "MRN-unknown"}
    answer = await come_back(browser, await sign_in_at(await start(browser), person))
    assert answer.status_code == 403


async def test_person_who_declines_at_the_service_is_told_so(signin, journal):
    browser = await signin.browser()
    answer = await come_back(browser, await sign_in_at(await start(browser), {"deny": True}))
    assert answer.status_code == 403 and await last_refusal(journal) == "denied"


async def test_response_serves_once_and_in_its_browser_only(signin, house, journal):
    patient = await house.open_patient()
    browser, other = await signin.browser(), await signin.browser()
    back = await sign_in_at(await start(browser), await person_of(house, patient))
    await start(other)
    assert (await come_back(other, back)).status_code == 403 and await last_refusal(journal) == "state"
    assert (await come_back(browser, back)).status_code == 303
    assert (await come_back(browser, back)).status_code == 403


async def test_response_at_the_address_of_another_service_is_refused(signin, house, journal):
    patient = await house.open_patient()
    browser = await signin.browser()
    back = await sign_in_at(await start(browser), await person_of(house, patient))
    answer = await come_back(browser, back.replace("/with/eid/", "/with/other/"))
    assert answer.status_code == 403 and await last_refusal(journal) == "state"


async def test_response_of_another_issuer_is_refused(signin, house, journal):
    patient = await house.open_patient()
    browser = await signin.browser()
    back = await sign_in_at(await start(browser), await person_of(house, patient))
    assert "iss=" in back
    answer = await come_back(browser, back.replace("iss=http", "iss=https"))
    assert answer.status_code == 503 and await last_refusal(journal) == "issuer"


async def test_unknown_service_or_kind_is_not_found(signin):
    browser = await signin.browser()
    for path in ("/signin/with/x/patient", "/signin/with/eid/operator", "/signin/with/x/callback"):
        assert (await browser.http.get(path)).status_code == 404


async def test_confirmation_asks_the_service_again_and_needs_the_same_person(signin, house, journal):
    patient, other = await house.open_patient(), await house.open_patient()
    browser = await signin.browser()
    value = await signin.access.sessions.create(principal_of(with_passkey(patient, ago=timedelta(hours=1))))
    browser.http.cookies.set("__Host-esante_session", value)
    address = await start(browser, confirm="1", next="/care-abroad")
    assert parse_qs(urlsplit(address).query)["prompt"] == ["login"]
    answer = await come_back(browser, await sign_in_at(address, await person_of(house, other)))
    assert answer.status_code == 403 and await last_refusal(journal) == "holder"
    address = await start(browser, confirm="1", next="/care-abroad")
    answer = await come_back(browser, await sign_in_at(address, await person_of(house, patient)))
    assert (answer.status_code, answer.headers["location"]) == (303, "/care-abroad"), await last_refusal(journal)


# A service that lies: its answers are made here.

KEY = RSAKey.generate_key(2048, {"kid": "1"})
ISSUER = "https://idp.example"


def lying(**changes):
    """A client whose service answers with a token with changed claims; `sign`: another key; `header`: of the token."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": "esante", "sub": "x", "nonce": "n", "iat": now, "exp": now + 60}
    claims = {name: value for name, value in (claims | changes.get("claims", {})).items() if value is not None}
    key, header = changes.get("sign", KEY), {"alg": "RS256", "kid": "1"} | changes.get("header", {})
    token = changes.get("token") or jwt.encode(header, claims, key, algorithms=[header["alg"]])
    metadata = {"issuer": ISSUER} | {
        name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
    }

    def answer(request):
        if request.url.path == "/.well-known/openid-configuration":
            return httpx.Response(200, json=metadata | changes.get("metadata", {}))
        if request.url.path == "/jwks_uri":
            return httpx.Response(200, json={"keys": [KEY.as_dict(private=False)]})
        return httpx.Response(changes.get("status", 200), json={"id_token": token})

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return ProviderClient(provider(ISSUER), CALLBACK, http)


async def test_token_as_it_must_be_is_accepted():
    assert (await lying().claims("c", "v", "n"))["sub"] == "x"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"claims": {"iss": "https://other.example"}}, "claims"),
        ({"claims": {"aud": "another"}}, "claims"),
        ({"claims": {"aud": ["esante", "another"]}}, "claims"),
        ({"claims": {"azp": "another"}}, "claims"),
        ({"claims": {"nonce": "another"}}, "claims"),
        ({"claims": {"nonce": None}}, "claims"),
        ({"claims": {"exp": int(time.time()) - 3600}}, "claims"),
        ({"claims": {"exp": None}}, "claims"),
        ({"claims": {"iat": int(time.time()) + 3600}}, "claims"),
        ({"claims": {"sub": None}}, "claims"),
        ({"sign": RSAKey.generate_key(2048, {"kid": "1"})}, "signature"),
        ({"token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."}, "signature"),
        ({"token": "x"}, "signature"),
        ({"token": 7}, "token"),
        ({"status": 400}, "token"),
        ({"metadata": {"issuer": "https://other.example"}}, "issuer"),
        ({"metadata": {"token_endpoint": "http://idp.example/token"}}, "metadata"),
    ],
)
async def test_token_with_a_fault_is_refused(changes, reason):
    with pytest.raises(ProviderRefused) as refused:
        await lying(**changes).claims("c", "v", "n")
    assert refused.value.reason == reason


@pytest.mark.parametrize(("auth_time", "fits"), [(None, False), ("now", False), (-3600, False), (0, True)])
async def test_confirmation_needs_a_sign_in_since_it_was_asked_for(auth_time, fits):
    now = clock.now()
    stated = int(now.timestamp()) + auth_time if isinstance(auth_time, int) else auth_time
    call = lying(claims={"auth_time": stated}).claims("c", "v", "n", since=now)
    if fits:
        assert (await call)["sub"] == "x"
        return
    with pytest.raises(ProviderRefused) as refused:
        await call
    assert refused.value.reason == "stale"


@pytest.mark.parametrize(
    ("on", "level"), [(date(2024, 12, 31), ""), (date(2025, 1, 1), "low"), (date(2026, 6, 1), "high")]
)
def test_level_of_an_acr_is_that_of_the_day(on, level):
    levels = (
        Level(value="x", level="low", valid_from=date(2025, 1, 1)),
        Level(value="x", level="high", valid_from=date(2026, 1, 1)),
    )
    assert provider(ISSUER, levels=levels).level_of("x", on) == level


def test_file_of_services_is_read_with_its_secret(tmp_path):
    (tmp_path / "secret").write_text("s3cret\n")
    file = tmp_path / "providers.toml"
    file.write_text(
        '[[provider]]\nkey = "eid"\nlabel = "eID"\nissuer = "https://idp.example"\nclient_id = "esante"\nclient_secret_file = "secret"\n[[provider.link]]\nkind = "patient"\nclaim = "matricule"\nsystem = "matricule"\n'
    )
    found = read_providers(str(file))["eid"]
    assert found.secret == "s3cret" and "s3cret" not in repr(found) and read_providers("") == {}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("https://idp", "http://idp"),
        ('"eid"', '"a/b"'),
        ('"patient"', '"operator"'),
        ("client_id", "client"),
        ("[[provider]]", "[["),
    ],
)
def test_file_with_a_fault_is_refused_with_its_name(tmp_path, old, new):
    file = tmp_path / "providers.toml"
    text = '[[provider]]\nkey = "eid"\nlabel = "eID"\nissuer = "https://idp.example"\nclient_id = "esante"\n[[provider.link]]\nkind = "patient"\nclaim = "matricule"\nsystem = "matricule"\n'
    file.write_text(text.replace(old, new))
    with pytest.raises(RuntimeError, match=r"providers\.toml"):
        read_providers(str(file))


@pytest.mark.parametrize(
    ("address", "secure"),
    [
        ("https://x.example", True),
        ("http://127.0.0.1:1", True),
        ("http://localhost", True),
        ("http://x.example", False),
        ("ftp://127.0.0.1", False),
        ("https://", False),
    ],
)
def test_only_addresses_of_https_or_of_this_machine_are_secure(address, secure):
    assert is_secure(address) == secure

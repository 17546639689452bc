"""The registry of software, and what software can find out and give back: registration, introspection, revocation."""

from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import pytest
from joserfc.jwk import ECKey, RSAKey
from starlette.requests import Request

from esante.core.fhir import check
from esante.core.storage import NIL, uuid7
from esante.identity.access import ClientRegistered, SoftwareClient
from esante.identity.access.smart.clients import check_client, uri_origin
from esante.identity.access.smart.discovery import CAPABILITIES, supported_scopes
from esante.identity.access.smart.scope_labels import label_scopes
from esante.identity.access.smart.scopes import INTROSPECTION_SCOPE, NON_RESOURCE_SCOPES, parse_scope

from .conftest import BASE
from .launches import CALLBACK, EVERYTHING, FHIR, App, Person, the_app

KEY = ECKey.generate_key("P-384", {"kid": "ec-1"})


def public(*keys):
    return {"keys": [key.as_dict(private=False) for key in keys]}


APP = SoftwareClient(
    client_id="app", name="App", maker="Maker", scopes=EVERYTHING, redirect_uris=(CALLBACK,), launch_url=CALLBACK
)
SOFTWARE = SoftwareClient(
    client_id="his",
    name="HIS",
    organization_id=uuid7(),
    jwks=public(KEY),
    scopes=frozenset({"system/Patient.rs", INTROSPECTION_SCOPE}),
)


@pytest.mark.parametrize(
    "client",
    [
        APP,
        SOFTWARE,
        replace(APP, launch_url=""),
        replace(APP, jwks=public(KEY)),
        replace(SOFTWARE, redirect_uris=(CALLBACK,), scopes=SOFTWARE.scopes | EVERYTHING, maker="M"),
        replace(APP, redirect_uris=("lu.example.app:/back", "http://127.0.0.1:8080/x?y=1", "http://[::1]/")),
    ],
)
def test_what_can_serve_is_registered(client):
    check_client(client)


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": ""}, {"client_id": "a b"}, {"client_id": "x" * 129}, {"name": ""}, {"name": "a\nb"},
        {"name": "x" * 300}, {"maker": ""}, {"maker": "\x00"},
        {"scopes": frozenset()}, {"scopes": frozenset({"everything"})}, {"scopes": frozenset({"offline_access"})},
        {"scopes": frozenset({"system/Patient.rs"})}, {"scopes": EVERYTHING | {INTROSPECTION_SCOPE}},
        {"scopes": frozenset({"patient/Observation.rs?nonsense=1"})},
        {"redirect_uris": ()}, {"redirect_uris": ("http://app.example/",)}, {"redirect_uris": ("javascript:alert(1)",)},
        {"redirect_uris": ("data:text/html,x",)}, {"redirect_uris": ("app:/x",)}, {"redirect_uris": ("/callback",)},
        {"redirect_uris": ("https://app.example/#x",)}, {"redirect_uris": ("https://u@app.example/",)},
        {"redirect_uris": ("https://app.example/ x",)}, {"redirect_uris": ("https:///x",)}, {"redirect_uris": ("",)},
        {"redirect_uris": ("HTTPS://app.example/",)}, {"redirect_uris": ("https://App.example/",)},
        {"redirect_uris": ("https://app.example/../x",)}, {"redirect_uris": ("https://a;b/",)},
        {"redirect_uris": ("https://app.example:99999/",)}, {"redirect_uris": ("https://*/",)},
        {"redirect_uris": ("https://app.example\\x/",)}, {"redirect_uris": ("https://app.example/" + "x" * 3_000,)},
        {"launch_url": "http://app.example/"}, {"launch_url": "lu.example.app:/x"}, {"launch_url": "javascript:x"},
        {"jwks": {"keys": []}}, {"jwks": {"x": 1}}, {"jwks": {"keys": "x"}}, {"jwks": {"keys": [{"kty": "EC"}]}},
        {"jwks": {"keys": [KEY.as_dict(private=True)]}}, {"jwks": public(ECKey.generate_key("P-256", {"kid": "k"}))},
        {"jwks": {"keys": [{"kty": "oct", "k": "AAAA", "kid": "k"}]}},
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Key size")
def test_what_cannot_serve_is_not_registered(changes):
    with pytest.raises(ValueError, match=r"^client "):
        check_client(replace(APP, **changes))


@pytest.mark.parametrize("changes", [{"organization_id": None}, {"jwks": {}}])
def test_software_that_signs_in_for_itself_has_an_organisation_and_a_key(changes):
    with pytest.raises(ValueError, match="needs an organization and a key set"):
        check_client(replace(SOFTWARE, **changes))


@pytest.mark.filterwarnings("ignore:Key size")
def test_weak_keys_are_not_registered():
    with pytest.raises(ValueError, match="2048 bits"):
        check_client(replace(SOFTWARE, jwks=public(RSAKey.generate_key(1024, {"kid": "weak"}))))


def test_where_an_address_leads():
    assert uri_origin("https://app.example/x?y") == "https://app.example"
    assert uri_origin("https://app.example:443/") == "https://app.example"
    assert uri_origin("http://127.0.0.1:8080/x") == "http://127.0.0.1:8080"
    assert uri_origin("http://[::1]:80/x") == "http://[::1]"
    assert uri_origin("lu.example.app:/x") == "lu.example.app:"


async def test_a_registration_file_is_read_and_its_mistakes_are_named(house, journal):
    clients = house.access.clients
    identifier = house.hospital.identifiers[0]
    given = {
        "client_id": "from-file",
        "client_name": "From a file",
        "maker": "Maker",
        "organization": f"{identifier.system}|{identifier.value}",
        "redirect_uris": [CALLBACK],
        "launch_url": CALLBACK,
        "scope": "openid patient/*.rs system/Patient.rs",
        "jwks": public(KEY),
    }
    client = await clients.parse_registration(given)
    assert client.organization_id == house.hospital.id
    await clients.register(client)
    assert (await clients.find_all(["from-file"]))["from-file"] == client
    assert client in await clients.launchable()
    told = (await journal.entries_of(NIL, [ClientRegistered], limit=1))[0].event
    assert (told.client_id, told.redirect_uris) == ("from-file", (CALLBACK,))
    await clients.disable("from-file")
    assert await clients.find("from-file") is None
    assert "from-file" not in [one.client_id for one in await clients.launchable()]
    for wrong in (
        {"client_idd": "x"}, {"client_id": 1}, {"scope": None}, {"redirect_uris": "x"}, {"redirect_uris": [1]},
        {"jwks": []}, {"organization": "nobody|1"}, {"organization": 7},
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"\w"):
            await clients.parse_registration(given | wrong)
    with pytest.raises(LookupError):
        await clients.disable("nobody")
    with pytest.raises(ValueError, match="organisation"):
        await clients.register(replace(client, organization_id=uuid7()))


async def test_web_origins_are_known_while_their_app_is(house):
    clients = house.access.clients
    await clients.register(replace(APP, client_id="web", redirect_uris=("https://web.example:8443/x",)))
    await clients.register(replace(APP, client_id="native", redirect_uris=("lu.example.app:/x",), launch_url=""))
    await clients.register(
        replace(APP, client_id="gone", redirect_uris=("https://gone.example/",), launch_url="", disabled=True)
    )
    clients._origins = (float("-inf"), frozenset())
    for origin, known in {
        "https://web.example:8443": True,
        "https://app.example": True,
        "https://web.example": False,
        "https://gone.example": False,
        "lu.example.app:": False,
        "null": False,
        "": False,
    }.items():
        assert await clients.knows_origin(origin) is known, origin


# Introspection and revocation


@pytest.fixture(scope="module")
async def platform(house, journal):
    base = replace(APP, client_id="sample", launch_url="")
    await house.access.clients.register(base)
    await house.access.clients.register(replace(base, client_id="other", jwks=public(KEY)))
    await house.access.clients.register(replace(SOFTWARE, organization_id=house.hospital.id))
    return the_app(house, journal)


@pytest.fixture
async def http(platform):
    transport = httpx.ASGITransport(platform)
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Accept-Language": "en"}) as found:
        yield found


@pytest.fixture
async def body(house, platform, http):
    """The tokens that a patient let an app have."""
    anna = await house.open_patient()
    platform.state.asking["requester"] = anna
    await http.post("/become")
    app = App(http, "sample", CALLBACK, scope="launch/patient patient/*.rs openid fhirUser offline_access")
    found = (await app.exchange(await Person(http).lets(app))).json()
    assert found["patient"] == str(anna.id)
    return found


async def software_token(http, scope):
    software = App(http, "his", "", KEY)
    return (await software.form(grant_type="client_credentials", scope=scope)).json()["access_token"]


async def introspected(http, asker, token):
    headers = {"Authorization": f"Bearer {asker}"} if asker else {}
    return await http.post("/oauth/introspect", data={"token": token}, headers=headers)


async def test_a_resource_server_asks_what_a_token_stands_for(http, body):
    asker = await software_token(http, INTROSPECTION_SCOPE)
    answer = await introspected(http, asker, body["access_token"])
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert told.pop("exp") > 0
    assert told == {
        "active": True,
        "client_id": "sample",
        "scope": body["scope"],
        "token_type": "Bearer",
        "patient": body["patient"],
        "iss": BASE,
        "sub": body["patient"],
        "fhirUser": f"{FHIR}/Patient/{body['patient']}",
    }
    own = (await introspected(http, asker, asker)).json()
    assert (own["client_id"], own["scope"]) == ("his", INTROSPECTION_SCOPE)
    assert "patient" not in own


async def test_software_without_the_scope_learns_of_its_own_tokens_only(http, body):
    own = (await introspected(http, body["access_token"], body["access_token"])).json()
    assert own["active"]
    asker = await software_token(http, "system/Patient.rs")
    for token in (body["access_token"], body["refresh_token"], "x", "A" * 43, ""):
        answer = await introspected(http, asker, token)
        assert (answer.status_code, answer.json()) == (200, {"active": False})


@pytest.mark.parametrize("asker", [None, "x", "A" * 43])
async def test_nobody_else_asks(http, body, asker):
    answer = await introspected(http, asker, body["access_token"])
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_of_no_software_asks_nothing(house, http, body):
    from datetime import timedelta

    token = await house.access.issue_token(house.doctor, frozenset({"user/*.rs"}), timedelta(minutes=1))
    assert (await introspected(http, token, token)).status_code == 401


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_an_app_gives_back_what_it_has(house, http, body, which):
    app = App(http, "sample", CALLBACK)
    assert (await app.reads(body["access_token"])).status_code == 200
    for stranger in (App(http, "other", CALLBACK, KEY), App(http, "his", "", KEY)):
        assert (await stranger.post("/oauth/revoke", token=body[which])).status_code == 200
    assert (await app.reads(body["access_token"])).status_code == 200
    for _ in range(2):
        assert (await app.post("/oauth/revoke", token=body[which])).status_code == 200
    assert (await app.reads(body["access_token"])).status_code == 401
    assert (await app.refresh(body["refresh_token"])).json()["error"] == "invalid_grant"
    asker = await software_token(http, INTROSPECTION_SCOPE)
    assert (await introspected(http, asker, body["access_token"])).json() == {"active": False}


async def test_software_gives_back_its_own_token(http):
    token = await software_token(http, "system/Patient.rs")
    software = App(http, "his", "", KEY)
    assert (await software.reads(token, "Patient")).status_code == 200
    assert (await software.post("/oauth/revoke", token=token)).status_code == 200
    assert (await software.reads(token, "Patient")).status_code == 401


async def test_revocation_is_for_clients_and_wants_a_token(http, body):
    refused = await http.post("/oauth/revoke", data={"token": body["access_token"]})
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    unsigned = await http.post("/oauth/revoke", data={"token": body["access_token"], "client_id": "other"})
    assert unsigned.status_code == 401
    missing = await App(http, "sample", CALLBACK).post("/oauth/revoke")
    assert (missing.status_code, missing.json()["error"]) == (400, "invalid_request")


async def test_software_for_people_gets_no_token_for_itself(http):
    other = App(http, "other", CALLBACK, KEY)
    answer = await other.form(grant_type="client_credentials", scope="patient/*.rs")
    assert answer.json()["error"] == "unauthorized_client"


# Discovery


async def test_what_is_told_of_is_there(http):
    for path in ("/.well-known/smart-configuration", "/fhir/.well-known/smart-configuration"):
        found = (await http.get(path)).json()
        assert set(found["capabilities"]) == set(CAPABILITIES)
        assert found["code_challenge_methods_supported"] == ["S256"]
    openid = (await http.get("/.well-known/openid-configuration")).json()
    assert {name for name in found if openid.get(name, found[name]) != found[name]} <= {"grant_types_supported"}
    posted = ("token_endpoint", "introspection_endpoint", "revocation_endpoint")
    for name in (*posted, "authorization_endpoint", "jwks_uri", "management_endpoint"):
        assert found[name].startswith(f"{BASE}/")
        path = urlsplit(found[name]).path
        answer = await (http.post(path) if name in posted else http.get(path))
        assert answer.status_code not in (404, 405), name
    assert all(text in NON_RESOURCE_SCOPES or parse_scope(text) for text in found["scopes_supported"])


def test_the_capability_statement_has_the_addresses_for_clients_of_smart_1():
    from esante.app import _capability_statement

    found = _capability_statement(FHIR)
    import orjson

    assert check(orjson.dumps(found)).ok
    security = found["rest"][0]["security"]
    uris = {one["url"]: one["valueUri"] for one in security["extension"][0]["extension"]}
    assert uris["token"] == f"{BASE}/oauth/token" and uris["authorize"] == f"{BASE}/oauth/authorize"
    assert security["cors"] is True


def test_every_scope_that_is_offered_has_words_and_every_resource_scopes():
    from esante.app import _capability_statement

    resources = _capability_statement(FHIR)["rest"][0]["resource"]
    offered = supported_scopes(resources)
    assert all(text in NON_RESOURCE_SCOPES or parse_scope(text) for text in offered)
    for resource in resources:
        codes = {one["code"] for one in resource.get("interaction", ())}
        letters = {"read": "r", "search-type": "s", "create": "c", "update": "u", "delete": "d"}
        named = next((text for text in offered if text.startswith(f"patient/{resource['type']}.")), ".")
        assert set(named.rpartition(".")[2]) == {letters[code] for code in codes & set(letters)}
    scopes = [text for text in offered if not text.startswith(("system/", "launch"))]
    for kind in ("patient", "practitioner"):
        found = label_scopes(scopes, kind, str)
        assert {wording.scope for wording in found} == set(scopes)
        assert [
            wording.title for wording in found if "%" in wording.title or "Data of the kind" in wording.title
        ] == []
    [wording] = label_scopes(["patient/Observation.cruds?code=x,y&category=laboratory"], "patient", str)
    assert wording.title == (
        "See, add and change: Measurements and test results, only: laboratory results; code = x, code = y"
    )
    assert wording.changes
    [wording] = label_scopes(["patient/Basic.cu"], "patient", str)
    assert wording.title == "Add or change: Data of the kind Basic"


async def test_a_session_knows_whether_it_lives(house, platform, db):
    sessions = house.access.sessions
    cookie = await sessions.create({"kind": "patient", "id": str(uuid7()), "name": "x"})
    scope = {"type": "http", "method": "GET", "headers": [(b"cookie", f"esante_session={cookie}".encode())]}
    session = await sessions.of(Request(scope))
    async with db.transaction() as conn:
        assert await sessions.lives(conn, session.key)
        assert not await sessions.lives(conn, b"x")

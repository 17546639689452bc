"""The client registry: what is registered, registration files, web origins."""

from dataclasses import replace

import pytest
from joserfc.jwk import ECKey, RSAKey

from esante.core.storage import NIL, uuid7
from esante.identity.access import ClientRegistered
from esante.identity.access.smart.clients import check_client, uri_origin
from esante.identity.access.smart.scopes import INTROSPECTION_SCOPE
from tests.support.smart_apps import (
    ALL_APP_SCOPES,
    APP_CLIENT,
    CALLBACK,
    SYSTEM_CLIENT,
    SYSTEM_CLIENT_KEY,
    public_jwks,
)


@pytest.mark.parametrize(
    "client",
    [
        APP_CLIENT,
        SYSTEM_CLIENT,
        replace(APP_CLIENT, launch_url=""),
        replace(APP_CLIENT, jwks=public_jwks(SYSTEM_CLIENT_KEY)),
        replace(SYSTEM_CLIENT, redirect_uris=(CALLBACK,), scopes=SYSTEM_CLIENT.scopes | ALL_APP_SCOPES, maker="M"),
        replace(APP_CLIENT, redirect_uris=("lu.example.app:/back", "http://127.0.0.1:8080/x?y=1", "http://[::1]/")),
    ],
)
def test_valid_client_is_accepted(client):
    check_client(client)


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": ""}, {"client_id": "a b"}, {"client_id": "x" * 129}, {"name": ""}, {"name": "a\nb"},
        {"name": "x" * 300}, {"maker": ""}, {"maker": "\x00"},
        {"scopes": frozenset()}, {"scopes": frozenset({"everything"})}, {"scopes": frozenset({"offline_access"})},
        {"scopes": frozenset({"system/Patient.rs"})}, {"scopes": ALL_APP_SCOPES | {INTROSPECTION_SCOPE}},
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
        {"jwks": {"keys": [SYSTEM_CLIENT_KEY.as_dict(private=True)]}}, {"jwks": public_jwks(ECKey.generate_key("P-256", {"kid": "k"}))},
        {"jwks": {"keys": [{"kty": "oct", "k": "AAAA", "kid": "k"}]}},
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Key size")
def test_invalid_client_is_rejected(changes):
    with pytest.raises(ValueError, match=r"^client "):
        check_client(replace(APP_CLIENT, **changes))


@pytest.mark.parametrize("changes", [{"organization_id": None}, {"jwks": {}}])
def test_system_scopes_need_an_organization_and_a_key(changes):
    with pytest.raises(ValueError, match="needs an organization and a key set"):
        check_client(replace(SYSTEM_CLIENT, **changes))


@pytest.mark.filterwarnings("ignore:Key size")
def test_weak_key_is_rejected():
    with pytest.raises(ValueError, match="2048 bits"):
        check_client(replace(SYSTEM_CLIENT, jwks=public_jwks(RSAKey.generate_key(1024, {"kid": "weak"}))))


def test_uri_origin_of_web_addresses_and_private_use_schemes():
    assert uri_origin("https://app.example/x?y") == "https://app.example"
    assert uri_origin("https://app.example:443/") == "https://app.example"
    assert uri_origin("http://127.0.0.1:8080/x") == "http://127.0.0.1:8080"
    assert uri_origin("http://[::1]:80/x") == "http://[::1]"
    assert uri_origin("lu.example.app:/x") == "lu.example.app:"


async def test_registration_file_is_parsed_and_its_faults_are_named(house, journal):
    clients = house.access.clients
    identifier = house.hospital.identifiers[0]
    registration = {
        "client_id": "from-file",
        "client_name": "From a file",
        "maker": "Maker",
        "organization": f"{identifier.system}|{identifier.value}",
        "redirect_uris": [CALLBACK],
        "launch_url": CALLBACK,
        "scope": "openid patient/*.rs system/Patient.rs",
        "jwks": public_jwks(SYSTEM_CLIENT_KEY),
    }
    client = await clients.parse_registration(registration)
    assert client.organization_id == house.hospital.id
    await clients.register(client)
    assert (await clients.find_all(["from-file"]))["from-file"] == client
    assert client in await clients.launchable()
    event = (await journal.entries_of(NIL, [ClientRegistered], limit=1))[0].event
    assert (event.client_id, event.redirect_uris) == ("from-file", (CALLBACK,))
    await clients.disable("from-file")
    assert await clients.find("from-file") is None
    assert "from-file" not in [app.client_id for app in await clients.launchable()]
    for wrong in (
        {"client_idd": "x"}, {"client_id": 1}, {"scope": None}, {"redirect_uris": "x"}, {"redirect_uris": [1]},
        {"jwks": []}, {"organization": "nobody|1"}, {"organization": 7},
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"\w"):
            await clients.parse_registration(registration | wrong)
    with pytest.raises(LookupError):
        await clients.disable("nobody")
    with pytest.raises(ValueError, match="organisation"):
        await clients.register(replace(client, organization_id=uuid7()))


async def test_origin_is_known_while_its_client_is_enabled(house):
    clients = house.access.clients
    await clients.register(replace(APP_CLIENT, client_id="web", redirect_uris=("https://web.example:8443/x",)))
    await clients.register(
        replace(APP_CLIENT, client_id="native", redirect_uris=("lu.example.app:/x",), launch_url="")
    )
    await clients.register(
        replace(APP_CLIENT, client_id="gone", redirect_uris=("https://gone.example/",), launch_url="", disabled=True)
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

"""Discovery documents and the security element of the CapabilityStatement."""

from urllib.parse import urlsplit

import orjson

from esante.contract import capability_statement
from esante.core.fhir import check
from esante.identity.access.smart.discovery import CAPABILITIES
from esante.identity.access.smart.scopes import NON_RESOURCE_SCOPES, parse_scope
from esante.services.subscriptions import register_topics
from tests.identity.access.conftest import BASE
from tests.support.declared import DECLARED_TOPICS, SERVICES


async def test_discovery_documents_name_existing_endpoints(http):
    for path in ("/.well-known/smart-configuration", "/fhir/.well-known/smart-configuration"):
        document = (await http.get(path)).json()
        assert set(document["capabilities"]) == set(CAPABILITIES)
        assert document["code_challenge_methods_supported"] == ["S256"]
    openid = (await http.get("/.well-known/openid-configuration")).json()
    assert {name for name in document if openid.get(name, document[name]) != document[name]} <= {
        "grant_types_supported"
    }
    posted = ("token_endpoint", "introspection_endpoint", "revocation_endpoint")
    for name in (*posted, "authorization_endpoint", "jwks_uri", "management_endpoint"):
        assert document[name].startswith(f"{BASE}/")
        path = urlsplit(document[name]).path
        response = await (http.post(path) if name in posted else http.get(path))
        assert response.status_code not in (404, 405), name
    assert all(text in NON_RESOURCE_SCOPES or parse_scope(text) for text in document["scopes_supported"])


def test_capability_statement_has_the_addresses_for_clients_of_smart_1():
    register_topics(DECLARED_TOPICS)
    document = capability_statement(SERVICES, BASE)
    assert check(orjson.dumps(document)).ok
    security = document["rest"][0]["security"]
    uris = {extension["url"]: extension["valueUri"] for extension in security["extension"][0]["extension"]}
    assert uris["token"] == f"{BASE}/oauth/token" and uris["authorize"] == f"{BASE}/oauth/authorize"
    assert security["cors"] is True

"""Discovery documents: SMART configuration, OpenID configuration, keys, and security of the CapabilityStatement.

Source: HL7 SMART App Launch 2.2, "Conformance"; OpenID Connect Discovery 1.0, section 3; RFC 8414; RFC 9207.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from esante.core.types import Json
from esante.identity.access.smart.client_assertion import ALGORITHMS
from esante.identity.access.smart.id_token import ALGORITHM, IdTokenIssuer
from esante.identity.access.smart.scopes import CONTEXT_SCOPES, IDENTITY_SCOPES, REFRESH_SCOPES

ResourceCapability = Mapping[str, Any]
"""An element of CapabilityStatement.rest.resource."""
_INTERACTION_LETTERS = {
    "create": "c",
    "read": "r",
    "vread": "r",
    "history-instance": "r",
    "update": "u",
    "patch": "u",
    "delete": "d",
    "search-type": "s",
    "history-type": "s",
}
"""The permission that each interaction of FHIR needs ("Scopes for requesting FHIR Resources")."""
CAPABILITIES = [
    "authorize-post",
    "client-confidential-asymmetric",
    "client-public",
    "context-banner",
    "context-ehr-patient",
    "context-standalone-patient",
    "launch-ehr",
    "launch-standalone",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
    "sso-openid-connect",
]
_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_CAPABILITY = "http://fhir-registry.smarthealthit.org/StructureDefinition/capabilities"
_SERVICE = "http://terminology.hl7.org/CodeSystem/restful-security-service"


def routes(id_tokens: IdTokenIssuer, resources: Iterable[ResourceCapability]) -> list[Route]:
    """Return the routes of discovery; `resources`: those of the CapabilityStatement."""
    issuer, scopes = id_tokens.issuer, supported_scopes(resources)

    async def smart(request: Request) -> Response:
        return JSONResponse(smart_configuration(issuer, scopes))

    async def openid(request: Request) -> Response:
        return JSONResponse(openid_configuration(issuer, scopes))

    async def keys(request: Request) -> Response:
        return JSONResponse(id_tokens.jwks())

    return [
        Route("/.well-known/smart-configuration", smart),
        Route("/fhir/.well-known/smart-configuration", smart),
        Route("/.well-known/openid-configuration", openid),
        Route("/.well-known/jwks.json", keys),
    ]


def supported_scopes(resources: Iterable[ResourceCapability]) -> list[str]:
    """Return every scope that permits anything, given the interactions of each type of resource."""
    scopes = sorted(IDENTITY_SCOPES | CONTEXT_SCOPES | REFRESH_SCOPES)
    letters_by_type = {}
    for resource in resources:
        codes = [interaction["code"] for interaction in resource.get("interaction", ())]
        letters = {_INTERACTION_LETTERS[code] for code in codes if code in _INTERACTION_LETTERS}
        if letters:
            letters_by_type[resource["type"]] = "".join(sorted(letters, key="cruds".index))
    for level in ("patient", "user", "system"):
        scopes += [f"{level}/*.rs", *(f"{level}/{name}.{letters}" for name, letters in letters_by_type.items())]
    return scopes


def smart_configuration(issuer: str, scopes: list[str]) -> Json:
    """Return the discovery document of SMART App Launch."""
    return {
        **_common_metadata(issuer, scopes),
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "management_endpoint": f"{issuer}/apps",
        "capabilities": CAPABILITIES,
    }


def openid_configuration(issuer: str, scopes: list[str]) -> Json:
    """Return the discovery document of OpenID Connect."""
    return {
        **_common_metadata(issuer, scopes),
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "claims_supported": ["sub", "fhirUser"],
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }


def security(issuer: str) -> Json:
    """Return CapabilityStatement.rest.security, with the addresses in the extension that clients of SMART 1 read."""
    addresses = {"authorize": "authorize", "token": "token", "introspect": "introspect", "revoke": "revoke"}
    uris = [{"url": name, "valueUri": f"{issuer}/oauth/{path}"} for name, path in addresses.items()]
    uris.append({"url": "manage", "valueUri": f"{issuer}/apps"})
    return {
        "extension": [
            {"url": _OAUTH_URIS, "extension": uris},
            *({"url": _CAPABILITY, "valueCode": capability} for capability in CAPABILITIES),
        ],
        "cors": True,
        "service": [{"coding": [{"system": _SERVICE, "code": "SMART-on-FHIR"}]}],
        "description": "SMART App Launch 2.2 and Backend Services: see /.well-known/smart-configuration",
    }


def _common_metadata(issuer: str, scopes: list[str]) -> Json:
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "authorization_response_iss_parameter_supported": True,
        "token_endpoint": f"{issuer}/oauth/token",
        "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "code_challenge_methods_supported": ["S256"],
    }

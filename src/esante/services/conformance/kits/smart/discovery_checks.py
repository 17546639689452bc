"""What an authorization server publishes, and requests that never reach an app."""

from urllib.parse import urljoin

from esante.services.conformance.kits.checks import Checks, expect, expect_status
from esante.services.conformance.kits.fhir_requests import capability_statement
from esante.services.conformance.kits.model import NotApplicable
from esante.services.conformance.kits.session import Session
from esante.services.conformance.kits.smart.authorization import AppRequest, address_of, new_request

CHECKS = Checks()
_REQUIRED = (
    "authorization_endpoint",
    "token_endpoint",
    "grant_types_supported",
    "capabilities",
    "code_challenge_methods_supported",
)
_ELSEWHERE = "https://attacker.example/callback"


async def configuration(session: Session) -> dict[str, object]:
    """Return the SMART configuration. Raises: `Fault`."""
    reply = await session.send("GET", ".well-known/smart-configuration", headers={"Accept": "application/json"})
    expect_status(reply, 200, remedy="Serve the document below the FHIR base to everybody.")
    return dict(reply.json())


@CHECKS.of("SMART-01")
async def _published(session: Session) -> None:
    found = await configuration(session)
    missing = [name for name in _REQUIRED if not found.get(name)]
    expect(not missing, f"{', '.join(missing)} is missing.", "Publish what SMART App Launch requires.")
    session.values |= {name: found[name] for name in ("authorization_endpoint", "token_endpoint")}


@CHECKS.of("SMART-02")
async def _challenge_methods(session: Session) -> None:
    methods = (await configuration(session)).get("code_challenge_methods_supported", [])
    what = f"code_challenge_methods_supported is {methods}."
    expect(methods == ["S256"], what, "Support S256, and not plain.")


@CHECKS.of("SMART-03")
async def _declared(session: Session) -> None:
    found = {
        coding.get("code")
        for rest in (await capability_statement(session)).get("rest", ())
        for service in rest.get("security", {}).get("service", ())
        for coding in service.get("coding", ())
    }
    what = "The CapabilityStatement does not declare SMART-on-FHIR."
    expect("SMART-on-FHIR" in found, what, "Declare it in rest.security.service.")


@CHECKS.of("SMART-04")
async def _keys(session: Session) -> None:
    found = await configuration(session)
    if "sso-openid-connect" not in found.get("capabilities", ()):  # type: ignore[operator]
        raise NotApplicable("The target does not offer sign-in with OpenID Connect.")
    for name in ("issuer", "jwks_uri"):
        expect(found.get(name), f"{name} is missing.", "Publish what verifies identity tokens.")
    keys = (await session.send("GET", str(found["jwks_uri"]))).json().get("keys")
    expect(keys, "jwks_uri gives no keys.", "Publish the public keys as a JWK Set.")
    private = [key for key in keys if "d" in key]
    expect(not private, "jwks_uri publishes a private key.", "Publish public keys only, and change this one.")
    session.values |= {"issuer": found["issuer"], "keys": keys}


async def _expect_not_forwarded(session: Session, request: AppRequest, remedy: str) -> None:
    """Raise `Fault` when an answer leads the browser to the redirect address of a request."""
    address = address_of(session, request)
    reply = await session.send("GET", address, headers={"Accept": "text/html"})
    location = urljoin(address, reply.headers.get("location", ""))
    forwarded = 300 <= reply.status < 400 and location.startswith(request.parameters["redirect_uri"])
    expect(not forwarded, "The browser is sent to an address that nobody registered for the client.", remedy)


@CHECKS.of("SMART-05")
async def _unknown_client(session: Session) -> None:
    remedy = "Show an error to the user, and send nothing to the address."
    await _expect_not_forwarded(session, new_request(session, client_id="kit-unknown-client"), remedy)


@CHECKS.of("SMART-06")
async def _unknown_redirect(session: Session) -> None:
    remedy = "Compare redirect_uri with those that are registered, character by character."
    await _expect_not_forwarded(session, new_request(session, redirect_uri=_ELSEWHERE), remedy)

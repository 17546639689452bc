"""Authorization requests: the parameters, their checks, and the response at the client's redirect URI.

Sources: HL7 SMART App Launch 2.2, "App Launch"; RFC 6749, section 4.1; RFC 7636 (PKCE); RFC 9207 (`iss`);
RFC 9700 (what a server must not do).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from esante.core.web import N_, Problem
from esante.identity.access.smart.client_store import SoftwareClient
from esante.identity.access.smart.clients import ClientRegistry
from esante.identity.access.smart.protocol import SECRET_PATTERN
from esante.identity.access.smart.scopes import INTROSPECTION_SCOPE, common_scopes, has_level, parse_scope

REQUEST_PARAMETERS = (
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "aud",
    "code_challenge",
    "code_challenge_method",
    "launch",
    "nonce",
)
"""Parameters of an authorization request; others are ignored (RFC 6749, section 3.1)."""
_MAX_LENGTHS = {"scope": 8_000, "state": 2_048}
_MAX_LENGTH = 1_024
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


class AuthorizationResponse(Exception):
    """The response to the client at its redirect URI (RFC 6749, sections 4.1.2 and 4.1.2.1); `url` is its address."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """A request of a registered client that can be answered at its redirect URI.

    `scopes` are those that are requested and allowed to the client; `parameters` are as received; `issuer` is the
    platform's address.
    """

    client: SoftwareClient
    redirect_uri: str
    state: str
    scopes: frozenset[str]
    code_challenge: str
    nonce: str
    launch: str
    parameters: dict[str, str]
    issuer: str

    @property
    def names_one_patient(self) -> bool:
        """Whether the scopes need a patient in context."""
        return "launch/patient" in self.scopes or has_level(self.scopes, "patient")

    def respond(self, **parameters: str) -> AuthorizationResponse:
        """Return the response at the redirect URI: `parameters`, with `state` and `iss` (RFC 9207)."""
        state = {"state": self.state} if self.state else {}
        sign = "&" if "?" in self.redirect_uri else "?"
        return AuthorizationResponse(self.redirect_uri + sign + urlencode({**parameters, **state, "iss": self.issuer}))


async def parse_authorization_request(
    pairs: Sequence[tuple[str, str]], clients: ClientRegistry, issuer: str
) -> AuthorizationRequest:
    """Parse the parameters of a query or a form.

    Raises: `Problem` 400 when the client or its redirect URI is not registered, or a parameter is repeated (nothing
    is ever sent to an address that is not registered); `AuthorizationResponse` with an error for any other fault.
    """
    recognised = [(name, value) for name, value in pairs if name in REQUEST_PARAMETERS]
    parameters = dict(recognised)
    client = await clients.find(parameters.get("client_id", ""))
    if client is None or len(parameters) < len(recognised):
        raise _unknown_client(N_("This app is not registered."))
    redirect_uri = parameters.get("redirect_uri", "")
    if redirect_uri not in client.redirect_uris:
        raise _unknown_client(N_("The app wants to send you to an address that is not registered."))
    request = AuthorizationRequest(
        client=client,
        redirect_uri=redirect_uri,
        state=parameters.get("state", ""),
        scopes=common_scopes(parameters.get("scope", "").split(), client.scopes),
        code_challenge=parameters.get("code_challenge", ""),
        nonce=parameters.get("nonce", ""),
        launch=parameters.get("launch", ""),
        parameters=parameters,
        issuer=issuer,
    )
    if error := _find_error(request):
        raise request.respond(error=error[0], error_description=error[1])
    return request


def grantable_scopes(request: AuthorizationRequest) -> frozenset[str]:
    """Return the scopes of a request that a person can grant.

    Raises: `AuthorizationResponse` (invalid_scope) when none of them gives a client anything.
    """
    scopes = {text for text in request.scopes if text != INTROSPECTION_SCOPE and not has_level([text], "system")}
    if not request.launch:
        scopes.discard("launch")
    if not gives_access(scopes):
        raise request.respond(
            error="invalid_scope", error_description="none of the requested scopes is allowed to this client"
        )
    return frozenset(scopes)


def gives_access(scopes: Iterable[str]) -> bool:
    """Return whether scopes let a client read or change anything, or learn who the user is."""
    return any(text == "openid" or parse_scope(text) for text in scopes)


def _find_error(request: AuthorizationRequest) -> tuple[str, str] | None:
    """Return the first fault of a request: a code of RFC 6749, section 4.1.2.1, and its description."""
    parameters, fhir = request.parameters, f"{request.issuer}/fhir"
    checks = (
        (parameters.get("response_type") == "code", "unsupported_response_type", "response_type must be code"),
        (_lengths_fit(parameters), "invalid_request", "a parameter is too long, or has unprintable characters"),
        (request.state, "invalid_request", "state is missing"),
        (parameters.get("aud") in (fhir, f"{fhir}/"), "invalid_request", f"aud must be {fhir}"),
        (
            parameters.get("code_challenge_method") == "S256" and _CHALLENGE.fullmatch(request.code_challenge),
            "invalid_request",
            "code_challenge is missing, or code_challenge_method is not S256",
        ),
        (
            not request.launch or (SECRET_PATTERN.fullmatch(request.launch) and "launch" in request.scopes),
            "invalid_request",
            "launch was not issued by this server, or the scope launch is missing",
        ),
    )
    return next(((error, description) for passed, error, description in checks if not passed), None)


def _lengths_fit(parameters: dict[str, str]) -> bool:
    return all(
        len(value) <= _MAX_LENGTHS.get(name, _MAX_LENGTH) and value.isprintable() for name, value in parameters.items()
    )


def _unknown_client(title: str) -> Problem:
    return Problem(400, "invalid", title, remedy=N_("Nothing was sent to the app. Contact its developer."))

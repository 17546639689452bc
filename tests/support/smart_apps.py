"""SMART apps for tests: a client, its user in a browser without JavaScript, and the application they talk to."""

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from lxml import html
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from esante.core.storage import uuid7
from esante.core.web import HANDLERS, SecurityHeaders
from esante.identity.access import SoftwareClient, api_routes, page_routes
from esante.identity.access.smart.client_assertion import ASSERTION_TYPE
from esante.identity.access.smart.scopes import INTROSPECTION_SCOPE
from tests.identity.access.conftest import BASE

FHIR, TOKEN = f"{BASE}/fhir", f"{BASE}/oauth/token"
CALLBACK, CONFIDENTIAL_CALLBACK = "https://app.example/callback", "https://clinic.example/back?tenant=1"
LAUNCH_URL = "https://clinic.example/start"
MAKER = "Société <b>Exemple</b> & Fils"
ALL_APP_SCOPES = frozenset(
    {"openid", "fhirUser", "launch", "launch/patient", "online_access", "offline_access", "patient/*.cruds",
     "user/*.rs"}
)  # fmt: skip
LABORATORY_SCOPE = (
    "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
)


def public_jwks(*keys):
    """The key set of the public halves of keys."""
    return {"keys": [key.as_dict(private=False) for key in keys]}


APP_CLIENT = SoftwareClient(
    client_id="app", name="App", maker="Maker", scopes=ALL_APP_SCOPES, redirect_uris=(CALLBACK,), launch_url=CALLBACK
)
SYSTEM_CLIENT_KEY = ECKey.generate_key("P-384", {"kid": "ec-1"})
SYSTEM_CLIENT = SoftwareClient(
    client_id="his",
    name="HIS",
    organization_id=uuid7(),
    jwks=public_jwks(SYSTEM_CLIENT_KEY),
    scopes=frozenset({"system/Patient.rs", INTROSPECTION_SCOPE}),
)
"""Software that authenticates for its organisation; a test that registers it sets `organization_id`."""


def access_app(house, journal):
    """The pages and the API of access; /fhir/whoami/RESOURCE returns whom a token authorizes, and its queries."""
    sign_in_as = {}

    async def become(request):
        return await house.access.sign_in(request, sign_in_as["requester"], method="demo")

    async def leave(request):
        return await house.access.sign_out(request)

    async def whoami(request):
        requester, within = await house.access.authorize_queries(request, request.path_params["resource"], "rs")
        only = str(requester.only_person_id) if requester.only_person_id else None
        return JSONResponse({"kind": requester.kind, "id": str(requester.id), "only": only, "client": requester.client,
                             "within": within})  # fmt: skip

    routes = [
        Route("/become", become, methods=["POST"]),
        Route("/leave", leave, methods=["POST"]),
        Route("/fhir/whoami/{resource}", whoami),
        *api_routes(house.access, journal, house.directory, BASE),
        *page_routes(house.access, journal, house.directory, {"letter": "Letter"}),
    ]
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    app.add_middleware(SecurityHeaders)
    app.state.sessions, app.state.sign_in_as = house.access.sessions, sign_in_as
    return app


@dataclass
class SmartApp:
    """A client: its authorization requests, its calls of the token endpoint, and its calls of the API."""

    http: httpx.AsyncClient
    client_id: str
    redirect_uri: str
    key: object = None
    scope: str = "launch/patient patient/*.rs openid fhirUser"
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    def request_parameters(self, **changes):
        """The parameters of an authorization request; a change to None leaves a parameter out."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        parameters = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": self.scope,
            "state": self.state,
            "aud": FHIR,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        } | changes
        return {name: value for name, value in parameters.items() if value is not None}

    def parse_response(self, url):
        """The authorization response in an address, which must be the app's own; without `state` and `iss`."""
        assert url.startswith(self.redirect_uri)
        response = dict(parse_qsl(urlsplit(url).query))
        assert response.pop("state") == self.state
        assert response.pop("iss") == BASE
        return response

    async def post(self, path, **fields):
        """Send a form as this client."""
        if self.key is None:
            authentication = {"client_id": self.client_id}
        else:
            authentication = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self.assertion()}
        data = {name: value for name, value in (authentication | fields).items() if value is not None}
        return await self.http.post(path, data=data)

    async def request_token(self, **fields):
        """Send a form to the token endpoint."""
        return await self.post("/oauth/token", **fields)

    def assertion(self, **changes):
        claims = {"iss": self.client_id, "sub": self.client_id, "aud": TOKEN, "exp": int(time.time()) + 200,
                  "jti": secrets.token_hex(8)}  # fmt: skip
        return jwt.encode({"alg": "ES384", "kid": self.key.kid}, claims | changes, self.key, algorithms=["ES384"])

    async def exchange(self, code, **changes):
        """Request the tokens for an authorization code."""
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri,
                  "code_verifier": self.verifier} | changes  # fmt: skip
        return await self.request_token(**fields)

    async def refresh(self, token, **changes):
        """Request new tokens for a refresh token."""
        return await self.request_token(grant_type="refresh_token", refresh_token=token, **changes)

    async def call_api(self, token, resource="DocumentReference"):
        """Send a request with an access token."""
        return await self.http.get(f"/fhir/whoami/{resource}", headers={"Authorization": f"Bearer {token}"})


@dataclass
class AppUser:
    """A signed-in person in a browser without JavaScript."""

    http: httpx.AsyncClient

    async def open(self, app, **changes):
        """Open the address to which an app sends the browser."""
        return await self.http.get("/oauth/authorize", params=app.request_parameters(**changes))

    async def decide(self, page, decision="allow", without=(), only=None, **changes):
        """Submit a consent page; return the address to which the browser goes next.

        `without`: scopes to deselect; `only`: the scopes to send instead of those of the form.
        """
        fields = consent_fields(page)
        grants = [value for name, value in fields if name == "grant" and value not in without]
        grants = grants if only is None else list(only)
        data = dict(pair for pair in fields if pair[0] != "grant") | {"grant": grants, "decision": decision} | changes
        return forwarded_url(await self.http.post("/oauth/authorize/decision", data=data))

    async def authorize(self, app, **decision):
        """Open an app and allow it; return the authorization code."""
        return app.parse_response(await self.decide(await self.open(app), **decision))["code"]

    async def launch(self, path, client_id="clinic"):
        """Launch an app from a page of the portal; return the launch handle in its address."""
        page = await self.http.get(path)
        assert page.status_code == 200, page.text
        forms = [form for form in html.fromstring(page.text).forms if form.action == "/apps/open"]
        form = next(form for form in forms if form.fields["app"] == client_id)
        url = forwarded_url(await self.http.post("/apps/open", data=dict(form.form_values())))
        assert url.startswith(f"{LAUNCH_URL}?")
        parameters = dict(parse_qsl(urlsplit(url).query))
        assert parameters["iss"] == FHIR
        return parameters["launch"]


def consent_fields(page):
    """The fields of the form on a consent page, as it is sent when nothing is changed."""
    assert page.status_code == 200, page.text
    form = next(form for form in html.fromstring(page.text).forms if form.action == "/oauth/authorize/decision")
    return form.form_values()


def offered_scopes(page):
    """The scopes that are checked on a consent page."""
    return [value for name, value in consent_fields(page) if name == "grant"]


def forwarded_url(response):
    """The address to which a browser goes next: by a redirect, or as the forwarding page says."""
    if response.status_code == 303:
        return response.headers["location"]
    assert response.status_code == 200, response.text
    page = html.fromstring(response.text)
    (link,) = page.xpath("//a[@id='onward']/@href")
    assert page.xpath("//meta[@http-equiv='refresh']/@content") == [f"0; url={link}"]
    return link


def main_text(page):
    """The text of the main element of a page, with single spaces."""
    return " ".join(html.fromstring(page.text).xpath("//main")[0].text_content().split())


def csrf_token(page):
    """The CSRF token of the first form of a page."""
    return html.fromstring(page.text).xpath("//input[@name='_csrf']/@value")[0]


async def patient_of(house, doctor):
    """A new patient whose record is open to a doctor by a presence code."""
    patient = await house.open_patient()
    await house.access.codes.redeem(doctor, await house.access.codes.issue(patient))
    return patient


@pytest.fixture(scope="module")
def key():
    """The key of the confidential client."""
    return ECKey.generate_key("P-384", {"kid": "ec-1"})


@pytest.fixture(scope="module")
async def registered(house, key):
    """A public client, one on loopback, and a confidential one that the portal can launch."""
    public = SoftwareClient(
        client_id="sample", name="Sample <i>App</i>", maker=MAKER, scopes=ALL_APP_SCOPES, redirect_uris=(CALLBACK,)
    )
    local = replace(public, client_id="local", redirect_uris=("http://127.0.0.1:9090/cb",))
    confidential = replace(
        public,
        client_id="clinic",
        name="Clinic",
        jwks=public_jwks(key),
        redirect_uris=(CONFIDENTIAL_CALLBACK,),
        launch_url=LAUNCH_URL,
    )
    for client in (public, local, confidential):
        await house.access.clients.register(client)
    return public, local, confidential


@pytest.fixture(scope="module")
def platform(house, journal, registered):
    """The application, with the registered clients."""
    return access_app(house, journal)


@pytest.fixture
async def browser(platform):
    """`browser()` returns a new HTTP client of the platform."""
    clients = []

    def new():
        transport = httpx.ASGITransport(platform)
        clients.append(httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Accept-Language": "en"}))
        return clients[-1]

    yield new
    for http in clients:
        await http.aclose()


@pytest.fixture
def signed_in(platform, browser):
    """`await signed_in(requester)` returns the requester as a user with a session of their own."""

    async def sign_in(requester):
        http = browser()
        platform.state.sign_in_as["requester"] = requester
        await http.post("/become")
        return AppUser(http)

    return sign_in


@pytest.fixture
def app(browser):
    """The public client."""
    return SmartApp(browser(), "sample", CALLBACK)


@pytest.fixture
def clinic(browser, key):
    """The confidential client."""
    return SmartApp(browser(), "clinic", CONFIDENTIAL_CALLBACK, key)

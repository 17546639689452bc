"""What the tests of apps share: an app at work, a person at a browser, and the platform between them."""

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import httpx
from joserfc import jwt
from lxml import html
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from esante.core.web import HANDLERS, SecurityHeaders
from esante.identity.access import api_routes, page_routes
from esante.identity.access.smart.client_assertion import ASSERTION_TYPE

from .conftest import BASE

FHIR, TOKEN = f"{BASE}/fhir", f"{BASE}/oauth/token"
CALLBACK, CONFIDENTIAL_CALLBACK = "https://app.example/callback", "https://clinic.example/back?tenant=1"
LAUNCH = "https://clinic.example/start"
EVERYTHING = frozenset(
    {"openid", "fhirUser", "launch", "launch/patient", "online_access", "offline_access", "patient/*.cruds",
     "user/*.rs"}
)  # fmt: skip


def the_app(house, journal):
    """The pages and the API of access; /fhir/whoami/RESOURCE tells whom a token lets do what."""
    asking = {}

    async def become(request):
        return await house.access.sign_in(request, asking["requester"], method="demo")

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
    app.state.sessions, app.state.asking = house.access.sessions, asking
    return app


@dataclass
class App:
    """An app: what it asks for, and what it does with the answers."""

    http: httpx.AsyncClient
    client_id: str
    redirect_uri: str
    key: object = None
    scope: str = "launch/patient patient/*.rs openid fhirUser"
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    def wish(self, **changes):
        """The parameters of an authorisation request."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        wanted = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": self.scope,
            "state": self.state,
            "aud": FHIR,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        } | changes
        return {name: value for name, value in wanted.items() if value is not None}

    def answered(self, url):
        """What came back to the app at an address that must be its own."""
        assert url.startswith(self.redirect_uri)
        answer = dict(parse_qsl(urlsplit(url).query))
        assert answer.pop("state") == self.state
        assert answer.pop("iss") == BASE
        return answer

    async def form(self, **fields):
        """Send a form to the token endpoint, as the app it is."""
        return await self.post("/oauth/token", **fields)

    async def post(self, path, **fields):
        if self.key is None:
            mine = {"client_id": self.client_id}
        else:
            mine = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self.assertion()}
        found = {name: value for name, value in (mine | fields).items() if value is not None}
        return await self.http.post(path, data=found)

    def assertion(self, **changes):
        claims = {"iss": self.client_id, "sub": self.client_id, "aud": TOKEN, "exp": int(time.time()) + 200,
                  "jti": secrets.token_hex(8)}  # fmt: skip
        return jwt.encode({"alg": "ES384", "kid": self.key.kid}, claims | changes, self.key, algorithms=["ES384"])

    async def exchange(self, code, **changes):
        """Tokens for a code."""
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri,
                  "code_verifier": self.verifier} | changes  # fmt: skip
        return await self.form(**fields)

    async def refresh(self, token, **changes):
        """New tokens for a refresh token."""
        return await self.form(grant_type="refresh_token", refresh_token=token, **changes)

    async def reads(self, token, resource="DocumentReference"):
        """A request with a token."""
        return await self.http.get(f"/fhir/whoami/{resource}", headers={"Authorization": f"Bearer {token}"})


@dataclass
class Person:
    """Somebody at a browser without JavaScript, who is signed in."""

    http: httpx.AsyncClient

    async def opens(self, app, **changes):
        """Where an app sends the browser."""
        return await self.http.get("/oauth/authorize", params=app.wish(**changes))

    async def answers(self, page, decision="allow", without=(), only=None, **changes):
        """Answer what the page asks, leaving scopes out; gives the address that the browser goes on to."""
        fields = consent_fields(page)
        grants = [value for name, value in fields if name == "grant" and value not in without]
        grants = grants if only is None else list(only)
        data = dict(pair for pair in fields if pair[0] != "grant") | {"grant": grants, "decision": decision} | changes
        return onward(await self.http.post("/oauth/authorize/decision", data=data))

    async def lets(self, app, **answer):
        """Open an app and allow it; gives the code."""
        return app.answered(await self.answers(await self.opens(app), **answer))["code"]


def consent_fields(page):
    """The fields of the form on a consent page, as it is sent when nothing is changed."""
    assert page.status_code == 200, page.text
    form = next(form for form in html.fromstring(page.text).forms if form.action == "/oauth/authorize/decision")
    return form.form_values()


def onward(answer):
    """The address that a browser goes on to after an answer: by itself, or as the page says."""
    if answer.status_code == 303:
        return answer.headers["location"]
    assert answer.status_code == 200, answer.text
    page = html.fromstring(answer.text)
    (link,) = page.xpath("//a[@id='onward']/@href")
    assert page.xpath("//meta[@http-equiv='refresh']/@content") == [f"0; url={link}"]
    return link


def text_of(page):
    return " ".join(html.fromstring(page.text).xpath("//main")[0].text_content().split())

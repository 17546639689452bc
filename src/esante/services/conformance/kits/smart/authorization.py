"""An app's authorization request, and its way through the pages of the target as the browser of a signed-in user.

The pages are followed as forms and links, without scripts, on the target's origin only; what leads to the app's
redirect address ends the way, and nothing is sent there.
"""

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from lxml import html
from lxml.etree import ParserError

from esante.services.conformance.kits.model import Fault
from esante.services.conformance.kits.session import Reply, Session

DEFAULT_SCOPE = "launch/patient patient/Patient.rs patient/Observation.rs openid fhirUser offline_access"
ALLOW, REFUSE = "decision=allow", "decision=refuse"
"""What the button of the consent form sends, where the options of the run name nothing else."""
_MOST_STEPS = 8


@dataclass(frozen=True, slots=True)
class AppRequest:
    """An authorization request of the app, with the secrets that belong to it."""

    parameters: dict[str, str]
    verifier: str
    state: str
    nonce: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """Where a request led: the parameters at the redirect address, or None when it ended on a page of the target.

    `asked`: whether a form was shown and sent. `last`: the last answer.
    """

    response: dict[str, str] | None
    last: Reply
    asked: bool = False


@dataclass(slots=True)
class _Step:
    method: str
    address: str
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


def new_request(session: Session, **changes: str | None) -> AppRequest:
    """Return an authorization request; a change to None leaves a parameter out."""
    verifier, state, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(24), secrets.token_urlsafe(16)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    parameters: dict[str, str | None] = {
        "response_type": "code",
        "client_id": session.option("app"),
        "redirect_uri": session.option("redirect"),
        "scope": session.options.get("app-scope") or DEFAULT_SCOPE,
        "state": state,
        "nonce": nonce,
        "aud": session.target,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **changes,
    }
    given = {name: value for name, value in parameters.items() if value is not None}
    return AppRequest(given, verifier, state, nonce)


def address_of(session: Session, request: AppRequest) -> str:
    """Return the address that the app opens in the browser."""
    endpoint = str(session.value("authorization_endpoint"))
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(request.parameters)}"


async def follow(session: Session, request: AppRequest, button: str) -> Way:
    """Open a request as the signed-in user, send the consent form with a button, and return where it led.

    Raises: `Fault` for pages that do not end.
    """
    cookie = {"Cookie": session.option("cookie"), "Accept": "text/html"}
    step, asked = _Step("GET", address_of(session, request)), False
    for _ in range(_MOST_STEPS):
        headers = cookie | step.headers
        reply = await session.send(step.method, step.address, content=step.content, headers=headers)
        for target in _targets(reply, step.address):
            if target.startswith(session.option("redirect")):
                return Way(dict(parse_qsl(urlsplit(target).query)), reply, asked)
        following = _next_step(reply, step.address, button)
        if following is None:
            return Way(None, reply, asked)
        step, asked = following, asked or following.method == "POST"
    raise Fault("The pages after an authorization request do not end.", "Lead to consent, and then to the app.")


def _targets(reply: Reply, address: str) -> Sequence[str]:
    """Return the addresses to which an answer leads: its Location, or the links of its page."""
    if 300 <= reply.status < 400:
        return [urljoin(address, reply.headers.get("location", ""))]
    page = _page(reply)
    return [] if page is None else [urljoin(address, str(one)) for one in page.xpath("//a/@href")]


def _next_step(reply: Reply, address: str, button: str) -> _Step | None:
    """Return the next request of the browser: a redirect, or the form that has the button; None for neither."""
    if 300 <= reply.status < 400 and reply.headers.get("location"):
        return _Step("GET", urljoin(address, reply.headers["location"]))
    page = _page(reply)
    name, _, value = button.partition("=")
    for form in [] if page is None or reply.status != 200 else page.forms:
        buttons = {(one.get("name"), one.get("value")) for one in form.xpath(".//button | .//input[@type='submit']")}
        if (name, value) in buttons and form.method.upper() == "POST":
            content = urlencode([*form.form_values(), (name, value)]).encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            return _Step("POST", urljoin(address, form.action or address), content, headers)
    return None


def _page(reply: Reply) -> html.HtmlElement | None:
    if not reply.headers.get("content-type", "").startswith("text/html"):
        return None
    try:
        return html.document_fromstring(reply.body)
    except (ParserError, ValueError):
        return None

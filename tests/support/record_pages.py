"""Support for tests of the record's pages: an application, a signed-in browser, and its forms."""

import re

import httpx
from lxml import html
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from esante.core.web import HANDLERS, SecurityHeaders
from esante.identity.access import page_routes as access_pages
from esante.services.record import CATEGORIES, Deposit, page_routes
from tests.support.record import BASE

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def page_app(world) -> Starlette:
    """Return an application with the pages of the record and of access, and a way to sign in as anybody."""
    asking = {}

    async def become(request):
        return await world.access.sign_in(request, asking["requester"], method="demo")

    labels = {key: category.label for key, category in CATEGORIES.items()}
    routes = [
        Route("/become", become, methods=["POST"]),
        *page_routes(world.record, world.access, world.directory, f"{BASE}/fhir"),
        *access_pages(world.access, world.journal, world.directory, labels),
    ]
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    app.add_middleware(SecurityHeaders)
    app.state.sessions, app.state.asking = world.access.sessions, asking
    return app


async def sign_in(app, requester, *, with_token: bool = False) -> httpx.AsyncClient:
    """Return an HTTP client with a session of the requester, in English.

    `with_token`: it sends the form token of its session as a header, so that requests need no form.
    """
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE)
    app.state.asking["requester"] = requester
    assert (await client.post("/become")).status_code == 303
    client.cookies.set("esante_lang", "en")
    if with_token:
        client.headers["x-csrf-token"] = await _form_token(app, client)
    return client


async def _form_token(app, client) -> str:
    cookie = client.cookies["esante_session"]
    scope = {"type": "http", "headers": [(b"cookie", f"esante_session={cookie}".encode())], "app": app}
    return (await app.state.sessions.of(Request(scope))).csrf


async def state_motive(client, person_id, purpose="TREAT", reference="2026-118") -> None:
    """State why a professional without access looks a person up; it counts for the session."""
    asked = await load_page(client, f"/motive?task=person:{person_id}")
    await send_form(client, asked, "/motive", purpose=purpose, reference=reference)


async def load_page(client, url, status=200):
    """Return a page as an HTML tree."""
    answer = await client.get(url)
    assert answer.status_code == status, answer.text
    return html.fromstring(answer.text)


async def send_form(client, page, action, status=303, files=None, **fields):
    """Send the form of a page that goes to `action`."""
    (form,) = [form for form in page.forms if form.get("action") == action and form.method == "POST"][:1]
    values = {key: value for key, value in form.form_values() if isinstance(value, str)}
    answer = await client.post(action, data=values | fields, files=files)
    assert answer.status_code == status, answer.text
    return answer


def main_text(page) -> str:
    """Return the text of the main part of a page."""
    return " ".join(page.xpath("//main")[0].text_content().split())


async def deposit_document(world, content, meta=None, person=None, by="doctor"):
    """Deposit a document for a person (by default a new one); return both."""
    person = person or await world.person()
    deposited = await world.record.deposit(world.people[by], person.id, content, meta or Deposit())
    return person, deposited.document


def without_uuids(text: str) -> str:
    """Return a text with every UUID replaced by the same word."""
    return _UUID.sub("KEY", text)

"""An exchange over a real database, with two doctors who have certificates."""

from datetime import date
from types import SimpleNamespace

import httpx
import pytest
from lxml import etree
from starlette.applications import Starlette

from esante.core.journal import SYSTEM
from esante.core.storage import uuid7
from esante.core.web import HANDLERS
from esante.identity.directory import Identifier, Organization, Practitioner, Role
from esante.services.billing.exchange.api import PATH, ExchangeEndpoints
from esante.services.billing.exchange.keys import ExchangeKey
from esante.services.billing.exchange.service import ExchangeSecurity
from tests.support.exchange import envelope, make_card, request_info, sign, token_request
from tests.support.record import BASE, open_world

ECHO = "TEST-ECHO-V1"
ADDRESS = f"{BASE}{PATH}"


@pytest.fixture(scope="module")
async def world(db, journal, objects):
    """A world over this module's database."""
    async with open_world(db, journal, objects) as world:
        yield world


@pytest.fixture(scope="module")
def security(world, tmp_path_factory):
    """The security of an exchange."""
    key = ExchangeKey.open(tmp_path_factory.mktemp("keys") / "exchange.pem")
    return ExchangeSecurity(world.db, world.journal, world.directory, world.access, key, ADDRESS)


@pytest.fixture(scope="module")
async def doctor(world, security):
    """A doctor with a provider code of their own and one of their practice, and a card."""
    system = world.directory.catalogue.system("provider_code").uri
    practice = await world.directory.register_organization(
        Organization(id=uuid7(), identifiers=(Identifier(system, "90000093"),), name="Cabinet", kind="practice")
    )
    return await enrolled(world, security, "Faber", "90000018", practice)


@pytest.fixture(scope="module")
async def other(world, security):
    """Another doctor."""
    return await enrolled(world, security, "Other", "90000026")


async def enrolled(world, security, family, code, practice=None, **card):
    """Register a doctor with a provider code and an enrolled card."""
    system = world.directory.catalogue.system("provider_code").uri
    role = practice and Role(id=uuid7(), organization_id=practice.id, profession="doctor", since=date(2020, 1, 1))
    entry = await world.directory.register_practitioner(
        Practitioner(
            id=uuid7(),
            identifiers=(Identifier(system, code),),
            family=family,
            given=("Anne",),
            profession="doctor",
            roles=(role,) if role else (),
        )
    )
    card = make_card(family, **card)
    await security.certificates.enrol(card.pem, entry, actor=SYSTEM)
    return SimpleNamespace(entry=entry, code=code, card=card)


@pytest.fixture(scope="module")
def app(security):
    """The exchange, with one kind of message, which answers with the signer's code and the content."""

    async def echo(signer, content, language):
        answer = etree.Element("{urn:test}echo")
        answer.set("code", signer.provider_code)
        answer.append(content)
        return answer

    return Starlette(routes=ExchangeEndpoints(security, {ECHO: echo}).routes(), exception_handlers=HANDLERS)


@pytest.fixture(scope="module")
async def http(app):
    """A client of the exchange."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        yield client


@pytest.fixture(scope="module")
def send(http):
    """`await send(path, root)` posts a message (an element or bytes)."""

    async def post(path, message, content_type="text/xml"):
        data = message if isinstance(message, bytes) else etree.tostring(message)
        return await http.post(path, content=data, headers={"Content-Type": content_type, "Accept-Language": "en"})

    return post


@pytest.fixture(scope="module")
def token_of(send):
    """`await token_of(doctor)` returns a new token for their provider code."""

    async def get(doctor, code=""):
        message = envelope(token_request(code or doctor.code, ADDRESS), card=doctor.card)
        response = await send(f"{PATH}/token", sign(message, doctor.card))
        assert response.status_code == 200, response.text
        (token,) = etree.fromstring(response.content).iter(
            "{http://docs.oasis-open.org/ws-sx/ws-trust/200512}RequestedSecurityToken"
        )
        return token[0].text

    return get


@pytest.fixture(scope="module")
async def token(token_of, doctor):
    """A token of the doctor."""
    return await token_of(doctor)


@pytest.fixture
def message(doctor, token):
    """`message(...)` returns an unsigned message to the exchange; the arguments are those of `envelope`."""

    def make(body="", **options):
        body = body or request_info(ECHO, "<cns:x/>")
        return envelope(body, **({"card": doctor.card, "token": token} | options))

    return make

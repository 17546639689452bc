"""Messages that cannot be read, and what the exchange publishes of itself."""

import asyncio

import pytest
from lxml import etree

from esante.core.storage import NIL, Unavailable
from esante.services.billing.exchange.api import PATH
from esante.services.billing.exchange.envelope import MESSAGE_LIMIT
from esante.services.billing.exchange.model import ExchangeRefused
from esante.services.billing.exchange.service import REFUSALS
from tests.services.billing.exchange.conftest import ECHO
from tests.support.exchange import SOAP_11, SOAP_12, fault_of, request_info, sign, verify_by_xmlsec

BOMB = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;"><!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;">]>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>&e;</soap:Body></soap:Envelope>"""
EXTERNAL = BOMB.replace('"aaaaaaaaaa"', 'SYSTEM "file:///etc/passwd"')


@pytest.fixture(autouse=True)
async def fresh_limits(world):
    """Refusals of other tests do not count."""
    await world.db.fetch("DELETE FROM access_attempt")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no xml",
        b"<a><b></a>",
        b"\xff\xfe<\x00a\x00",
        BOMB.encode(),
        BOMB.encode("utf-16"),
        EXTERNAL.encode(),
        b"<a/>",
        f'<e:Envelope xmlns:e="{SOAP_11}"/>'.encode(),
        f'<e:Envelope xmlns:e="{SOAP_12}"><e:Header/></e:Envelope>'.encode(),
        b'<e:Envelope xmlns:e="urn:other"><e:Header/><e:Body/></e:Envelope>',
        b"<a>" * 5000,
    ],
    ids=[
        "empty",
        "text",
        "not-closed",
        "cut-utf16",
        "bomb",
        "bomb-utf16",
        "external",
        "other-root",
        "no-body",
        "header-only",
        "other-soap",
        "deep",
    ],
)
@pytest.mark.parametrize("path", [PATH, f"{PATH}/token"])
async def test_unreadable_message_is_refused(send, path, data):
    response = await send(path, data)
    assert fault_of(response) == "malformed"
    assert "root:" not in response.text


@pytest.mark.parametrize(
    "content",
    ["<cns:x/>" * 70_000, "<cns:x " + " ".join(f'a{number}="1"' for number in range(70_000)) + "/>"],
    ids=["tags", "attributes"],
)
async def test_message_of_too_many_tags_or_attributes_is_refused_unparsed(send, content):
    data = f'<e:Envelope xmlns:e="{SOAP_11}"><e:Header/><e:Body xmlns:cns="urn:x">{content}</e:Body></e:Envelope>'
    response = await send(PATH, data.encode())
    assert fault_of(response) == "malformed"
    assert "tags and attributes" in response.text


async def test_signed_message_with_document_type_is_refused(send, message, doctor):
    data = b"<!DOCTYPE Envelope>" + etree.tostring(sign(message(), doctor.card))
    assert fault_of(await send(PATH, data)) == "malformed"


async def test_too_large_message_is_refused(send):
    response = await send(PATH, b"<a>" + b" " * (MESSAGE_LIMIT + 1) + b"</a>")
    assert (response.status_code, fault_of(response)) == (413, "too-long")


async def test_message_without_security_header_is_refused(send):
    data = f'<e:Envelope xmlns:e="{SOAP_11}"><e:Header/><e:Body/></e:Envelope>'
    assert fault_of(await send(PATH, data.encode())) == "signature-missing"


async def test_unknown_model_is_refused(send, message, doctor):
    response = await send(PATH, sign(message(request_info("2099-XXX", "<cns:x/>")), doctor.card))
    assert fault_of(response) == "model-unknown"
    assert "2099-XXX" in response.text


@pytest.mark.parametrize(
    "body",
    [
        " ",
        "<cns:x/>",
        request_info(ECHO, ""),
        request_info(ECHO, "<cns:x/><cns:y/>"),
        f"{request_info(ECHO, '<cns:x/>')}<cns:x/>",
    ],
)
async def test_body_without_one_request_is_refused(send, message, doctor, body):
    assert fault_of(await send(PATH, sign(message(body), doctor.card))) == "malformed"


async def test_fault_of_soap_11_has_code_reason_place_and_remedy(send, message):
    response = await send(PATH, message())
    assert response.headers["content-type"].startswith("text/xml")
    (found,) = etree.fromstring(response.content).iter(f"{{{SOAP_11}}}Fault")
    assert found.findtext("faultcode") == "wsse:InvalidSecurity"
    assert found.findtext("faultstring").startswith("This message is not signed")
    assert found.find("detail")[0].findtext("{*}place") == "Header/Security/Signature"
    assert "RSA-SHA256" in found.find("detail")[0].findtext("{*}remedy")


async def test_fault_of_soap_12_has_code_subcode_and_reason(send, message):
    response = await send(PATH, message(soap=SOAP_12))
    assert response.status_code == 400
    assert response.headers["content-type"].startswith("application/soap+xml")
    (found,) = etree.fromstring(response.content).iter(f"{{{SOAP_12}}}Fault")
    assert found.findtext("{*}Code/{*}Value") == "soap:Sender"
    assert found.findtext("{*}Code/{*}Subcode/{*}Value") == "wsse:InvalidSecurity"
    assert found.findtext("{*}Reason/{*}Text")


async def test_fault_is_in_the_language_of_the_request(http):
    response = await http.post(PATH, content=b"no xml", headers={"Accept-Language": "de"})
    assert 'xml:lang="de"' in response.text
    assert "SOAP-Nachricht" in response.text


async def test_refused_message_is_journalled_by_its_correlation_id(send, world):
    response = await send(PATH, b"no xml")
    (entry,) = await world.journal.entries_of(NIL, [ExchangeRefused], limit=1)
    assert entry.event.reason == "malformed"
    assert entry.event.correlation_id == response.headers["Correlation-ID"]


async def test_network_that_sends_too_much_nonsense_has_to_wait(send):
    for _ in range(REFUSALS):
        await send(PATH, b"no xml")
    response = await send(PATH, b"no xml")
    assert (response.status_code, fault_of(response)) == (429, "throttled")
    assert int(response.headers["Retry-After"]) > 0


async def test_known_signer_learns_each_cause_however_many(send, message, doctor, world):
    for _ in range(REFUSALS):
        await send(PATH, b"no xml")
    for _ in range(2):
        response = await send(PATH, sign(message(request_info("2099-XXX", "<cns:x/>")), doctor.card))
        assert fault_of(response) == "model-unknown"
    (entry,) = await world.journal.entries_of(NIL, [ExchangeRefused], limit=1)
    assert (entry.event.reason, entry.actor.id) == ("model-unknown", doctor.entry.id)


async def test_fault_is_signed_as_an_answer_is(send, message, doctor, http):
    response = await send(PATH, sign(message(request_info("2099-XXX", "<cns:x/>")), doctor.card))
    body = verify_by_xmlsec(response.content, (await http.get(f"{PATH}/certificate.pem")).content)
    assert body[0].tag == f"{{{SOAP_11}}}Fault"


async def test_database_that_is_away_gives_fault_to_be_retried(send, message, doctor, security, monkeypatch):
    async def away(*_):
        raise Unavailable("gone")

    monkeypatch.setattr(security.certificates, "trusted", away)
    response = await send(PATH, sign(message(), doctor.card))
    assert (response.status_code, fault_of(response)) == (503, "transient")
    assert response.headers["Retry-After"] == "2"


async def test_internal_error_says_nothing_but_its_number(send, message, doctor, security, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(security.certificates, "trusted", broken)
    response = await send(PATH, sign(message(), doctor.card))
    assert (response.status_code, fault_of(response)) == (500, "exception")
    assert "secret" not in response.text


async def test_many_messages_at_once_are_all_answered(send, message, doctor):
    messages = [sign(message(), doctor.card) for _ in range(40)]
    answers = await asyncio.gather(*(send(PATH, one) for one in messages))
    assert {one.status_code for one in answers} == {200}


async def test_wsdl_and_schemas_are_served(http):
    description = await http.get(f"{PATH}?wsdl")
    assert description.status_code == 200
    root = etree.fromstring(description.content)
    places = [one.get("schemaLocation") for one in root.iter("{*}import")]
    assert len(places) == 3
    for place in places:
        assert etree.fromstring((await http.get(place)).content).tag.endswith("}schema")
    assert (await http.get(f"{PATH}/schemas/passwd")).status_code == 404
    assert (await http.get(PATH)).status_code == 404

"""Signed messages: what is accepted, and each thing that is not, with its fault."""

import copy

import pytest
import xmlsec
from lxml import etree

from esante.core import clock
from esante.services.billing.exchange.api import PATH
from tests.services.billing.exchange.conftest import ADDRESS, ECHO
from tests.support.exchange import (
    DS,
    SOAP_11,
    SOAP_12,
    WSSE,
    WSU,
    envelope,
    fault_of,
    make_card,
    request_info,
    sign,
    token_request,
    verify_by_xmlsec,
)


@pytest.mark.parametrize("soap", [SOAP_11, SOAP_12])
@pytest.mark.parametrize("lifetime", [0, 300])
async def test_signed_message_is_answered_with_signature_that_xmlsec_accepts(
    send, message, doctor, http, soap, lifetime
):
    response = await send(PATH, sign(message(soap=soap, lifetime=lifetime), doctor.card))
    assert response.status_code == 200, response.text
    certificate = (await http.get(f"{PATH}/certificate.pem")).content
    body = verify_by_xmlsec(response.content, certificate)
    (info,) = body
    assert info.get("modelUID") == ECHO
    assert info.get("correlationId") == response.headers["Correlation-ID"]
    assert f"Correlation-ID: {info.get('correlationId')}".encode() in response.content
    assert info[0].get("code") == doctor.code


async def test_body_alone_may_be_signed_where_there_is_no_timestamp(send, message, doctor):
    response = await send(PATH, sign(message(lifetime=0), doctor.card, ["Body"]))
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("unsigned", ["Timestamp", "BinarySecurityToken", "Body"])
async def test_request_for_token_with_unsigned_part_is_refused(send, doctor, unsigned):
    names = [name for name in ("Timestamp", "BinarySecurityToken", "Body") if name != unsigned]
    root = envelope(token_request(doctor.code, ADDRESS), card=doctor.card)
    response = await send(f"{PATH}/token", sign(root, doctor.card, names))
    assert response.status_code == 500
    assert fault_of(response) == "signature-missing"
    assert f">{unsigned}<" in response.text


async def test_unsigned_timestamp_is_refused_at_exchange(send, message, doctor):
    response = await send(PATH, sign(message(), doctor.card, ["Body"]))
    assert fault_of(response) == "signature-missing"


async def test_message_without_signature_is_refused(send, message):
    assert fault_of(await send(PATH, message())) == "signature-missing"


@pytest.mark.parametrize("part", ["Body", "Timestamp"])
async def test_part_that_was_changed_after_signing_is_refused(send, message, doctor, part):
    root = sign(message(), doctor.card)
    (changed,) = root.iter("{*}RequestInfo") if part == "Body" else root.iter(f"{{{WSU}}}Expires")
    if part == "Body":
        changed.append(etree.SubElement(changed, "{urn:test}more"))
    else:
        changed.text = changed.text.replace("Z", "+00:00")
    assert fault_of(await send(PATH, root)) == "signature-wrong"


async def test_signature_of_another_key_is_refused(send, message, other):
    root = message()
    assert fault_of(await send(PATH, sign(root, other.card))) == "signature-wrong"


@pytest.mark.parametrize("method", [xmlsec.Transform.RSA_SHA1, xmlsec.Transform.HMAC_SHA256])
async def test_signature_by_weak_or_shared_secret_method_is_refused(send, message, doctor, method):
    root = sign(message(), doctor.card)
    (element,) = root.iter(f"{{{DS}}}SignatureMethod")
    element.set("Algorithm", str(method.href if hasattr(method, "href") else method))
    assert fault_of(await send(PATH, root)) == "signature-wrong"


async def test_sha1_signature_that_xmlsec_made_is_refused(send, message, doctor):
    root = sign(message(), doctor.card, method=xmlsec.Transform.RSA_SHA1)
    assert fault_of(await send(PATH, root)) == "signature-wrong"


def _wrapped_beside(root):
    """Move the signed body into the header, and put another one in its place."""
    body = root[-1]
    forged = copy.deepcopy(body)
    forged.set(f"{{{WSU}}}Id", "forged")
    next(forged.iter("{*}RequestInfo")).set("modelUID", "EVIL")
    root.remove(body)
    holder = etree.SubElement(root[0], "{urn:test}wrapper")
    holder.append(body)
    root.append(forged)


def _wrapped_with_same_id(root):
    """As above, both bodies with one Id."""
    _wrapped_beside(root)
    (moved,) = root.iter("{urn:test}wrapper")
    root[-1].set(f"{{{WSU}}}Id", moved[0].get(f"{{{WSU}}}Id"))


def _wrapped_with_plain_id(root):
    """As above, the Id of the forged body without a namespace, or in capitals."""
    _wrapped_beside(root)
    (moved,) = root.iter("{urn:test}wrapper")
    root[-1].attrib.pop(f"{{{WSU}}}Id")
    root[-1].set("ID", moved[0].get(f"{{{WSU}}}Id"))


def _two_bodies(root):
    """Put a second body behind the signed one."""
    root.append(copy.deepcopy(root[-1]))


def _two_signatures(root):
    """Put a copy of the signature beside it."""
    (signature,) = root.iter(f"{{{DS}}}Signature")
    signature.addnext(copy.deepcopy(signature))


def _timestamp_in_wrapper(root):
    """Move the signed timestamp away, and put a newer one in its place."""
    (stamp,) = root.iter(f"{{{WSU}}}Timestamp")
    newer = copy.deepcopy(stamp)
    newer.set(f"{{{WSU}}}Id", "newer")
    stamp.addnext(newer)
    etree.SubElement(root[0], "{urn:test}wrapper").append(stamp)


@pytest.mark.parametrize(
    "wrap",
    [
        _wrapped_beside,
        _wrapped_with_same_id,
        _wrapped_with_plain_id,
        _two_bodies,
        _two_signatures,
        _timestamp_in_wrapper,
    ],
    ids=lambda wrap: wrap.__name__,
)
async def test_wrapped_signature_is_refused(send, message, doctor, wrap):
    root = sign(message(), doctor.card)
    wrap(root)
    response = await send(PATH, root)
    assert response.status_code == 500
    assert fault_of(response) in {"signature-misplaced", "signature-missing", "signature-wrong", "malformed"}


async def test_reference_with_another_transformation_is_refused(send, message, doctor):
    root = sign(message(), doctor.card)
    (transform, *_) = root.iter(f"{{{DS}}}Transform")
    transform.set("Algorithm", "http://www.w3.org/2000/09/xmldsig#base64")
    assert fault_of(await send(PATH, root)) == "signature-misplaced"


async def test_comment_in_signed_value_changes_nothing_of_it(send, message, doctor):
    root = sign(message(request_info(ECHO, "<cns:x>1234567</cns:x>")), doctor.card)
    data = etree.tostring(root).replace(b"1234567", b"123<!-- -->4567")
    response = await send(PATH, data)
    assert response.status_code == 200
    assert next(etree.fromstring(response.content).iter("{*}x")).text == "1234567"


@pytest.mark.parametrize(("at", "lifetime"), [(-3600, 300), (3600, 300), (0, 3600), (-600, 300), (0, -10)])
async def test_timestamp_out_of_its_window_is_refused(send, message, doctor, at, lifetime):
    response = await send(PATH, sign(message(at=at, lifetime=lifetime), doctor.card))
    assert fault_of(response) == "expired"


@pytest.mark.parametrize("at", [-100, 100])
async def test_small_difference_of_clocks_is_accepted(send, message, doctor, at):
    assert (await send(PATH, sign(message(at=at, lifetime=60), doctor.card))).status_code == 200


async def test_message_that_comes_twice_is_refused(send, message, doctor):
    root = sign(message(), doctor.card)
    assert (await send(PATH, root)).status_code == 200
    assert fault_of(await send(PATH, root)) == "replayed"


async def test_request_for_token_that_comes_twice_is_refused(send, doctor):
    root = sign(envelope(token_request(doctor.code, ADDRESS), card=doctor.card), doctor.card)
    assert (await send(f"{PATH}/token", root)).status_code == 200
    assert fault_of(await send(f"{PATH}/token", root)) == "replayed"


async def test_signature_written_with_other_blanks_is_the_same_message(send, message, doctor):
    root = sign(message(), doctor.card)
    assert (await send(PATH, root)).status_code == 200
    (value,) = root.iter(f"{{{DS}}}SignatureValue")
    value.text = "".join(value.text.split())
    assert fault_of(await send(PATH, root)) == "replayed"


async def test_unknown_certificate_is_refused(send, message):
    stranger = make_card("Stranger")
    response = await send(PATH, sign(message(card=stranger), stranger))
    assert fault_of(response) == "certificate-unknown"


async def test_message_with_two_certificates_is_refused(send, message, doctor, other):
    root = message()
    (second,) = message(card=other.card).iterfind(f".//{{{WSSE}}}BinarySecurityToken[2]")
    root[0][0].append(second)
    assert fault_of(await send(PATH, sign(root, doctor.card))) == "signature-missing"


async def test_old_signatures_are_forgotten_when_they_could_not_come_again(send, message, doctor, security, world):
    root = sign(message(), doctor.card)
    await send(PATH, root)
    later = clock.now().timestamp() + 7200
    with clock.use_clock(lambda: clock.datetime.fromtimestamp(later, clock.UTC)):
        await security.tidy()
    assert await world.db.fetchval("SELECT count(*) FROM billing_exchange_message") == 0

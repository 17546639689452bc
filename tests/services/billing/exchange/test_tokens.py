"""The token service, and tokens at the exchange."""

import base64
import json
from datetime import timedelta

import pytest
from lxml import etree

from esante.core import clock
from esante.core.journal import SYSTEM
from esante.core.storage import NIL
from esante.services.billing.exchange.api import PATH
from esante.services.billing.exchange.keys import ExchangeKey
from esante.services.billing.exchange.model import ExchangeTokenIssued
from esante.services.billing.exchange.tokens import LIFETIME
from tests.services.billing.exchange.conftest import ADDRESS, ECHO, enrolled
from tests.support.exchange import envelope, fault_of, make_card, request_info, sign, token_request


def _claims(token):
    body = base64.b64decode(token).split(b".")[1]
    return json.loads(base64.urlsafe_b64decode(body + b"=="))


async def test_token_names_professional_certificate_and_code_for_half_an_hour(token_of, doctor):
    claims = _claims(await token_of(doctor))
    assert claims["sub"] == str(doctor.entry.id)
    assert claims["provider_code"] == doctor.code
    assert claims["aud"] == ADDRESS
    assert 0 < claims["exp"] - clock.now().timestamp() <= LIFETIME.total_seconds()


async def test_issued_token_is_journalled_for_the_professional(token_of, doctor, world):
    await token_of(doctor)
    found = await world.journal.entries_of(NIL, [ExchangeTokenIssued], limit=1)
    assert found[0].actor.id == doctor.entry.id
    assert found[0].event.provider_code == doctor.code


async def test_token_for_the_code_of_ones_practice_is_issued(token_of, doctor):
    assert _claims(await token_of(doctor, "90000093"))["provider_code"] == "90000093"


@pytest.mark.parametrize("code", ["90000026", "90000093", "12345678"])
async def test_token_for_the_code_of_another_is_refused(send, other, doctor, code):
    who = doctor if code == "90000026" else other
    root = sign(envelope(token_request(code, ADDRESS), card=who.card), who.card)
    assert fault_of(await send(f"{PATH}/token", root)) == "provider-code"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/Issue", "/Renew"),
        ("trust/token/bst", "trust/token/other"),
        (ADDRESS, "https://other.example/exchange"),
        ("prodo/espaceid", "prodo/other"),
        ("90000018", "9000001"),
        ("90000018", "٩٠٠٠٠٠١٨"),
        ("RequestSecurityToken", "RequestOther"),
    ],
)
async def test_incomplete_request_for_token_is_refused_with_its_place(send, doctor, old, new):
    body = token_request(doctor.code, ADDRESS).replace(old, new)
    response = await send(f"{PATH}/token", sign(envelope(body, card=doctor.card), doctor.card))
    assert fault_of(response) == "request"
    assert "RequestSecurityToken" in response.text


async def test_expired_token_is_refused(send, message, doctor):
    later = clock.now() + LIFETIME + timedelta(seconds=1)
    with clock.use_clock(lambda: later):
        response = await send(PATH, sign(message(lifetime=0), doctor.card))
    assert fault_of(response) == "token-expired"


async def test_token_of_another_certificate_is_refused(send, message, other):
    response = await send(PATH, sign(message(card=other.card), other.card))
    assert fault_of(response) == "token-invalid"


async def test_token_of_the_same_professionals_other_certificate_is_refused(send, message, doctor, security):
    second = make_card("Second card")
    await security.certificates.enrol(second.pem, doctor.entry, actor=SYSTEM)
    response = await send(PATH, sign(message(card=second), second))
    assert fault_of(response) == "token-invalid"


async def test_message_without_token_is_refused(send, message, doctor):
    assert fault_of(await send(PATH, sign(message(token=""), doctor.card))) == "token-invalid"


def _edited(token, **changes):
    head, body, signature = base64.b64decode(token).split(b".")
    claims = json.loads(base64.urlsafe_b64decode(body + b"==")) | changes
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=")
    return base64.b64encode(b".".join((head, body, signature))).decode()


def _without_signature(token):
    body = base64.b64decode(token).split(b".")[1]
    head = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=")
    return base64.b64encode(head + b"." + body + b".").decode()


@pytest.mark.parametrize(
    "forge",
    [
        lambda token: _edited(token, provider_code="90000026"),
        lambda token: _edited(token, exp=99999999999),
        _without_signature,
        lambda token: token[:-8],
        lambda token: "AAAA",
        lambda token: "x" * 20_000,
        lambda token: "é",
    ],
    ids=["code", "end", "no-signature", "cut", "short", "long", "no-base64"],
)
async def test_forged_token_is_refused(send, message, doctor, token, forge):
    response = await send(PATH, sign(message(token=forge(token)), doctor.card))
    assert fault_of(response) == "token-invalid"


async def test_token_of_another_key_or_for_another_address_is_refused(send, message, doctor, security, tmp_path):
    from cryptography.hazmat.primitives.hashes import SHA256

    from esante.services.billing.exchange.model import Token
    from esante.services.billing.exchange.tokens import issue_token

    token = Token(
        practitioner_id=doctor.entry.id,
        fingerprint=doctor.card.certificate.fingerprint(SHA256()),
        provider_code=doctor.code,
        expires_at=clock.now() + LIFETIME,
    )
    strange = ExchangeKey.open(tmp_path / "other.pem")
    for key, address in ((strange, ADDRESS), (security.key, "https://other.example")):
        text = issue_token(token, key.jwk, address)
        assert fault_of(await send(PATH, sign(message(token=text), doctor.card))) == "token-invalid"
    assert (
        await send(PATH, sign(message(token=issue_token(token, security.key.jwk, ADDRESS)), doctor.card))
    ).is_success


async def test_message_counts_for_the_code_of_its_token(send, message, doctor, token_of):
    practice = await token_of(doctor, "90000093")
    response = await send(PATH, sign(message(request_info(ECHO, "<cns:x/>"), token=practice), doctor.card))
    assert next(etree.fromstring(response.content).iter("{urn:test}echo")).get("code") == "90000093"


async def test_revoked_certificate_ends_its_tokens_at_once(send, message, world, security, token_of):
    doctor = await enrolled(world, security, "Revoked", "90000034")
    token = await token_of(doctor)
    assert (await send(PATH, sign(message(token=token, card=doctor.card), doctor.card))).is_success
    (known,) = await security.certificates.of(doctor.entry)
    await security.certificates.revoke(known.fingerprint, "lost", actor=SYSTEM)
    response = await send(PATH, sign(message(token=token, card=doctor.card), doctor.card))
    assert fault_of(response) == "certificate-revoked"
    root = sign(envelope(token_request(doctor.code, ADDRESS), card=doctor.card), doctor.card)
    assert fault_of(await send(f"{PATH}/token", root)) == "certificate-revoked"


async def test_suspended_professional_is_refused(send, message, world, security, token_of):
    doctor = await enrolled(world, security, "Suspended", "90000042")
    token = await token_of(doctor)
    await world.directory.suspensions.suspend(doctor.entry, "struck off", actor=SYSTEM)
    await world.access.end_sign_ins(doctor.entry.id, actor=SYSTEM)
    response = await send(PATH, sign(message(token=token, card=doctor.card), doctor.card))
    assert fault_of(response) == "suspended"


async def test_certificate_that_has_expired_since_is_refused(send, world, security):
    doctor = await enrolled(world, security, "Expiring", "90000059", days=1.1)
    later = clock.now() + timedelta(hours=3)
    with clock.use_clock(lambda: later):
        root = envelope(token_request(doctor.code, ADDRESS), card=doctor.card, at=3 * 3600)
        assert fault_of(await send(f"{PATH}/token", sign(root, doctor.card))) == "certificate-expired"

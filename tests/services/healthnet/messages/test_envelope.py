"""Envelopes: what a recipient accepts of a message, for every algorithm of certificates; what it refuses."""

from datetime import timedelta

import msgspec
import pytest
from joserfc import jwe
from joserfc.jwk import OKPKey

from esante.core import clock
from esante.core.storage import uuid7
from esante.services.healthnet.messages.envelope import (
    ENCRYPTION,
    KEY_AGREEMENT,
    NotReadable,
    SiteContent,
    check_sealed,
    unseal,
    verify_statement,
)
from tests.support.healthnet_messages import TEXT


def opened(exchange, sealed, key=None, at=None, root=None):
    keys = {exchange.practice.message_key.thumbprint(): key or exchange.practice.message_key}
    return unseal(sealed, keys.get, root or exchange.root, at or clock.now())


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ecdsa-p384", "ed25519"])
async def test_content_arrives_as_it_was_sent_whatever_the_key_of_the_certificate(exchange, algorithm):
    sender, message_id = await exchange.site("laboratory", algorithm), uuid7()
    found = opened(exchange, sender.seal(exchange.practice, message_id, TEXT))
    assert (found.message_id, found.sender, found.recipient, found.content) == (
        message_id, sender.site.key, exchange.practice.site.key, TEXT,
    )  # fmt: skip


async def test_message_for_another_key_or_that_was_changed_is_not_readable(exchange):
    sealed = exchange.laboratory.seal(exchange.practice, uuid7())
    check_sealed(sealed)
    with pytest.raises(NotReadable):
        opened(exchange, sealed, OKPKey.generate_key("X25519"))
    with pytest.raises(NotReadable, match="does not have"):
        unseal(sealed, {}.get, exchange.root, clock.now())
    header, key, vector, text, tag = sealed.split(b".")
    for changed in (text[:-9] + b"AAAAAAAAA", b"AAAA", text + b"A"):
        with pytest.raises(NotReadable):
            opened(exchange, b".".join((header, key, vector, changed, tag)))


def encrypted(exchange, payload):
    """A payload, encrypted for the practice by whomever."""
    public = OKPKey.import_key(exchange.practice.message_key.as_dict(private=False))
    header = {"alg": KEY_AGREEMENT, "enc": ENCRYPTION, "kid": public.thumbprint()}
    return jwe.encrypt_compact(header, payload, public, algorithms=[KEY_AGREEMENT, ENCRYPTION]).encode()


async def test_message_that_nobody_of_the_network_signed_is_not_readable(exchange, tmp_path):
    for payload in (b"", TEXT, b"a.b.c", b"e30.e30.AA"):
        with pytest.raises(NotReadable):
            opened(exchange, encrypted(exchange, payload))
    sealed = exchange.laboratory.seal(exchange.practice, uuid7())
    from esante.services.healthnet.certificates import authority
    from esante.services.healthnet.certificates.algorithms import ALGORITHMS

    key = ALGORITHMS["ecdsa-p384"].make_key()
    other = authority.make_root(key, "Test", clock.now(), timedelta(days=9))
    with pytest.raises(NotReadable, match="not valid"):
        opened(exchange, sealed, root=other)


async def test_message_that_names_another_sender_is_not_readable(exchange):
    said = SiteContent(
        message_id=uuid7(),
        sender="S99999",
        recipient=exchange.practice.site.key,
        name="a",
        media_type="text/plain",
        content=TEXT,
    )
    signed = exchange.laboratory.signer.sign(msgspec.msgpack.encode(said))
    with pytest.raises(NotReadable, match="has signed it"):
        opened(exchange, encrypted(exchange, signed.encode()))


async def test_certificate_must_have_been_valid_when_the_message_was_accepted(exchange):
    sealed, now = exchange.laboratory.seal(exchange.practice, uuid7()), clock.now()
    opened(exchange, sealed, at=now + timedelta(days=6))
    for at in (now - timedelta(days=1), now + timedelta(days=8)):
        with pytest.raises(NotReadable, match="not valid at this time"):
            opened(exchange, sealed, at=at)


async def test_statement_about_a_key_ends_with_the_certificate_that_signed_it(exchange):
    text, now = exchange.practice.statement(), clock.now()
    assert verify_statement(text, exchange.root, now).site == exchange.practice.site.key
    with pytest.raises(NotReadable):
        verify_statement(text, exchange.root, now + timedelta(days=8))

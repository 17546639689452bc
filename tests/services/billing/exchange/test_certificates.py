"""The trust list: enrolment, revocation, and the commands for both."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from esante.core import clock
from esante.core.journal import SYSTEM
from esante.core.storage import NIL
from esante.core.web import Problem
from esante.services.billing.exchange.certificates import CertificateError
from esante.services.billing.exchange.model import CertificateEnrolled, CertificateRevoked
from tests.support.exchange import make_card


async def test_enrolled_certificate_is_trusted_until_it_is_revoked(world, security, doctor):
    card, certificates = make_card("Trusted"), security.certificates
    enrolled = await certificates.enrol(card.pem, doctor.entry, actor=SYSTEM)
    assert await certificates.trusted(card.certificate) == enrolled
    await certificates.revoke(enrolled.fingerprint, "card lost", actor=SYSTEM)
    with pytest.raises(Problem) as refused:
        await certificates.trusted(card.certificate)
    assert refused.value.code == "certificate-revoked"
    (entry,) = await world.journal.entries_of(NIL, [CertificateRevoked], limit=1)
    assert (entry.event.fingerprint, entry.event.reason) == (enrolled.fingerprint.hex(), "card lost")
    (entry,) = await world.journal.entries_of(NIL, [CertificateEnrolled], limit=1)
    assert entry.event.practitioner_id == doctor.entry.id


async def test_revoking_twice_keeps_the_first_revocation(security, doctor):
    enrolled = await security.certificates.enrol(make_card("Twice").pem, doctor.entry, actor=SYSTEM)
    first = await security.certificates.revoke(enrolled.fingerprint, "lost", actor=SYSTEM)
    second = await security.certificates.revoke(enrolled.fingerprint, "again", actor=SYSTEM)
    assert (second.reason, second.revoked_at) == ("lost", first.revoked_at)


async def test_certificate_is_enrolled_once_even_for_another_professional(security, doctor, other):
    card = make_card("Once")
    await security.certificates.enrol(card.pem, doctor.entry, actor=SYSTEM)
    with pytest.raises(CertificateError, match="already"):
        await security.certificates.enrol(card.pem, other.entry, actor=SYSTEM)


async def test_certificate_that_begins_later_is_not_trusted_yet(security, doctor):
    card = make_card("Later", since=2)
    await security.certificates.enrol(card.pem, doctor.entry, actor=SYSTEM)
    with pytest.raises(Problem) as refused:
        await security.certificates.trusted(card.certificate)
    assert refused.value.code == "certificate-expired"
    soon = clock.now() + timedelta(days=3)
    with clock.use_clock(lambda: soon):
        assert await security.certificates.trusted(card.certificate)


@pytest.mark.parametrize(
    ("pem", "why"),
    [
        (b"no certificate", "PEM"),
        (make_card("Small", bits=1024).pem, "2048"),
        (make_card("Old", since=-30, days=10).pem, "expired"),
    ],
    ids=["no-certificate", "small-key", "expired"],
)
async def test_unfit_certificate_is_not_enrolled(security, doctor, pem, why):
    with pytest.raises(CertificateError, match=why):
        await security.certificates.enrol(pem, doctor.entry, actor=SYSTEM)


async def test_certificate_of_an_elliptic_curve_is_not_enrolled(security, doctor):
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(clock.now())
        .not_valid_after(clock.now() + timedelta(days=1))
        .sign(key, SHA256())
    )
    with pytest.raises(CertificateError, match="RSA"):
        await security.certificates.enrol(certificate.public_bytes(Encoding.PEM), doctor.entry, actor=SYSTEM)


async def test_unknown_certificate_cannot_be_revoked(security):
    with pytest.raises(CertificateError, match="no such"):
        await security.certificates.revoke(b"x" * 32, "lost", actor=SYSTEM)

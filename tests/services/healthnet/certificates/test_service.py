"""Certificates: who is certified, recognised, refused; checked by OpenSSL and by a real handshake of TLS."""

import shutil
import ssl
import subprocess
import threading
from datetime import timedelta
from socket import create_server

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from esante.core import clock
from esante.core.web import Problem
from esante.services.healthnet.certificates import authority
from esante.services.healthnet.certificates.algorithms import ALGORITHMS
from esante.services.healthnet.certificates.service import LIST_LASTS
from esante.services.healthnet.certificates.terms import parse_terms, terms_on
from tests.support.healthnet_world import HealthnetWorld, a_request, der, pem

REASON = "A reason that is long enough."


async def refused(act, status, detail=""):
    """Await an act that is refused."""
    with pytest.raises(Problem) as caught:
        await act
    assert caught.value.status == status
    assert detail in (caught.value.detail or "")


@pytest.fixture
async def certified(world):
    """A world whose authority is installed."""
    world.root_key, world.root = await world.install_authority()
    return world


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ecdsa-p384", "ed25519"])
async def test_certificate_names_the_site_whatever_the_request_says(certified, algorithm):
    site, _, certificate = await certified.certified(algorithm=algorithm)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [f"{site.key.lower()}.healthnet.internal"]
    assert certificate.not_valid_after_utc - clock.now() <= timedelta(days=7)
    assert (await certified.certificates.identify(der(certificate))).key == site.key


async def test_certificate_is_refused_while_no_authority_is_installed(world):
    site, _ = await world.active()
    key = ALGORITHMS["ed25519"].make_key()
    async with world.db.transaction() as conn:
        await refused(world.certificates.certify(conn, world.ann, site, a_request(key)), 503)
    assert await world.certificates.identify(b"x") is None


@pytest.mark.parametrize(
    ("request_of", "reason"),
    [
        (lambda: b"", "no request"),
        (lambda: b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "no request"),
        (lambda: b"x" * 30_000, "more than 20,000 bytes"),
        (lambda: a_request(ALGORITHMS["ml-dsa-65"].make_key()), "ml-dsa-65 are not accepted"),
        (lambda: _rsa_request(), "keys of this kind are not used"),
        (lambda: _tampered_request(), "the signature of the request is wrong"),
    ],
)
async def test_request_that_is_not_accepted_says_why_and_leaves_nothing(certified, request_of, reason):
    site, _ = await certified.active()
    before = await certified.events(site.key)
    async with certified.db.transaction() as conn:
        await refused(certified.certificates.certify(conn, certified.ann, site, request_of()), 400, reason)
    assert await certified.events(site.key) == before


def _rsa_request():
    key = rsa.generate_private_key(65537, 2048)
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return pem(builder.sign(key, ALGORITHMS["ecdsa-p256"].digest))


def _tampered_request():
    found = bytearray(authority.make_request(ALGORITHMS["ed25519"].make_key(), "aaaaaaaa").public_bytes(Encoding.DER))
    found[found.index(b"aaaaaaaa")] = ord("b")
    return pem(x509.load_der_x509_csr(bytes(found)))


async def test_certificate_that_somebody_else_signed_is_nobodys(certified, db, journal, tmp_path_factory):
    site, key, certificate = await certified.certified()
    other_key = ALGORITHMS["ecdsa-p384"].make_key()
    other = authority.make_root(other_key, "Test", clock.now(), timedelta(days=9))
    request = authority.parse_request(a_request(key))
    forged = authority.sign_site(
        other, other_key, request, site.key, "healthnet.internal", clock.now(), terms_on(clock.now().date())
    )
    assert await certified.certificates.identify(der(forged)) is None
    for data in (b"", b"\x30\x80", der(certificate)[:-1], der(certified.root)):
        assert await certified.certificates.identify(data) is None


async def test_certificate_that_the_platform_never_issued_is_nobodys(certified):
    """One signed with a stolen key of the authority, which is in no table."""
    site, key, _ = await certified.certified()
    found = authority.sign_site(
        x509.load_pem_x509_certificate((await certified.certificates.chain()).encode()),
        certified.certificates._key,
        authority.parse_request(a_request(key)),
        site.key,
        "healthnet.internal",
        clock.now(),
        terms_on(clock.now().date()),
    )
    assert await certified.certificates.identify(der(found)) is None


async def test_site_cannot_sign_another(certified):
    site, key, certificate = await certified.certified()
    request = authority.parse_request(a_request(ALGORITHMS["ed25519"].make_key()))
    made = authority.sign_site(certificate, key, request, site.key, "z", clock.now(), terms_on(clock.now().date()))
    assert await certified.certificates.identify(der(made)) is None


async def test_ended_and_early_certificates_are_nobodys(certified, monkeypatch):
    _, _, certificate = await certified.certified()
    now = clock.now()
    for days, is_known in ((0, True), (6, True), (8, False), (-1, False)):
        monkeypatch.setattr(clock, "now", lambda days=days: now + timedelta(days=days))
        assert (await certified.certificates.identify(der(certificate)) is not None) == is_known


async def test_renewal_leaves_both_valid_and_revocation_ends_both_at_once(certified):
    site, key, certificate = await certified.certified()
    text = await certified.certificates.renew(certified.ann, der(certificate), a_request(key))
    renewed = x509.load_pem_x509_certificate(text.encode())
    for one in (certificate, renewed):
        assert await certified.certificates.identify(der(one)) is not None
    assert await certified.certificates.revoke(certified.ben, site, REASON) == 2
    for one in (certificate, renewed):
        assert await certified.certificates.identify(der(one)) is None
        await refused(certified.certificates.renew(certified.ann, der(one), a_request(key)), 403)
    assert (await certified.events(site.key))[-3:] == [
        "certificate_issued",
        "certificate_issued",
        "certificates_revoked",
    ]


async def test_suspended_site_is_nobody_until_it_is_resumed_and_ended_one_for_ever(certified):
    site, _, certificate = await certified.certified()
    await certified.sites.suspend(certified.ann, site.site_id, REASON)
    assert await certified.certificates.identify(der(certificate)) is None
    assert serials_of(await certified.certificates.revocations()) == {certificate.serial_number}
    await certified.sites.resume(certified.ann, site.site_id, REASON)
    assert await certified.certificates.identify(der(certificate)) is not None
    await certified.sites.end(certified.ann, site.site_id, REASON)
    assert await certified.certificates.identify(der(certificate)) is None


def serials_of(data):
    """The serial numbers of a list of revoked certificates."""
    return {one.serial_number for one in x509.load_der_x509_crl(data)}


async def test_only_operators_install_and_revoke(certified):
    site, provider = await certified.active()
    await refused(certified.certificates.revoke(provider, site, REASON), 403)
    await refused(certified.certificates.install(provider, b"", b""), 403)


async def test_certificate_of_another_key_or_root_is_not_installed(world, tmp_path):
    await world.install_authority()
    (tmp_path / "other").mkdir()
    other = HealthnetWorld(world.db, world.journal, tmp_path / "other")
    key, root = await other.install_authority()
    request = authority.parse_request(other.certificates.request().encode())
    found = authority.sign_intermediate(root, key, request, clock.now(), timedelta(days=1))
    await refused(world.certificates.install(world.ann, pem(found), pem(root)), 400, "of another key")
    own = authority.parse_request(world.certificates.request().encode())
    forged = authority.sign_intermediate(
        root, ALGORITHMS["ecdsa-p384"].make_key(), own, clock.now(), timedelta(days=1)
    )
    await refused(world.certificates.install(world.ann, pem(forged), pem(root)), 400, "not signed by the authority")
    await refused(world.certificates.install(world.ann, pem(root), pem(root)), 400)
    await refused(world.certificates.install(world.ann, b"x", pem(root)), 400, "no certificate")


def test_terms_with_an_unknown_algorithm_or_no_time_to_renew_are_refused():
    text = (
        'root_algorithm = "ecdsa-p384"\nroot_years = 10\nintermediate_algorithm = "ecdsa-p384"\n'
        'intermediate_days = 365\nsite_algorithms = ["ed25519"]\nsite_days = 7\nrenew_after_days = 2\nverified = false\n'
    )
    head = "[[period]]\nvalid_from = 2026-01-01\n"
    assert parse_terms(head + text)[0].site_lasts == timedelta(days=7)
    with pytest.raises(ValueError, match="unknown algorithm md5"):
        parse_terms(head + text.replace('"ed25519"', '"md5"'))
    with pytest.raises(ValueError, match="less than site_days"):
        parse_terms(head + text.replace("renew_after_days = 2", "renew_after_days = 7"))


def test_root_of_a_post_quantum_algorithm_signs_an_authority():
    key, own = ALGORITHMS["ml-dsa-65"].make_key(), ALGORITHMS["ecdsa-p384"].make_key()
    root = authority.make_root(key, "Test", clock.now(), timedelta(days=9))
    found = authority.sign_intermediate(
        root, key, authority.parse_request(a_request(own)), clock.now(), timedelta(days=1)
    )
    authority.verify_intermediate(root, found, own, clock.now())


# Other software


async def test_openssl_accepts_the_chain_and_refuses_a_revoked_certificate(certified, tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    site, _, certificate = await certified.certified()
    (tmp_path / "site.pem").write_bytes(pem(certificate))
    chain = (await certified.certificates.chain()).encode()
    intermediate, root = (
        one + b"-----END CERTIFICATE-----\n" for one in chain.split(b"-----END CERTIFICATE-----\n")[:2]
    )
    (tmp_path / "root.pem").write_bytes(root)

    async def verify():
        crl = x509.load_der_x509_crl(await certified.certificates.revocations())
        (tmp_path / "others.pem").write_bytes(intermediate + crl.public_bytes(Encoding.PEM))
        command = ["openssl", "verify", "-x509_strict", "-CAfile", "root.pem", "-untrusted", "others.pem"]
        command += ["-CRLfile", "others.pem", "-crl_check", "-purpose", "sslclient", "site.pem"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (await verify()).returncode == 0, (await verify()).stderr
    await certified.certificates.revoke(certified.ann, site, REASON)
    assert "revoked" in (await verify()).stderr


async def test_two_sites_know_each_other_by_mutual_tls(certified, tmp_path):
    one, other = await certified.certified(), await certified.certified("laboratory")
    (tmp_path / "chain.pem").write_text(await certified.certificates.chain())
    seen = []

    def context(role, site):
        made = ssl.SSLContext(role)
        (tmp_path / "site.pem").write_bytes(
            pem(site[2])
            + (tmp_path / "chain.pem").read_bytes()
            + site[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        made.load_cert_chain(tmp_path / "site.pem")
        made.load_verify_locations(tmp_path / "chain.pem")
        made.verify_mode = ssl.CERT_REQUIRED
        return made

    serving, asking = context(ssl.PROTOCOL_TLS_SERVER, one), context(ssl.PROTOCOL_TLS_CLIENT, other)
    with create_server(("127.0.0.1", 0)) as server:

        def serve():
            with server.accept()[0] as plain, serving.wrap_socket(plain, server_side=True) as talk:
                seen.append(talk.getpeercert(binary_form=True))
                talk.send(b"ok")

        thread = threading.Thread(target=serve)
        thread.start()
        with (
            __import__("socket").create_connection(server.getsockname()) as plain,
            asking.wrap_socket(plain, server_hostname=f"{one[0].key.lower()}.healthnet.internal") as talk,
        ):
            assert talk.recv(10) == b"ok"
        thread.join(10)
    assert (await certified.certificates.identify(seen[0])).key == other[0].key


async def test_list_of_revoked_certificates_is_short_lived(certified):
    found = x509.load_der_x509_crl(await certified.certificates.revocations())
    assert found.next_update_utc - found.last_update_utc == LIST_LASTS

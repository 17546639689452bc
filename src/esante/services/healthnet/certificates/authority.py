"""The certificates of the authority and of sites (RFC 5280), made and verified. Pure: no database, no files.

The root signs the intermediate authority and nothing else, on a machine without a network. The intermediate signs
sites: `path_length` 0, so that a site cannot sign another.
"""

from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from esante.services.healthnet.certificates.algorithms import algorithm_of, digest_of
from esante.services.healthnet.certificates.terms import CertificateTerms

SITE_URI = "urn:esante:healthnet:site:"
"""Before the key of a site in its certificate (subjectAltName, URI)."""
BACKDATED = timedelta(minutes=10)
"""How far clocks of gateways may be behind."""
MAX_REQUEST_BYTES = 20_000


class NotCertified(ValueError):
    """A request or a certificate that is not accepted; the text says why."""


def make_root(key: Any, organization: str, now: datetime, lasts: timedelta) -> x509.Certificate:
    """Return the certificate with which a root begins, signed by itself."""
    name = _name(organization, "HealthNet root")
    builder = _builder(name, name, key.public_key(), now, now + lasts)
    return _authority(builder, path_length=1).sign(key, digest_of(key.public_key()))


def make_request(key: Any, common_name: str) -> x509.CertificateSigningRequest:
    """Return the request of an intermediate authority or of a site."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    return x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, digest_of(key.public_key()))


def parse_request(pem: bytes) -> x509.CertificateSigningRequest:
    """Return a request (PEM) whose signature proves that its maker has the key. Raises: NotCertified."""
    if len(pem) > MAX_REQUEST_BYTES:
        raise NotCertified(f"the request has more than {MAX_REQUEST_BYTES:,} bytes")
    try:
        request = x509.load_pem_x509_csr(pem)
        is_proved = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise NotCertified(f"this is no request for a certificate in PEM ({type(error).__name__})") from error
    if not is_proved:
        raise NotCertified("the signature of the request is wrong")
    return request


def sign_intermediate(
    root: x509.Certificate, key: Any, request: x509.CertificateSigningRequest, now: datetime, lasts: timedelta
) -> x509.Certificate:
    """Return the certificate of an intermediate authority. Raises: NotCertified for a key of another algorithm."""
    try:
        algorithm_of(request.public_key())
    except ValueError as error:
        raise NotCertified(str(error)) from error
    organization = root.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value
    until = min(now + lasts, root.not_valid_after_utc)
    builder = _builder(_name(str(organization), "HealthNet"), root.subject, request.public_key(), now, until)
    return _authority(_signed_by(builder, root), path_length=0).sign(key, digest_of(key.public_key()))


def sign_site(
    intermediate: x509.Certificate,
    key: Any,
    request: x509.CertificateSigningRequest,
    site: str,
    zone: str,
    now: datetime,
    terms: CertificateTerms,
) -> x509.Certificate:
    """Return the certificate of a site. Of the request only the key counts: names are those of the site.

    Raises: NotCertified for a key of an algorithm that is not in force, or when the intermediate has ended.
    """
    try:
        algorithm = algorithm_of(request.public_key())
    except ValueError as error:
        raise NotCertified(str(error)) from error
    if algorithm not in terms.site_algorithms:
        known = ", ".join(sorted(terms.site_algorithms))
        raise NotCertified(f"keys of {algorithm} are not accepted; make one of {known}")
    until = min(now + terms.site_lasts, intermediate.not_valid_after_utc)
    if until <= now:
        raise NotCertified("the certificate of the authority has ended; install a new one")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, site)])
    names = [x509.UniformResourceIdentifier(SITE_URI + site), x509.DNSName(f"{site.lower()}.{zone}")]
    usage = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    return (
        _signed_by(_builder(subject, intermediate.subject, request.public_key(), now, until), intermediate)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, digest_of(key.public_key()))
    )


def verify_intermediate(root: x509.Certificate, intermediate: x509.Certificate, key: Any, now: datetime) -> None:
    """Raise NotCertified unless a certificate was signed by a root, is an authority's, in time, and of a key."""
    _verify_signed(root, intermediate, now)
    constraints = intermediate.extensions.get_extension_for_class(x509.BasicConstraints).value
    if not constraints.ca or constraints.path_length != 0:
        raise NotCertified("this is not the certificate of an intermediate authority")
    if _public_bytes(intermediate.public_key()) != _public_bytes(key.public_key()):
        raise NotCertified("this certificate is of another key: sign the request of this installation")


def verify_site(intermediate: x509.Certificate, certificate: x509.Certificate, now: datetime) -> str:
    """Return the key of the site that a certificate is of. Raises: NotCertified for a forged or ended one."""
    _verify_signed(intermediate, certificate, now)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound as error:
        raise NotCertified("this is not the certificate of a site") from error
    uris = [uri for uri in names.get_values_for_type(x509.UniformResourceIdentifier) if uri.startswith(SITE_URI)]
    if constraints.ca or len(uris) != 1:
        raise NotCertified("this is not the certificate of a site")
    return uris[0].removeprefix(SITE_URI)


def revocation_list(
    intermediate: x509.Certificate, key: Any, revoked: list[tuple[int, datetime]], now: datetime, lasts: timedelta
) -> x509.CertificateRevocationList:
    """Return the signed list of revoked certificates: serial numbers and times."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(intermediate.subject)
        .last_update(now)
        .next_update(now + lasts)
        .add_extension(x509.CRLNumber(int(now.timestamp())), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(intermediate.public_key()),  # type: ignore[arg-type]
            critical=False,
        )
    )
    for serial, at in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(key, digest_of(key.public_key()))


def _verify_signed(issuer: x509.Certificate, certificate: x509.Certificate, now: datetime) -> None:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise NotCertified("this certificate was not signed by the authority of the network") from error
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise NotCertified("this certificate is not valid at this time")


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: Any, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _signed_by(builder: x509.CertificateBuilder, issuer: x509.Certificate) -> x509.CertificateBuilder:
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())  # type: ignore[arg-type]
    return builder.add_extension(identifier, critical=False)


def _authority(builder: x509.CertificateBuilder, *, path_length: int) -> x509.CertificateBuilder:
    return builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True).add_extension(
        _key_usage(signs_certificates=True), critical=True
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(organization: str, common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _public_bytes(public_key: Any) -> bytes:
    return bytes(public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

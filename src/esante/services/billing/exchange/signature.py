"""Signatures of messages: verified and made with signxml.

Of a message only the elements are used that the verification returns. They must be the parts of the envelope that
they are taken for: each reference names the Id of the body, the timestamp or a token at its place, and no Id occurs
twice, so a signed part that was moved elsewhere (signature wrapping) is refused.
"""

import base64
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.exceptions import InvalidCertificate, SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from esante.core import clock
from esante.services.billing.exchange.envelope import Envelope, new_envelope, part_id
from esante.services.billing.exchange.faults import fault
from esante.services.billing.exchange.names import (
    BASE64_ENCODING,
    DS,
    EXCLUSIVE_C14N,
    WSSE,
    WSU,
    WSU_ID,
    X509_TYPE,
)

WINDOW = timedelta(minutes=10)
"""The longest validity of a timestamp."""
SKEW = timedelta(minutes=2)
"""How far clocks may differ."""
_MAX_REFERENCES = 8
_SIGNATURES = frozenset({SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512})
_DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})


@dataclass(frozen=True, slots=True)
class Verified:
    """What is signed of a message, by the key of `certificate`, which is not known to be trusted yet.

    `parts`: the signed elements by name: Body, Timestamp, BinarySecurityToken. `digest`: the SHA-256 of the
    signature, which no other message has. `until`: the end of the timestamp, None without one.
    """

    certificate: x509.Certificate
    parts: Mapping[str, etree._Element]
    digest: bytes
    until: datetime | None

    @property
    def body(self) -> etree._Element:
        """The signed body."""
        return self.parts["Body"]


def verify(envelope: Envelope, required: Collection[str]) -> Verified:
    """Return the signed parts of a message, all of `required` among them. Raises: `Problem`.

    A timestamp that is there must be signed and in force.
    """
    signature = envelope.signature
    if signature is None:
        raise fault("signature-missing", "Header/Security/Signature")
    certificate, token = _certificate_of(envelope, signature)
    named = _named_parts(envelope, token)
    signed = _signed_names(signature, named)
    parts = {signed[part_id(element)]: element for element in _verified_elements(envelope, certificate)}
    wanted = {*required, *(("Timestamp",) if _has_timestamp(envelope) else ())}
    for name in sorted(wanted - parts.keys()):
        raise fault("signature-missing", name)
    return Verified(certificate, parts, _digest(signature), _check_timestamp(parts.get("Timestamp")))


def _has_timestamp(envelope: Envelope) -> bool:
    return envelope.security.find(f"{{{WSU}}}Timestamp") is not None


def _certificate_of(envelope: Envelope, signature: etree._Element) -> tuple[x509.Certificate, etree._Element | None]:
    """Return the one certificate that a message brings, and the token that holds it, None where KeyInfo does."""
    tokens = envelope.tokens("#X509v3")
    inside = signature.findall(f"{{{DS}}}KeyInfo//{{{DS}}}X509Certificate")
    if len(tokens) + len(inside) != 1:
        raise fault("signature-missing", "Header/Security/BinarySecurityToken", "One X.509 certificate is needed.")
    try:
        der = base64.b64decode("".join((tokens + inside)[0].itertext()).encode())
        return x509.load_der_x509_certificate(der), tokens[0] if tokens else None
    except ValueError as error:
        raise fault("certificate-unknown", "Header/Security/BinarySecurityToken", "It cannot be read.") from error


def _named_parts(envelope: Envelope, token: etree._Element | None) -> dict[str, str]:
    """Return the names of the parts of a message that a signature may be about, by their Ids."""
    parts = {"Body": envelope.body, "Timestamp": envelope.timestamp, "BinarySecurityToken": token}
    named = {part_id(element): name for name, element in parts.items() if element is not None}
    for other in envelope.tokens(""):
        named.setdefault(part_id(other), "Token")
    named.pop("", None)
    return named


def _signed_names(signature: etree._Element, named: Mapping[str, str]) -> dict[str, str]:
    """Return the names of the parts that a signature refers to, by their Ids; it may transform nothing."""
    place = "Header/Security/Signature/SignedInfo"
    method = signature.find(f"{{{DS}}}SignedInfo/{{{DS}}}CanonicalizationMethod")
    references = signature.findall(f"{{{DS}}}SignedInfo/{{{DS}}}Reference")
    if method is None or method.get("Algorithm") != EXCLUSIVE_C14N or not 0 < len(references) <= _MAX_REFERENCES:
        raise fault("signature-misplaced", place)
    signed = {}
    for reference in references:
        transforms = [one.get("Algorithm") for one in reference.iter(f"{{{DS}}}Transform")]
        target = str(reference.get("URI", "")).removeprefix("#")
        if transforms != [EXCLUSIVE_C14N] or target not in named or target in signed:
            raise fault("signature-misplaced", f"{place}/Reference")
        signed[target] = named[target]
    return signed


def _verified_elements(envelope: Envelope, certificate: x509.Certificate) -> list[etree._Element]:
    config = SignatureConfiguration(
        location=f"./{{{envelope.soap}}}Header/{{{WSSE}}}Security/",
        expect_references=True,
        signature_methods=_SIGNATURES,
        digest_algorithms=_DIGESTS,
        verification_time=clock.now(),
    )
    try:
        results = XMLVerifier().verify(envelope.data, x509_cert=certificate, expect_config=config)
    except InvalidCertificate as error:
        raise fault("certificate-expired", "Header/Security/BinarySecurityToken") from error
    except (SignXMLException, etree.LxmlError, ValueError, TypeError, AttributeError) as error:
        raise fault("signature-wrong", "Header/Security/Signature") from error
    found = results if isinstance(results, list) else [results]
    return [one.signed_xml for one in found if one.signed_xml is not None]


def _digest(signature: etree._Element) -> bytes:
    value = signature.findtext(f"{{{DS}}}SignatureValue", "")
    return hashlib.sha256(base64.b64decode(value)).digest()


def _check_timestamp(element: etree._Element | None) -> datetime | None:
    """Return the end of a signed timestamp that is in force now; None without one. Raises: `Problem`."""
    if element is None:
        return None
    try:
        created, expires = (_moment(element.findtext(f"{{{WSU}}}{name}", "")) for name in ("Created", "Expires"))
    except ValueError as error:
        raise fault("expired", "Header/Security/Timestamp", "Created and Expires are needed, with a zone.") from error
    now = clock.now()
    if created - SKEW > now or expires + SKEW <= now or not created < expires <= created + WINDOW:
        raise fault("expired", "Header/Security/Timestamp", f"It is {now:%Y-%m-%dT%H:%M:%SZ} here.")
    return expires


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone")
    return moment


def signed_envelope(
    soap: str, content: etree._Element, key: RSAPrivateKey, certificate: x509.Certificate, correlation_id: str
) -> bytes:
    """Return the bytes of a message whose body and timestamp are signed, with the certificate as its token."""
    root, security, body = new_envelope(soap)
    root.insert(0, etree.Comment(f" Correlation-ID: {correlation_id} "))
    body.append(content)
    token = etree.SubElement(
        security, f"{{{WSSE}}}BinarySecurityToken", ValueType=X509_TYPE, EncodingType=BASE64_ENCODING
    )
    token.text = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
    timestamp = etree.SubElement(security, f"{{{WSU}}}Timestamp")
    now = clock.now()
    etree.SubElement(timestamp, f"{{{WSU}}}Created").text = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    etree.SubElement(timestamp, f"{{{WSU}}}Expires").text = f"{now + WINDOW:%Y-%m-%dT%H:%M:%SZ}"
    for element in (token, timestamp, body):
        element.set(WSU_ID, f"id-{uuid4()}")
    signer = XMLSigner(
        method=SignatureConstructionMethod.detached,
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    uris = [f"#{part_id(element)}" for element in (timestamp, token, body)]
    security.append(signer.sign(root, key=key, reference_uri=uris, key_info=_key_info(part_id(token))))
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def _key_info(token_id: str) -> etree._Element:
    info = etree.Element(f"{{{DS}}}KeyInfo", nsmap={"ds": DS, "wsse": WSSE})
    reference = etree.SubElement(info, f"{{{WSSE}}}SecurityTokenReference")
    etree.SubElement(reference, f"{{{WSSE}}}Reference", URI=f"#{token_id}", ValueType=X509_TYPE)
    return info

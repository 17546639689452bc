"""Signatures of assertions, made and verified with signxml.

Of a signed assertion only the element is used that the verification returns: it must be the assertion itself, whose
signature is its own child and refers to it alone. A signed part that was moved elsewhere is therefore never read.
"""

import base64
import copy

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.exceptions import InvalidCertificate, SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from esante.core import clock
from esante.services.exchange.assertions.model import Cause, Refused
from esante.services.exchange.assertions.names import DS, ENVELOPED, EXCLUSIVE_C14N, SAML

_METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
    }
)
_DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})


def verify(assertion: etree._Element) -> tuple[etree._Element, x509.Certificate]:
    """Return an assertion as it was signed, without its signature, and the certificate that it brings.

    Whether the certificate is trusted is for the caller to decide. Raises: `Refused`.
    """
    alone = copy.deepcopy(assertion)
    signatures = list(alone.iter(f"{{{DS}}}Signature"))
    if not signatures:
        raise Refused(Cause.NOT_SIGNED, "the assertion is not signed")
    if len(signatures) != 1 or signatures[0].getparent() is not alone:
        raise Refused(Cause.INTEGRITY, "the assertion must have one signature, as its own child")
    _check_reference(alone, signatures[0])
    certificate = _certificate(signatures[0])
    config = SignatureConfiguration(
        location="./", expect_references=1, signature_methods=_METHODS, digest_algorithms=_DIGESTS,
        verification_time=clock.now(),
    )  # fmt: skip
    try:
        found = XMLVerifier().verify(alone, x509_cert=certificate, id_attribute="ID", expect_config=config)
    except InvalidCertificate as error:
        raise Refused(Cause.INTEGRITY, "the certificate of the signature is not valid now") from error
    except (SignXMLException, etree.LxmlError, ValueError, TypeError, AttributeError) as error:
        raise Refused(Cause.INTEGRITY, "the signature of the assertion does not hold") from error
    signed = None if isinstance(found, list) else found.signed_xml
    if signed is None or signed.tag != f"{{{SAML}}}Assertion" or signed.get("ID") != alone.get("ID"):
        raise Refused(Cause.INTEGRITY, "the signature is not about the assertion")
    return signed, certificate


def sign(assertion: etree._Element, key: RSAPrivateKey, certificate: x509.Certificate) -> etree._Element:
    """Return an assertion with an enveloped signature (RSA-SHA256, exclusive canonicalisation) after its issuer."""
    placeholder = etree.Element(f"{{{DS}}}Signature", Id="placeholder", nsmap={"ds": DS})
    unsigned = copy.deepcopy(assertion)
    unsigned.insert(1, placeholder)
    signer = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    return signer.sign(
        unsigned, key=key, cert=[certificate], reference_uri=f"#{assertion.get('ID')}", id_attribute="ID"
    )


def _check_reference(assertion: etree._Element, signature: etree._Element) -> None:
    """Refuse a signature that refers to something else than the assertion, or transforms it."""
    references = signature.findall(f"{{{DS}}}SignedInfo/{{{DS}}}Reference")
    method = signature.find(f"{{{DS}}}SignedInfo/{{{DS}}}CanonicalizationMethod")
    name = assertion.get("ID", "")
    ids = [one.get("ID") for one in assertion.iter() if isinstance(one.tag, str) and one.get("ID") is not None]
    if len(references) != 1 or not name or references[0].get("URI") != f"#{name}" or ids.count(name) != 1:
        raise Refused(Cause.INTEGRITY, "the signature must refer to the assertion and to nothing else")
    transforms = [one.get("Algorithm") for one in references[0].iter(f"{{{DS}}}Transform")]
    if transforms != [ENVELOPED, EXCLUSIVE_C14N] or method is None or method.get("Algorithm") != EXCLUSIVE_C14N:
        raise Refused(Cause.INTEGRITY, "the signature must use exclusive canonicalisation and no other transform")


def _certificate(signature: etree._Element) -> x509.Certificate:
    found = signature.findall(f"{{{DS}}}KeyInfo/{{{DS}}}X509Data/{{{DS}}}X509Certificate")
    if not found:
        raise Refused(Cause.INTEGRITY, "the signature brings no certificate")
    try:
        return x509.load_der_x509_certificate(base64.b64decode("".join(found[0].itertext())))
    except ValueError as error:
        raise Refused(Cause.INTEGRITY, "the certificate of the signature cannot be read") from error

"""Service metadata of contact points (OASIS BDXR SMP 1.0, sections 2.3 to 2.5), read, verified and written.

A document is about one transaction of one contact point, or carries its search mask; the seal of the contact point
signs it whole.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from esante.core.plain_xml import BrokenXml, parse_xml
from esante.services.exchange.contact_points.mask import ISM, SMP, read_mask, write_mask
from esante.services.exchange.contact_points.model import MaskField, Transaction
from esante.services.exchange.model import Fault, NotUsable


class Other(StrEnum):
    """What a document is about beside transactions."""

    MASK = "search mask"
    FHIR = "FHIR"


_PARTICIPANT_SCHEME, _DOCUMENT_SCHEME = "ehealth-participantid-qns", "ehealth-resid-qns"
_PROCESS_SCHEME = "ehealth-procid-qns"
_DS = "http://www.w3.org/2000/09/xmldsig#"
_MASK = "urn:ehealth:ISM::InternationalSearchMask##ehealth-107"
_DOCUMENTS: Mapping[Transaction | Other, str] = {
    Other.FHIR: "urn:ehealth:FhirService",
    Transaction.DISCOVERY: (
        "urn:ehealth:PatientIdentificationAndAuthentication::XCPD::CrossGatewayPatientDiscovery##ITI-55"
    ),
    Transaction.LIST: "urn:ehealth:RequestOfData::XCA::CrossGatewayQuery##ITI-38",
    Transaction.RETRIEVE: "urn:ehealth:RequestOfData::XCA::CrossGatewayRetrieve##ITI-39",
    Transaction.SUBMIT: "urn:ehealth:ProvisioningOfData:Provide::XDR::ProvideandRegisterDocumentSet-b##ITI-41",
}
_SUBJECTS = {name: subject for subject, name in _DOCUMENTS.items()}
_PROFILES = {
    _DOCUMENTS[Transaction.DISCOVERY]: "urn:ihe:iti:2013:xcpd",
    _DOCUMENTS[Transaction.SUBMIT]: "urn:ihe:iti:2013:xdr",
    _DOCUMENTS[Other.FHIR]: "urn:ehealth:fhir",
    _MASK: "urn:ehealth:ism",
}
_XCA = "urn:ihe:iti:2013:xca"
_METHODS = frozenset({SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512})
_DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
MAX_MARKUP = 5_000


@dataclass(frozen=True, slots=True)
class ServiceMetadata:
    """What a document says: an endpoint with the certificate of its connections, or a search mask."""

    subject: Transaction | Other
    until: datetime
    url: str = ""
    certificate: x509.Certificate | None = field(default=None, repr=False)
    mask: Sequence[MaskField] = ()


def read_metadata(
    data: bytes, country: str, seals: Sequence[x509.Certificate], at: datetime, place: str
) -> ServiceMetadata:
    """Return what a signed document says about a contact point. `place`: its file, for faults. Raises: `NotUsable`."""
    try:
        root = parse_xml(data, max_markup=MAX_MARKUP)
    except BrokenXml as error:
        raise NotUsable(Fault(f"this is no XML that is accepted: {error}", place, "Fetch it again")) from error
    signed = _verified(root, seals, place)
    information = signed.find(f"{{{SMP}}}ServiceMetadata/{{{SMP}}}ServiceInformation")
    if signed.tag != f"{{{SMP}}}SignedServiceMetadata" or information is None:
        raise NotUsable(Fault("this is no SignedServiceMetadata with ServiceInformation", place, "Fetch it again"))
    participant = (information.findtext(f"{{{SMP}}}ParticipantIdentifier") or "").strip()
    if participant != _participant(country):
        raise NotUsable(Fault(f"it is about {participant[:80] or 'nobody'}, not {country}", place, "Remove the file"))
    name = (information.findtext(f"{{{SMP}}}DocumentIdentifier") or "").strip()
    endpoints = [one for one in information.iter(f"{{{SMP}}}Endpoint") if _is_active(one, at, place)]
    if len(endpoints) != 1:
        raise NotUsable(
            Fault(f"one active endpoint is needed, there are {len(endpoints)}", place, "Ask the country for a new one")
        )
    until = _moment(endpoints[0], "ServiceExpirationDate", place)
    if name == _MASK:
        masks = list(information.iter(f"{{{ISM}}}searchFields"))
        if len(masks) != 1:
            raise NotUsable(Fault("one search mask is needed", place, "Ask the country for its mask"))
        return ServiceMetadata(Other.MASK, until, mask=read_mask(masks[0], country))
    if name not in _SUBJECTS:
        raise NotUsable(Fault(f"the service {name[:80]} is not known here", place, "Remove the file"))
    return ServiceMetadata(
        _SUBJECTS[name], until, _url(endpoints[0], place), _endpoint_certificate(endpoints[0], place)
    )


def write_endpoint(
    country: str,
    subject: Transaction | Other,
    url: str,
    certificate: x509.Certificate,
    period: tuple[datetime, datetime],
    seal: tuple[RSAPrivateKey, x509.Certificate],
) -> bytes:
    """Return the signed document about a transaction of ours, or our FHIR interface."""
    root, endpoint = _document(country, _DOCUMENTS[subject], period)
    etree.SubElement(endpoint, f"{{{SMP}}}EndpointURI").text = url
    _add_common(endpoint, period, certificate, subject.value)
    return _signed(root, seal)


def write_search_mask(
    country: str,
    fields: list[MaskField],
    period: tuple[datetime, datetime],
    certificate: x509.Certificate,
    seal: tuple[RSAPrivateKey, x509.Certificate],
) -> bytes:
    """Return the signed document with our search mask."""
    root, endpoint = _document(country, _MASK, period)
    etree.SubElement(endpoint, f"{{{SMP}}}EndpointURI").text = ""
    _add_common(endpoint, period, certificate, "International search mask")
    etree.SubElement(endpoint, f"{{{SMP}}}Extension").append(write_mask(fields, country))
    return _signed(root, seal)


def _participant(country: str) -> str:
    return f"urn:ehealth:{country.lower()}:ncp-idp"


def _document(country: str, name: str, period: tuple[datetime, datetime]) -> tuple[etree._Element, etree._Element]:
    root = etree.Element(f"{{{SMP}}}SignedServiceMetadata", nsmap={None: SMP})
    metadata = etree.SubElement(root, f"{{{SMP}}}ServiceMetadata")
    information = etree.SubElement(metadata, f"{{{SMP}}}ServiceInformation")
    participant = etree.SubElement(information, f"{{{SMP}}}ParticipantIdentifier", scheme=_PARTICIPANT_SCHEME)
    participant.text = _participant(country)
    etree.SubElement(information, f"{{{SMP}}}DocumentIdentifier", scheme=_DOCUMENT_SCHEME).text = name
    process = etree.SubElement(etree.SubElement(information, f"{{{SMP}}}ProcessList"), f"{{{SMP}}}Process")
    etree.SubElement(process, f"{{{SMP}}}ProcessIdentifier", scheme=_PROCESS_SCHEME).text = name
    listed = etree.SubElement(process, f"{{{SMP}}}ServiceEndpointList")
    return root, etree.SubElement(listed, f"{{{SMP}}}Endpoint", transportProfile=_PROFILES.get(name, _XCA))


def _add_common(
    endpoint: etree._Element, period: tuple[datetime, datetime], certificate: x509.Certificate, description: str
) -> None:
    values = {
        "RequireBusinessLevelSignature": "false",
        "ServiceActivationDate": _text(period[0]),
        "ServiceExpirationDate": _text(period[1]),
        "Certificate": base64.b64encode(certificate.public_bytes(Encoding.DER)).decode("ascii"),
        "ServiceDescription": description,
    }
    for name, value in values.items():
        etree.SubElement(endpoint, f"{{{SMP}}}{name}").text = value


def _signed(root: etree._Element, seal: tuple[RSAPrivateKey, x509.Certificate]) -> bytes:
    signer = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    return etree.tostring(signer.sign(root, key=seal[0], cert=[seal[1]]), xml_declaration=True, encoding="utf-8")


def _verified(root: etree._Element, seals: Sequence[x509.Certificate], place: str) -> etree._Element:
    """Return the document that one of the seals signed, as it was signed."""
    signatures = list(root.iter(f"{{{_DS}}}Signature"))
    if len(signatures) != 1 or signatures[0].getparent() is not root:
        raise NotUsable(Fault("one signature is needed, as the last part of the document", place, "Fetch it again"))
    config = SignatureConfiguration(
        location="./", expect_references=1, signature_methods=_METHODS, digest_algorithms=_DIGESTS
    )
    for seal in seals:
        try:
            found = XMLVerifier().verify(root, x509_cert=seal, expect_config=config)
        except (SignXMLException, etree.LxmlError, ValueError, TypeError, AttributeError):
            continue
        signed = None if isinstance(found, list) else found.signed_xml
        if signed is not None and signed.tag == root.tag:
            return signed
    raise NotUsable(
        Fault("no seal of the contact point signed it", place, "Compare seals and document with the country")
    )


def _is_active(endpoint: etree._Element, at: datetime, place: str) -> bool:
    begin = _moment(endpoint, "ServiceActivationDate", place)
    return begin <= at < _moment(endpoint, "ServiceExpirationDate", place)


def _moment(endpoint: etree._Element, name: str, place: str) -> datetime:
    text = (endpoint.findtext(f"{{{SMP}}}{name}") or "").strip()
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise NotUsable(Fault(f"{name} is no time", place, "Ask the country for a new one")) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _url(endpoint: etree._Element, place: str) -> str:
    url = (endpoint.findtext(f"{{{SMP}}}EndpointURI") or "").strip()
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.fragment:
        raise NotUsable(
            Fault("the address of the endpoint is not one of https", place, "Ask the country for a new one")
        )
    return url


def _endpoint_certificate(endpoint: etree._Element, place: str) -> x509.Certificate:
    text = "".join((endpoint.findtext(f"{{{SMP}}}Certificate") or "").split())
    try:
        return x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error) as error:
        raise NotUsable(Fault("the certificate cannot be read", place, "Ask the country for a new one")) from error


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

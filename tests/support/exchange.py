"""Doctors' software at the exchange: certificates, and messages that xmlsec signs."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"
TRUST = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
SYNC = "http://ws.mysecu.lu/generic/sync"
CNS = "http://www.secu.lu/ciss/cns"
COMMON = f"{CNS}/commonTypes"
FAULT = "urn:esante:billing:fault"
X509 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
BST = "http://ws.mySecu.lu/trust/token/bst"
NAMES = {"wsse": WSSE, "wsu": WSU, "ds": DS, "wst": TRUST, "sync": SYNC, "cns": CNS, "com": COMMON, "f": FAULT}


@dataclass(frozen=True)
class Card:
    """The key of a professional and its certificate."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        """The certificate, PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key, PEM."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def make_card(name: str = "Dr Test", *, days: int = 365, since: int = -1, bits: int = 2048) -> Card:
    """Return a new key with a self-signed certificate, valid from `since` days from now for `days`."""
    key = rsa.generate_private_key(65537, bits)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.now(UTC) + timedelta(days=since)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .sign(key, SHA256())
    )
    return Card(key, certificate)


def envelope(body: str, *, soap: str = SOAP_11, card: Card, token: str = "", lifetime: int = 300, at: int = 0):
    """Return an unsigned message: `token`: of the exchange; `lifetime` 0: no timestamp; `at`: seconds from now."""
    now = datetime.now(UTC) + timedelta(seconds=at)
    created, expires = (moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in (now, now + timedelta(seconds=lifetime)))
    der = base64.b64encode(card.certificate.public_bytes(Encoding.DER)).decode()
    stamp = f"""<wsu:Timestamp wsu:Id="TS-{uuid4()}"><wsu:Created>{created}</wsu:Created>
      <wsu:Expires>{expires}</wsu:Expires></wsu:Timestamp>"""
    first = f'<wsse:BinarySecurityToken ValueType="{BST}" wsu:Id="T-{uuid4()}">{token}</wsse:BinarySecurityToken>'
    return etree.fromstring(f"""<soap:Envelope xmlns:soap="{soap}" xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}"
      xmlns:sync="{SYNC}" xmlns:cns="{CNS}" xmlns:com="{COMMON}"><soap:Header><wsse:Security>
      {first if token else ""}
      <wsse:BinarySecurityToken ValueType="{X509}" wsu:Id="X-{uuid4()}">{der}</wsse:BinarySecurityToken>
      {stamp if lifetime else ""}</wsse:Security></soap:Header>
      <soap:Body wsu:Id="B-{uuid4()}">{body}</soap:Body></soap:Envelope>""")


def parts(root, names=("Timestamp", "BinarySecurityToken", "Body")):
    """Return the parts of a message that are to be signed, by their names; those that it lacks are left out."""
    found = {
        "Timestamp": root.find(f".//{{{WSU}}}Timestamp"),
        "BinarySecurityToken": root.find(f".//{{{WSSE}}}BinarySecurityToken[@ValueType='{X509}']"),
        "Body": root[-1],
    }
    return [found[name] for name in names if found[name] is not None]


def sign(root, card: Card, names=("Timestamp", "BinarySecurityToken", "Body"), method=xmlsec.Transform.RSA_SHA256):
    """Sign parts of a message with xmlsec, in place; return the message."""
    signature = xmlsec.template.create(root, xmlsec.Transform.EXCL_C14N, method, ns="ds")
    root.find(f".//{{{WSSE}}}Security").append(signature)
    context = xmlsec.SignatureContext()
    for part in parts(root, names):
        context.register_id(part, "Id", WSU)
        reference = xmlsec.template.add_reference(
            signature, xmlsec.Transform.SHA256, uri=f"#{part.get(f'{{{WSU}}}Id')}"
        )
        xmlsec.template.add_transform(reference, xmlsec.Transform.EXCL_C14N)
    context.key = xmlsec.Key.from_memory(card.key_pem, xmlsec.KeyFormat.PEM)
    context.sign(signature)
    return root


def verify_by_xmlsec(data: bytes, certificate_pem: bytes) -> etree._Element:
    """Return the body of an answer whose signature xmlsec accepts by a certificate. Raises: xmlsec.Error."""
    root = etree.fromstring(data)
    context = xmlsec.SignatureContext()
    signature = root.find(f".//{{{WSSE}}}Security/{{{DS}}}Signature")
    covered = {one.get("URI")[1:] for one in signature.iter(f"{{{DS}}}Reference")}
    for element in root.iter():
        if element.get(f"{{{WSU}}}Id") in covered:
            context.register_id(element, "Id", WSU)
    context.key = xmlsec.Key.from_memory(certificate_pem, xmlsec.KeyFormat.CERT_PEM)
    context.verify(signature)
    assert root[-1].get(f"{{{WSU}}}Id") in covered
    return root[-1]


def token_request(code: str, address: str) -> str:
    """Return a RequestSecurityToken for a provider code."""
    return f"""<wst:RequestSecurityToken xmlns:wst="{TRUST}"><wst:RequestType>{TRUST}/Issue</wst:RequestType>
      <wst:TokenType>{BST}</wst:TokenType>
      <wsp:AppliesTo xmlns:wsp="http://schemas.xmlsoap.org/ws/2004/09/policy"><wsa:EndpointReference
        xmlns:wsa="http://www.w3.org/2005/08/addressing"><wsa:Address>{address}</wsa:Address></wsa:EndpointReference>
      </wsp:AppliesTo>
      <wst:Claims Dialect="http://schemas.xmlsoap.org/ws/2006/12/authorization/authclaims"><auth:ClaimType
        xmlns:auth="http://schemas.xmlsoap.org/ws/2006/12/authorization"
        Uri="http://ws.mysecu.lu/trust/prodo/espaceid"><auth:Value>{code}</auth:Value></auth:ClaimType></wst:Claims>
      </wst:RequestSecurityToken>"""


def request_info(model: str, content: str) -> str:
    """Return a RequestInfo around a business message."""
    return f'<sync:RequestInfo modelUID="{model}">{content}</sync:RequestInfo>'


def fault_of(response) -> str:
    """Return the code of the fault that a response is, with the place."""
    root = etree.fromstring(response.content)
    (inside,) = root.iter(f"{{{FAULT}}}fault")
    assert inside.findtext(f"{{{FAULT}}}correlationId") == response.headers["Correlation-ID"]
    assert "Traceback" not in response.text
    return inside.findtext(f"{{{FAULT}}}code")

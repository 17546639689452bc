"""The checks of the software's clock, and of the messages that it sends by the SOAP exchange."""

import base64
from datetime import datetime, timedelta

from cryptography import x509
from lxml import etree
from lxml.etree import _Element
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from esante.core import clock
from esante.core.plain_xml import BrokenXml, parse_xml
from esante.services.conformance.kits.checks import Checks, expect, expect_status
from esante.services.conformance.kits.model import Fault
from esante.services.conformance.kits.ra_pid.driver import calls, send_note
from esante.services.conformance.kits.session import Session

CHECKS = Checks()
MODEL = "2022_CNS_MEMHON_DEPOT-V1"
_CLOCK, _SKEW, _WINDOW = timedelta(seconds=60), timedelta(minutes=2), timedelta(minutes=10)
"""How far the clock may be off, how far a timestamp may be, and how long it may be valid."""
_SOAP = ("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")
_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
_WSSE, _WSU = f"{_OASIS}-wssecurity-secext-1.0.xsd", f"{_OASIS}-wssecurity-utility-1.0.xsd"
_X509 = f"{_OASIS}-x509-token-profile-1.0#X509v3"
_SIGNATURES = frozenset({SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512})
_DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})


@CHECKS.of("RP-49")
async def _clock_is_right(session: Session) -> None:
    before = clock.now()
    reply = await session.send("GET", "clock")
    after = clock.now()
    expect_status(reply, 200, remedy="Answer with the time of the machine on which fee notes are written.")
    answer = reply.json()
    shown = _moment(answer.get("now") if isinstance(answer, dict) else None, "now")
    off = max(before - shown, shown - after, timedelta(0))
    expect(off <= _CLOCK, f"The clock is {off.total_seconds():.0f} seconds off.", "Set the clock by NTP.")


@CHECKS.of("RP-50")
async def _sends_by_exchange(session: Session) -> None:
    session.option("exchange")
    sent = await send_note(session, "exchange")
    root = _envelope((await calls(session, sent, "SOAP"))[0].body)
    body = root[-1]
    info = body[0] if len(body) == 1 else None
    named = info is not None and etree.QName(info).localname == "RequestInfo"
    expect(named, "The body is not one RequestInfo.", "Put the message into sync:RequestInfo.")
    model = info.get("modelUID") if info is not None else None
    expect(model == MODEL, f"modelUID is {model!r}.", f"Send a fee note as {MODEL}.")
    text = etree.tostring(body, method="text", encoding="unicode")
    expect(sent.uuid in text.lower(), "The message lacks the UUID of the note.", "Send the note with its UUID.")
    session.values["envelope"] = root


@CHECKS.of("RP-51")
async def _timestamp(session: Session) -> None:
    stamp = _in_header(session.value("envelope"), f"{{{_WSU}}}Timestamp")
    created, expires = (_moment(stamp.findtext(f"{{{_WSU}}}{name}"), name) for name in ("Created", "Expires"))
    off = abs(clock.now() - created)
    expect(off <= _SKEW, f"Created is {off.total_seconds():.0f} seconds off.", "Stamp each message when it is sent.")
    valid = timedelta(0) < expires - created <= _WINDOW
    expect(valid, f"It is valid for {expires - created}.", "Let it expire within ten minutes.")


@CHECKS.of("RP-52")
async def _signature(session: Session) -> None:
    root = session.value("envelope")
    token = _in_header(root, f"{{{_WSSE}}}BinarySecurityToken[@ValueType='{_X509}']")
    remedy = "Sign body and timestamp by the key of the X.509 token (exclusive C14N, RSA with SHA-256)."
    try:
        certificate = x509.load_der_x509_certificate(base64.b64decode("".join(token.itertext())))
        config = SignatureConfiguration(
            location=f"./{{{etree.QName(root).namespace}}}Header/{{{_WSSE}}}Security/",
            expect_references=True,
            signature_methods=_SIGNATURES,
            digest_algorithms=_DIGESTS,
            verification_time=clock.now(),
        )
        found = XMLVerifier().verify(etree.tostring(root), x509_cert=certificate, expect_config=config)
    except (SignXMLException, etree.LxmlError, ValueError, TypeError, AttributeError) as error:
        raise Fault(f"The signature is not accepted ({type(error).__name__}).", remedy) from error
    results = found if isinstance(found, list) else [found]
    signed = {etree.QName(one.signed_xml).localname for one in results if one.signed_xml is not None}
    missing = sorted({"Body", "Timestamp"} - signed)
    expect(not missing, f"Not signed: {', '.join(missing)}.", remedy)


def _envelope(data: bytes) -> _Element:
    """Return the root of a SOAP message. Raises: `Fault`."""
    remedy = "Send a SOAP envelope."
    try:
        root = parse_xml(data)
    except BrokenXml as error:
        raise Fault(f"The message is not accepted as XML: {error}.", remedy) from error
    is_soap = root.tag in [f"{{{one}}}Envelope" for one in _SOAP] and len(root) == 2
    expect(is_soap, "The message is no SOAP envelope with header and body.", remedy)
    return root


def _in_header(root: _Element, path: str) -> _Element:
    """Return an element of WS-Security. Raises: `Fault` when it is missing."""
    found = root[0].find(f"{{{_WSSE}}}Security/{path}")
    if found is None:
        name = path.rpartition("}")[2].partition("[")[0]
        raise Fault(f"The header has no {name}.", f"Put {name} into wsse:Security.")
    return found


def _moment(text: object, name: str) -> datetime:
    """Return a moment with its zone. Raises: `Fault`."""
    try:
        moment = datetime.fromisoformat(str(text).strip())
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Fault(f"{name} is {str(text)[:60]!r}, which is no moment with a zone.", "Write it as ISO 8601.")
    return moment

"""Faults of the exchange: what is wrong with a message, where, and the remedy; and how SOAP 1.1 and 1.2 say it."""

from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from esante.core.web import N_, Problem
from esante.services.billing.exchange.names import FAULT, SOAP_11, SOAP_12, WSSE, WSU

_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of fault: title and remedy (msgids), its name in WS-Security, the HTTP status beside SOAP."""

    title: str
    remedy: str
    name: tuple[str, str] | None = None
    status: int = 400


_KINDS = {
    "malformed": _Kind(
        N_("This message is not a SOAP message that can be read."),
        N_("Send one SOAP envelope with one header and one body, without DTD and entities."),
    ),
    "signature-missing": _Kind(
        N_("This message is not signed as it must be."),
        N_("Sign the named part with the key of the professional’s certificate (RSA-SHA256, exclusive C14N)."),
        (WSSE, "InvalidSecurity"),
    ),
    "signature-wrong": _Kind(
        N_("The signature of this message does not match."),
        N_("Sign the message as it is sent, and check that nothing changes it on the way."),
        (WSSE, "FailedCheck"),
    ),
    "signature-misplaced": _Kind(
        N_("The signature is about something else than this message."),
        N_("Refer to the body, the timestamp and the token of this envelope, each by an Id of its own."),
        (WSSE, "FailedCheck"),
    ),
    "expired": _Kind(
        N_("This message is too old, valid for too long, or from the future."),
        N_("Set the clock by NTP, and make the timestamp when you send, for ten minutes at most."),
        (WSU, "MessageExpired"),
    ),
    "replayed": _Kind(
        N_("This message has been received before."),
        N_("Sign each message anew, with new Ids."),
        (WSSE, "FailedCheck"),
    ),
    "certificate-unknown": _Kind(
        N_("This certificate is not enrolled."),
        N_("Have the agency enrol the professional’s certificate."),
        (WSSE, "FailedAuthentication"),
        403,
    ),
    "certificate-revoked": _Kind(
        N_("This certificate was revoked."),
        N_("Have the agency enrol a new certificate."),
        (WSSE, "FailedAuthentication"),
        403,
    ),
    "certificate-expired": _Kind(
        N_("This certificate has expired, or is not valid yet."),
        N_("Have the agency enrol a new certificate."),
        (WSSE, "FailedAuthentication"),
        403,
    ),
    "token-invalid": _Kind(
        N_("The token of this message is not valid."),
        N_("Ask the token service for a new token, and send it unchanged."),
        (WSSE, "InvalidSecurityToken"),
    ),
    "token-expired": _Kind(
        N_("The token of this message has expired."),
        N_("Ask the token service for a new token."),
        (WSSE, "SecurityTokenUnavailable"),
    ),
    "request": _Kind(
        N_("This request for a token is incomplete."),
        N_("Ask to issue a token for the address of the exchange, with the provider code as claim."),
        (WSSE, "InvalidSecurity"),
    ),
    "provider-code": _Kind(
        N_("This provider code is not one of this professional."),
        N_("Use the provider code of the professional whose certificate signs, for the token and in the message."),
        (WSSE, "FailedAuthentication"),
        403,
    ),
    "model-unknown": _Kind(
        N_("This kind of message is not known."),
        N_("Use one of the modelUIDs of the documentation."),
    ),
    "content": _Kind(
        N_("The content of this message does not follow its schema."),
        N_("Correct the named element."),
    ),
}


def fault(code: str, place: str, detail: str = "") -> Problem:
    """Return the refusal of a message by the code of its fault, for what is wrong at `place` (an element)."""
    kind = _KINDS[code]
    return Problem(kind.status, code, kind.title, place=place, detail=detail, remedy=kind.remedy)


def fault_element(
    problem: Problem, soap: str, language: str, gettext: Callable[[str], str], correlation_id: str
) -> etree._Element:
    """Return the Fault of a problem in a version of SOAP.

    The detail has `code`, `place`, `remedy` and `correlationId`; the code is never changed once it is published.
    """
    kind = _KINDS.get(problem.code)
    name = kind.name if kind else None
    reason = " ".join(part for part in (gettext(problem.title), problem.detail) if part)
    element = etree.Element(f"{{{soap}}}Fault", nsmap={"soap": soap, "wsse": WSSE, "wsu": WSU, "f": FAULT})
    if soap == SOAP_12:
        code = etree.SubElement(element, f"{{{soap}}}Code")
        etree.SubElement(code, f"{{{soap}}}Value").text = "soap:Receiver" if problem.status >= 500 else "soap:Sender"
        if name:
            subcode = etree.SubElement(code, f"{{{soap}}}Subcode")
            etree.SubElement(subcode, f"{{{soap}}}Value").text = _prefixed(name)
        text = etree.SubElement(etree.SubElement(element, f"{{{soap}}}Reason"), f"{{{soap}}}Text")
        detail = etree.SubElement(element, f"{{{soap}}}Detail")
    else:
        role = "soap:Server" if problem.status >= 500 else "soap:Client"
        etree.SubElement(element, "faultcode").text = _prefixed(name) if name else role
        text = etree.SubElement(element, "faultstring")
        detail = etree.SubElement(element, "detail")
    text.set(_XML_LANG, language)
    text.text = reason
    _add_detail(detail, problem, gettext, correlation_id)
    return element


def fault_status(problem: Problem, soap: str) -> int:
    """Return the HTTP status of a fault: by SOAP 1.1 always 500, but for what may be tried again later."""
    if problem.status in (413, 429, 503):
        return problem.status
    return 500 if soap == SOAP_11 or problem.status >= 500 else 400


def _add_detail(detail: etree._Element, problem: Problem, gettext: Callable[[str], str], correlation_id: str) -> None:
    inside = etree.SubElement(detail, f"{{{FAULT}}}fault")
    remedy = gettext(problem.remedy) if problem.remedy else ""
    values = {"code": problem.code, "place": problem.place, "remedy": remedy, "correlationId": correlation_id}
    for name, value in values.items():
        if value:
            etree.SubElement(inside, f"{{{FAULT}}}{name}").text = value


def _prefixed(name: tuple[str, str]) -> str:
    return f"{'wsu' if name[0] == WSU else 'wsse'}:{name[1]}"

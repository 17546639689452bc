"""Reads assertions out of a header of WS-Security: verified first, and only what is verified."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from cryptography import x509
from lxml import etree

from esante.services.exchange.assertions.model import Assertion, Cause, Code, Refused
from esante.services.exchange.assertions.names import SAML, V3, Kind
from esante.services.exchange.assertions.signature import verify

MAX_ASSERTIONS = 4
MAX_VALUES = 200
"""Attribute values of an assertion."""


def read_assertions(security: etree._Element) -> Sequence[Assertion]:
    """Return the assertions of a header, each verified; of each kind there is at most one. Raises: `Refused`."""
    elements = security.findall(f"{{{SAML}}}Assertion")
    if not elements:
        raise Refused(Cause.MISSING, "the message has no assertion")
    if len(elements) > MAX_ASSERTIONS:
        raise Refused(Cause.NOT_VALID, f"the message has more than {MAX_ASSERTIONS} assertions")
    found = [_read(*verify(one)) for one in elements]
    if len({one.kind for one in found}) != len(found) or len({one.id for one in found}) != len(found):
        raise Refused(Cause.NOT_VALID, "the message has two assertions of a kind")
    return found


def _read(element: etree._Element, certificate: x509.Certificate) -> Assertion:
    issuer = only(element, "Issuer")
    conditions = only(element, "Conditions")
    confirmation = only(element, "Subject/SubjectConfirmation")
    texts: dict[str, list[str]] = defaultdict(list)
    codes: dict[str, list[Code]] = defaultdict(list)
    for name, value in attribute_values(element):
        if isinstance(value, Code):
            codes[name].append(value)
        else:
            texts[name].append(value)
    try:
        kind = Kind(issuer.get("NameQualifier", ""))
    except ValueError as error:
        raise Refused(Cause.NOT_VALID, "the NameQualifier of the issuer names no known kind of assertion") from error
    return Assertion(
        id=element.get("ID", ""),
        kind=kind,
        issuer=text_in(issuer),
        name_id=text_in(only(element, "Subject/NameID")),
        issued_at=moment_of(element, "IssueInstant"),
        not_before=moment_of(conditions, "NotBefore"),
        not_on_or_after=moment_of(conditions, "NotOnOrAfter"),
        audiences=[text_in(one) for one in conditions.findall(f"{{{SAML}}}AudienceRestriction/{{{SAML}}}Audience")],
        confirmation=confirmation.get("Method", ""),
        authentication=text_in(only(element, "AuthnStatement/AuthnContext/AuthnContextClassRef")),
        advised_by=[text_in(one) for one in element.findall(f"{{{SAML}}}Advice/{{{SAML}}}AssertionIDRef")],
        texts=texts,
        codes=codes,
        certificate=certificate,
    )


def attribute_values(element: etree._Element) -> Iterator[tuple[str, str | Code]]:
    """Yield the names and values of all attributes. Raises: `Refused` for too many."""
    count = 0
    for attribute in element.findall(f"{{{SAML}}}AttributeStatement/{{{SAML}}}Attribute"):
        for value in attribute.findall(f"{{{SAML}}}AttributeValue"):
            count += 1
            if count > MAX_VALUES:
                raise Refused(Cause.NOT_VALID, f"the assertion has more than {MAX_VALUES} attribute values")
            coded = [one for one in value if isinstance(one.tag, str) and one.tag.startswith(f"{{{V3}}}")]
            name = attribute.get("Name", "")
            if len(coded) == 1:
                yield name, Code(coded[0].get("code", ""), coded[0].get("codeSystem", ""))
            elif text := text_in(value):
                yield name, text


def only(element: etree._Element, path: str) -> etree._Element:
    """Return the one element at a path. Raises: `Refused`."""
    found = element.findall("/".join(f"{{{SAML}}}{name}" for name in path.split("/")))
    if len(found) != 1:
        raise Refused(Cause.NOT_VALID, f"the assertion must have one {path}")
    return found[0]


def text_in(element: etree._Element) -> str:
    """Return the text of an element, with single blanks."""
    return " ".join("".join(str(one) for one in element.itertext()).split())


def moment_of(element: etree._Element, name: str) -> datetime:
    """Return the time of an attribute. Raises: `Refused`."""
    try:
        moment = datetime.fromisoformat(element.get(name, ""))
    except ValueError as error:
        raise Refused(Cause.NOT_VALID, f"{name} is no time") from error
    if moment.tzinfo is None:
        raise Refused(Cause.NOT_VALID, f"{name} has no time zone")
    return moment

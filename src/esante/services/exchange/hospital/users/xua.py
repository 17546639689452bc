"""Assertions about the user of a hospital's system (IHE XUA, ITI-40): verified first, then read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from lxml import etree

from esante.services.exchange.assertions.model import Cause, Code, Refused
from esante.services.exchange.assertions.names import ORGANIZATION_ID, PURPOSE, ROLE, SAML
from esante.services.exchange.assertions.reader import attribute_values, moment_of, only, text_in
from esante.services.exchange.assertions.signature import verify
from esante.services.exchange.hospital.users.rules import XuaRules

WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
RESOURCE_ID = "urn:oasis:names:tc:xacml:2.0:resource:resource-id"


@dataclass(frozen=True, slots=True)
class NameId:
    """The identifier of somebody: its value, and what names its system ("" for nothing)."""

    value: str
    qualifier: str


@dataclass(frozen=True, slots=True)
class User:
    """What a verified assertion says of a user.

    `acts`: "practitioner" or "organization". `delegate`: who acts in the name of the professional, None: they do.
    `purpose`: HL7 v3 PurposeOfUse. `patient`: for whose care, as CX, "" for nobody in particular. `organizations`: the
    identifiers of organisations that it names. `certificate`: whose key signed it; who is trusted is for the caller.
    """

    issuer: str
    name_id: NameId
    acts: str
    delegate: NameId | None
    purpose: str
    patient: str
    organizations: Sequence[str]
    certificate: x509.Certificate


def assertion_of(header: etree._Element | None) -> etree._Element | None:
    """Return the one assertion in the security header, None where there is no such header. Raises: `Refused`."""
    headers = [] if header is None else header.findall(f"{{{WSSE}}}Security")
    if not headers:
        return None
    found = [one for security in headers for one in security.findall(f"{{{SAML}}}Assertion")]
    if len(headers) != 1 or len(found) != 1:
        raise Refused(Cause.NOT_VALID, "one Security header with one assertion is needed")
    return found[0]


def read_user(assertion: etree._Element, audiences: Sequence[str], rules: XuaRules, at: datetime) -> User:
    """Return the user of an assertion whose signature holds and which is valid here and now. Raises: `Refused`.

    `audiences`: the names of this platform, one of which must be meant.
    """
    element, certificate = verify(assertion)
    _check_validity(element, rules, at)
    meant = {text_in(one) for one in element.findall(f"{{{SAML}}}Conditions/{{{SAML}}}AudienceRestriction/*")}
    if not meant & set(audiences):
        raise Refused(Cause.NOT_VALID, "the assertion is meant for others")
    confirmation = only(element, "Subject/SubjectConfirmation")
    _check_confirmation(confirmation, rules, at)
    values: dict[str, list[str | Code]] = {}
    for name, value in attribute_values(element):
        values.setdefault(name, []).append(value)
    role, purpose = _code(values.get(ROLE)), _code(values.get(PURPOSE))
    if role not in rules.roles:
        raise Refused(Cause.RIGHTS, "the role of the user is missing, or has no access here")
    if purpose not in rules.purposes:
        raise Refused(Cause.INSUFFICIENT, "the purpose of use is missing or not known")
    patients = [one for one in values.get(RESOURCE_ID, ()) if isinstance(one, str)]
    if len(patients) > 1:
        raise Refused(Cause.NOT_VALID, "the assertion is about more than one patient")
    return User(
        issuer=text_in(only(element, "Issuer")),
        name_id=_name_id(only(element, "Subject/NameID")),
        acts=rules.roles[role],
        delegate=_delegate(confirmation),
        purpose=rules.purposes[purpose],
        patient=patients[0] if patients else "",
        organizations=[one for one in values.get(ORGANIZATION_ID, ()) if isinstance(one, str)],
        certificate=certificate,
    )


def _check_validity(element: etree._Element, rules: XuaRules, at: datetime) -> None:
    conditions, tolerance = only(element, "Conditions"), rules.clock_tolerance
    begin, end = moment_of(conditions, "NotBefore"), moment_of(conditions, "NotOnOrAfter")
    if begin - tolerance > at or moment_of(element, "IssueInstant") - tolerance > at:
        raise Refused(Cause.NOT_VALID, "the assertion is not in force yet")
    if end + tolerance <= at:
        raise Refused(Cause.NOT_VALID, "the assertion has expired")
    if not timedelta(0) < end - begin <= rules.validity:
        raise Refused(Cause.NOT_VALID, f"the assertion is valid for longer than {rules.validity}")


def _check_confirmation(confirmation: etree._Element, rules: XuaRules, at: datetime) -> None:
    if confirmation.get("Method", "") not in rules.confirmations:
        raise Refused(Cause.NOT_VALID, "the way in which the subject is confirmed is not supported")
    data = confirmation.find(f"{{{SAML}}}SubjectConfirmationData")
    if data is None or data.get("NotOnOrAfter") is None:
        return
    if moment_of(data, "NotOnOrAfter") + rules.clock_tolerance <= at:
        raise Refused(Cause.NOT_VALID, "the confirmation of the subject has expired")


def _delegate(confirmation: etree._Element) -> NameId | None:
    found = confirmation.find(f"{{{SAML}}}NameID")
    return None if found is None else _name_id(found)


def _name_id(element: etree._Element) -> NameId:
    return NameId(text_in(element), element.get("NameQualifier", ""))


def _code(values: Sequence[str | Code] | None) -> Code:
    """Return the one code of an attribute, an empty one where there is none or several."""
    codes = [one for one in values or () if isinstance(one, Code)]
    return codes[0] if len(codes) == 1 else Code("", "")

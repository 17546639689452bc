"""Makes assertions: about a professional who signed in here, about a treatment, about a next of kin."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from lxml import etree

from esante.core.storage import uuid7
from esante.services.exchange.assertions.model import Code
from esante.services.exchange.assertions.names import (
    FACILITY_TYPE,
    HOME_COMMUNITY,
    LOCALITY,
    NEXT_OF_KIN,
    ORGANIZATION,
    ORGANIZATION_ID,
    PERMISSION,
    PREVIOUS_SESSION,
    PURPOSE,
    ROLE,
    SAML,
    SENDER_VOUCHES,
    SUBJECT,
    UNSPECIFIED,
    URI_FORMAT,
    V3,
    Kind,
)
from esante.services.exchange.assertions.rules import AssertionRules
from esante.services.exchange.assertions.signature import sign

Values = Mapping[str, Sequence[str | Code]]


@dataclass(frozen=True, slots=True)
class Requesting:
    """A professional who asks abroad, as our own sign-in and directory know them.

    `permissions`: their codes in HL7's catalogue, without the prefix. `organization_id`: OID and value, as
    `urn:hl7ii:OID:value`.
    """

    name_id: str
    name: str
    role: str
    facility_type: str
    locality: str
    organization: str
    organization_id: str
    purpose: str
    authentication: str
    permissions: Sequence[str]


@dataclass(frozen=True, slots=True)
class Issuer:
    """The contact point as issuer: its country (ISO 3166-1), its home community (an OID), its seal."""

    country: str
    home_community: str
    key: RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate

    def professional(self, who: Requesting, rules: AssertionRules, at: datetime) -> etree._Element:
        """Return the signed assertion about a professional (HCP)."""
        values: dict[str, Sequence[str | Code]] = {
            HOME_COMMUNITY: [f"urn:oid:{self.home_community}"],
            SUBJECT: [who.name],
            ROLE: [Code(who.role, rules.role_system)],
            ORGANIZATION: [who.organization],
            ORGANIZATION_ID: [who.organization_id],
            PURPOSE: [Code(who.purpose, rules.purpose_system)],
            FACILITY_TYPE: [who.facility_type],
            LOCALITY: [who.locality],
            PERMISSION: [f"{PERMISSION}:{one}" for one in who.permissions],
        }
        name = f"urn:idp:{self.country}:countryB"
        return self._signed(Kind.HCP, name, who.name_id, who.authentication, values, rules, at, rules.hcp_validity)

    def treatment(
        self,
        professional: etree._Element,
        patient_id: str,
        purpose: str,
        rules: AssertionRules,
        at: datetime,
        parameters: Mapping[str, str] | None = None,
    ) -> etree._Element:
        """Return the signed assertion that a professional treats a patient (TRC); `patient_id` as CX."""
        values: dict[str, Sequence[str | Code]] = {
            SUBJECT: [patient_id],
            PURPOSE: [Code(purpose, rules.purpose_system)],
            **{name: [value] for name, value in (parameters or {}).items()},
        }
        return self._resting(Kind.TRC, "initgw", professional, values, rules, at, rules.trc_validity)

    def next_of_kin(
        self,
        professional: etree._Element,
        details: Mapping[str, str],
        rules: AssertionRules,
        at: datetime,
    ) -> etree._Element:
        """Return the signed assertion that somebody accompanies the patient (NOK).

        `details`: who, as `id`, `firstname`, `familyname`, `birthdate`.
        """
        values = {f"{NEXT_OF_KIN}:{name}": [value] for name, value in details.items()}
        return self._resting(Kind.NOK, "initgw", professional, values, rules, at, rules.nok_validity)

    def _resting(
        self,
        kind: Kind,
        role: str,
        professional: etree._Element,
        values: Values,
        rules: AssertionRules,
        at: datetime,
        validity: timedelta,
    ) -> etree._Element:
        """Return a signed assertion that rests on the one about a professional, and ends no later than it."""
        end = datetime.fromisoformat(professional.find(f"{{{SAML}}}Conditions").get("NotOnOrAfter", ""))  # type: ignore[union-attr]
        name_id = professional.findtext(f"{{{SAML}}}Subject/{{{SAML}}}NameID", "")
        return self._signed(
            kind,
            f"urn:{role}:{self.country}:countryB",
            name_id,
            PREVIOUS_SESSION,
            values,
            rules,
            at,
            min(validity, end - at),
            advice=professional.get("ID", ""),
        )

    def _signed(
        self,
        kind: Kind,
        issuer: str,
        name_id: str,
        authentication: str,
        values: Values,
        rules: AssertionRules,
        at: datetime,
        validity: timedelta,
        advice: str = "",
    ) -> etree._Element:
        root = etree.Element(f"{{{SAML}}}Assertion", nsmap={"saml2": SAML})
        root.set("ID", f"_{uuid7()}")
        root.set("IssueInstant", _text(at))
        root.set("Version", "2.0")
        _add(root, "Issuer", issuer).set("NameQualifier", kind)
        subject = _add(root, "Subject")
        _add(subject, "NameID", name_id).set("Format", UNSPECIFIED)
        _add(subject, "SubjectConfirmation").set("Method", SENDER_VOUCHES)
        conditions = _add(root, "Conditions")
        conditions.set("NotBefore", _text(at))
        conditions.set("NotOnOrAfter", _text(at + validity))
        _add(_add(conditions, "AudienceRestriction"), "Audience", rules.audience)
        if advice:
            _add(_add(root, "Advice"), "AssertionIDRef", advice)
        statement = _add(root, "AuthnStatement")
        statement.set("AuthnInstant", _text(at))
        _add(_add(statement, "AuthnContext"), "AuthnContextClassRef", authentication)
        _add_attributes(root, values.items())
        return sign(root, self.key, self.certificate)


def _add_attributes(root: etree._Element, attributes: Iterable[tuple[str, Sequence[str | Code]]]) -> None:
    statement = _add(root, "AttributeStatement")
    for name, values in attributes:
        if not values:
            continue
        attribute = _add(statement, "Attribute")
        attribute.set("Name", name)
        attribute.set("NameFormat", URI_FORMAT)
        for value in values:
            holder = _add(attribute, "AttributeValue")
            if isinstance(value, str):
                holder.text = value
                continue
            tag = "Role" if name == ROLE else "PurposeOfUse"
            coded = etree.SubElement(holder, f"{{{V3}}}{tag}", nsmap={None: V3})
            coded.set("code", value.code)
            coded.set("codeSystem", value.system)


def _add(parent: etree._Element, name: str, text: str = "") -> etree._Element:
    element = etree.SubElement(parent, f"{{{SAML}}}{name}")
    if text:
        element.text = text
    return element


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""Seals of contact points, professionals, and headers with assertions."""

import functools
from dataclasses import dataclass
from datetime import UTC, datetime

from lxml import etree

from esante.services.exchange.assertions.issuer import Issuer, Requesting
from esante.services.exchange.assertions.rules import rules_on
from tests.support.exchange import Card, make_card

WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
RULES = rules_on(AT.date())
PATIENT = "1234^^^&2.999.1&ISO"
DOCTOR = Requesting(
    name_id="doctor@hospital.example",
    name="Dr Anne Test",
    role="221",
    facility_type="Hospital",
    locality="Hospital of Test",
    organization="Hospital of Test",
    organization_id="urn:hl7ii:2.999.2:77",
    purpose="TREATMENT",
    authentication="urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI",
    permissions=["PRD-003", "PRD-004", "PRD-005", "PRD-006", "PRD-010", "PRD-016", "PPD-046"],
)


@functools.cache
def seal(country: str) -> Card:
    """Return the seal of a contact point, valid at `AT`."""
    return make_card(f"Seal of {country}", days=3_650, since=-3_650 // 2)


@dataclass(frozen=True)
class Assertions:
    """Assertions as a contact point makes them, to be altered."""

    hcp: etree._Element
    trc: etree._Element


def issuer(country: str = "XA") -> Issuer:
    """Return a contact point as issuer."""
    card = seal(country)
    return Issuer(country, "2.999.2", card.key, card.certificate)


def made(at: datetime = AT, doctor: Requesting = DOCTOR, patient: str = PATIENT) -> Assertions:
    """Return the assertions for a message."""
    hcp = issuer().professional(doctor, RULES, at)
    return Assertions(hcp, issuer().treatment(hcp, patient, "TREATMENT", RULES, at))


def header(*assertions: etree._Element) -> etree._Element:
    """Return a header of WS-Security with assertions, as parsed from bytes."""
    root = etree.Element(f"{{{WSSE}}}Security", nsmap={"wsse": WSSE})
    root.extend(etree.fromstring(etree.tostring(one)) for one in assertions)
    return etree.fromstring(etree.tostring(root))

"""Assertions: what is accepted, what is refused with its cause, and that only what is signed is read."""

import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import xmlsec
from lxml import etree

from esante.core.clock import use_clock
from esante.services.exchange.assertions.check import (
    Professional,
    check_next_of_kin,
    check_professional,
    check_treatment,
)
from esante.services.exchange.assertions.model import Cause, Refused
from esante.services.exchange.assertions.names import DISPENSATION_PIN, DS, SAML
from esante.services.exchange.assertions.reader import read_assertions
from esante.services.exchange.assertions.rules import Act
from tests.support.exchange_assertions import AT, DOCTOR, PATIENT, RULES, header, issuer, made, seal

HCP_ACTS = list(Act)


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with use_clock(lambda: AT):
        yield


def asked(
    *assertions: etree._Element, act: Act = Act.SUMMARY, at: datetime = AT, patient: str = PATIENT
) -> Professional:
    """Return who asks, as the receiver of a message decides."""
    found = read_assertions(header(*assertions))
    who = check_professional(found, act, RULES, at)
    if act is not Act.IDENTIFY:
        check_treatment(found, who, patient, RULES, at)
    return who


def refusal(*assertions: etree._Element, **given: object) -> Refused:
    with pytest.raises(Refused) as caught:
        asked(*assertions, **given)  # type: ignore[arg-type]
    assert PATIENT not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("act", HCP_ACTS)
def test_assertions_that_we_make_are_accepted_for_every_act(act: Act) -> None:
    both = made()
    who = asked(both.hcp, both.trc, act=act)
    assert (who.name, who.role, who.purpose, who.facility_type) == ("Dr Anne Test", "221", "TREATMENT", "Hospital")


def test_signature_that_we_make_is_accepted_by_xmlsec() -> None:
    for assertion in (made().hcp, made().trc):
        root = etree.fromstring(etree.tostring(assertion))
        xmlsec.tree.add_ids(root, ["ID"])
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_memory(seal("XA").pem, xmlsec.KeyFormat.CERT_PEM)
        context.verify(xmlsec.tree.find_node(root, xmlsec.Node.SIGNATURE))


def test_danish_header_verifies_without_the_blanks_that_were_added_to_its_signature(shared_data: Path) -> None:
    data = (shared_data / "ehdsi-soap" / "saml" / "openncp_soap_header.xml").read_text()
    at = datetime(2025, 7, 26, 11, 36, tzinfo=UTC)
    with use_clock(lambda: at):
        with pytest.raises(Refused) as caught:
            read_assertions(_security(data))
        assert caught.value.cause is Cause.INTEGRITY
        found = read_assertions(_security(without_added_blanks(data)))
        who = check_professional(found, Act.SUMMARY, RULES, at)
        patient = next(one for one in found if one.kind.endswith("trc")).text(
            "urn:oasis:names:tc:xspa:1.0:subject:subject-id"
        )
        check_treatment(found, who, patient, RULES, at)
        with pytest.raises(Refused, match="expired"):
            check_professional(found, Act.SUMMARY, RULES, at + timedelta(hours=5))


def test_bad_danish_header_is_refused_in_either_layout(shared_data: Path) -> None:
    data = (shared_data / "ehdsi-soap" / "saml" / "openncp_soap_header_bad.xml").read_text()
    with use_clock(lambda: datetime(2025, 7, 26, 11, 36, tzinfo=UTC)):
        for text in (data, without_added_blanks(data)):
            with pytest.raises(Refused) as caught:
                read_assertions(_security(text))
            assert caught.value.cause is Cause.INTEGRITY


def without_added_blanks(data: str) -> str:
    """Return a header whose signatures have their lines without leading blanks, as they were signed."""
    pattern = re.compile(r"<ds:Signature .*?</ds:Signature>", re.DOTALL)
    return pattern.sub(lambda found: re.sub(r"(?m)^[ \t]+", "", found[0]), data)


def _security(data: str) -> etree._Element:
    return next(etree.fromstring(data.encode()).iter("{*}Security"))


Change = Callable[[etree._Element], object]


def _set(path: str, text: str) -> Change:
    def change(root: etree._Element) -> None:
        found = root.find(path)
        assert found is not None
        found.text = text

    return change


def _attribute(path: str, name: str, value: str) -> Change:
    def change(root: etree._Element) -> None:
        found = root if path == "." else root.find(path)
        assert found is not None
        found.set(name, value)

    return change


ALTERATIONS: dict[str, Change] = {
    "another name": _set(".//{*}NameID", "nurse@hospital.example"),
    "another role": _attribute(".//{urn:hl7-org:v3}Role", "code", "2262"),
    "a later end": _attribute("{*}Conditions", "NotOnOrAfter", "2027-01-01T00:00:00Z"),
    "another issuer": _set("{*}Issuer", "urn:idp:XB:countryB"),
    "another ID": _attribute(".", "ID", "_other"),
    "blanks in the signature": _set(".//{*}SignedInfo", "\n   "),
    "a digest of its own": _set(".//{*}DigestValue", "AAAA"),
    "no certificate": lambda root: root.find(".//{*}KeyInfo").clear(),
    "a reference to nothing": _attribute(".//{*}Reference", "URI", "#nothing"),
    "a reference to everything": _attribute(".//{*}Reference", "URI", ""),
    "one more transform": lambda root: root.find(".//{*}Transforms").append(
        etree.Element(f"{{{DS}}}Transform", Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116")
    ),
    "a weaker digest": _attribute(".//{*}DigestMethod", "Algorithm", "http://www.w3.org/2000/09/xmldsig#sha1"),
}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_altered_assertion_is_refused(name: str) -> None:
    both = made()
    altered = etree.fromstring(etree.tostring(both.hcp))
    ALTERATIONS[name](altered)
    assert refusal(altered, both.trc).cause is Cause.INTEGRITY


def test_unsigned_assertion_is_refused() -> None:
    both = made()
    unsigned = etree.fromstring(etree.tostring(both.hcp))
    unsigned.remove(unsigned.find(f"{{{DS}}}Signature"))
    assert refusal(unsigned, both.trc).cause is Cause.NOT_SIGNED
    assert refusal(act=Act.SUMMARY).cause is Cause.MISSING


def test_wrapped_assertion_is_refused_wherever_the_signed_one_is_put() -> None:
    """The forged assertion is read by nobody, and the signed one inside it makes it no better."""
    both = made()
    for place in ("{*}Advice", "{*}Subject", "{*}Signature", "."):
        signed = etree.fromstring(etree.tostring(both.hcp))
        forged = copy.deepcopy(signed)
        forged.find("{*}Subject/{*}NameID").text = "thief@example"
        if place == "{*}Advice":
            etree.SubElement(forged, f"{{{SAML}}}Advice")
        holder = forged if place == "." else forged.find(place)
        if place == "{*}Signature":
            holder = etree.SubElement(holder, f"{{{DS}}}Object")
        else:
            forged.remove(forged.find(f"{{{DS}}}Signature"))
        holder.append(signed)
        for name in (forged.get("ID"), "_forged"):
            forged.set("ID", name)
            assert refusal(forged, both.trc).cause is Cause.INTEGRITY, place


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"role": "9999"}, Cause.INSUFFICIENT),
        ({"purpose": "RESEARCH"}, Cause.INSUFFICIENT),
        ({"facility_type": "Castle"}, Cause.INSUFFICIENT),
        ({"locality": ""}, Cause.INSUFFICIENT),
        ({"name": ""}, Cause.INSUFFICIENT),
        ({"permissions": ["PRD-003", "PRD-005", "PRD-010"]}, Cause.RIGHTS),
        ({"authentication": "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"}, Cause.WEAK_AUTHENTICATION),
    ],
)
def test_signed_assertion_that_says_too_little_is_refused(change: dict[str, object], cause: Cause) -> None:
    both = made(doctor=replace(DOCTOR, **change))  # type: ignore[arg-type]
    assert refusal(both.hcp, both.trc).cause is cause


@pytest.mark.parametrize("minutes", [-62, 61])
def test_clock_may_differ_by_a_minute_and_no_more(minutes: int) -> None:
    both = made()
    edge = {-62: timedelta(seconds=-60), 61: timedelta(hours=2, seconds=59)}[minutes]
    assert asked(both.hcp, both.trc, at=AT + edge)
    beyond = {-62: timedelta(seconds=-61), 61: timedelta(hours=2, seconds=60)}[minutes]
    assert refusal(both.hcp, both.trc, at=AT + beyond).cause is Cause.NOT_VALID


def test_assertion_that_is_valid_for_too_long_is_refused() -> None:
    long = issuer().professional(DOCTOR, replace(RULES, hcp_validity=timedelta(hours=5)), AT)
    assert "longer" in refusal(long, act=Act.IDENTIFY).reason


@pytest.mark.parametrize("audience", ["urn:somebody:else", ""])
def test_assertion_for_another_audience_is_refused(audience: str) -> None:
    other = issuer().professional(DOCTOR, replace(RULES, audience=audience), AT)
    assert "others" in refusal(other, act=Act.IDENTIFY).reason


def test_treatment_of_another_patient_is_refused() -> None:
    both = made()
    assert refusal(both.hcp, both.trc, patient="9999^^^&2.999.1&ISO").cause is Cause.OTHER_PATIENT
    assert refusal(both.hcp, both.trc, patient="").cause is Cause.OTHER_PATIENT


def test_treatment_that_rests_on_another_professional_is_refused() -> None:
    assert "does not rest" in refusal(made().hcp, made().trc).reason


def test_treatment_without_the_number_that_the_country_asks_for_is_refused() -> None:
    hcp = made().hcp
    for pin, accepted in (("1234", True), ("4321", False)):
        trc = issuer().treatment(hcp, PATIENT, "TREATMENT", RULES, AT, {DISPENSATION_PIN: pin})
        found = read_assertions(header(hcp, trc))
        who = check_professional(found, Act.PRESCRIPTION, RULES, AT)
        if accepted:
            check_treatment(found, who, PATIENT, RULES, AT, {DISPENSATION_PIN: "1234"})
        else:
            with pytest.raises(Refused) as caught:
                check_treatment(found, who, PATIENT, RULES, AT, {DISPENSATION_PIN: "1234"})
            assert caught.value.cause is Cause.OTHER_PARAMETERS


def test_next_of_kin_is_named_by_an_assertion_of_their_own() -> None:
    hcp = made().hcp
    nok = issuer().next_of_kin(hcp, {"id": "77", "familyname": "Test"}, RULES, AT)
    found = read_assertions(header(hcp, nok))
    who = check_professional(found, Act.IDENTIFY, RULES, AT)
    assert check_next_of_kin(found, who, RULES, AT) == {"id": "77", "familyname": "Test"}
    other = check_professional(read_assertions(header(made().hcp)), Act.IDENTIFY, RULES, AT)
    with pytest.raises(Refused, match="does not rest"):
        check_next_of_kin(found, other, RULES, AT)


def test_two_assertions_of_a_kind_are_refused() -> None:
    assert "two assertions" in refusal(made().hcp, made().hcp).reason


def test_treatment_ends_no_later_than_the_session_of_the_professional() -> None:
    hcp = issuer().professional(DOCTOR, RULES, AT - timedelta(hours=3))
    trc = issuer().treatment(hcp, PATIENT, "TREATMENT", RULES, AT)
    found = read_assertions(header(hcp, trc))
    assert {one.not_on_or_after for one in found} == {AT + timedelta(hours=1)}

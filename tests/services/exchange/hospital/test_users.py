"""Assertions about users (XUA): those of the Swiss examples signed by a hospital of ours, and what is refused."""

import copy
import datetime as dt
from pathlib import Path

import pytest
from lxml import etree

from esante.core.journal import SYSTEM
from esante.core.storage import NIL, uuid7
from esante.core.time_zone import today
from esante.identity.access import SignInRefused, policy
from esante.services.exchange.assertions.signature import sign
from esante.services.exchange.hospital.certificates import NotRegistered
from esante.services.record import Listed
from tests.services.exchange.hospital.messages import (
    SOAP_XML,
    body_of,
    cx_of,
    demographics,
    entries_of,
    envelope,
    find_documents,
)
from tests.support.exchange import make_card
from tests.support.record import BASE, LOCAL, letter

EXAMPLES = Path(__file__).parents[5] / "shared/data/ihe-epr"
SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
ROLE, PURPOSE = "urn:oasis:names:tc:xacml:2.0:subject:role", "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"
RESOURCE = "urn:oasis:names:tc:xacml:2.0:resource:resource-id"
ORGANIZATION = "urn:oasis:names:tc:xspa:1.0:subject:organization-id"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"


@pytest.fixture(scope="module")
async def seal(world, systems):
    """The key of the hospital, whose certificate is registered."""
    card = make_card("Hospital")
    hospital = await world.directory.organization(world.people["hospital"].id)
    await systems.certificates.register(card.pem, hospital, actor=SYSTEM)
    return card


def assertion(name_id: str, qualifier: str = LOCAL, **said) -> etree._Element:
    """Return an assertion that is not signed; `said` replaces what it says."""
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    fields = {
        "begin": now - dt.timedelta(minutes=1), "end": now + dt.timedelta(minutes=10), "audience": BASE,
        "role": ("HCP", "2.16.756.5.30.1.127.3.10.6"), "purpose": ("NORM", "2.16.756.5.30.1.127.3.10.5"),
        "method": BEARER, "patient": "", "organizations": (), "delegate": "", "issued": now - dt.timedelta(minutes=1),
    } | said  # fmt: skip
    text = f"""<saml2:Assertion xmlns:saml2="urn:oasis:names:tc:SAML:2.0:assertion" ID="_{uuid7().hex}" Version="2.0"
      IssueInstant="{fields["issued"].isoformat()}"><saml2:Issuer>https://sts.hospital.example</saml2:Issuer>
      <saml2:Subject><saml2:NameID NameQualifier="{qualifier}">{name_id}</saml2:NameID>
      <saml2:SubjectConfirmation Method="{fields["method"]}"/></saml2:Subject>
      <saml2:Conditions NotBefore="{fields["begin"].isoformat()}" NotOnOrAfter="{fields["end"].isoformat()}">
      <saml2:AudienceRestriction><saml2:Audience>{fields["audience"]}</saml2:Audience></saml2:AudienceRestriction>
      </saml2:Conditions><saml2:AttributeStatement/></saml2:Assertion>"""
    root = etree.fromstring(text)
    if fields["delegate"]:
        confirmation = root.find(f"{SAML}Subject/{SAML}SubjectConfirmation")
        etree.SubElement(confirmation, f"{SAML}NameID", NameQualifier=qualifier).text = fields["delegate"]
    statement = root.find(f"{SAML}AttributeStatement")
    for name, tag, pair in ((ROLE, "Role", fields["role"]), (PURPOSE, "PurposeOfUse", fields["purpose"])):
        value = _value(statement, name)
        etree.SubElement(value, f"{{urn:hl7-org:v3}}{tag}", code=pair[0], codeSystem=pair[1])
    for one in fields["organizations"]:
        _value(statement, ORGANIZATION).text = one
    if fields["patient"]:
        _value(statement, RESOURCE).text = fields["patient"]
    return root


def _value(statement: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(etree.SubElement(statement, f"{SAML}Attribute", Name=name), f"{SAML}AttributeValue")


def signed(root: etree._Element, seal) -> etree._Element:
    return sign(root, seal.key, seal.certificate)


async def ask(systems, body: str, *assertions: etree._Element, path: str = "registry"):
    inner = b"".join(etree.tostring(one) for one in assertions).decode()
    header = f'<wsse:Security xmlns:wsse="{WSSE}">{inner}</wsse:Security>'
    async with systems.client() as client:
        return await client.post(f"/api/xds/{path}", content=envelope(body, header), headers=SOAP_XML)


def surgeon_of(world) -> str:
    return world.people["surgeon_entry"].identifiers[0].value


async def test_professional_of_the_hospital_sees_what_they_may_see(systems, world, seal):
    person = await world.person()
    await world.record.deposit(world.people["doctor"], person.id, *letter())
    query = find_documents(cx_of(person))
    answer = await ask(systems, query, signed(assertion(surgeon_of(world)), seal))
    assert entries_of(body_of(answer)) == []
    await world.into_circle(person, world.people["surgeon_entry"])
    answer = await ask(systems, query, signed(assertion(surgeon_of(world)), seal))
    assert len(entries_of(body_of(answer))) == 1
    entries = await world.events(person, Listed)
    assert [entry.actor.id for entry, _ in entries] == [world.people["surgeon_entry"].id] * 2
    assert [event.purpose for _, event in entries] == ["TREAT"] * 2
    assert {entry.actor.organization_id for entry, _ in entries} == {world.people["hospital"].id}


async def test_technical_user_acts_for_the_hospital(systems, world, seal):
    person = await world.person()
    await world.record.deposit(world.people["hospital"], person.id, *letter())
    technical = assertion(
        "archive-1", role=("TCU", "2.16.756.5.30.1.127.3.10.6"), purpose=("AUTO", "2.16.756.5.30.1.127.3.10.5")
    )
    answer = await ask(systems, find_documents(cx_of(person)), signed(technical, seal))
    assert len(entries_of(body_of(answer))) == 1
    [(entry, _)] = await world.events(person, Listed)
    assert entry.actor.id == world.people["hospital"].id


async def test_assertion_about_a_patient_opens_the_record_of_no_other(systems, world, seal):
    person, other = await world.person(), await world.person("Klein")
    await world.into_circle(person, world.people["surgeon_entry"])
    await world.record.deposit(world.people["hospital"], person.id, *letter())
    query = find_documents(cx_of(person))
    for patient, count in ((cx_of(person), 1), (cx_of(other), 0), ("nobody^^^&1.2.3&ISO", 0)):
        answer = await ask(systems, query, signed(assertion(surgeon_of(world), patient=patient), seal))
        assert len(entries_of(body_of(answer))) == count


async def test_assistant_acts_only_with_a_delegation(systems, world, seal):
    hospital = await world.directory.organization(world.people["hospital"].id)
    assistant = await world.practitioner("Schmit", hospital, "nurse")
    about = assertion(surgeon_of(world), delegate=assistant.identifiers[0].value)
    query = find_documents(cx_of(await world.person()))
    assert (await ask(systems, query, signed(about, seal))).status_code == 403
    await world.directory.delegations.add(assistant, world.people["surgeon_entry"], hospital.id, today(), actor=SYSTEM)
    assert (await ask(systems, query, signed(about, seal))).status_code == 200


def minutes(count: int) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(minutes=count)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"audience": "https://other.example"}, "for others"),
        ({"begin": -30, "end": -5}, "expired"),
        ({"begin": 5, "end": 15}, "not in force yet"),
        ({"issued": 5}, "not in force yet"),
        ({"begin": -1, "end": 300}, "longer than"),
        ({"method": "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"}, "confirmed"),
        ({"role": ("PADM", "2.16.756.5.30.1.127.3.10.6")}, "role"),
        ({"role": ("HCP", "1.2.3")}, "role"),
        ({"purpose": ("RESEARCH", "1.2.3")}, "purpose"),
    ],
)
async def test_assertion_that_is_not_valid_is_refused(systems, world, seal, said, words):
    said = {name: minutes(value) if isinstance(value, int) else value for name, value in said.items()}
    answer = await ask(systems, find_documents("1"), signed(assertion(surgeon_of(world), **said), seal))
    assert answer.status_code == 403
    assert words in answer.text


async def test_who_is_not_known_at_the_hospital_is_refused(systems, world, seal):
    for name in ("nobody", world.people["doctor_entry"].identifiers[0].value):
        answer = await ask(systems, find_documents("1"), signed(assertion(name), seal))
        assert (answer.status_code, "no such professional" in answer.text) == (403, True)
    laboratory = await world.directory.organization(world.people["laboratory"].id)
    other = assertion(surgeon_of(world), organizations=[laboratory.identifiers[0].value])
    assert (await ask(systems, find_documents("1"), signed(other, seal))).status_code == 403


async def test_certificate_that_is_not_registered_or_has_ended_is_refused(systems, world, seal):
    card = make_card("Another")
    about = signed(assertion(surgeon_of(world)), card)
    assert "not registered" in (await ask(systems, find_documents("1"), about)).text
    hospital = await world.directory.organization(world.people["hospital"].id)
    registered = await systems.certificates.register(card.pem, hospital, actor=SYSTEM)
    assert (await ask(systems, find_documents("1"), about)).status_code == 200
    with pytest.raises(NotRegistered):
        await systems.certificates.register(card.pem, hospital, actor=SYSTEM)
    await systems.certificates.end(registered.fingerprint, "lost", actor=SYSTEM)
    assert "not registered" in (await ask(systems, find_documents("1"), about)).text


async def test_weak_keys_and_what_is_no_certificate_are_not_registered(systems, world):
    hospital = await world.directory.organization(world.people["hospital"].id)
    for pem in (b"no certificate", make_card(bits=1024).pem):
        with pytest.raises(NotRegistered):
            await systems.certificates.register(pem, hospital, actor=SYSTEM)


async def test_unsigned_altered_wrapped_and_doubled_assertions_are_refused(systems, world, seal):
    right = signed(assertion(surgeon_of(world)), seal)
    altered = copy.deepcopy(right)
    altered.find(f"{SAML}Subject/{SAML}NameID").text = "somebody else"
    wrapping = assertion("somebody else")
    wrapping.append(copy.deepcopy(right))
    moved = assertion("somebody else")
    moved.insert(1, copy.deepcopy(right.find("{http://www.w3.org/2000/09/xmldsig#}Signature")))
    for name, sent in {
        "unsigned": [assertion(surgeon_of(world))],
        "altered": [altered],
        "wrapped": [wrapping],
        "moved": [moved],
        "two": [right, right],
        "other first": [assertion("somebody else"), right],
    }.items():
        answer = await ask(systems, find_documents("1"), *sent)
        assert answer.status_code == 403, name
    assert (await ask(systems, find_documents("1"), right)).status_code == 200


async def test_refused_assertion_is_journalled(systems, world, seal):
    await ask(systems, find_documents("1"), assertion(surgeon_of(world)))
    entries = await world.journal.entries_of(NIL, [SignInRefused], limit=5)
    assert ("xua", "NOT_SIGNED") in {(one.event.method, one.event.reason) for one in entries}


ROLES = sorted(EXAMPLES.glob("XUA_samples/*_Response-*.xml")) if EXAMPLES.exists() else []


@pytest.mark.skipif(not ROLES, reason=f"no real inputs: {EXAMPLES} is absent")
@pytest.mark.parametrize("path", ROLES, ids=lambda path: path.stem)
async def test_examples_of_roles_signed_anew_are_accepted_or_refused_by_role(systems, world, seal, path):
    """The attributes stay as they are; who, when, for whom and by whom it is signed are ours."""
    root = etree.parse(str(path)).getroot().find(f".//{SAML}Assertion")
    given = etree.fromstring(etree.tostring(root))
    given.remove(given.find("{http://www.w3.org/2000/09/xmldsig#}Signature"))
    roles = {one.get("code") for one in given.iter("{urn:hl7-org:v3}Role")}
    ours = assertion(surgeon_of(world))
    given.set("IssueInstant", ours.get("IssueInstant"))
    given.replace(given.find(f"{SAML}Subject"), ours.find(f"{SAML}Subject"))
    given.replace(given.find(f"{SAML}Conditions"), ours.find(f"{SAML}Conditions"))
    answer = await ask(systems, find_documents("1"), signed(given, seal))
    assert answer.status_code == (200 if roles <= {"HCP", "TCU"} else 403), answer.text
    as_stored = etree.fromstring(etree.tostring(root))
    assert (await ask(systems, find_documents("1"), as_stored)).status_code == 403


async def test_searches_of_a_user_are_limited_as_over_every_interface(systems, world, seal):
    surgeon, proof = world.people["surgeon_entry"], signed(assertion(surgeon_of(world)), seal)
    query = demographics(
        "<livingSubjectName><value><family>Nobody</family></value></livingSubjectName>"
        '<livingSubjectBirthTime><value value="19800517"/></livingSubjectBirthTime>'
    )
    assert (await ask(systems, query, proof, path="patients")).status_code == 200
    most = policy(today()).searches_per_requester
    await world.db.fetch("UPDATE access_attempt SET attempts = $1 WHERE subject = $2", most, f"search:{surgeon.id}")
    refused = await ask(systems, query, proof, path="patients")
    assert refused.status_code == 429 and "Fault" in refused.text

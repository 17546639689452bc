"""Messages that others wrote, sent to our interface: Danish templates and header, German bodies."""

import html
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from lxml import etree
from starlette.applications import Starlette

from esante.core.clock import use_clock
from esante.core.soap import parse_message, read_package, write_request
from esante.core.storage import uuid7
from esante.core.xds import read_listing, read_response, read_retrieved
from esante.identity.access import requester_of
from esante.identity.directory import Identifier
from esante.services.exchange.assertions.reader import read_assertions
from esante.services.exchange.audit import AuditTrail
from esante.services.exchange.connector.record_connector import RecordConnector
from esante.services.exchange.consent import CountryConsents
from esante.services.exchange.contact_points import ContactPoint
from esante.services.exchange.country_a.assembly import country_a_routes
from esante.services.exchange.hl7v3.elements import find_all, id_of, value_of
from esante.services.exchange.terminology import sample_catalogue
from tests.services.exchange.assertions.test_assertions import without_added_blanks
from tests.support.contact_points import trial_country
from tests.support.country_a import CLASSES, XCA, XCPD, XDR, Abroad
from tests.support.exchange_abroad import prescription_cda, summary
from tests.support.exchange_assertions import DOCTOR

DANISH = datetime(2025, 7, 26, 11, 36, tzinfo=UTC)
"""When the Danish header was signed."""


@dataclass
class OnePoint:
    """Contact points that know one other country, whoever its certificates are of."""

    country: str
    home: str
    point: ContactPoint

    async def of_tls(self, certificate: x509.Certificate) -> ContactPoint:
        """Return the one country."""
        return self.point

    def trusts(self, point: ContactPoint, certificate: x509.Certificate) -> bool:
        """Return whether a certificate is a seal of the country."""
        return certificate in point.seals


def point(*seals: x509.Certificate, country: str = "MT", home: str = "2.999.3") -> ContactPoint:
    """Return a contact point with seals."""
    return ContactPoint(
        country=country,
        home=home,
        languages=["en"],
        endpoints={},
        seals=seals,
        tls=[],
        offers=frozenset(CLASSES),
        asks=frozenset(CLASSES),
        valid_until=datetime(2099, 1, 1, tzinfo=UTC),
    )


def country_a(world, home: str, there: ContactPoint, country: str = "DK") -> Abroad:
    """Return a professional of a country before a contact point with a home community."""
    points = OnePoint(country, home, there)
    connector = RecordConnector(world.db, world.directory, world.access, world.record, sample_catalogue(), home)
    routes = country_a_routes(points, AuditTrail(world.db, world.journal), world.access, connector, "https://ncp.test")
    own = trial_country("MT").own
    return Abroad(Starlette(routes=routes), own.issuer, own.tls, replace(DOCTOR))


async def foreign_patient(world, root: str, number: str, country: str):
    """Register the patient of a message, who consents."""
    known = await world.directory.find_person(f"urn:oid:{root}", number)
    if known:
        return known
    person = await world.person("Berggren", identifiers=[Identifier(f"urn:oid:{root}", number)])
    await CountryConsents(world.access).give(requester_of(person), country, country)
    return person


@pytest.fixture
async def danish(world, shared_data: Path) -> AsyncIterator[tuple[Abroad, Path]]:
    """A professional of Malta before the contact point of Denmark, and the Danish templates."""
    yield country_a(world, "1.2.208", point(trial_country("MT").own.issuer.certificate)), shared_data / "ehdsi-soap"


def filled(file: Path, assertions: list[etree._Element]) -> bytes:
    """Return a Danish template with assertions."""
    text = file.read_text()
    for name, one in zip(("hcp", "trc"), assertions, strict=False):
        text = text.replace("{{" + f"{name}-assertion|safe" + "}}", etree.tostring(one).decode())
    return text.replace("{{message-id}}", uuid7().urn).encode()


CX = "0410009234^^^&1.2.208.176.1.2&ISO"


async def test_danish_discovery_is_answered_with_the_patient(world, danish):
    abroad, folder = danish
    await foreign_patient(world, "1.2.208.176.1.2", "0410009234", "MT")
    answer = await abroad.post(XCPD, filled(folder / "templates" / "xcpd" / "request.xml", [abroad.hcp()]))
    content = parse_message(answer.content).content
    assert value_of(content, "acknowledgement/typeCode", "code") == "AA"
    [found] = find_all(content, "controlActProcess/subject/registrationEvent/subject1/patient")
    assert id_of(found).cx == CX
    assert id_of(content, "controlActProcess/queryAck/queryId").root == "1.263507841149"
    assert content.find("{urn:hl7-org:v3}receiver/{urn:hl7-org:v3}device/{urn:hl7-org:v3}id").get("root") == (
        "2.16.470.1.100.1.2.1000.990.1"
    )


@pytest.mark.parametrize(("name", "role"), [("ps", "221"), ("ep", "2262")])
async def test_danish_list_and_retrieve_are_answered(world, danish, name, role):
    from esante.services.record import Deposit

    abroad, folder = danish
    abroad = abroad.as_role(role)
    person = await foreign_patient(world, "1.2.208.176.1.2", "0410009234", "MT")
    if name == "ps":
        await summary(world, person)
    else:
        text = prescription_cda(await with_number(world), "478299832581102").decode()
        meta = Deposit(media_type="application/hl7-cda+xml", confirmation="sample")
        await world.record.deposit(world.people["doctor"], person.id, text.encode(), meta)
    query = filled(folder / "templates" / "xca" / "query" / f"request-{name}.xml", abroad.assertions(CX))
    listing = read_listing(parse_message((await abroad.post(XCA, query)).content).content)
    assert len(listing.documents) == 2 and not listing.errors and not listing.is_failure
    template = folder / "templates" / "xca" / "retrieve" / f"request-{name}.xml"
    missing = await retrieved(abroad, filled(template, abroad.assertions(CX)))
    assert {one.code for one in missing.errors} == {"XDSUnknownRepositoryId"}
    text = filled(template, abroad.assertions(CX)).decode()
    root = etree.fromstring(text.encode())
    for one in root.iter("{*}RepositoryUniqueId"):
        one.text = "1.2.208"
    names = iter([one.unique_id for one in listing.documents] * 2)
    for one in root.iter("{*}DocumentUniqueId"):
        one.text = next(names)
    found = await retrieved(abroad, etree.tostring(root))
    assert found.documents and not found.errors


async def with_number(world):
    """Return a person who has a number of ours, for the sample of a prescription."""
    from tests.support.exchange_abroad import patient

    return await patient(world, consents="")


async def retrieved(abroad: Abroad, body: bytes):
    """Return what is answered to a request for documents."""
    answer = await abroad.post(XCA, body)
    package = read_package(answer.content, answer.headers["content-type"])
    return read_retrieved(parse_message(package.root).content, package)


async def test_danish_header_is_refused_as_stored_and_accepted_as_it_was_signed(world, shared_data):
    folder = shared_data / "ehdsi-soap"
    stored = (folder / "saml" / "openncp_soap_header.xml").read_text()
    bad = (folder / "saml" / "openncp_soap_header_bad.xml").read_text()
    await world.journal.ensure_months(DANISH - timedelta(days=40), DANISH)
    cx = html.unescape(re.search(r"[^>]*\^\^\^&amp;[0-9.]+&amp;ISO", stored)[0])
    number, _, rest = cx.partition("^")
    person = await world.person("Berggren", identifiers=[Identifier(f"urn:oid:{rest.split('&')[1]}", number)])
    with use_clock(lambda: DANISH):
        signed = read_assertions(next(etree.fromstring(without_added_blanks(stored).encode()).iter("{*}Security")))
        await CountryConsents(world.access).give(requester_of(person), "DK", "Denmark")
        await summary(world, person)
        seals = [one.certificate for one in signed]
        abroad = country_a(world, "2.999.1", point(*seals, country="DK", home="1.2.208"), "LU")
        for header, code in (
            (without_added_blanks(stored), ""),
            (stored, "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED"),
            (bad, "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED"),
            (without_added_blanks(bad), "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED"),
        ):
            listing = read_listing(
                parse_message((await abroad.post(XCA, query_under(folder, header, cx))).content).content
            )
            assert [one.code for one in listing.errors] == ([code] if code else [])
            assert bool(listing.documents) is not bool(code)


def query_under(folder: Path, header: str, cx: str) -> bytes:
    """Return a list of summaries of a patient under a header, bytes of which are not touched."""
    text = (folder / "templates" / "xca" / "query" / "request-ps.xml").read_text()
    body = text[text.index("<env:Body>") : text.index("</env:Body>")].replace(
        "0410009234^^^&amp;1.2.208.176.1.2&amp;ISO", cx.replace("&", "&amp;")
    )
    start = header.index("<soapenv:Header")
    return (
        '<env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope">'
        + header[start : header.index("</soapenv:Header>") + len("</soapenv:Header>")]
        + body
        + "</env:Body></env:Envelope>"
    ).encode()


@pytest.fixture
def german(world, shared_data: Path) -> tuple[Abroad, Path]:
    """A professional of Malta before a contact point with the German home community, and the German messages."""
    return country_a(
        world, "1.2.276.0.76.4.291", point(trial_country("MT").own.issuer.certificate), "DE"
    ), shared_data / "ncpeh-messages"


def german_body(file: Path) -> etree._Element:
    """Return the content of a German message."""
    return etree.fromstring(file.read_bytes())


async def test_german_discovery_with_two_identifiers_is_for_another_receiver(german):
    abroad, folder = german
    content = german_body(folder / "PRPA_IN201305UV02_298.xml")
    answer, _ = await abroad.send(XCPD, "urn:x", content, [abroad.hcp()])
    assert value_of(answer, "acknowledgement/acknowledgementDetail/code", "code") == "ERROR_PI_GENERIC"
    assert value_of(answer, "acknowledgement/typeCode", "code") == "AE"


async def test_german_discovery_finds_the_patient_by_the_number_and_not_by_the_code(world, german):
    abroad, folder = german
    content = german_body(folder / "PRPA_IN201305UV02_298.xml")
    for one in content.iterfind("{*}receiver//{*}id"):
        one.set("root", "1.2.276.0.76.4.291")
    await foreign_patient(world, "1.2.276.0.76.3.1.580.147", "X114428538", "MT")
    answer, _ = await abroad.send(XCPD, "urn:x", content, [abroad.hcp()])
    [found] = find_all(answer, "controlActProcess/subject/registrationEvent/subject1/patient")
    assert id_of(found).extension == "X114428538"


async def test_german_list_is_answered(world, german):
    abroad, folder = german
    person = await foreign_patient(world, "1.2.276.0.76.3.1.580.147", "X110571344|ABC123", "MT")
    await summary(world, person)
    cx = "X110571344|ABC123^^^&1.2.276.0.76.3.1.580.147&ISO"
    content = german_body(folder / "AdhocQueryRequestPSA.xml")
    answer, _ = await abroad.send(XCA, "urn:x", content, abroad.assertions(cx))
    assert len(read_listing(answer).documents) == 2


async def test_german_documents_are_missing_with_the_german_code(world, german):
    abroad, folder = german
    content = german_body(folder / "RetrieveDocumentSetRequest.xml")
    for one in content.iterfind(".//{*}RepositoryUniqueId"):
        one.text = "1.2.276.0.76.4.291"
    answer, package = await abroad.send(XCA, "urn:x", content, abroad.assertions("1^^^&2.999&ISO"))
    found = read_retrieved(answer, package)
    stored = german_body(folder / "RetrieveDocumentSetResponse_020.xml")
    [code] = {one.get("errorCode") for one in stored.iter("{*}RegistryError")}
    assert len(found.errors) == 2 and not found.documents
    assert all(one.context.startswith(f"{code} : ") for one in found.errors)  # where OpenNCP has it


async def test_german_dispensation_is_read_and_its_prescription_sought(world, german):
    abroad, folder = german
    cx = "B123456789|A2C4E6^^^&1.2.276.0.76.3.1.580.147&ISO"
    await foreign_patient(world, "1.2.276.0.76.3.1.580.147", "B123456789|A2C4E6", "MT")
    content = german_body(folder / "ProvideAndRegisterDocumentSetRequest.xml")
    pharmacist = abroad.as_role("2262")
    answer, _ = await pharmacist.send(XDR, "urn:x", content, pharmacist.assertions(cx))
    is_taken, errors = read_response(answer)
    assert not is_taken
    assert [one.code for one in errors] == ["4206"]  # its CDA names the patient without the access code


def test_request_of_ours_has_the_parts_of_the_danish_one(danish):
    abroad, folder = danish
    theirs = etree.parse(folder / "templates" / "xcpd" / "request.xml").getroot()
    ours = etree.fromstring(write_request("urn:x", "https://x", "urn:y", etree.Element("x"), [abroad.hcp()]))
    names = [{etree.QName(one).localname for one in root[0]} for root in (theirs, ours)]
    assert names[0] <= names[1]

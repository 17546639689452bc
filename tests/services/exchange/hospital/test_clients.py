"""Systems of hospitals with clients and messages that others wrote: zeep, and the Swiss examples (CC0)."""

import asyncio
import re
from datetime import date
from pathlib import Path

import httpx
import orjson
import pytest
import zeep
from lxml import etree
from requests import Session
from zeep.transports import Transport

from esante.core.storage import uuid7
from esante.identity.directory import Identifier, matricule
from esante.services.record import DepositedEvent
from tests.services.exchange.hospital.conftest import COMMUNITY
from tests.services.exchange.hospital.messages import (
    SUCCESS,
    body_of,
    cx_of,
    document_entry,
    entries_of,
    envelope,
    find_documents,
    new_oid,
    provide,
    retrieve,
    submission_set,
)
from tests.support.record import fhir_document, letter

EXAMPLES = Path(__file__).parents[5] / "shared/data/ihe-epr/samples"
XDSB, SOAP = "urn:ihe:iti:xds-b:2007", "http://www.w3.org/2003/05/soap-envelope"
V3 = "{urn:hl7-org:v3}"
needs_examples = pytest.mark.skipif(not EXAMPLES.exists(), reason=f"no real inputs: {EXAMPLES} is absent")


class Software:
    """A hospital's system: zeep over the published WSDL, with a token."""

    def __init__(self, address: str, token: str) -> None:
        session = Session()
        session.headers["Authorization"] = f"Bearer {token}"
        self._client = zeep.Client(address, transport=Transport(session=session, timeout=30))
        for service in self._client.wsdl.services.values():
            for port in service.ports.values():
                name = port.binding_options["address"].rpartition("/")[2]
                port.binding_options["address"] = f"{address}/{name}"

    def call(self, port: str, operation: str, **arguments):
        """Call an operation."""
        return self._client.bind("HospitalSystems", port)[operation](**arguments)


@pytest.fixture
async def software(systems, world):
    """The hospital's system."""
    async with systems.serving() as address:
        yield await asyncio.to_thread(Software, address, await systems.token(world.people["hospital"]))


def parts(text: str) -> list[etree._Element]:
    return list(etree.fromstring(text))


async def test_zeep_provides_finds_and_retrieves(systems, world, person, software):
    content, unique_id = b"Dear colleague, " + uuid7().hex.encode(), new_oid()
    request = etree.fromstring(
        provide(
            submission_set(cx_of(person)), [(document_entry(cx_of(person), content, unique_id=unique_id), content)]
        )
    )
    provided = await asyncio.to_thread(
        software.call, "Repository", "ProvideAndRegisterDocumentSet",
        SubmitObjectsRequest={"_value_1": list(request[0])}, Document=[{"_value_1": content, "id": "Document01"}],
    )  # fmt: skip
    assert provided.status == SUCCESS
    query = parts(find_documents(cx_of(person)))
    listing = await asyncio.to_thread(software.call, "Registry", "RegistryStoredQuery", _value_1=query)
    assert listing.status == SUCCESS
    [objects] = listing._value_1
    assert len(entries_of(objects)) == 1
    found = await asyncio.to_thread(
        software.call, "Repository", "RetrieveDocumentSet",
        DocumentRequest=[{"RepositoryUniqueId": COMMUNITY, "DocumentUniqueId": unique_id}],
    )  # fmt: skip
    [one] = found.DocumentResponse
    assert (one.Document, one.mimeType) == (content, "text/plain")


async def test_zeep_reads_the_fault_of_a_refusal(software):
    with pytest.raises(zeep.exceptions.Fault, match="AdhocQuery: one is needed"):
        await asyncio.to_thread(software.call, "Registry", "RegistryStoredQuery", _value_1=[])


async def test_wsdl_names_every_port(systems):
    async with systems.serving() as address, httpx.AsyncClient() as client:
        text = (await client.get(address)).text
    assert all(f'port name="{name}"' in text for name in ("Registry", "Repository", "Patients"))


def mtom(root: bytes, content: bytes, name: str = "doc@there", boundary: str = "b") -> tuple[bytes, dict[str, str]]:
    mark = f"--{boundary}".encode()
    body = (
        mark + b"\r\nContent-Type: application/xop+xml\r\nContent-ID: <root@there>\r\n\r\n" + root
        + b"\r\n" + mark + f"\r\nContent-ID: <{name}>\r\n\r\n".encode() + content + b"\r\n" + mark + b"--\r\n"
    )  # fmt: skip
    kind = f'multipart/related; type="application/xop+xml"; start="<root@there>"; boundary="{boundary}"'
    return body, {"Content-Type": kind}


def attached(text: str, name: str = "doc@there") -> str:
    """Return a request whose document is an attachment."""
    include = f'<i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" href="cid:{name}"/>'
    return re.sub(r'(<x:Document id="[^"]*">)[^<]*', rf"\g<1>{include}", text)


async def test_attachments_come_and_go_as_mtom(systems, world, person):
    content, unique_id = b"Dear colleague, " + uuid7().hex.encode(), new_oid()
    text = provide(
        submission_set(cx_of(person)), [(document_entry(cx_of(person), content, unique_id=unique_id), content)]
    )
    async with systems.client(world.people["hospital"]) as client:
        body, headers = mtom(envelope(attached(text)), content)
        answer = await client.post("/api/xds/repository", content=body, headers=headers)
        assert SUCCESS in answer.text
        body, headers = mtom(envelope(retrieve((COMMUNITY, unique_id))), b"")
        answer = await client.post("/api/xds/repository", content=body, headers=headers)
    assert answer.headers["content-type"].startswith("multipart/related")
    assert b"\r\n\r\n" + content + b"\r\n--" in answer.content


async def test_attachment_that_is_missing_and_too_many_parts_are_faults(systems, world, person):
    text = provide(submission_set(cx_of(person)), [(document_entry(cx_of(person), b"x"), b"x")])
    async with systems.client(world.people["hospital"]) as client:
        body, headers = mtom(envelope(attached(text, "other@there")), b"x")
        answer = await client.post("/api/xds/repository", content=body, headers=headers)
        assert (answer.status_code, "no attachment" in answer.text) == (400, True)
        many = body.replace(b"--b--", b"--b\r\nContent-ID: <x>\r\n\r\n\r\n" * 101 + b"--b--")
        answer = await client.post("/api/xds/repository", content=many, headers=headers)
        assert (answer.status_code, "more than 100 parts" in answer.text) == (400, True)
        huge = b"--b\r\n" + b"x" * (40 * 1024 * 1024)
        answer = await client.post("/api/xds/repository", content=huge, headers=headers)
        assert answer.status_code == 413
    assert not await world.events(person, DepositedEvent)


def example(name: str, **replaced: str) -> bytes:
    """Return an example without its security header, whose assertion is of another country, and with other values."""
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    text = re.sub(r"<wsse:Security.*?</wsse:Security>", "", text, flags=re.S)
    start = re.search(r"<(\w+):Envelope", text)
    end = text.index(f"</{start[1]}:Envelope>") + len(f"</{start[1]}:Envelope>")
    text = text[start.start() : end]
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    return text.encode()


@needs_examples
async def test_example_of_a_stored_query_is_answered(systems, world, person):
    value, issuer = cx_of(person).split("^^^&amp;")[0].split("^^^&")
    body = example(
        "ITI-18_request_raw.xml",
        **{"7e1c6e78-58f1-4a43-ae88-0d5a5c4ab43e": value, "1.3.6.1.4.1.21367.2017.2.5.45&amp;ISO": issuer.replace("&", "&amp;")},
    )  # fmt: skip
    await world.record.deposit(world.people["hospital"], person.id, *letter())
    async with systems.client(world.people["doctor"]) as client:
        answer = body_of(
            await client.post("/api/xds/registry", content=body, headers={"Content-Type": "application/soap+xml"})
        )
    assert answer.get("status") == SUCCESS
    assert [etree.QName(one).localname for one in answer[0]] == ["ObjectRef"]


@needs_examples
async def test_example_of_a_submission_is_answered_with_what_is_wrong_and_taken_with_codes_of_here(
    systems, world, person
):
    patient = f"{cx_of(person)}".replace("&", "&amp;")
    content = orjson.dumps(fhir_document(person, type_="11369-6"))
    unique_id = new_oid()
    given = {"CHPAM3946^^^&amp;1.3.6.1.4.1.12559.11.20.1&amp;ISO": patient,
             "2.25.267241352778226683619515102048382761723": unique_id}  # fmt: skip
    as_it_is = example("ITI-41_request_raw.xml", **given)
    name = re.search(rb'href="cid:([^"]+)"', as_it_is)[1].decode().replace("%3A", ":")
    ours = as_it_is.replace(b'nodeRepresentation="17621005"', b'nodeRepresentation="N"')
    ours = re.sub(
        rb'(nodeRepresentation="N".*?<Value>)2\.16\.840\.1\.113883\.6\.96',
        rb"\g<1>2.16.840.1.113883.5.25",
        ours,
        flags=re.S,
    )
    ours = ours.replace(b'nodeRepresentation="41000179103"', b'nodeRepresentation="11369-6"')
    ours = re.sub(
        rb'(nodeRepresentation="11369-6".*?<Value>)2\.16\.840\.1\.113883\.6\.96', rb"\g<1>2.16.840.1.113883.6.1", ours,
        flags=re.S,
    )  # fmt: skip
    answers = []
    async with systems.client(world.people["hospital"]) as client:
        for root in (as_it_is, ours):
            body, headers = mtom(root, content, name)
            answers.append((await client.post("/api/xds/repository", content=body, headers=headers)).text)
    assert "typeCode: 41000179103 of 2.16.840.1.113883.6.96 is not known here; use LOINC." in answers[0]
    assert SUCCESS in answers[1], answers[1]
    assert len(await world.events(person, DepositedEvent)) == 1


@needs_examples
async def test_examples_of_pixv3_and_pdqv3_are_answered(systems, world):
    number = matricule(date(1980, 5, 18), 1)
    person = await world.person(identifiers=[Identifier("urn:oid:1.3.182.4.4", number)], birth_date=date(1980, 5, 18))
    national, community = "1.3.182.4.4", COMMUNITY
    common = {"1.3.6.1.4.1.21367.2017.2.5.93": community, "2.16.756.5.30.1.127.3.10.3": national}
    pix = example("ITI-45_request_raw.xml", **common, **{"900010": number, "1.3.6.1.4.1.21367.2017.2.5.103": national})
    pdq = example(
        "ITI-47_request_raw.xml",
        **common, **{"08242eb8-dd47-4298-8d2f-25d60114f137": number, "1.1.1.2.2": national},
    )  # fmt: skip
    async with systems.client(world.people["hospital"]) as client:
        for body, query in ((pix, "1.3.6.1.4.1.21367.2017.2.7.141"), (pdq, "1.2.840.114350.1.13.28.1.18.5.999")):
            headers = {"Content-Type": "application/soap+xml"}
            answer = body_of(await client.post("/api/xds/patients", content=body, headers=headers))
            acknowledged = answer.find(f"{V3}controlActProcess/{V3}queryAck/{V3}queryId")
            assert acknowledged.get("root") == query
            ids = {(one.get("root"), one.get("extension")) for one in answer.iterfind(f".//{V3}patient/{V3}id")}
            assert (community, person.id.hex) in ids

"""RAD-68 and RAD-69 with zeep as client: the same decision, journal and answers as over DICOMweb."""

import asyncio
from datetime import timedelta

import httpx
import pytest
import zeep
from lxml import etree
from requests import Session
from zeep.transports import Transport

from esante.identity.access import Confidentiality, requester_of
from esante.services.imaging.manifest.kos_writer import write_kos
from esante.services.imaging.model import ImagesRefused, SeriesOpened, StudyDeposited
from tests.services.imaging.federation.test_remote_studies import ONE, url
from tests.services.imaging.xdsi.conftest import REPOSITORY
from tests.support.dicom import stow, study_files, uids

SUCCESS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
FAILURE = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure"
PARTIAL = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
SOAP = "http://www.w3.org/2003/05/soap-envelope"


WANTED = f"""<s:Envelope xmlns:s="{SOAP}"><s:Body>
  <RetrieveImagingDocumentSetRequest xmlns="urn:ihe:rad:xdsi-b:2009" xmlns:x="urn:ihe:iti:xds-b:2007">
    <StudyRequest studyInstanceUID="1.2"><SeriesRequest seriesInstanceUID="1.3"><x:DocumentRequest>
      <x:RepositoryUniqueId>{REPOSITORY}</x:RepositoryUniqueId><x:DocumentUniqueId>1.4</x:DocumentUniqueId>
    </x:DocumentRequest></SeriesRequest></StudyRequest>
  </RetrieveImagingDocumentSetRequest></s:Body></s:Envelope>""".encode()


class Software:
    """Software of a hospital or practice: zeep over the published WSDL, with a token."""

    def __init__(self, address: str, token: str) -> None:
        session = Session()
        session.headers["Authorization"] = f"Bearer {token}"
        self._client = zeep.Client(address, transport=Transport(session=session, timeout=30))
        for service in self._client.wsdl.services.values():
            for port in service.ports.values():
                name = port.binding_options["address"].rpartition("/")[2]
                port.binding_options["address"] = f"{address}/{name}"

    def retrieve(self, files, repository: str = REPOSITORY, syntaxes=()):
        """Ask for the instances of files."""
        requests = [
            {
                "studyInstanceUID": study,
                "SeriesRequest": [
                    {
                        "seriesInstanceUID": series,
                        "DocumentRequest": [{"RepositoryUniqueId": repository, "DocumentUniqueId": instance}],
                    }
                ],
            }
            for study, series, instance in map(uids, files)
        ]
        named = {"TransferSyntaxUIDList": {"TransferSyntaxUID": list(syntaxes)}} if syntaxes else {}
        port = self._client.bind("ImagingDocuments", "Source")
        return port.RetrieveImagingDocumentSet(StudyRequest=requests, **named)

    def provide(self, patient_id: str, data: bytes, count: int = 1):
        """Provide a manifest with metadata."""
        objects = etree.Element(f"{{{RIM}}}RegistryObjectList")
        for number in range(count):
            entry = etree.SubElement(
                objects, f"{{{RIM}}}ExtrinsicObject", id=f"D{number}", mimeType="application/dicom"
            )
            scheme = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
            etree.SubElement(entry, f"{{{RIM}}}ExternalIdentifier", identificationScheme=scheme, value=patient_id)
        port = self._client.bind("ImagingDocuments", "Recipient")
        return port.ProvideAndRegisterDocumentSet(
            SubmitObjectsRequest={"_value_1": [objects]},
            Document=[{"_value_1": data, "id": f"D{number}"} for number in range(count)],
        )


@pytest.fixture
def software(world, soap):
    """Make the software of a requester."""

    async def make(requester, scope: str = "cruds") -> Software:
        level = {"organization": "system", "patient": "patient"}.get(requester.kind, "user")
        token = await world.access.issue_token(
            requester, frozenset({f"{level}/ImagingStudy.{scope}"}), timedelta(hours=1)
        )
        return await asyncio.to_thread(Software, soap, token)

    return make


@pytest.fixture
async def study(imaging, world, person):
    """The files of a stored study."""
    files = study_files(person, series=2, instances=2)
    async with imaging.client(world.people["hospital"]) as client:
        assert (await stow(client, files)).status_code == 200
    return files


def codes(answer) -> list[str]:
    found = answer.RegistryResponse.RegistryErrorList
    return [one.errorCode for one in found.RegistryError] if found else []


async def test_instances_are_retrieved_as_stored_and_the_opening_is_journalled(world, person, study, software):
    doctor = await software(world.people["doctor"])
    answer = await asyncio.to_thread(doctor.retrieve, study)
    assert (answer.RegistryResponse.status, codes(answer)) == (SUCCESS, [])
    assert [one.Document for one in answer.DocumentResponse] == study
    assert {one.mimeType for one in answer.DocumentResponse} == {"application/dicom"}
    assert {one.RepositoryUniqueId for one in answer.DocumentResponse} == {REPOSITORY}
    opened = await world.events(person, SeriesOpened)
    assert sorted(event.series_uid for _, event in opened) == sorted({uids(one)[1] for one in study})


async def test_refused_and_absent_instances_are_answered_alike(world, person, study, software):
    patient = requester_of(person)
    [document] = (await world.record.timeline(patient, person.id)).documents
    await world.record.set_confidentiality(patient, person.id, document.id, Confidentiality.HIDDEN)
    doctor = await software(world.people["doctor"])
    hidden = await asyncio.to_thread(doctor.retrieve, study[:1])
    absent = await asyncio.to_thread(doctor.retrieve, study_files(person, instances=1))
    for answer in (hidden, absent):
        assert (answer.RegistryResponse.status, codes(answer)) == (FAILURE, ["XDSDocumentUniqueIdError"])
        assert not answer.DocumentResponse
    [(_, event)] = await world.events(person, ImagesRefused)
    assert event.allowed is False
    assert not await world.events(person, SeriesOpened)


async def test_what_is_missing_is_named_beside_what_is_found(world, person, study, software):
    doctor = await software(world.people["doctor"])
    answer = await asyncio.to_thread(doctor.retrieve, [study[0], *study_files(person, instances=1)])
    assert (answer.RegistryResponse.status, codes(answer)) == (PARTIAL, ["XDSDocumentUniqueIdError"])
    assert [one.Document for one in answer.DocumentResponse] == [study[0]]


async def test_another_repository_and_other_syntaxes_are_errors(world, person, study, software):
    doctor = await software(world.people["doctor"])
    other = await asyncio.to_thread(doctor.retrieve, study[:1], "1.2.3")
    assert codes(other) == ["XDSUnknownRepositoryId"]
    unknown = await asyncio.to_thread(doctor.retrieve, study[:1], REPOSITORY, ["1.2.840.10008.1.2.4.90"])
    assert codes(unknown) == ["XDSRepositoryError"]
    as_stored = await asyncio.to_thread(doctor.retrieve, study[:1], REPOSITORY, ["1.2.840.10008.1.2.1"])
    assert [one.Document for one in as_stored.DocumentResponse] == study[:1]


async def test_provided_manifest_is_deposited_and_its_images_come_from_the_hospital(
    imaging, world, person, hospital, manifest_for, software
):
    files = study_files(person, instances=2)
    hospital.hold(files)
    sender = await software(world.people["hospital"])
    answer = await asyncio.to_thread(
        sender.provide, person.identifiers[0].value, write_kos(manifest_for(person, files))
    )
    assert answer.status == SUCCESS
    [(_, event)] = await world.events(person, StudyDeposited)
    assert event.instances == 2
    doctor = await software(world.people["doctor"])
    retrieved = await asyncio.to_thread(doctor.retrieve, files)
    assert [one.Document for one in retrieved.DocumentResponse] == files
    hospital.failure = "error"
    later = study_files(person, instances=1)
    await asyncio.to_thread(sender.provide, person.identifiers[0].value, write_kos(manifest_for(person, later)))
    assert codes(await asyncio.to_thread(doctor.retrieve, later)) == ["XDSRepositoryBusy"]
    async with imaging.client(world.people["doctor"]) as client:
        assert (await client.get(url(files[0]), headers=ONE)).content == files[0]


async def test_manifest_that_is_not_taken_in_is_a_failure_that_says_why(
    world, person, hospital, manifest_for, software
):
    sender, files = await software(world.people["hospital"]), study_files(person, instances=1)
    manifest = write_kos(manifest_for(person, files))
    nobody = await asyncio.to_thread(sender.provide, "unknown^^^&1.2.3&ISO", manifest)
    assert [one.errorCode for one in nobody.RegistryErrorList.RegistryError] == ["XDSUnknownPatientId"]
    no_manifest = await asyncio.to_thread(sender.provide, person.identifiers[0].value, files[0])
    [error] = no_manifest.RegistryErrorList.RegistryError
    assert "This manifest cannot be read." in error.codeContext
    with pytest.raises(zeep.exceptions.Fault, match="there are 2"):
        await asyncio.to_thread(sender.provide, person.identifiers[0].value, manifest, 2)
    assert not await world.events(person, StudyDeposited)


async def test_token_without_the_scope_is_refused(world, study, software):
    reader = await software(world.people["hospital"], "r")
    with pytest.raises(zeep.exceptions.TransportError) as refused:
        await asyncio.to_thread(reader.provide, "x", b"")
    assert refused.value.status_code == 403


async def test_manifest_as_attachment_is_taken_in(imaging, world, person, hospital, manifest_for):
    files = study_files(person, instances=1)
    envelope = f"""<s:Envelope xmlns:s="{SOAP}" xmlns:x="urn:ihe:iti:xds-b:2007" xmlns:r="{RIM}"><s:Body>
      <x:ProvideAndRegisterDocumentSetRequest><r:RegistryObjectList><r:ExtrinsicObject id="D" mimeType="application/dicom">
      <r:ExternalIdentifier identificationScheme="urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
        value="{person.identifiers[0].value}"/></r:ExtrinsicObject></r:RegistryObjectList>
      <x:Document id="D"><i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" href="cid:kos%40there"/></x:Document>
      </x:ProvideAndRegisterDocumentSetRequest></s:Body></s:Envelope>"""
    body = (
        b'--b\r\nContent-Type: application/xop+xml\r\nContent-ID: <root@there>\r\n\r\n' + envelope.encode()
        + b"\r\n--b\r\nContent-ID: <kos@there>\r\nContent-Type: application/dicom\r\n\r\n"
        + write_kos(manifest_for(person, files)) + b"\r\n--b--\r\n"
    )  # fmt: skip
    async with imaging.client(world.people["hospital"]) as client:
        answer = await client.post(
            "/api/xds-i/provide",
            content=body,
            headers={
                "Content-Type": 'multipart/related; type="application/xop+xml"; start="<root@there>"; boundary=b'
            },
        )
    assert (answer.status_code, SUCCESS.encode() in answer.content) == (200, True)
    assert answer.headers["content-type"].startswith("multipart/related")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a/>",
        b'<!DOCTYPE a [<!ENTITY x "y">]>' + WANTED,
        WANTED + b"<a/>",
        f'<s:Envelope xmlns:s="{SOAP}"><s:Body/></s:Envelope>'.encode(),
        f'<s:Envelope xmlns:s="{SOAP}"><s:Body><other/></s:Body></s:Envelope>'.encode(),
        b"<a " + b"b='' " * 200_001 + b"/>",
    ],
)
async def test_what_is_no_request_is_a_fault_of_the_sender(imaging, world, body):
    async with imaging.client(world.people["hospital"]) as client:
        for path in ("retrieve", "provide"):
            answer = await client.post(
                f"/api/xds-i/{path}", content=body, headers={"Content-Type": "application/soap+xml"}
            )
            assert (answer.status_code, b"soap:Sender" in answer.content) == (400, True)


async def test_request_that_is_read_is_answered_in_kind(imaging, world):
    async with imaging.client(world.people["hospital"]) as client:
        headers = {"Content-Type": "application/soap+xml"}
        assert (await client.post("/api/xds-i/retrieve", content=WANTED, headers=headers)).status_code == 200


async def test_wsdl_is_published(soap):
    async with httpx.AsyncClient() as client:
        assert b"ImagingDocuments" in (await client.get(soap)).content

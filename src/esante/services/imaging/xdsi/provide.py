"""RAD-68, Provide and Register Imaging Document Set (IHE RAD TF-2, 4.68): a manifest with the metadata of XDS."""

from lxml import etree

from esante.core.soap import Malformed, Package
from esante.core.web import Problem, translator
from esante.core.xds import DOCUMENT_PATIENT_ID, RIM, XDSB, RegistryError, registry_response
from esante.identity.access import Requester
from esante.identity.directory import Directory, Person
from esante.services.imaging.dicomweb.media_types import DICOM
from esante.services.imaging.discovery.patient_identifier import find_by_cx
from esante.services.imaging.federation.manifest_deposit import ManifestDeposits

REQUEST = f"{{{XDSB}}}ProvideAndRegisterDocumentSetRequest"
ACTION = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse"


class ImagingDocumentRecipient:
    """Answers RAD-68: the manifest is deposited as over DICOMweb; of the metadata only the patient counts."""

    def __init__(self, deposits: ManifestDeposits, directory: Directory) -> None:
        self._deposits, self._directory = deposits, directory

    async def provide(self, requester: Requester, request: etree._Element, package: Package) -> etree._Element:
        """Return the answer to a request with one manifest. Raises: `Malformed`."""
        entries = [one for one in request.iter(f"{{{RIM}}}ExtrinsicObject") if one.get("mimeType", "") == DICOM]
        if len(entries) != 1:
            raise Malformed(f"ExtrinsicObject: one of {DICOM} is needed, there are {len(entries)}")
        [entry] = entries
        documents = [one for one in request.findall(f"{{{XDSB}}}Document") if one.get("id") == entry.get("id")]
        if len(documents) != 1:
            raise Malformed("Document: one with the id of its ExtrinsicObject is needed")
        patient = await self._patient(entry)
        if patient is None:
            return registry_response([RegistryError("XDSUnknownPatientId", "This patient is not known here.")])
        try:
            data = package.bytes_of(documents[0])
            await self._deposits.deposit(requester, data, DICOM, patient=patient)
        except Problem as problem:
            gettext = translator("en").gettext
            context = " ".join(filter(None, (gettext(problem.title), problem.place, problem.detail)))
            return registry_response([RegistryError("XDSRepositoryMetadataError", context)])
        return registry_response([])

    async def _patient(self, entry: etree._Element) -> Person | None:
        """Return the person of an entry, by its patientId (CX: value, and the OID of its issuer)."""
        for identifier in entry.iterfind(f"{{{RIM}}}ExternalIdentifier"):
            if identifier.get("identificationScheme") != DOCUMENT_PATIENT_ID:
                continue
            return await find_by_cx(self._directory, str(identifier.get("value", "")))
        return None

"""Studies as documents of MHD: the metadata of their manifests (MadoFhirDocumentReference), and search by them.

The document of the record stands for the study; its DocumentReference leads to the manifest.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar
from uuid import UUID

from esante.core.fhir.rest import SearchParams, parse_token
from esante.core.storage import Database
from esante.core.types import Json
from esante.identity.access import Requester
from esante.services.imaging.archive.extent_store import Extent, fetch_extents
from esante.services.imaging.archive.service import Archive
from esante.services.imaging.discovery.study_facts import StudyFacts, load_facts
from esante.services.imaging.manifest import fhir_writer
from esante.services.imaging.manifest.api import manifest_url
from esante.services.imaging.manifest.fhir_writer import accession_identifier, study_identifier
from esante.services.imaging.manifest.index import manifest_uid
from esante.services.imaging.manifest.model import DCM, SNOMED
from esante.services.imaging.manifest.regions import region_words
from esante.services.record import Document, Status

_OID = "urn:oid:"
_EXTENSION = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DocumentReference."
_FORMATS = "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode"
_Token = tuple[str | None, str]
_MATCHES: Mapping[str, Callable[[StudyFacts, _Token], bool]] = {
    "study-instance-uid": lambda study, token: (
        token[0] in (None, fhir_writer.DICOM_UID, fhir_writer.URI)
        and token[1].removeprefix(_OID) == study.study.study_uid
    ),
    "accession-number": lambda study, token: (
        token[0] in (None, study.study.depositor_id.urn) and token[1] == study.accession_number != ""
    ),
    "modality": lambda study, token: token[0] in (None, DCM) and token[1] in study.modalities,
    "bodysite": lambda study, token: token[0] in (None, SNOMED) and token[1] in study.site_codes,
    "anatomical-region": lambda study, token: token[0] in (None, SNOMED) and token[1] in study.regions,
}


class StudyDescriber:
    """Describes the documents that stand for studies (`record.descriptions`); `base_url`: of the platform."""

    parameters: ClassVar[Mapping[str, str]] = dict.fromkeys(_MATCHES, "token")

    def __init__(self, db: Database, archive: Archive, base_url: str) -> None:
        self._db, self._archive, self._base_url = db, archive, base_url

    async def predicates(
        self, requester: Requester, person_id: UUID, params: SearchParams
    ) -> Sequence[Callable[[Document], bool]]:
        """Return whether a document stands for a study that each parameter finds, among those that are visible."""
        studies = await self._archive.studies(requester, person_id)
        facts = await load_facts(self._db, person_id, [one for one, _ in studies.studies])
        wanted = [
            ([parse_token(value) for value in values], matches)
            for name, matches in _MATCHES.items()
            for values in params.all(name)
        ]
        found = {
            one.study.document_series_id
            for one in facts
            if all(any(matches(one, token) for token in tokens) for tokens, matches in wanted)
        }
        return [lambda document: document.series_id in found]

    async def describe(self, requester: Requester, documents: Sequence[Document], resources: Sequence[Json]) -> None:
        """Complete the DocumentReferences of the current documents of studies that the archive shows the requester."""
        person_id, wanted = documents[0].person_id, {one.series_id for one in documents}
        shown = (await self._archive.studies(requester, person_id)).studies
        studies = [one for one, _ in shown if one.document_series_id in wanted]
        facts = {one.study.document_series_id: one for one in await load_facts(self._db, person_id, studies)}
        extents = await fetch_extents(self._db, person_id, [one.study_uid for one in studies])
        for document, resource in zip(documents, resources, strict=True):
            study = facts.get(document.series_id)
            if study is not None and document.status is Status.CURRENT and study.study.study_uid in extents:
                self._complete(resource, study, extents[study.study.study_uid])

    def _complete(self, resource: Json, study: StudyFacts, extent: Extent) -> None:
        uid = study.study.study_uid
        master = {"system": fhir_writer.URI, "value": _OID + manifest_uid(uid, extent.instances, extent.newest)}
        own = [one for one in resource["identifier"] if not one["value"].startswith("ni:")]
        attachment = resource["content"][0]["attachment"]
        related = [study_identifier(uid)]
        if study.accession_number:
            related.append(accession_identifier(study.study.depositor_id.urn, study.accession_number))
        resource |= {
            "masterIdentifier": master,
            "identifier": [master, resource["masterIdentifier"], *own],
            "extension": [*resource.get("extension", ()), *_extensions(study)],
            "content": [
                {
                    "attachment": {
                        "contentType": fhir_writer.MEDIA_TYPE,
                        "url": manifest_url(self._base_url, uid),
                        "title": attachment["title"],
                        "creation": extent.newest.isoformat(timespec="seconds"),
                    },
                    "format": {"system": _FORMATS, "code": fhir_writer.FORMAT},
                }
            ],
        }
        resource["context"] = resource["context"] | {"related": [{"identifier": one} for one in related]}


def _extensions(study: StudyFacts) -> list[Json]:
    """Return modalities and anatomical regions as the elements of R5 that R4 does not have."""
    modalities = [{"system": DCM, "code": one} for one in study.modalities]
    found: list[Json] = []
    if modalities:
        found.append({"url": f"{_EXTENSION}modality", "valueCodeableConcept": {"coding": modalities}})
    for code in study.regions:
        concept = {"coding": [{"system": SNOMED, "code": code, "display": region_words(code)}]}
        inner = [{"url": "concept", "valueCodeableConcept": concept}]
        found.append({"url": f"{_EXTENSION}bodySite", "extension": inner})
    return found

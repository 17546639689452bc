"""Studies as ImagingStudy of the FHIR API: what the record has of a study follows the archive.

The document of a study is deposited with its first instance. Here its ImagingStudy gets a next version when series
come; who may see the document sees it, by the record's own reads and searches. Instances are left to the manifest.
"""

import logging

from esante.core.fhir import decode
from esante.core.journal import Consumer, Entry
from esante.core.storage import Connection, Database, uuid7
from esante.core.types import Json
from esante.services.imaging.archive.store import Place, fetch_places
from esante.services.imaging.manifest.fhir_writer import write_fhir
from esante.services.imaging.manifest.model import Manifest
from esante.services.imaging.manifest.service import Manifests
from esante.services.imaging.model import StudyDeposited
from esante.services.record import Record

log = logging.getLogger(__name__)


class StudyIndex:
    """Keeps the ImagingStudy of each study of the archive as it is."""

    def __init__(self, db: Database, record: Record, manifests: Manifests) -> None:
        self._db, self._record, self._manifests = db, record, manifests

    @property
    def consumer(self) -> Consumer:
        """The consumer of the journal that follows deposits."""
        return Consumer("imaging.index", [StudyDeposited], self._follow)

    async def _follow(self, conn: Connection, entries: list[Entry]) -> None:
        changed = {one.event.study_uid: None for one in entries if isinstance(one.event, StudyDeposited)}
        places = await fetch_places(self._db, list(changed))
        for study_uid, place in places.items():
            bundle = await self._bundle(study_uid, place)
            if bundle is not None:
                await self._record.clinical.indexer.revise(conn, place.person_id, place.document_series_id, bundle)

    async def _bundle(self, study_uid: str, place: Place) -> Json | None:
        """Return what the archive says of a study; one that has no manifest is logged and blocks no other."""
        try:
            manifest = await self._manifests.compile(place.person_id, place.document_series_id)
            return study_bundle(manifest) if manifest is not None else None
        except (KeyError, TypeError, ValueError):
            log.exception("study %s cannot be indexed", study_uid)
            return None


def study_bundle(manifest: Manifest) -> Json:
    """Return the ImagingStudy of a study with its patient, without instances; endpoints are contained in it."""
    document = decode(write_fhir(manifest))
    resources = {entry["fullUrl"]: entry["resource"] for entry in document["entry"]}
    [study] = [one for one in resources.values() if one["resourceType"] == "ImagingStudy"]
    [patient] = [one for one in resources.values() if one["resourceType"] == "Patient"]
    endpoints = [one["reference"] for one in study.get("endpoint", ())]
    names = {url: f"endpoint{number}" for number, url in enumerate(endpoints, 1)}
    study["contained"] = [resources[url] | {"id": name} for url, name in names.items()]
    for holder in (study, *study["series"]):
        holder["endpoint"] = [{"reference": f"#{names[one['reference']]}"} for one in holder.get("endpoint", ())]
    for series in study["series"]:
        del series["instance"]
    url = uuid7().urn
    study["subject"] = {"reference": url}
    return {"entry": [{"fullUrl": url, "resource": patient}, {"fullUrl": uuid7().urn, "resource": study}]}

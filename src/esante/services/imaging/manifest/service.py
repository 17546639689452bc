"""The manifests of the studies that a requester may see."""

from collections.abc import Iterable, Mapping
from uuid import UUID

import orjson

from esante.core.storage import Database
from esante.core.types import Json
from esante.identity.access import Requester
from esante.identity.directory import Directory
from esante.services.imaging.archive import store
from esante.services.imaging.archive.service import Archive, not_found
from esante.services.imaging.archive.visible_study import VisibleStudy
from esante.services.imaging.manifest.index import index_study
from esante.services.imaging.manifest.model import KEY_OBJECTS, Manifest
from esante.services.imaging.model import Instance, Study


class Manifests:
    """Makes manifests from the rows of the archive; `base_url` is the address of the platform."""

    def __init__(self, db: Database, archive: Archive, directory: Directory, base_url: str) -> None:
        self._db, self._archive, self._directory, self._base_url = db, archive, directory, base_url

    async def open(self, requester: Requester, study_uid: str) -> Manifest:
        """Return the manifest of a study, journalled as a reading of its description. Raises: Problem 404."""
        study = await self._archive.study(requester, study_uid, "manifest")
        manifest = await self.of_study(study)
        await self._archive.described(requester, study)
        return manifest

    async def of_study(self, study: VisibleStudy) -> Manifest:
        """Return the manifest of a study that was decided on; not journalled. Raises: Problem 404."""
        document = study.document
        found = await self.compile(study.person_id, document.series_id, document.organization or document.author)
        if found is None:
            raise not_found()
        return found

    async def compile(self, person_id: UUID, document_series_id: UUID, organization: str = "") -> Manifest | None:
        """Return the manifest of the study for which a document stands; None where it has no instance.

        Nothing is decided here.
        """
        person = await self._directory.person(person_id)
        studies = await store.fetch_studies(self._db, person_id, [document_series_id])
        if person is None or not studies:
            return None
        [study] = studies
        instances = await store.fetch_instances(self._db, person_id, [study.study_uid])
        if not instances:
            return None
        series = await store.fetch_series(self._db, person_id, [study.study_uid])
        headers = await self._headers(study, instances)
        return index_study(study, series, instances, person, organization, self._base_url, headers)

    async def _headers(self, study: Study, instances: Iterable[Instance]) -> Mapping[str, Json]:
        """Return the headers of the key object selections among some instances, by UID."""
        headers: dict[str, Json] = {}
        for series_uid in sorted({one.series_uid for one in instances if one.sop_class_uid == KEY_OBJECTS}):
            found = await store.fetch_metadata(self._db, study.person_id, study.study_uid, series_uid)
            headers |= {uid: orjson.loads(header) for _, uid, header in found}
        return headers

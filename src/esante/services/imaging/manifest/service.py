"""The manifests of the studies that a requester may see."""

from collections.abc import Iterable, Mapping

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
from esante.services.imaging.model import Instance


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
        person = await self._directory.person(study.person_id)
        found = await store.fetch_studies(self._db, study.person_id, [study.document.series_id])
        instances = await store.fetch_instances(self._db, study.person_id, [study.study_uid])
        if person is None or not found or not instances:
            raise not_found()
        return index_study(
            found[0],
            await store.fetch_series(self._db, study.person_id, [study.study_uid]),
            instances,
            person,
            study.document.organization or study.document.author,
            self._base_url,
            await self._headers(study, instances),
        )

    async def _headers(self, study: VisibleStudy, instances: Iterable[Instance]) -> Mapping[str, Json]:
        """Return the headers of the key object selections among some instances, by UID."""
        headers: dict[str, Json] = {}
        for series_uid in sorted({one.series_uid for one in instances if one.sop_class_uid == KEY_OBJECTS}):
            found = await store.fetch_metadata(self._db, study.person_id, study.study_uid, series_uid)
            headers |= {uid: orjson.loads(header) for _, uid, header in found}
        return headers

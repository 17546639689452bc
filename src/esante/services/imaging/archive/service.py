"""The archive of a requester: the studies that they may see, and what is in them.

The decision comes first, and nothing of a study is read before it. A study that a requester may not see, and one that
does not exist, are answered alike.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import orjson

from esante.core import clock
from esante.core.storage import NIL, Database, DataLoader, Objects
from esante.core.types import Json
from esante.core.web import NOT_FOUND, Problem
from esante.identity.access import Requester, Verdict, requester_of
from esante.identity.directory import Person
from esante.services.imaging.archive import store
from esante.services.imaging.archive.contents import Contents
from esante.services.imaging.archive.openings import Openings
from esante.services.imaging.archive.remote import RemoteInstances
from esante.services.imaging.archive.visible_study import VisibleStudy
from esante.services.imaging.ingest.frames import FrameIndex
from esante.services.imaging.model import CATEGORY, ImagesRefused, Instance, StudiesSearched, Study, StudyDescribed
from esante.services.imaging.release.store import fetch_releases
from esante.services.record import Record

K = TypeVar("K")
V = TypeVar("V")
NOBODY = UUID(int=2**128 - 1)
"""A key that nobody has: for a study that does not exist the same is asked as for one that does."""

_MAX_KEPT, _MAX_KEPT_FRAMES = 4_096, 1_000
"""Studies and instances that a process remembers, and the frames of each of these."""


class Archive:
    """Finds and reads what a requester may see; every method that gives images journals it."""

    def __init__(self, db: Database, objects: Objects, record: Record, remote: RemoteInstances | None = None) -> None:
        self._db, self._objects, self._record = db, objects, record
        self._places: DataLoader[str, store.Place] = DataLoader(db, lambda uids: store.fetch_places(db, uids))
        # Whose a study is, of those that a requester was allowed: kept for nobody else, whom it would tell something.
        self._allowed: OrderedDict[tuple[UUID, str], store.Place] = OrderedDict()
        # What an instance is never changes, and the decision on its study comes before it is looked up here.
        self._instances: OrderedDict[tuple[UUID, str, str, str], tuple[Instance, FrameIndex]] = OrderedDict()
        self._openings = Openings(db, record)
        self._remote = remote
        self.contents = Contents(objects, remote)

    async def study(self, requester: Requester, study_uid: str, action: str) -> VisibleStudy:
        """Return a study that a requester may see. Raises: Problem 404, journalled with the `action`."""
        key = requester.id, study_uid
        place = self._allowed.get(key) or await self._places.load(study_uid) or store.Place(NOBODY, NIL)
        current = await self._record.current.find(requester, place.person_id, place.document_series_id)
        withheld = await self._withheld(requester, place.person_id, [study_uid])
        if current.document is None or current.verdict is None or withheld:
            self._allowed.pop(key, None)
            rule = {"rule": "imaging.withheld"} if withheld and current.document else {}
            await self._journal_refusal(requester, place.person_id, current.verdict, study_uid, action, **rule)
            raise not_found()
        _remember(self._allowed, key, place)
        return VisibleStudy(study_uid, current.document, current.verdict)

    async def shown_to(self, person: Person, study_uid: str) -> VisibleStudy | None:
        """Return a study as its person sees it now, without an entry in the journal; None where they do not see it."""
        place = (await store.fetch_places(self._db, [study_uid])).get(study_uid)
        if place is None or place.person_id != person.id:
            return None
        requester = requester_of(person)
        current = await self._record.current.find(requester, person.id, place.document_series_id)
        withheld = await self._withheld(requester, person.id, [study_uid])
        if current.document is None or current.verdict is None or withheld:
            return None
        return VisibleStudy(study_uid, current.document, current.verdict)

    async def persons(self, requester: Requester, study_uids: Sequence[str]) -> set[UUID]:
        """Return whose those of some studies are that a requester may see; NOBODY where they see none."""
        places, found = await store.fetch_places(self._db, study_uids), set[UUID]()
        for uid in study_uids:
            place = places.get(uid, store.Place(NOBODY, NIL))
            current = await self._record.current.find(requester, place.person_id, place.document_series_id)
            if current.document is not None:
                found.add(place.person_id)
        return found or {NOBODY}

    async def studies(self, requester: Requester, person_id: UUID) -> "Studies":
        """Return the studies of a person that a requester may see, the latest first; `searched` journals it."""
        documents, verdict = await self._record.current.list(requester, person_id, CATEGORY)
        visible = {document.series_id: (document, of_document) for document, of_document in documents}
        found = await store.fetch_studies(self._db, person_id, list(visible))
        until = await self._withheld(requester, person_id, [one.study_uid for one in found])
        studies = [(one, VisibleStudy(one.study_uid, *visible[one.document_series_id])) for one in found]
        shown = tuple(pair for pair in studies if pair[0].study_uid not in until)
        withheld = tuple((one, until[one.study_uid]) for _, one in studies if one.study_uid in until)
        return Studies(person_id, shown, withheld, verdict)

    async def searched(
        self, requester: Requester, studies: "Studies", shown: Sequence[VisibleStudy], count: int
    ) -> None:
        """Journal a search that showed some studies, with how many results."""
        rows = self._record.audit_rows(
            StudiesSearched,
            requester,
            NIL if studies.person_id == NOBODY else studies.person_id,
            studies.verdict,
            [study.document for study in shown],
            categories=(CATEGORY,),
            study_uid=shown[0].study_uid if len(shown) == 1 else "",
            count=count,
        )
        await self._db.write(rows)

    async def instances(
        self, study: VisibleStudy, series_uid: str | None = None, instance_uid: str | None = None
    ) -> list[Instance]:
        """Return the instances of a study, of a series, or the one instance. Raises: Problem 404 for none."""
        found = await store.fetch_instances(self._db, study.person_id, [study.study_uid], series_uid, instance_uid)
        if not found:
            raise not_found()
        return found

    async def instance(self, study: VisibleStudy, series_uid: str, instance_uid: str) -> tuple[Instance, FrameIndex]:
        """Return an instance of a study with the index of its frames. Raises: Problem 404."""
        instance, frames = await self._find_instance((study.person_id, study.study_uid, series_uid, instance_uid))
        if instance.is_remote:
            held = await self.contents.hold(instance)
            return held.instance, held.frames
        return instance, frames

    async def _find_instance(self, key: tuple[UUID, str, str, str]) -> tuple[Instance, FrameIndex]:
        if (known := self._instances.get(key)) is not None:
            return known
        found = await store.find_instance(self._db, *key)
        if found is None:
            raise not_found()
        if found[1].count <= _MAX_KEPT_FRAMES:
            _remember(self._instances, key, found)
        return found

    async def metadata(
        self, requester: Requester, study: VisibleStudy, series_uid: str | None = None, instance_uid: str | None = None
    ) -> list[tuple[str, str, bytes]]:
        """Return series UID, instance UID and DICOM JSON of instances, journalled. Raises: Problem 404 for none."""
        found = await store.fetch_metadata(self._db, study.person_id, study.study_uid, series_uid, instance_uid)
        if not found:
            raise not_found()
        found = await self._with_remote(study, found)
        await self.described(requester, study, series_uid or "")
        return found

    async def _with_remote(
        self, study: VisibleStudy, found: list[tuple[str, str, bytes]]
    ) -> list[tuple[str, str, bytes]]:
        """Return headers, of series elsewhere those that their archive has. Raises: Problem 503."""
        series_uids = {series_uid for series_uid, _, _ in found}
        remote = await self._remote.metadata(study, series_uids) if self._remote else {}
        return [
            (series_uid, uid, remote[series_uid][uid] if series_uid in remote else header)
            for series_uid, uid, header in found
            if series_uid not in remote or uid in remote[series_uid]
        ]

    async def described(self, requester: Requester, study: VisibleStudy, series_uid: str = "") -> None:
        """Journal that the description of a study, or of one of its series, is read."""
        rows = self._record.audit_rows(
            StudyDescribed,
            requester,
            study.person_id,
            study.verdict,
            [study.document],
            study_uid=study.study_uid,
            series_uid=series_uid,
        )
        await self._db.write(rows)

    async def header(self, study: VisibleStudy, instance: Instance) -> Json:
        """Return the header of an instance as DICOM JSON, to decode its frames; not journalled."""
        if instance.is_remote:
            return (await self.contents.hold(instance)).header
        found = await store.fetch_metadata(
            self._db, study.person_id, study.study_uid, instance.series_uid, instance.instance_uid
        )
        if not found:
            raise not_found()
        header: Json = orjson.loads(found[0][2])
        return header

    async def opened(self, requester: Requester, study: VisibleStudy, series_uids: Iterable[str], form: str) -> None:
        """Journal that images of series are opened, before they are sent; `form`: what of them."""
        await self._openings.journal(requester, study, series_uids, form)

    async def _withheld(self, requester: Requester, person_id: UUID, study_uids: Sequence[str]) -> dict[str, datetime]:
        """Return until when those of some studies are withheld that are now; from professionals none is."""
        if requester.kind != "patient":
            return {}
        now, found = clock.now(), await fetch_releases(self._db, person_id, study_uids)
        return {uid: release.withheld_until for uid, release in found.items() if release.withheld_until > now}

    async def _journal_refusal(
        self, requester: Requester, person_id: UUID, verdict: Verdict | None, study_uid: str, action: str, **rule: str
    ) -> None:
        rows = self._record.audit_rows(
            ImagesRefused,
            requester,
            NIL if person_id == NOBODY else person_id,
            verdict,
            [],
            allowed=False,
            categories=(CATEGORY,),
            study_uid=study_uid,
            action=action,
            **rule,
        )
        await self._db.write(rows)


@dataclass(frozen=True, slots=True)
class Studies:
    """The studies of a person that a requester may see, and the verdict on the list.

    `withheld`: those of which the requester, who is the patient, sees the entry in the record and no images yet, with
    the moment until when.
    """

    person_id: UUID
    studies: tuple[tuple[Study, VisibleStudy], ...]
    withheld: tuple[tuple[VisibleStudy, datetime], ...]
    verdict: Verdict


def _remember(kept: OrderedDict[K, V], key: K, value: V) -> None:
    """Keep a value, and the `_MAX_KEPT` that were kept last."""
    kept[key] = value
    while len(kept) > _MAX_KEPT:
        kept.popitem(last=False)


def not_found() -> Problem:
    """Return the answer for what does not exist, and for what the requester may not see."""
    return Problem(404, "not-found", NOT_FOUND)

"""Deposit of instances: each is read, decided and compared with its person while it comes in, then all are stored.

A deposit is one upload. Its instances are answered one by one; those of one study are stored in one transaction with
the journal entry, after their bytes were synced. An upload that breaks off leaves nothing.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import UUID

import asyncpg

from esante.core import clock
from esante.core.storage import NIL, Database, Objects, Row, write_in_batches
from esante.identity.access import Access, Requester, Verdict
from esante.identity.directory import Directory, Person
from esante.services.imaging.archive import store
from esante.services.imaging.ingest.admission import Admission, Admitted, Refused
from esante.services.imaging.ingest.frames import FrameIndex
from esante.services.imaging.ingest.limits import MAX_INSTANCE, Rejected
from esante.services.imaging.ingest.new_study import new_series, study_rows
from esante.services.imaging.ingest.packs import Pack, Part
from esante.services.imaging.ingest.quarantine import UploadQuarantine
from esante.services.imaging.ingest.summary import Summary, summarize
from esante.services.imaging.model import CATEGORY, Instance, StudyDeposited, StudyDepositRefused
from esante.services.record import Record

MAX_INSTANCES = 5_000
"""Instances of an upload."""
MAX_STUDIES = 16
"""Studies of an upload, each of which takes an open file."""
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The answer on one instance: stored unless there is a `reason` (a key of `model.REASONS`); UIDs "" if unknown."""

    sop_class_uid: str = ""
    instance_uid: str = ""
    series_uid: str = ""
    study_uid: str = ""
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Accepted:
    """An instance that may be stored: where it is in the upload, what was read of it, where its bytes are."""

    place: int
    summary: Summary
    frames: FrameIndex
    metadata: bytes
    admitted: Admitted
    pack: Pack
    offset: int
    part: Part

    @property
    def result(self) -> Result:
        """The answer once it is stored."""
        return _result(self.summary)


class Deposits:
    """The use case of depositing instances."""

    def __init__(self, db: Database, objects: Objects, record: Record, directory: Directory, access: Access) -> None:
        self._db, self._objects, self._record = db, objects, record
        self._directory, self._access = directory, access

    @asynccontextmanager
    async def upload(
        self, requester: Requester, patient: Person | None = None, study_uid: str = ""
    ) -> AsyncIterator["Upload"]:
        """Yield an upload of a requester; what is not stored when the context ends is gone.

        `patient`: the person whom the request names; `study_uid`: the study that it names.
        """
        admission = Admission(self._db, self._record, self._directory, self._access, requester, patient, study_uid)
        upload = Upload(self._db, self._objects, self._record, admission)
        try:
            yield upload
        finally:
            upload.close()


class Upload:
    """One upload: `begin`, `write` and `end` each instance, then `store` all."""

    def __init__(self, db: Database, objects: Objects, record: Record, admission: Admission) -> None:
        self._db, self._objects, self._record, self._admission = db, objects, record, admission
        self._requester = admission.requester
        self._quarantine = UploadQuarantine(db, objects, self._requester)
        self._free: Pack | None = None
        self._packs: dict[str, Pack] = {}
        self._last: Pack | None = None
        self._part: Part | None = None
        self._accepted: list[_Accepted] = []
        self._results: dict[int, Result] = {}
        self._refusals: list[tuple[Refused, str]] = []
        self._count = 0

    @property
    def is_full(self) -> bool:
        """Whether no further instance may come."""
        return self._count >= MAX_INSTANCES

    def begin(self) -> None:
        """Begin an instance."""
        pack = self._last or self._new_pack()
        self._part, self._count = Part(pack, MAX_INSTANCE), self._count + 1

    def write(self, data: bytes) -> None:
        """Write bytes of the instance. Raises: `Unavailable` when the disk is full."""
        if self._part is not None:
            self._part.write(data)

    async def end(self) -> None:
        """End the instance: it may be stored, or is refused. Raises: Problem 429, `Unavailable`."""
        part, self._part = self._part, None
        if part is None:
            return
        place = self._count - 1
        summary: Summary | None = None
        try:
            read, frames, metadata = await asyncio.to_thread(_read, part)
            summary = read
            admitted = await self._admission.admit(read)
            pack = self._pack_of(read.study_uid, part)
        except Rejected as rejected:
            await self._refuse(part, place, summary, Refused(rejected.reason), rejected.detail)
        except Refused as refused:
            await self._refuse(part, place, summary, refused, "")
        else:
            self._accepted.append(
                _Accepted(
                    place=place,
                    summary=read,
                    frames=frames,
                    metadata=metadata,
                    admitted=admitted,
                    pack=pack,
                    offset=pack.keep(part.size),
                    part=part,
                )
            )

    async def store(self) -> list[Result]:
        """Store all instances that may be stored; return the answer on each, in the order of the upload."""
        by_study: defaultdict[str, list[_Accepted]] = defaultdict(list)
        for one in self._accepted:
            by_study[one.summary.study_uid].append(one)
        for study_uid, group in by_study.items():
            await self._store_study(study_uid, group)
        rows = [*await self._quarantine.store(), *self._refusal_rows()]
        if rows:
            await write_in_batches(self._db, rows)
        return [self._results[place] for place in range(self._count) if place in self._results]

    def close(self) -> None:
        """Close all files."""
        self._quarantine.close()
        for pack in {*self._packs.values(), *filter(None, (self._free, self._last))}:
            pack.close()

    # Steps

    def _new_pack(self) -> Pack:
        self._free = self._last = self._free or Pack(self._objects)
        return self._free

    def _pack_of(self, study_uid: str, part: Part) -> Pack:
        """Return the pack of a study with the part at its end, copied there if it came into another."""
        pack = self._packs.get(study_uid)
        if pack is None and len(self._packs) >= MAX_STUDIES:
            raise Rejected("too-large", f"{MAX_STUDIES} studies are allowed at a time")
        if pack is None:
            pack = self._free or Pack(self._objects)
            self._free = None
            self._packs[study_uid] = pack
        if pack is not part.pack:
            part.copy_to(pack.file)
            part.pack.cut()
            part.moved_to(pack)
        self._last = pack
        return pack

    async def _refuse(self, part: Part, place: int, summary: Summary | None, refused: Refused, detail: str) -> None:
        result = _result(summary) if summary else Result()
        self._results[place] = replace(result, reason=refused.reason, detail=detail)
        self._refusals.append((refused, result.study_uid))
        await self._quarantine.add(
            part, refused.reason, detail, refused.person_id, result.study_uid, result.instance_uid
        )
        part.pack.cut()

    async def _store_study(self, study_uid: str, group: Sequence[_Accepted]) -> None:
        for _ in range(_ATTEMPTS - 1):
            try:
                return await self._try_store(study_uid, group)
            except asyncpg.UniqueViolationError:
                # Another upload stored the same at the same moment: the next attempt finds it.
                self._admission.forget()
        await self._try_store(study_uid, group)

    async def _try_store(self, study_uid: str, group: Sequence[_Accepted]) -> None:
        """Store the instances of a study that are new, with the entry of the journal."""
        try:
            admitted = await self._admission.admit(group[0].summary)
        except Refused as refused:
            for one in group:
                await self._refuse_stored(one, refused)
            return
        person_id = admitted.person.id
        new = await self._new_ones(person_id, study_uid, group)
        if not new:
            return
        document, rows = await study_rows(self._record, self._requester, admitted, new[0].summary)
        series = {one.summary.series_uid: one.summary for one in new}
        rows += [store.series_row(new_series(person_id, summary)) for summary in series.values()]
        rows += [store.instance_row(_instance(person_id, one), one.metadata, one.frames) for one in new]
        entry = self._record.audit_rows(
            StudyDeposited,
            self._requester,
            person_id,
            admitted.verdict,
            [document],
            study_uid=study_uid,
            instances=len(new),
            size=sum(one.part.size for one in new),
            series=tuple(series),
        )
        await new[0].pack.store(self._objects)
        await write_in_batches(self._db, [*rows, *entry])
        for one in new:
            self._results[one.place] = one.result

    async def _new_ones(self, person_id: UUID, study_uid: str, group: Sequence[_Accepted]) -> list[_Accepted]:
        """Return the instances that are not stored yet; answer those that are, and those that contradict them."""
        uids = {one.summary.instance_uid for one in group}
        stored = await store.fetch_stored(self._db, person_id, uids)
        studies = await store.fetch_studies_of_series(self._db, person_id, {one.summary.series_uid for one in group})
        new: list[_Accepted] = []
        for one in group:
            if one.place in self._results:
                continue
            uid, series_uid = one.summary.instance_uid, one.summary.series_uid
            known = stored.setdefault(uid, (series_uid, one.part.sha256)) if uid in stored else None
            if known == (series_uid, one.part.sha256):
                self._results[one.place] = one.result
            elif known is not None:
                await self._refuse_stored(one, Refused("duplicate", person_id, one.admitted.verdict))
            elif studies.get(series_uid, study_uid) != study_uid:
                await self._refuse_stored(one, Refused("series-of-another", person_id, one.admitted.verdict))
            else:
                stored[uid] = series_uid, one.part.sha256
                new.append(one)
        return new

    async def _refuse_stored(self, one: _Accepted, refused: Refused) -> None:
        """Refuse an instance whose bytes are in a pack already, of which they stay an unused part."""
        result = one.result
        self._results[one.place] = replace(result, reason=refused.reason)
        self._refusals.append((refused, result.study_uid))
        await self._quarantine.add(
            one.part, refused.reason, "", refused.person_id, result.study_uid, result.instance_uid
        )

    def _refusal_rows(self) -> list[Row]:
        """Return the rows of one entry for each person, study and reason."""
        counts: defaultdict[tuple[UUID, str, str, tuple[str, ...], Verdict | None], int] = defaultdict(int)
        for refused, study_uid in self._refusals:
            person_id = refused.person_id or NIL
            counts[person_id, study_uid, refused.reason, refused.differs, refused.verdict] += 1
        rows: list[Row] = []
        for (person_id, study_uid, reason, differs, verdict), count in counts.items():
            rows += self._record.audit_rows(
                StudyDepositRefused,
                self._requester,
                person_id,
                verdict,
                [],
                allowed=False,
                rule=verdict.rule if verdict and not verdict.allowed else f"imaging.{reason}",
                categories=(CATEGORY,),
                study_uid=study_uid,
                instances=count,
                problem=reason,
                differs=differs,
            )
        self._refusals.clear()
        return rows


def _read(part: Part) -> tuple[Summary, FrameIndex, bytes]:
    header, frames = part.read()
    return summarize(header), frames, store.compress_metadata(header.json)


def _result(summary: Summary) -> Result:
    return Result(
        sop_class_uid=summary.sop_class_uid,
        instance_uid=summary.instance_uid,
        series_uid=summary.series_uid,
        study_uid=summary.study_uid,
    )


def _instance(person_id: UUID, one: _Accepted) -> Instance:
    summary = one.summary
    return Instance(
        person_id=person_id,
        instance_uid=summary.instance_uid,
        series_uid=summary.series_uid,
        study_uid=summary.study_uid,
        sop_class_uid=summary.sop_class_uid,
        transfer_syntax_uid=summary.transfer_syntax_uid,
        instance_number=summary.instance_number,
        attributes=summary.of_instance,
        object_name=one.pack.name,
        object_offset=one.offset,
        size=one.part.size,
        sha256=one.part.sha256,
        received_at=clock.now(),
    )

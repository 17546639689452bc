"""Deposit of a manifest: the study is in the record, and its images stay in the archive of the depositor."""

import asyncio
from collections.abc import Sequence

import asyncpg

from esante.core.storage import NIL, Database, Row, write_in_batches
from esante.core.web import N_, Problem, bad_request
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory, Person
from esante.services.imaging.archive import store
from esante.services.imaging.archive.record_entry import depositor_of
from esante.services.imaging.dicomweb.media_types import DICOM
from esante.services.imaging.federation.locations import Locations
from esante.services.imaging.federation.manifest_rows import remote_instance_row, summaries
from esante.services.imaging.ingest.admission import Admission, Admitted, Refused
from esante.services.imaging.ingest.new_study import new_series, study_rows
from esante.services.imaging.ingest.summary import Summary
from esante.services.imaging.manifest.fhir_reader import read_fhir
from esante.services.imaging.manifest.kos_reader import read_kos
from esante.services.imaging.manifest.model import Manifest, ManifestError, ManifestInstance, ManifestSeries
from esante.services.imaging.model import CATEGORY, REASONS, StudyDeposited, StudyDepositRefused
from esante.services.record import Record

_ATTEMPTS = 3
_Listed = tuple[ManifestSeries, ManifestInstance, Summary]


class ManifestDeposits:
    """The use case of depositing manifests."""

    def __init__(
        self, db: Database, record: Record, directory: Directory, access: Access, locations: Locations
    ) -> None:
        self._db, self._record, self._directory, self._access = db, record, directory, access
        self._locations = locations

    async def deposit(
        self, requester: Requester, data: bytes, media_type: str, study_uid: str = "", patient: Person | None = None
    ) -> Manifest:
        """Store a manifest, as FHIR document or (`application/dicom`) as key object selection; return it.

        `study_uid` and `patient`: those that the request names. The same manifest again changes nothing.

        Raises: Problem 403 (no right to write images here), 409 (another study, series or patient), 422 (what is no
        manifest, or names an archive that is not of the depositor).
        """
        manifest = await self._read(data, media_type)
        await self._check_locations(requester, manifest)
        listed = list(summaries(manifest))
        admission = Admission(self._db, self._record, self._directory, self._access, requester, patient, study_uid)
        for attempt in range(_ATTEMPTS):
            try:
                await self._store(requester, await admission.admit(listed[0][2]), listed)
                return manifest
            except asyncpg.UniqueViolationError:
                # Another deposit stored the same at the same moment: the next attempt finds it.
                if attempt == _ATTEMPTS - 1:
                    raise
                admission.forget()
            except Refused as refused:
                await self._db.write(self._refusal_rows(requester, refused, manifest, len(listed)))
                raise _problem(refused) from refused
        return manifest

    async def _read(self, data: bytes, media_type: str) -> Manifest:
        read = read_kos if media_type == DICOM else read_fhir
        try:
            return await asyncio.to_thread(read, data)
        except ManifestError as error:
            raise bad_request(
                error.place,
                N_("This manifest cannot be read."),
                N_("Send a manifest of one study by IHE RAD MADO or XDS-I.b."),
                status=422,
                code="structure",
                detail=error.detail,
            ) from error

    async def _check_locations(self, requester: Requester, manifest: Manifest) -> None:
        """Raise Problem 422 unless each series is in an archive of the depositor that operators know."""
        for location_uid in {one.location.uid for one in manifest.series}:
            found = await self._locations.find(location_uid)
            if found is None or found.organization_id != depositor_of(requester):
                raise bad_request(
                    "RetrieveLocationUID",
                    N_("The images are in an archive that is not known here."),
                    N_("Ask the operators to register your archive."),
                    status=422,
                    code="not-found",
                    detail=location_uid[:64],
                )

    async def _store(self, requester: Requester, admitted: Admitted, listed: Sequence[_Listed]) -> None:
        """Store the series and instances that are new, with the entry of the journal. Raises: `Refused`."""
        person_id = admitted.person.id
        new = await self._new_ones(admitted, listed)
        if not new:
            return
        first = listed[0][2]
        document, rows = await study_rows(self._record, requester, admitted, first)
        by_series = {series.uid: (series, summary) for series, _, summary in new}
        rows += [
            store.series_row(new_series(person_id, summary, series.location.uid))
            for series, summary in by_series.values()
        ]
        rows += [remote_instance_row(person_id, one, summary) for _, one, summary in new]
        rows += self._record.audit_rows(
            StudyDeposited,
            requester,
            person_id,
            admitted.verdict,
            [document],
            study_uid=first.study_uid,
            instances=len(new),
            size=0,
            series=tuple(by_series),
        )
        await write_in_batches(self._db, rows)

    async def _new_ones(self, admitted: Admitted, listed: Sequence[_Listed]) -> list[_Listed]:
        """Return the instances that are not stored yet. Raises: `Refused` for what contradicts those that are."""
        person_id, study_uid = admitted.person.id, listed[0][2].study_uid
        series_uids = {series.uid for series, _, _ in listed}
        studies = await store.fetch_studies_of_series(self._db, person_id, series_uids)
        if any(found != study_uid for found in studies.values()):
            raise Refused("series-of-another", person_id, admitted.verdict)
        known = await store.fetch_series(self._db, person_id, [study_uid])
        locations = {one.series_uid: one.location_uid for one in known}
        if any(locations.get(one.uid, one.location.uid) != one.location.uid for one, _, _ in listed):
            raise Refused("series-of-another", person_id, admitted.verdict)
        stored = await store.fetch_stored(self._db, person_id, [one.uid for _, one, _ in listed])
        for series, one, _ in listed:
            series_uid, sha256 = stored.get(one.uid, (series.uid, one.sha256))
            if series_uid != series.uid or (sha256 and one.sha256 and sha256 != one.sha256):
                raise Refused("duplicate", person_id, admitted.verdict)
        return [each for each in listed if each[1].uid not in stored]

    def _refusal_rows(self, requester: Requester, refused: Refused, manifest: Manifest, count: int) -> list[Row]:
        verdict = refused.verdict
        return self._record.audit_rows(
            StudyDepositRefused,
            requester,
            refused.person_id or NIL,
            verdict,
            [],
            allowed=False,
            rule=verdict.rule if verdict and not verdict.allowed else f"imaging.{refused.reason}",
            categories=(CATEGORY,),
            study_uid=manifest.study_uid,
            instances=count,
            problem=refused.reason,
            differs=refused.differs,
        )


def _problem(refused: Refused) -> Problem:
    """Return the answer for a manifest that is not taken in."""
    if refused.reason == "not-authorized":
        return Problem(403, "forbidden", REASONS[refused.reason].words)
    return Problem(409, "conflict", REASONS[refused.reason].words)

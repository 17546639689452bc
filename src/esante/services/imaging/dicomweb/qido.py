"""QIDO-RS (PS3.18, 10.6): search of studies, series and instances of one person, each decided.

A search names its person by Patient ID or Study Instance UID; a patient who names none searches their own studies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response

from esante.core.storage import Database
from esante.core.types import Json
from esante.core.web import N_, bad_request
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.imaging.archive import store
from esante.services.imaging.archive.levels import (
    AVAILABILITY,
    MODALITIES,
    RETRIEVE_URL,
    SERIES_INSTANCES,
    STUDY_INSTANCES,
    STUDY_SERIES,
    SYNTAXES,
)
from esante.services.imaging.archive.service import NOBODY, Archive, Studies
from esante.services.imaging.archive.visible_study import VisibleStudy
from esante.services.imaging.dicomweb.media_types import require_json
from esante.services.imaging.dicomweb.paths import authorize
from esante.services.imaging.dicomweb.query import Query, parse_query
from esante.services.imaging.ingest.limits import is_uid
from esante.services.imaging.model import Instance, Series, Study
from esante.services.record import is_matricule, matricule_system

_PATIENT_ID, _ISSUER, _STUDY_UID, _SERIES_UID = "00100020", "00100021", "0020000D", "0020000E"
_NO_FUZZY = '299 esante "The fuzzymatching parameter is not supported. Only literal matching has been performed."'


@dataclass(frozen=True, slots=True)
class _Row:
    """A result: its data set, and the study that it is of."""

    data: Json
    study: VisibleStudy
    instance: Instance | None = None


class SearchEndpoints:
    """The endpoints of QIDO-RS."""

    def __init__(self, db: Database, archive: Archive, access: Access, directory: Directory, base_url: str) -> None:
        self._db, self._archive, self._access, self._directory = db, archive, access, directory
        self._base_url = base_url

    async def studies(self, request: Request) -> Response:
        """Search studies."""
        return await self._search(request, "study")

    async def series(self, request: Request) -> Response:
        """Search series, of one study where the path names it."""
        return await self._search(request, "series")

    async def instances(self, request: Request) -> Response:
        """Search instances, of one study or series where the path names it."""
        return await self._search(request, "instance")

    async def _search(self, request: Request, level: str) -> Response:
        requester = await authorize(self._access, request, "s")
        media_type = require_json(request)
        pairs = request.query_params.multi_items()
        for name, tag in (("study", _STUDY_UID), ("series", _SERIES_UID)):
            if (uid := request.path_params.get(name)) is not None:
                pairs.append((tag, uid if is_uid(uid) else "-"))
        query = parse_query(pairs)
        if level == "instance" and not query.value_of(_STUDY_UID):
            raise bad_request(
                "StudyInstanceUID",
                N_("The search does not specify a study."),
                N_("Search by StudyInstanceUID."),
                code="required",
            )
        person_id = await self._person(requester, query)
        studies = await self._archive.studies(requester, person_id)
        found = await self._find(studies, query, level)
        shown = found[query.offset : query.offset + query.limit]
        if query.wants_all and level == "instance":
            shown = await self._with_headers(shown)
        if person_id != NOBODY:
            of_shown = list({row.study.study_uid: row.study for row in shown}.values())
            await self._archive.searched(requester, studies, of_shown, len(shown))
        headers = {"Warning": _NO_FUZZY} if query.is_fuzzy else {}
        if query.offset + query.limit < len(found):
            left = len(found) - query.offset - query.limit
            headers["Warning"] = f'299 esante "There are {left} additional results that can be requested"'
        if not shown:
            return Response(status_code=204, headers=headers)
        return Response(orjson.dumps([row.data for row in shown]), headers=headers, media_type=media_type)

    async def _person(self, requester: Requester, query: Query) -> UUID:
        """Return the person of a search, or NOBODY. Raises: Problem 400 when it names none."""
        named: set[UUID] = set()
        if patient_id := query.value_of(_PATIENT_ID):
            system = query.value_of(_ISSUER) or None
            if system is None and is_matricule(matricule_system(), patient_id):
                system = matricule_system()
            person = await self._directory.find_person(system, patient_id)
            named.add(person.id if person else NOBODY)
        if study_uids := [uid for uid in query.value_of(_STUDY_UID).replace("\\", ",").split(",") if uid]:
            places = await store.fetch_places(self._db, [uid for uid in study_uids if is_uid(uid)])
            named |= {place.person_id for place in places.values()} or {NOBODY}
        if not named and requester.only_person_id is not None:
            named = {requester.only_person_id}
        if not named:
            raise bad_request(
                "PatientID",
                N_("The search does not specify a patient."),
                N_("Search by PatientID or StudyInstanceUID."),
                code="required",
            )
        return named.pop() if len(named) == 1 else NOBODY

    async def _find(self, studies: Studies, query: Query, level: str) -> list[_Row]:
        """Return all results of a search among the studies that the requester may see."""
        left_out = (_PATIENT_ID, _ISSUER)
        wanted = query.value_of(_STUDY_UID).replace("\\", ",").split(",")
        chosen = [(one, visible) for one, visible in studies.studies if wanted == [""] or one.study_uid in wanted]
        counts = await store.count_by_study(self._db, studies.person_id, [one.study_uid for one, _ in chosen])
        of_studies = {
            one.study_uid: _Row(self._study(one, counts.get(one.study_uid)), visible) for one, visible in chosen
        }
        if level == "study":
            return [row for row in of_studies.values() if query.matches(row.data, without=left_out)]
        series = await store.fetch_series(self._db, studies.person_id, list(of_studies))
        if level == "series":
            numbers = await store.count_by_series(self._db, studies.person_id, list(of_studies))
            rows = [
                _Row(self._series(one, of_studies[one.study_uid].data, numbers), of_studies[one.study_uid].study)
                for one in series
            ]
            return [row for row in rows if query.matches(row.data, without=left_out)]
        by_uid = {one.series_uid: one for one in series}
        wanted_series = query.value_of(_SERIES_UID)
        instances = await store.fetch_instances(
            self._db, studies.person_id, list(of_studies), wanted_series if is_uid(wanted_series) else None
        )
        rows = [
            _Row(
                self._instance(one, by_uid[one.series_uid], of_studies[one.study_uid].data),
                of_studies[one.study_uid].study,
                one,
            )
            for one in instances
        ]
        return [row for row in rows if query.matches(row.data, without=left_out)]

    async def _with_headers(self, rows: Sequence[_Row]) -> list[_Row]:
        """Return instances with every attribute of their headers."""
        found: dict[str, Json] = {}
        for row in rows:
            if row.instance is None or row.instance.instance_uid in found:
                continue
            one = row.instance
            headers = await store.fetch_metadata(self._db, one.person_id, one.study_uid, one.series_uid)
            found |= {uid: orjson.loads(header) for _, uid, header in headers}
        return [
            _Row(found[row.instance.instance_uid] | row.data, row.study, row.instance) for row in rows if row.instance
        ]

    def _study(self, study: Study, counts: store.Counts | None) -> Json:
        counts = counts or store.Counts((), 0, 0)
        return study.attributes | {
            MODALITIES: {"vr": "CS", "Value": list(counts.modalities)},
            AVAILABILITY: {"vr": "CS", "Value": ["ONLINE"]},
            RETRIEVE_URL: {"vr": "UR", "Value": [f"{self._base_url}/studies/{study.study_uid}"]},
            STUDY_SERIES: {"vr": "IS", "Value": [counts.series]},
            STUDY_INSTANCES: {"vr": "IS", "Value": [counts.instances]},
        }

    def _series(self, series: Series, study: Json, numbers: dict[str, int]) -> Json:
        url = f"{study[RETRIEVE_URL]['Value'][0]}/series/{series.series_uid}"
        return (
            study
            | series.attributes
            | {
                RETRIEVE_URL: {"vr": "UR", "Value": [url]},
                SERIES_INSTANCES: {"vr": "IS", "Value": [numbers.get(series.series_uid, 0)]},
            }
        )

    def _instance(self, instance: Instance, series: Series, study: Json) -> Json:
        path = f"series/{series.series_uid}/instances/{instance.instance_uid}"
        url = f"{study[RETRIEVE_URL]['Value'][0]}/{path}"
        return (
            study
            | series.attributes
            | instance.attributes
            | {
                RETRIEVE_URL: {"vr": "UR", "Value": [url]},
                SYNTAXES: {"vr": "UI", "Value": [instance.transfer_syntax_uid]},
            }
        )

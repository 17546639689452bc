"""Invoke Image Display (IHE RAD-106): one address with which other software opens the viewer for a study or a patient.

The user signs in here as for every page; what the address names is decided before it leads anywhere.
"""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.core.web import N_, bad_request, redirect
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.imaging.archive.service import NOBODY, Archive, Studies, not_found
from esante.services.imaging.discovery.patient_identifier import find_by_cx
from esante.services.imaging.ingest.limits import is_uid
from esante.services.imaging.manifest.index import DISPLAY_PATH

_KINDS = ("patient", "practitioner")
MAX_STUDIES = 20


class ImageDisplay:
    """Leads to the viewer."""

    def __init__(self, archive: Archive, access: Access, directory: Directory) -> None:
        self._archive, self._access, self._directory = archive, access, directory

    def routes(self) -> list[BaseRoute]:
        """Return the route."""
        return [Route(DISPLAY_PATH, self.invoke, methods=["GET"])]

    async def invoke(self, request: Request) -> Response:
        """Lead to the viewer for `studyUID`, or for `accessionNumber` of a patient, or to the list of a patient.

        Raises: Problem 303 without a session, 400, 404.
        """
        requester = await self._access.page_requester(request, _KINDS)
        query = request.query_params
        match query.get("requestType", ""):
            case "STUDY" if query.get("studyUID"):
                return await self._open(requester, query["studyUID"].split(","))
            case "STUDY" if query.get("accessionNumber") and query.get("patientID"):
                return await self._open_request(requester, query["patientID"], query["accessionNumber"])
            case "PATIENT" if query.get("patientID"):
                studies = await self._studies(requester, query["patientID"])
                return redirect(_list_url(requester, studies.person_id))
        raise bad_request(
            "requestType",
            N_("This address does not say which images to show."),
            N_("Use requestType=STUDY with studyUID, or requestType=PATIENT with patientID."),
            code="required",
        )

    async def _open(self, requester: Requester, study_uids: list[str]) -> Response:
        """Lead to one study, or to the list of the patient for several. Raises: Problem 404."""
        if len(study_uids) > MAX_STUDIES or not all(map(is_uid, study_uids)):
            raise not_found()
        found = [await self._archive.study(requester, uid, "display") for uid in study_uids]
        if len(found) == 1:
            return redirect(_viewer_url(found[0].study_uid))
        persons = {one.person_id for one in found}
        if len(persons) != 1:
            raise not_found()
        return redirect(_list_url(requester, persons.pop()))

    async def _open_request(self, requester: Requester, patient_id: str, accession_number: str) -> Response:
        studies = await self._studies(requester, patient_id)
        for study, visible in studies.studies:
            if study.accession_number == accession_number:
                return redirect(_viewer_url(visible.study_uid))
        raise not_found()

    async def _studies(self, requester: Requester, patient_id: str) -> Studies:
        """Return the studies of a patient by identifier (CX), journalled. Raises: Problem 404, 429."""
        person = await find_by_cx(self._directory, patient_id)
        studies = await self._archive.studies(requester, person.id if person else NOBODY)
        if person is not None:
            await self._archive.searched(requester, studies, [visible for _, visible in studies.studies], 0)
        if not studies.verdict.allowed:
            raise not_found()
        return studies


def _viewer_url(study_uid: str) -> str:
    return f"/images/{study_uid}/viewer"


def _list_url(requester: Requester, person_id: UUID) -> str:
    return "/images" if requester.kind == "patient" else f"/patients/{person_id}/images"

"""The manifest of a study over HTTP, in the format that a request accepts (the mapping service of IHE RAD MADO)."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.core.web import N_, Problem, language_of
from esante.identity.access import Access
from esante.services.imaging.archive.service import not_found
from esante.services.imaging.dicomweb.media_types import DICOM, accepted
from esante.services.imaging.ingest.limits import is_uid
from esante.services.imaging.manifest import fhir_writer
from esante.services.imaging.manifest.fhir_writer import write_fhir
from esante.services.imaging.manifest.kos_writer import write_kos
from esante.services.imaging.manifest.service import Manifests

PATH = "/dicomweb/studies/{study}/manifest"
_OFFERED = (fhir_writer.MEDIA_TYPE, "application/json", DICOM)


def routes(manifests: Manifests, access: Access) -> list[BaseRoute]:
    """Return the routes of manifests."""

    async def manifest(request: Request) -> Response:
        """Return the manifest of a study."""
        requester = await access.authorize(request, "ImagingStudy", "r")
        study_uid = request.path_params["study"]
        if not is_uid(study_uid):
            raise not_found()
        media_type = _choose(request)
        found = await manifests.open(requester, study_uid)
        if media_type == DICOM:
            headers = {"Content-Disposition": 'attachment; filename="manifest.dcm"'}
            return Response(await asyncio.to_thread(write_kos, found), media_type=DICOM, headers=headers)
        content = await asyncio.to_thread(write_fhir, found, "", language_of(request))
        return Response(content, media_type=media_type)

    return [Route(PATH, manifest, methods=["GET"])]


def manifest_url(base_url: str, study_uid: str) -> str:
    """Return the address of the manifest of a study."""
    return base_url + PATH.format(study=study_uid)


def _choose(request: Request) -> str:
    """Return the media type of the answer. Raises: Problem 406."""
    for one in accepted(request):
        for name in _OFFERED:
            if not one.is_related and one.covers(name):
                return name
    raise Problem(
        406,
        "not-supported",
        N_("The manifest cannot be sent in the requested format."),
        place="Accept",
        detail=f"{', '.join(_OFFERED)} are offered.",
    )

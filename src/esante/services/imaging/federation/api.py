"""Deposit of manifests over HTTP: POST to the address at which the manifest of a study is read."""

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.core.web import N_, Problem, bad_request
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.imaging.dicomweb.media_types import DICOM, parse_media_type
from esante.services.imaging.dicomweb.paths import patient_of
from esante.services.imaging.federation.manifest_deposit import ManifestDeposits
from esante.services.imaging.ingest.limits import is_uid
from esante.services.imaging.manifest import fhir_writer
from esante.services.imaging.manifest.api import PATH, manifest_url
from esante.services.imaging.manifest.model import MAX_MANIFEST
from esante.services.record import Record

_ACCEPTED = (fhir_writer.MEDIA_TYPE, "application/json", DICOM)


def routes(
    deposits: ManifestDeposits, record: Record, access: Access, directory: Directory, base_url: str
) -> list[BaseRoute]:
    """Return the routes; `base_url` is the address of the platform."""

    async def deposit(request: Request) -> Response:
        """Store a manifest; `patient` (system|value) names its patient."""
        requester = await access.authorize(request, "ImagingStudy", "c")
        media_type, _ = parse_media_type(request.headers.get("content-type", ""))
        if media_type not in _ACCEPTED:
            raise Problem(
                415,
                "not-supported",
                N_("A manifest must be sent as FHIR document or as DICOM file."),
                place="Content-Type",
                detail=f"{', '.join(_ACCEPTED)} are taken.",
            )
        study_uid = request.path_params["study"]
        if not is_uid(study_uid):
            raise bad_request("study", N_("This is not a UID."), code="value")
        patient = await patient_of(request, directory)
        async with record.large_bodies.body(request, MAX_MANIFEST, requester.id) as body:
            manifest = await deposits.deposit(requester, bytes(body), media_type, study_uid, patient)
        answer = {"study": manifest.study_uid, "instances": sum(1 for _ in manifest.instances())}
        location = manifest_url(base_url, manifest.study_uid)
        return Response(orjson.dumps(answer), 201, {"Location": location}, media_type="application/json")

    return [Route(PATH, deposit, methods=["POST"])]

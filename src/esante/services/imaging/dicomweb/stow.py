"""STOW-RS (PS3.18, 10.5): storing instances that come in as multipart/related, or one as it is."""

from collections.abc import Sequence

import orjson
from starlette.requests import Request
from starlette.responses import Response

from esante.core.types import Json
from esante.core.web import N_, LargeBodyQueue, bad_request, too_large
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.imaging.dicomweb.media_types import (
    DICOM,
    RELATED,
    parse_media_type,
    require_json,
    unsupported,
)
from esante.services.imaging.dicomweb.multipart import RelatedReader, malformed
from esante.services.imaging.dicomweb.paths import patient_of
from esante.services.imaging.ingest.deposit import Deposits, Result, Upload
from esante.services.imaging.ingest.limits import is_uid
from esante.services.imaging.model import REASONS

MAX_BODY = 16 * 1024**3
"""Bytes of an upload."""
UPLOADED, CLIENT_UPLOADED = 64 * 1024**3, 20 * 1024**3
"""Bytes of uploads that are being received at a time, in total and of a client; they are on disk."""
_PIECE = 4 * 1024**2
"""Bytes after which an upload is counted."""


class StoreEndpoint:
    """The endpoint of STOW-RS."""

    def __init__(self, deposits: Deposits, access: Access, directory: Directory, base_url: str) -> None:
        self._deposits, self._access, self._directory, self._base_url = deposits, access, directory, base_url
        self._queue = LargeBodyQueue(uploaded=UPLOADED, client_uploaded=CLIENT_UPLOADED)

    async def store(self, request: Request) -> Response:
        """Store instances; `patient` (system|value) names their patient, the path may name their study."""
        requester = await self._access.authorize(request, "ImagingStudy", "c")
        answer_type = require_json(request)
        name, parameters = parse_media_type(request.headers.get("content-type", ""))
        boundary = parameters.get("boundary", "")
        if name == RELATED:
            if parameters.get("type", DICOM).lower() != DICOM:
                raise unsupported(parameters.get("type", ""))
            if not 1 <= len(boundary) <= 70:
                raise bad_request("Content-Type", N_("The Content-Type has no valid boundary."), code="structure")
        elif name != DICOM:
            raise unsupported(name)
        study_uid = request.path_params.get("study", "")
        if study_uid and not is_uid(study_uid):
            raise bad_request("study", N_("This is not a UID."), code="value")
        patient = await patient_of(request, self._directory)
        async with self._deposits.upload(requester, patient, study_uid) as upload:
            await self._receive(request, requester, upload, boundary if name == RELATED else None)
            results = await upload.store()
        return self._response(results, study_uid, answer_type)

    async def _receive(self, request: Request, requester: Requester, upload: Upload, boundary: str | None) -> None:
        """Write the body to the upload while it comes in. Raises: Problem 400, 413, 429, 503; ClientDisconnect."""
        reader = RelatedReader(boundary) if boundary is not None else None
        if reader is None:
            upload.begin()
        size = 0
        with self._queue.upload(requester.id) as counted:
            async for chunk in request.stream():
                size += len(chunk)
                if size > MAX_BODY:
                    raise too_large(MAX_BODY)
                if size - counted.size > _PIECE:
                    counted.add(size - counted.size)
                if reader is None:
                    upload.write(chunk)
                else:
                    await _feed(reader, chunk, upload)
            if reader is not None and not reader.is_complete:
                raise malformed()
            if reader is None:
                await upload.end()

    def _response(self, results: Sequence[Result], study_uid: str, media_type: str) -> Response:
        """Return the answer on each instance: 200 for all stored, 202 for some, 409 for none (PS3.18, 10.5.3)."""
        if not results:
            raise bad_request("body", N_("This upload has no images."), code="required")
        stored = [one for one in results if not one.reason]
        failed = [one for one in results if one.reason]
        answer: Json = {}
        studies = {one.study_uid for one in stored}
        if study_uid or len(studies) == 1:
            answer["00081190"] = {"vr": "UR", "Value": [f"{self._base_url}/studies/{study_uid or studies.pop()}"]}
        if stored:
            answer["00081199"] = {"vr": "SQ", "Value": [self._stored(one) for one in stored]}
        if failed:
            answer["00081198"] = {"vr": "SQ", "Value": [_failed(one) for one in failed]}
        status = 200 if not failed else 202 if stored else 409
        return Response(orjson.dumps(answer), status, media_type=media_type)

    def _stored(self, one: Result) -> Json:
        path = f"studies/{one.study_uid}/series/{one.series_uid}/instances/{one.instance_uid}"
        return _referenced(one) | {"00081190": {"vr": "UR", "Value": [f"{self._base_url}/{path}"]}}


async def _feed(reader: RelatedReader, chunk: bytes, upload: Upload) -> None:
    for kind, data in reader.feed(chunk):
        if kind == "data":
            upload.write(data)
        elif kind == "end":
            await upload.end()
        else:
            if upload.is_full:
                raise too_large(MAX_BODY)
            upload.begin()


def _referenced(one: Result) -> Json:
    found = {}
    if one.sop_class_uid:
        found["00081150"] = {"vr": "UI", "Value": [one.sop_class_uid]}
    if one.instance_uid:
        found["00081155"] = {"vr": "UI", "Value": [one.instance_uid]}
    return found


def _failed(one: Result) -> Json:
    """Return the answer on an instance that was not stored: its reason, and in a comment why in words."""
    reason = REASONS[one.reason]
    comment = f"{reason.words} {one.detail}".strip()
    return _referenced(one) | {
        "00081197": {"vr": "US", "Value": [reason.code]},
        "00000902": {"vr": "LO", "Value": [comment[:64]]},
    }

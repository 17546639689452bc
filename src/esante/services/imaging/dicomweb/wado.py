"""WADO-RS (PS3.18, 10.4): studies, series and instances as stored, their headers, frames and bulk data.

Each answer is decided on and journalled before its first byte is sent.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from esante.identity.access import Access, Requester
from esante.services.imaging.archive.service import Archive, not_found
from esante.services.imaging.archive.visible_study import VisibleStudy
from esante.services.imaging.dicomweb.answers import (
    RangeReader,
    related_response,
    single_response,
    stream_bytes,
    unsized_response,
    zip_response,
)
from esante.services.imaging.dicomweb.media_types import (
    DICOM,
    OCTETS,
    ZIP,
    MediaType,
    accepted,
    not_acceptable,
    require_json,
)
from esante.services.imaging.dicomweb.multipart import OutgoingPart
from esante.services.imaging.dicomweb.paths import frame_numbers, open_study, uids_of, uids_of_instance
from esante.services.imaging.dicomweb.syntaxes import EXPLICIT_LITTLE, media_type_of, syntax_of_frames
from esante.services.imaging.ingest.frames import FrameIndex, Spans
from esante.services.imaging.model import Instance
from esante.services.imaging.rendering.frame_renderer import FrameRenderer, NotRendered, image_attributes

MAX_BULK_FRAMES = 10_000
PIXEL_DATA = ("7FE00008", "7FE00009", "7FE00010")


class RetrieveEndpoints:
    """The endpoints of WADO-RS but for rendered images."""

    def __init__(self, archive: Archive, access: Access, renderer: FrameRenderer, base_url: str) -> None:
        self._archive, self._access, self._renderer, self._base_url = archive, access, renderer, base_url

    async def retrieve(self, request: Request) -> Response:
        """Return the instances of a study or a series, or one instance."""
        requester, study = await open_study(self._archive, self._access, request, "retrieve")
        instances = await self._archive.instances(study, *uids_of(request))
        # What another archive does not give is not opened, and what it is is known once it gave it.
        instances[0] = await self._archive.contents.resolved(instances[0])
        wanted = _choose_instances(request, instances)
        await self._archive.opened(requester, study, [one.series_uid for one in instances], "instance")
        if wanted.name == ZIP:
            return zip_response(self._archive.contents, instances)
        if len(instances) > 1 and any(one.is_remote for one in instances):
            return unsized_response(self._archive.contents, instances)
        parts = [await self._part(one, wanted, requester) for one in instances]
        if not wanted.is_related and wanted.name != "*/*":
            as_stored = wanted.syntax in ("", "*", instances[0].transfer_syntax_uid)
            read = self._range_reader(instances[0], ((0, instances[0].size),)) if as_stored else None
            return await single_response(request, parts[0], read, instances[0].sha256 if as_stored else b"")
        return await related_response(parts)

    async def metadata(self, request: Request) -> Response:
        """Return the headers of the instances of a study or a series, or of one instance, as DICOM JSON."""
        requester, study = await open_study(self._archive, self._access, request, "metadata")
        media_type = require_json(request)
        found = await self._archive.metadata(requester, study, *uids_of(request))
        headers = [
            header.replace(b'"BulkDataURI":"', b'"BulkDataURI":"' + self._url(study, series_uid, uid) + b"/bulkdata/")
            for series_uid, uid, header in found
        ]
        return Response(b"[" + b",".join(headers) + b"]", media_type=media_type)

    async def frames(self, request: Request) -> Response:
        """Return frames of an instance, numbered from 1."""
        requester, study = await open_study(self._archive, self._access, request, "frames")
        instance, index = await self._archive.instance(study, *uids_of_instance(request))
        spans = [index.frame(number) or () for number in frame_numbers(request)]
        if not all(spans):
            raise not_found()
        wanted = _choose_frames(request, instance, single=len(spans) == 1)
        await self._archive.opened(requester, study, [instance.series_uid], "frames")
        return await self._frames_response(request, requester, study, instance, spans, wanted)

    async def bulk_data(self, request: Request) -> Response:
        """Return a value of an instance that its header only refers to."""
        requester, study = await open_study(self._archive, self._access, request, "bulkdata")
        instance, index = await self._archive.instance(study, *uids_of_instance(request))
        spans = _bulk_spans(request.path_params["path"], instance, index)
        wanted = next((one for one in accepted(request) if one.covers(OCTETS)), None)
        if wanted is None:
            raise not_acceptable(f"{OCTETS} is offered.")
        await self._archive.opened(requester, study, [instance.series_uid], "bulkdata")
        parts = [self._raw_part(instance, one, OCTETS) for one in spans]
        if wanted.is_related or wanted.name == "*/*" or len(parts) > 1:
            return await related_response(parts)
        return await single_response(request, parts[0], self._range_reader(instance, spans[0]))

    # Steps

    async def _part(self, instance: Instance, wanted: MediaType, requester: Requester) -> OutgoingPart:
        """Return an instance as a part: as stored, or in Explicit VR Little Endian where that is wanted."""
        syntax = instance.transfer_syntax_uid
        if wanted.syntax in ("", "*", syntax):
            whole = ((0, instance.size),)
            return OutgoingPart(
                f"{DICOM}; transfer-syntax={syntax}",
                instance.size,
                partial(self._archive.contents.stream, instance, whole),
            )
        try:
            stored = await self._archive.contents.read(instance, ((0, instance.size),))
            data = await self._renderer.transcode(stored, requester.id)
        except NotRendered as error:
            raise not_acceptable(str(error)) from error
        return OutgoingPart(f"{DICOM}; transfer-syntax={EXPLICIT_LITTLE}", len(data), partial(stream_bytes, data))

    def _range_reader(self, instance: Instance, spans: Spans) -> RangeReader:
        return lambda start, length: self._archive.contents.stream(instance, _within(spans, start, length))

    def _raw_part(self, instance: Instance, spans: Spans, media_type: str) -> OutgoingPart:
        size = sum(length for _, length in spans)
        return OutgoingPart(media_type, size, partial(self._archive.contents.stream, instance, spans))

    async def _frames_response(
        self,
        request: Request,
        requester: Requester,
        study: VisibleStudy,
        instance: Instance,
        spans: Sequence[Spans],
        wanted: MediaType,
    ) -> Response:
        syntax = syntax_of_frames(instance.transfer_syntax_uid)
        if wanted.syntax == EXPLICIT_LITTLE and syntax != EXPLICIT_LITTLE:
            parts = [
                await self._decoded(requester, study, instance, one, number)
                for one, number in zip(spans, frame_numbers(request), strict=True)
            ]
        else:
            kind = OCTETS if wanted.covers(OCTETS) and wanted.name != "*/*" else media_type_of(syntax)
            parts = [self._raw_part(instance, one, f"{kind}; transfer-syntax={syntax}") for one in spans]
        if wanted.is_related or wanted.name == "*/*":
            return await related_response(parts)
        return await single_response(request, parts[0])

    async def _decoded(
        self, requester: Requester, study: VisibleStudy, instance: Instance, spans: Spans, number: int
    ) -> OutgoingPart:
        header = await self._archive.header(study, instance)
        frame = await self._archive.contents.read(instance, spans)
        try:
            data = await self._renderer.decode(
                image_attributes(header, number), instance.transfer_syntax_uid, frame, requester.id
            )
        except NotRendered as error:
            raise not_acceptable(str(error)) from error
        return OutgoingPart(f"{OCTETS}; transfer-syntax={EXPLICIT_LITTLE}", len(data), partial(stream_bytes, data))

    def _url(self, study: VisibleStudy, series_uid: str, instance_uid: str) -> bytes:
        path = f"studies/{study.study_uid}/series/{series_uid}/instances/{instance_uid}"
        return f"{self._base_url}/{path}".encode()


def _choose_instances(request: Request, instances: Sequence[Instance]) -> MediaType:
    """Return what is sent of what a request accepts for instances. Raises: Problem 406."""
    is_one = request.path_params.get("instance") is not None
    stored = {one.transfer_syntax_uid for one in instances}
    own = ("", "*") if any(one.is_remote for one in instances) and not is_one else ("", "*", EXPLICIT_LITTLE)
    for one in accepted(request):
        if one.name == ZIP:
            return one
        can_be = one.syntax in own or stored == {one.syntax}
        if can_be and one.covers(DICOM) and (one.is_related or one.name == "*/*" or is_one):
            return one
    raise not_acceptable(f"Stored are: {', '.join(sorted(stored))}.")


def _choose_frames(request: Request, instance: Instance, *, single: bool) -> MediaType:
    """Return what is sent of what a request accepts for frames. Raises: Problem 406.

    Octets without a named transfer syntax are those of Explicit VR Little Endian (PS3.18, table 8.7.3-2).
    """
    syntax = syntax_of_frames(instance.transfer_syntax_uid)
    kind = media_type_of(syntax)
    for one in accepted(request):
        if not (one.is_related or one.name == "*/*" or single):
            continue
        named = one.parts if one.is_related else one.name
        if one.covers(kind) and kind != OCTETS and one.syntax in ("", "*", syntax):
            return one
        if named in (OCTETS, "*/*", "") and one.syntax in ("*", syntax):
            return one
        if named == OCTETS and one.syntax in ("", EXPLICIT_LITTLE):
            return replace(one, syntax=EXPLICIT_LITTLE)
        if named in ("", "*/*") and one.syntax == "":
            return one
    raise not_acceptable(f"{kind}; transfer-syntax={syntax} is offered.")


def _bulk_spans(path: str, instance: Instance, index: FrameIndex) -> list[Spans]:
    """Return where a value is: the frames for pixel data, else the part that the header refers to."""
    if path in PIXEL_DATA:
        frames = [index.frame(number) or () for number in range(1, min(index.count, MAX_BULK_FRAMES) + 1)]
        if not frames:
            raise not_found()
        return frames
    start, separator, length = path.partition("-")
    if not (separator and all(part.isascii() and part.isdigit() and len(part) < 16 for part in (start, length))):
        raise not_found()
    span = int(start), int(length)
    if sum(span) > instance.size or span[1] == 0:
        raise not_found()
    return [(span,)]


def _within(spans: Spans, start: int, length: int) -> Spans:
    """Return the spans of a part of the bytes of some spans."""
    found: list[tuple[int, int]] = []
    for offset, size in spans:
        taken = min(length, size - start)
        if start < size and taken > 0:
            found.append((offset + start, taken))
            length -= taken
        start = max(start - size, 0)
    return tuple(found)

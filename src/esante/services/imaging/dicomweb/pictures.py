"""Rendered images and thumbnails (PS3.18, 10.4.1.1.2 and .3)."""

import base64
import re
from collections.abc import Hashable, Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from esante.core.web import N_, bad_request
from esante.identity.access import Access, Requester
from esante.services.imaging.archive.service import Archive, not_found
from esante.services.imaging.archive.visible_study import VisibleStudy
from esante.services.imaging.dicomweb.answers import related_response, stream_bytes
from esante.services.imaging.dicomweb.media_types import accepted, not_acceptable
from esante.services.imaging.dicomweb.multipart import OutgoingPart
from esante.services.imaging.dicomweb.paths import frame_numbers, open_study, uids_of, uids_of_instance
from esante.services.imaging.ingest.frames import FrameIndex
from esante.services.imaging.model import Instance
from esante.services.imaging.rendering.frame_renderer import (
    FrameRenderer,
    NotRendered,
    Picture,
    image_attributes,
    palette_spans,
    with_palette,
)

FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG"}
MAX_PICTURES = 50
"""Pictures of an answer."""
THUMBNAIL = (128, 128)
_NUMBER = re.compile(r"-?[0-9]{1,7}(\.[0-9]{1,6})?")


class PictureEndpoints:
    """The endpoints of rendered images."""

    def __init__(self, archive: Archive, access: Access, renderer: FrameRenderer) -> None:
        self._archive, self._access, self._renderer = archive, access, renderer

    async def rendered(self, request: Request) -> Response:
        """Return pictures of a study, a series or an instance: of the first frame of each instance."""
        requester, study = await open_study(self._archive, self._access, request, "rendered")
        media_type, picture = parse_picture(request)
        instances = await self._archive.instances(study, *uids_of(request))
        chosen = instances[:MAX_PICTURES]
        chosen[0] = await self._archive.contents.resolved(chosen[0])
        await self._archive.opened(requester, study, [one.series_uid for one in chosen], "rendered")
        pictures = []
        for one in chosen:
            instance, index = await self._archive.instance(study, one.series_uid, one.instance_uid)
            if index.count or len(chosen) == 1:
                pictures.append(await self._render(requester, study, instance, index, 1, picture))
        response = await _response(pictures, media_type)
        if len(chosen) < len(instances):
            response.headers["Warning"] = f'299 esante "The first {MAX_PICTURES} images are rendered"'
        return response

    async def rendered_frames(self, request: Request) -> Response:
        """Return pictures of frames of an instance."""
        requester, study = await open_study(self._archive, self._access, request, "rendered")
        media_type, picture = parse_picture(request)
        instance, index = await self._archive.instance(study, *uids_of_instance(request))
        numbers = frame_numbers(request)[:MAX_PICTURES]
        await self._archive.opened(requester, study, [instance.series_uid], "rendered")
        pictures = [await self._render(requester, study, instance, index, number, picture) for number in numbers]
        return await _response(pictures, media_type)

    async def thumbnail(self, request: Request) -> Response:
        """Return a small picture of a study, a series, an instance or a frame: of the one in the middle."""
        requester, study = await open_study(self._archive, self._access, request, "thumbnail")
        media_type, picture = parse_picture(request, THUMBNAIL)
        instances = await self._archive.instances(study, *uids_of(request))
        middle = instances[len(instances) // 2]
        instance, index = await self._archive.instance(study, middle.series_uid, middle.instance_uid)
        number = frame_numbers(request)[0] if "frames" in request.path_params else (index.count + 1) // 2 or 1
        await self._archive.opened(requester, study, [instance.series_uid], "rendered")
        shown = await self._render(requester, study, instance, index, number, picture)
        return Response(shown, media_type=media_type)

    async def _render(
        self,
        requester: Requester,
        study: VisibleStudy,
        instance: Instance,
        index: FrameIndex,
        number: int,
        picture: Picture,
    ) -> bytes:
        return await render_frame(
            self._archive, self._renderer, study, (instance, index), number, picture, requester.id
        )


async def render_frame(
    archive: Archive,
    renderer: FrameRenderer,
    study: VisibleStudy,
    found: tuple[Instance, FrameIndex],
    number: int,
    picture: Picture,
    client: Hashable,
) -> bytes:
    """Return a picture of a frame (from 1) of an instance that was found with the index of its frames.

    Raises: Problem 404 for no such frame, 406 for one that is not rendered.
    """
    instance, index = found
    spans = index.frame(number)
    if spans is None:
        raise not_acceptable("no pixel data") if not index.count else not_found()
    image = image_attributes(await archive.header(study, instance), number)
    for tag, span in palette_spans(image).items():
        palette = await archive.contents.read(instance, (span,))
        image = with_palette(image, tag, base64.b64encode(palette).decode("ascii"))
    frame = await archive.contents.read(instance, spans)
    try:
        return await renderer.render(image, instance.transfer_syntax_uid, frame, picture, client)
    except NotRendered as error:
        raise not_acceptable(str(error)) from error


def parse_picture(request: Request, size: tuple[int, int] | None = None) -> tuple[str, Picture]:
    """Return the media type and the form of the picture that a request is for. Raises: Problem 400, 406."""
    wanted = (name for one in accepted(request) for name in FORMATS if one.covers(name))
    if (media_type := next(wanted, None)) is None:
        raise not_acceptable(f"{', '.join(FORMATS)} are offered.")
    quality = request.query_params.get("quality", "90")
    if not (quality.isascii() and quality.isdigit() and 1 <= int(quality[:4]) <= 100):
        raise _bad("quality")
    window, viewport = _numbers(request, "window", 3), _numbers(request, "viewport", 6)
    if window and window[1] < 1:
        raise _bad("window")
    if viewport and min(viewport[:2]) < 1:
        raise _bad("viewport")
    return media_type, Picture(
        format=FORMATS[media_type],
        window=(window[0], window[1]) if window else None,
        size=(min(int(viewport[0]), 4_096), min(int(viewport[1]), 4_096)) if viewport else size,
        quality=int(quality),
    )


def _numbers(request: Request, name: str, most: int) -> list[float]:
    """Return the first numbers of a parameter: at least two where it is there."""
    text = request.query_params.get(name, "")
    if not text:
        return []
    parts = [part.strip() for part in text.split(",")]
    if not 2 <= len(parts) <= most or not all(_NUMBER.fullmatch(part) for part in parts[:2]):
        raise _bad(name)
    return [float(part) for part in parts[:2]]


def _bad(name: str) -> Exception:
    return bad_request(name, N_("This parameter is not valid."), N_("Use the values of PS3.18."), code="value")


async def _response(pictures: Sequence[bytes], media_type: str) -> Response:
    if not pictures:
        raise not_acceptable("no pixel data")
    if len(pictures) == 1:
        return Response(pictures[0], media_type=media_type)
    return await related_response([OutgoingPart(media_type, len(one), partial(stream_bytes, one)) for one in pictures])

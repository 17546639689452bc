"""Downloads of studies: read, drawn and put together for a response that is sent while that goes on."""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from esante.core.storage import Database
from esante.core.web import Problem, language_of, template_environment
from esante.identity.directory import Directory
from esante.services.imaging.archive import store
from esante.services.imaging.archive.service import Archive, not_found
from esante.services.imaging.archive.stack import Stack, stacks_of
from esante.services.imaging.archive.visible_study import VisibleStudy
from esante.services.imaging.dicomweb.pictures import render_frame
from esante.services.imaging.download.dicomdir import lay_out
from esante.services.imaging.download.package import Fingerprints, Packed, fingerprints, stream_package
from esante.services.imaging.model import Instance, Series, Study
from esante.services.imaging.rendering.frame_renderer import FrameRenderer, Picture

MAX_PREVIEWS = 50
"""Series with a picture on the index page."""
_STATIC = Path(__file__).parents[1] / "static"
_PREVIEW = Picture(size=(512, 512))


class Downloads:
    """Makes the ZIP file of a study. Whoever calls it has decided on the access and journals it."""

    def __init__(self, db: Database, archive: Archive, renderer: FrameRenderer, directory: Directory) -> None:
        self._db, self._archive, self._renderer, self._directory = db, archive, renderer, directory

    async def series_of(self, study: VisibleStudy) -> list[Series]:
        """Return the series that a download has."""
        return await store.fetch_series(self._db, study.person_id, [study.study_uid])

    async def fingerprints(self, study: VisibleStudy) -> Fingerprints:
        """Return what a copy of a study is checked against.

        Raises: as `respond`.
        """
        kept, instances = await self._contents_of(study)
        media = await asyncio.to_thread(lay_out, kept, await self.series_of(study), instances)
        return fingerprints(instances, media.paths)

    async def respond(self, request: Request, study: VisibleStudy, series: Sequence[Series]) -> Response:
        """Return the ZIP file.

        Raises: Problem 404 for a study that has no instances, 503 while the archive of a hospital that keeps them does
        not answer.
        """
        kept, instances = await self._contents_of(study)
        stacks = stacks_of(series, instances)
        person = await self._directory.person(study.person_id)
        variables = {"document": study.document, "person": person, "stacks": stacks, "series": series}

        def previews() -> AsyncIterator[tuple[str, bytes]]:
            return self._previews(study, stacks)

        async def index(packed: Packed) -> str:
            return await asyncio.to_thread(_index_page, request, packed, variables)

        pieces = stream_package(self._archive.contents, kept, series, instances, previews, index)
        name = f"{study.document.event_date:%Y-%m-%d}-images.zip"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return StreamingResponse(pieces, media_type="application/zip", headers=headers)

    async def _contents_of(self, study: VisibleStudy) -> tuple[Study, list[Instance]]:
        """Return the stored study and its instances. Raises: Problem 404, 503 as `respond`."""
        found = await store.fetch_studies(self._db, study.person_id, [study.document.series_id])
        listed = await store.fetch_instances(self._db, study.person_id, [study.study_uid])
        if not found or not listed:
            raise not_found()
        return found[0], [await self._archive.contents.resolved(one) for one in listed]

    async def _previews(self, study: VisibleStudy, stacks: Sequence[Stack]) -> AsyncIterator[tuple[str, bytes]]:
        """Yield the middle picture of each series that has one which can be drawn."""
        for stack in [one for one in stacks if one.count][:MAX_PREVIEWS]:
            instance_uid, frame = stack.place((stack.count + 1) // 2)
            series_uid = stack.series.series_uid
            found = await self._archive.instance(study, series_uid, instance_uid)
            try:
                picture = await render_frame(
                    self._archive, self._renderer, study, found, frame, _PREVIEW, study.person_id
                )
            except Problem:  # a picture that cannot be drawn is in its file all the same
                continue
            yield series_uid, picture


def _index_page(request: Request, packed: Packed, variables: dict[str, Any]) -> str:
    language = language_of(request)
    template = template_environment(language).get_template("imaging/index_page.html")
    style, script = ((_STATIC / name).read_text("utf-8") for name in ("index_page.css", "check_copy.js"))
    allowed = base64.b64encode(sha256(script.encode()).digest()).decode()
    return template.render(
        packed=packed, check=packed.check, style=style, script=script, script_hash=allowed, **variables
    )

"""The viewer for professionals (OHIF): its page, its configuration and its files.

It reads DICOMweb with the session of the professional: every request is decided and journalled there. What it may
connect to is held by its Content-Security-Policy: DICOMweb and its own files, and neither other sites nor the portal.
"""

import re
from pathlib import Path

import orjson
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from esante.core.storage import Database
from esante.core.types import Json
from esante.core.web import N_, Problem, language_of, redirect, render
from esante.identity.access import Access
from esante.services.imaging.archive import store
from esante.services.imaging.archive.service import Archive, not_found
from esante.services.imaging.archive.stack import stacks_of
from esante.services.imaging.archive.visible_study import VisibleStudy
from esante.services.imaging.dicomweb.routes import PATH as DICOMWEB
from esante.services.imaging.ingest.limits import is_uid
from esante.services.imaging.pages.study_pages import OWN

VIEWER = "/viewer"
FILES = "/static/imaging/viewer"
FOLDER = Path(__file__).parents[1] / "static" / "viewer"
"""Filled by `tools/build_viewer.py`."""
_KINDS = ("practitioner",)
_LANGUAGES = {"fr": "fr", "de": "de", "en": "en-US", "lb": "de"}
"""The language in which the viewer comes nearest to each of ours."""
_COMPRESSED = (".js", ".css", ".wasm")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_HASHED = re.compile(r"(.*[./])?[0-9a-f]{20}\.\w+")


def viewer_address(study_uid: str) -> str:
    """Return the address of the viewer with a study."""
    return f"{VIEWER}/viewer?StudyInstanceUIDs={study_uid}"


class ViewerPages:
    """The page of the viewer, and the address of a study that leads to it."""

    def __init__(self, db: Database, archive: Archive, access: Access, folder: Path = FOLDER) -> None:
        self._db, self._archive, self._access, self._folder = db, archive, access, folder

    def routes(self) -> list[BaseRoute]:
        """Return the pages and the files."""
        return [
            Route(f"{OWN}/{{study}}/viewer", self.open),
            Route(f"{VIEWER}/config.js", self.configuration),
            Route(f"{VIEWER}/viewer", self.page),
            Mount(FILES, _Files(directory=self._folder, check_dir=False)),
        ]

    async def open(self, request: Request) -> Response:
        """Lead to the viewer with a study, a patient to the page of it; what may be seen is decided there."""
        requester = await self._access.page_requester(request, kinds=("patient", *_KINDS))
        study_uid = request.path_params["study"]
        if not is_uid(study_uid):
            raise not_found()
        return redirect(f"{OWN}/{study_uid}" if requester.kind == "patient" else viewer_address(study_uid))

    async def page(self, request: Request) -> Response:
        """Show the viewer with a study, and its first picture until the viewer shows one by itself.

        Raises: Problem 404 as for any study, 503 where the files of the viewer are missing.
        """
        requester = await self._access.page_requester(request, kinds=_KINDS)
        study_uid = request.query_params.get("StudyInstanceUIDs", "")
        if not is_uid(study_uid):
            raise not_found()
        study = await self._archive.study(requester, study_uid, "viewer")
        if not (self._folder / "LICENCE.txt").is_file():
            raise Problem(
                503,
                "not-supported",
                N_("The viewer is not installed here."),
                remedy=N_("Open the images on their page. Operators install the viewer with “make install”."),
            )
        return await render(
            request,
            "imaging/ohif.html",
            headers={"Content-Security-Policy": _policy(request.headers)},
            files=FILES,
            viewer=VIEWER,
            back=f"/patients/{study.person_id}/images/{study_uid}",
            picture=await self._first_picture(study),
        )

    async def configuration(self, request: Request) -> Response:
        """Return the configuration of the viewer as a script."""
        await self._access.page_requester(request, kinds=_KINDS)
        text = (
            f"window.PUBLIC_URL = {_json(f'{FILES}/')};\n"
            "window.browserImportFunction = (name) => import(name);\n"
            f"localStorage.setItem('i18nextLng', {_json(_LANGUAGES[language_of(request)])});\n"
            f"window.config = {_json(_configuration())};\n"
        )
        return Response(text, media_type="text/javascript")

    async def _first_picture(self, study: VisibleStudy) -> str:
        """Return the address of the first picture of a study, "" where it has none."""
        series = await store.fetch_series(self._db, study.person_id, [study.study_uid])
        instances = await store.fetch_instances(self._db, study.person_id, [study.study_uid])
        path = f"{DICOMWEB}/studies/{study.study_uid}"
        return next((stack.url(path, 1) for stack in stacks_of(series, instances) if stack.count), "")


def _policy(headers: Headers) -> str:
    """Return the Content-Security-Policy of the viewer, for the host of a request.

    Its scripts compile WebAssembly and set styles of elements, and make workers of text (`blob:`).
    """
    host = headers.get("host", "")
    places = f"{host}{DICOMWEB}/ {host}{FILES}/" if _HOST.fullmatch(host) else ""
    return (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; "
        f"connect-src {places} blob: data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    )


def _configuration() -> Json:
    """Return the configuration: one source of data, no list of studies, nothing stored."""
    return {
        "routerBasename": VIEWER,
        "extensions": [],
        "modes": [],
        "showStudyList": False,
        "maxNumberOfWebWorkers": 3,
        "showLoadingIndicator": True,
        "showWarningMessageForCrossOrigin": False,
        "showCPUFallbackMessage": True,
        "strictZSpacingForVolumeViewport": True,
        "investigationalUseDialog": {"option": "never"},
        "disableConfirmationPrompts": True,
        "studyPrefetcher": {"enabled": False},
        "customizationService": [{"ohif.tours": {"$set": []}}],
        "maxNumRequests": {"interaction": 16, "thumbnail": 4, "prefetch": 8},
        "defaultDataSourceName": "dicomweb",
        "dataSources": [
            {
                "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
                "sourceName": "dicomweb",
                "configuration": {
                    "friendlyName": "esante",
                    "name": "esante",
                    "qidoRoot": DICOMWEB,
                    "wadoRoot": DICOMWEB,
                    "wadoUriRoot": DICOMWEB,
                    "qidoSupportsIncludeField": True,
                    "supportsReject": False,
                    "supportsStow": False,
                    "supportsFuzzyMatching": False,
                    "supportsWildcard": True,
                    "imageRendering": "wadors",
                    "thumbnailRendering": "wadors",
                    "enableStudyLazyLoad": True,
                    "omitQuotationForMultipartRequest": True,
                    "dicomUploadEnabled": False,
                    "bulkDataURI": {"enabled": True, "relativeResolution": "studies"},
                },
            }
        ],
    }


class _Files(StaticFiles):
    """The files of the viewer, kept compressed. Workers have the policy of their file, and not that of the page."""

    async def check_config(self) -> None:
        """Take a missing folder for an empty one."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file. Raises: HTTPException 404."""
        is_compressed = path.endswith(_COMPRESSED)
        response = await super().get_response(f"{path}.gz" if is_compressed else path, scope)
        if is_compressed:
            response.headers["Content-Encoding"] = "gzip"
        # The name of most files changes with their content; the others are asked for anew.
        lasting = "max-age=31536000, immutable" if _HASHED.fullmatch(path) else "no-cache"
        response.headers["Cache-Control"] = lasting
        response.headers["Content-Security-Policy"] = _policy(Headers(scope=scope))
        return response


def _json(value: object) -> str:
    return orjson.dumps(value).decode()

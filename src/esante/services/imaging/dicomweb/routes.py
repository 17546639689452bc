"""The routes of DICOMweb under /dicomweb."""

from starlette.routing import BaseRoute, Route

from esante.core.storage import Database
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.imaging.archive.service import Archive
from esante.services.imaging.archive.similar_studies import SimilarStudies
from esante.services.imaging.dicomweb.pictures import PictureEndpoints
from esante.services.imaging.dicomweb.qido import SearchEndpoints
from esante.services.imaging.dicomweb.stow import StoreEndpoint
from esante.services.imaging.dicomweb.wado import RetrieveEndpoints
from esante.services.imaging.ingest.deposit import Deposits
from esante.services.imaging.rendering.frame_renderer import FrameRenderer

PATH = "/dicomweb"
_STUDIES = f"{PATH}/studies"
_STUDY = f"{_STUDIES}/{{study}}"
_SERIES = f"{_STUDY}/series/{{series}}"
_INSTANCE = f"{_SERIES}/instances/{{instance}}"
_FRAMES = f"{_INSTANCE}/frames/{{frames}}"


def routes(
    db: Database,
    archive: Archive,
    deposits: Deposits,
    renderer: FrameRenderer,
    access: Access,
    directory: Directory,
    base_url: str,
) -> list[BaseRoute]:
    """Return the routes; `base_url` is the address of the platform."""
    url = f"{base_url}{PATH}"
    store = StoreEndpoint(deposits, SimilarStudies(db, archive), access, directory, url)
    search = SearchEndpoints(db, archive, access, directory, url)
    retrieve = RetrieveEndpoints(archive, access, renderer, url)
    pictures = PictureEndpoints(archive, access, renderer)
    get = ["GET"]
    found: list[BaseRoute] = [
        Route(_STUDIES, store.store, methods=["POST"]),
        Route(_STUDY, store.store, methods=["POST"]),
        Route(_STUDIES, search.studies, methods=get),
        Route(f"{PATH}/series", search.series, methods=get),
        Route(f"{PATH}/instances", search.instances, methods=get),
        Route(f"{_STUDY}/series", search.series, methods=get),
        Route(f"{_STUDY}/instances", search.instances, methods=get),
        Route(f"{_SERIES}/instances", search.instances, methods=get),
        Route(_FRAMES, retrieve.frames, methods=get),
        Route(f"{_FRAMES}/rendered", pictures.rendered_frames, methods=get),
        Route(f"{_FRAMES}/thumbnail", pictures.thumbnail, methods=get),
        Route(f"{_INSTANCE}/bulkdata/{{path}}", retrieve.bulk_data, methods=get),
    ]
    for level in (_STUDY, _SERIES, _INSTANCE):
        found += [
            Route(level, retrieve.retrieve, methods=get),
            Route(f"{level}/metadata", retrieve.metadata, methods=get),
            Route(f"{level}/rendered", pictures.rendered, methods=get),
            Route(f"{level}/thumbnail", pictures.thumbnail, methods=get),
        ]
    return found

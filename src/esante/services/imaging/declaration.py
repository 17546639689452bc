"""Declaration of image sharing."""

from collections.abc import Iterable
from datetime import timedelta

from starlette.routing import BaseRoute

from esante.contract import KeptData, Platform, Service, Task
from esante.core.journal import Consumer
from esante.core.types import Json
from esante.core.web import N_
from esante.identity.access import Access, Act, DispositionHandler
from esante.identity.directory import Directory
from esante.services.imaging.archive.deletion import Deletion
from esante.services.imaging.archive.service import Archive
from esante.services.imaging.cli import imaging
from esante.services.imaging.dicomweb.routes import routes
from esante.services.imaging.discovery.document_search import StudyDescriber
from esante.services.imaging.discovery.priors import Priors
from esante.services.imaging.discovery.study_index import StudyIndex
from esante.services.imaging.ingest.deposit import Deposits
from esante.services.imaging.ingest.quarantine import tidy
from esante.services.imaging.manifest.api import routes as manifest_routes
from esante.services.imaging.manifest.service import Manifests
from esante.services.imaging.model import CATEGORY
from esante.services.imaging.rendering.frame_renderer import FrameRenderer
from esante.services.record import Record


def _build(platform: Platform) -> Iterable[object]:
    record, directory, access = platform[Record], platform[Directory], platform[Access]
    archive = Archive(platform.db, platform.objects, record)
    yield archive
    manifests = Manifests(platform.db, archive, directory, platform.settings.base_url)
    yield manifests
    yield StudyIndex(platform.db, record, manifests)
    yield Priors(platform.db, archive)
    record.descriptions.register(CATEGORY, StudyDescriber(platform.db, archive, platform.settings.base_url))
    yield Deletion(platform.db, platform.objects)
    yield Deposits(platform.db, platform.objects, record, directory, access)
    yield FrameRenderer()


def _routes(platform: Platform) -> list[BaseRoute]:
    db, archive, access, directory = platform.db, platform[Archive], platform[Access], platform[Directory]
    base = platform.settings.base_url
    return [
        *routes(db, archive, platform[Deposits], platform[FrameRenderer], access, directory, base),
        *manifest_routes(platform[Manifests], access),
    ]


def _tasks(platform: Platform) -> list[Task]:
    async def empty_quarantine() -> None:
        await tidy(platform.db, platform.objects)

    async def remove_objects() -> None:
        await platform[Deletion].remove_objects()

    return [
        Task(name="quarantine of images", run=empty_quarantine, every=timedelta(hours=6)),
        Task(name="bytes of deleted images", run=remove_objects, every=timedelta(hours=6)),
    ]


def _consumers(platform: Platform) -> list[Consumer]:
    return [platform[Deletion].consumer, platform[StudyIndex].consumer]


def _capabilities(base_url: str) -> Json:
    parameters = [{"name": name, "type": kind} for name, kind in StudyDescriber.parameters.items()]
    return {"resource": [{"type": "DocumentReference", "searchParam": parameters}]}


def _dispositions(platform: Platform) -> list[DispositionHandler]:
    return [DispositionHandler(act=Act.DELETE, step=platform[Deletion].delete_record)]


SERVICE = Service(
    package="esante.services.imaging",
    build=_build,
    routes=_routes,
    consumers=_consumers,
    capabilities=_capabilities,
    tasks=_tasks,
    dispositions=_dispositions,
    commands=[imaging],
    kept=[
        KeptData(
            what=N_("X-ray pictures and other medical images, with what the device recorded about them"),
            why=N_("So that those who treat you can see them, and you too."),
        ),
    ],
)

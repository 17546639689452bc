"""Declaration of image sharing."""

from collections.abc import Iterable
from datetime import timedelta

from starlette.routing import BaseRoute

from esante.contract import DemoStep, KeptData, NavigationItem, Platform, Service, Task
from esante.core.journal import Consumer
from esante.core.web import N_, P_
from esante.identity.access import Access, Act, DispositionHandler
from esante.identity.directory import Directory
from esante.services.imaging.archive.deletion import Deletion
from esante.services.imaging.archive.service import Archive
from esante.services.imaging.cli import imaging
from esante.services.imaging.deidentification.service import Copies
from esante.services.imaging.demo.load import load_studies
from esante.services.imaging.dicomweb.routes import routes
from esante.services.imaging.dose.service import Doses
from esante.services.imaging.ingest.deposit import Deposits
from esante.services.imaging.ingest.quarantine import tidy
from esante.services.imaging.operation.service import Operation
from esante.services.imaging.pages.dose_pages import DosePages
from esante.services.imaging.pages.operator_pages import OperatorPages
from esante.services.imaging.pages.release_pages import ReleasePages
from esante.services.imaging.release.service import Releases
from esante.services.imaging.rendering.frame_renderer import FrameRenderer
from esante.services.record import Record


def _build(platform: Platform) -> Iterable[object]:
    record, directory, access = platform[Record], platform[Directory], platform[Access]
    archive = Archive(platform.db, platform.objects, record)
    yield archive
    yield Doses(platform.db, archive, record, directory)
    yield Releases(platform.db, archive, record)
    yield Copies(platform.db, platform.journal, archive.contents, record, directory, access)
    yield Operation(platform.db, platform.journal)
    yield Deletion(platform.db, platform.objects)
    yield Deposits(platform.db, platform.objects, record, directory, access)
    yield FrameRenderer()


def _routes(platform: Platform) -> list[BaseRoute]:
    db, archive, access, directory = platform.db, platform[Archive], platform[Access], platform[Directory]
    base = platform.settings.base_url
    return [
        *routes(db, archive, platform[Deposits], platform[FrameRenderer], access, directory, base),
        *DosePages(platform[Doses], access, directory).routes(),
        *ReleasePages(platform[Releases], access, directory).routes(),
        *OperatorPages(platform[Operation], platform[Copies], access).routes(),
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
    return [platform[Deletion].consumer]


def _dispositions(platform: Platform) -> list[DispositionHandler]:
    return [DispositionHandler(act=Act.DELETE, step=platform[Deletion].delete_record)]


SERVICE = Service(
    package="esante.services.imaging",
    build=_build,
    routes=_routes,
    consumers=_consumers,
    tasks=_tasks,
    dispositions=_dispositions,
    commands=[imaging],
    demo=[DemoStep(name="images", load=load_studies, background=True)],
    navigation=[
        NavigationItem(role="patient", url="/images/dose", label=N_("Radiation dose"), icon="imaging", order=37),
        NavigationItem(role="record", url="/images/dose", label=N_("Radiation dose"), icon="imaging"),
        NavigationItem(role="operator", url="/operator/images", label=P_("menu", "Images"), icon="imaging", order=45),
    ],
    kept=[
        KeptData(
            what=N_("X-ray pictures and other medical images, with what the device recorded about them"),
            why=N_("So that those who treat you can see them, and you too."),
        ),
    ],
)

"""Declaration of image sharing."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from esante.contract import KeptData, NavigationItem, NoticeKind, Platform, Service, Task
from esante.core.journal import Consumer, Entry
from esante.core.web import N_, P_
from esante.identity.access import Access, Act, DispositionHandler
from esante.identity.directory import Directory
from esante.services.imaging.archive.deletion import Deletion
from esante.services.imaging.archive.service import Archive
from esante.services.imaging.cli import imaging
from esante.services.imaging.dicomweb.routes import routes
from esante.services.imaging.download.service import Downloads
from esante.services.imaging.ingest.deposit import Deposits
from esante.services.imaging.ingest.quarantine import tidy
from esante.services.imaging.model import CATEGORY
from esante.services.imaging.pages.download_pages import DownloadPages
from esante.services.imaging.pages.share_pages import SharePages
from esante.services.imaging.pages.shared_pages import SharedPages
from esante.services.imaging.pages.study_pages import StudyPages, study_address
from esante.services.imaging.pages.viewer_pages import ViewerPages
from esante.services.imaging.rendering.frame_renderer import FrameRenderer
from esante.services.imaging.settings import ImagingSettings
from esante.services.imaging.sharing.model import ShareOpened
from esante.services.imaging.sharing.service import Shares
from esante.services.record import Record


def _build(platform: Platform) -> Iterable[object]:
    record, directory, access = platform[Record], platform[Directory], platform[Access]
    record.viewers[CATEGORY] = study_address
    archive = Archive(platform.db, platform.objects, record)
    yield archive
    yield Deletion(platform.db, platform.objects)
    yield Deposits(platform.db, platform.objects, record, directory, access)
    yield FrameRenderer()
    settings = platform.settings
    yield Shares(
        platform.db,
        platform.journal,
        archive,
        record,
        directory,
        access,
        base_url=settings.base_url,
        days=settings.of(ImagingSettings).imaging_share_days,
    )


def _routes(platform: Platform) -> list[BaseRoute]:
    db, archive, access, directory = platform.db, platform[Archive], platform[Access], platform[Directory]
    base, renderer = platform.settings.base_url, platform[FrameRenderer]
    downloads = Downloads(db, archive, renderer, directory)
    return [
        *routes(db, archive, platform[Deposits], renderer, access, directory, base),
        *StudyPages(db, archive, platform[Record], platform.journal, access, directory).routes(),
        *ViewerPages(db, archive, access).routes(),
        *SharePages(platform[Shares], archive, access).routes(),
        *SharedPages(db, platform[Shares], archive, renderer, directory, downloads).routes(),
        *DownloadPages(downloads, archive, access).routes(),
        Mount("/static/imaging", StaticFiles(directory=Path(__file__).parent / "static")),
    ]


def _tasks(platform: Platform) -> list[Task]:
    async def empty_quarantine() -> None:
        await tidy(platform.db, platform.objects)

    async def remove_objects() -> None:
        await platform[Deletion].remove_objects()

    async def end_visits() -> None:
        await platform[Shares].tidy()

    return [
        Task(name="visits of shared images", run=end_visits, every=timedelta(hours=1)),
        Task(name="quarantine of images", run=empty_quarantine, every=timedelta(hours=6)),
        Task(name="bytes of deleted images", run=remove_objects, every=timedelta(hours=6)),
    ]


def _consumers(platform: Platform) -> list[Consumer]:
    return [platform[Deletion].consumer]


def _dispositions(platform: Platform) -> list[DispositionHandler]:
    steps = (platform[Shares].delete_record, platform[Deletion].delete_record)
    return [DispositionHandler(act=Act.DELETE, step=step) for step in steps]


def _is_link_opened(entry: Entry) -> bool:
    return isinstance(entry.event, ShareOpened) and entry.event.allowed and not entry.event.series_uid


SERVICE = Service(
    package="esante.services.imaging",
    settings=ImagingSettings,
    build=_build,
    routes=_routes,
    consumers=_consumers,
    tasks=_tasks,
    dispositions=_dispositions,
    commands=[imaging],
    navigation=[
        NavigationItem(role="patient", url="/images", label=P_("menu", "Images"), icon="imaging", order=36),
        NavigationItem(role="record", url="/images", label=N_("Images"), icon="imaging"),
    ],
    kept=[
        KeptData(
            what=N_("X-ray pictures and other medical images, with what the device recorded about them"),
            why=N_("So that those who treat you can see them, and you too."),
        ),
        KeptData(
            what=N_("The links to your images that you made, without the address and the PIN"),
            why=N_("So that you can see who opened them, and end them."),
        ),
    ],
    notices=[
        NoticeKind(
            name="images_opened_by_link",
            event=ShareOpened,
            text=N_("%(actor)s opened images with your link."),
            icon="imaging",
            tone="act",
            link="/images",
            applies=_is_link_opened,
        ),
    ],
)

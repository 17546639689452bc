"""Declaration of image sharing."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from esante.contract import DemoStep, KeptData, NavigationItem, NoticeKind, Platform, Service, Task
from esante.core.journal import Consumer, Entry
from esante.core.outbound import AddressPolicy, parse_networks
from esante.core.types import Json
from esante.core.web import N_, P_
from esante.identity.access import Access, Act, DispositionHandler
from esante.identity.directory import Directory
from esante.services.imaging.archive.deletion import Deletion
from esante.services.imaging.archive.service import Archive
from esante.services.imaging.cli import imaging
from esante.services.imaging.deidentification.service import Copies
from esante.services.imaging.demo.load import load_studies
from esante.services.imaging.dicomweb.routes import routes
from esante.services.imaging.discovery.document_search import StudyDescriber
from esante.services.imaging.discovery.image_display import ImageDisplay
from esante.services.imaging.discovery.priors import Priors
from esante.services.imaging.discovery.study_index import StudyIndex
from esante.services.imaging.dose.service import Doses
from esante.services.imaging.download.service import Downloads
from esante.services.imaging.federation.api import routes as federation_routes
from esante.services.imaging.federation.hospital_client import HospitalClient
from esante.services.imaging.federation.locations import Locations
from esante.services.imaging.federation.manifest_deposit import ManifestDeposits
from esante.services.imaging.federation.remote_instances import Holdings
from esante.services.imaging.ingest.deposit import Deposits
from esante.services.imaging.ingest.quarantine import tidy
from esante.services.imaging.manifest.api import routes as manifest_routes
from esante.services.imaging.manifest.identifiers import location_uid
from esante.services.imaging.manifest.service import Manifests
from esante.services.imaging.model import CATEGORY
from esante.services.imaging.operation.service import Operation
from esante.services.imaging.pages.dose_pages import DosePages
from esante.services.imaging.pages.download_pages import DownloadPages
from esante.services.imaging.pages.operator_pages import OperatorPages
from esante.services.imaging.pages.release_pages import ReleasePages
from esante.services.imaging.pages.share_pages import SharePages
from esante.services.imaging.pages.shared_pages import SharedPages
from esante.services.imaging.pages.study_pages import StudyPages, study_address
from esante.services.imaging.pages.viewer_pages import ViewerPages
from esante.services.imaging.release.service import Releases
from esante.services.imaging.rendering.frame_renderer import FrameRenderer
from esante.services.imaging.settings import ImagingSettings
from esante.services.imaging.sharing.model import ShareOpened
from esante.services.imaging.sharing.service import Shares
from esante.services.imaging.xdsi.api import routes as xdsi_routes
from esante.services.imaging.xdsi.provide import ImagingDocumentRecipient
from esante.services.imaging.xdsi.retrieve import ImagingDocumentSource
from esante.services.record import Record

_LOOPBACK = "127.0.0.0/8 ::1/128"
"""In the demo, archives on the same machine can be asked."""


def _build(platform: Platform) -> Iterable[object]:
    db, record, directory, access = platform.db, platform[Record], platform[Directory], platform[Access]
    settings, base_url = platform.settings.of(ImagingSettings), platform.settings.base_url
    record.viewers[CATEGORY] = study_address
    locations = Locations(db, platform.journal)
    holdings = _holdings(platform, settings, locations)
    archive = Archive(db, platform.objects, record, holdings)
    manifests = Manifests(db, archive, directory, base_url)
    record.descriptions.register(CATEGORY, StudyDescriber(db, archive, base_url))
    yield from (locations, holdings, archive, manifests)
    yield Doses(db, archive, record, directory)
    yield Releases(db, archive, record)
    yield Copies(db, platform.journal, archive.contents, record, directory, access)
    yield Operation(db, platform.journal)
    yield ManifestDeposits(db, record, directory, access, locations)
    yield StudyIndex(db, record, manifests)
    yield Priors(db, archive)
    yield Deletion(db, platform.objects)
    yield Deposits(db, platform.objects, record, directory, access)
    yield FrameRenderer()
    days = settings.imaging_share_days
    yield Shares(db, platform.journal, archive, directory, access, base_url=base_url, days=days)


def _holdings(platform: Platform, settings: ImagingSettings, locations: Locations) -> Holdings:
    networks = parse_networks(settings.imaging_networks or (_LOOPBACK if platform.settings.demo else ""))
    client, size = HospitalClient(AddressPolicy(networks)), settings.imaging_cache * 1024**2
    return Holdings(platform.db, platform.objects, locations, platform[Directory], client, size)


def _routes(platform: Platform) -> list[BaseRoute]:
    db, archive, access, directory = platform.db, platform[Archive], platform[Access], platform[Directory]
    base, renderer = platform.settings.base_url, platform[FrameRenderer]
    downloads = Downloads(db, archive, renderer, directory)
    return [
        *routes(db, archive, platform[Deposits], renderer, access, directory, base),
        *DosePages(platform[Doses], access, directory).routes(),
        *ReleasePages(platform[Releases], access, directory).routes(),
        *OperatorPages(platform[Operation], platform[Copies], access).routes(),
        *StudyPages(db, archive, platform[Record], platform.journal, access, directory, downloads).routes(),
        *ViewerPages(db, archive, access).routes(),
        *SharePages(platform[Shares], archive, access).routes(),
        *SharedPages(db, platform[Shares], archive, renderer, directory, downloads).routes(),
        *DownloadPages(downloads, archive, access).routes(),
        *manifest_routes(platform[Manifests], access),
        *federation_routes(platform[ManifestDeposits], platform[Record], access, directory, base),
        *ImageDisplay(archive, access, directory).routes(),
        *xdsi_routes(
            ImagingDocumentSource(archive, location_uid(f"{base}/dicomweb")),
            ImagingDocumentRecipient(platform[ManifestDeposits], directory),
            platform[Record],
            access,
            base,
        ),
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
    return [platform[Deletion].consumer, platform[StudyIndex].consumer]


def _capabilities(base_url: str) -> Json:
    parameters = [{"name": name, "type": kind} for name, kind in StudyDescriber.parameters.items()]
    return {"resource": [{"type": "DocumentReference", "searchParam": parameters}]}


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
    capabilities=_capabilities,
    tasks=_tasks,
    dispositions=_dispositions,
    commands=[imaging],
    demo=[DemoStep(name="images", load=load_studies, background=True)],
    navigation=[
        NavigationItem(role="patient", url="/images", label=P_("menu", "Images"), icon="imaging", order=36),
        NavigationItem(role="record", url="/images", label=N_("Images"), icon="imaging"),
        NavigationItem(role="operator", url="/operator/images", label=P_("menu", "Images"), icon="imaging", order=45),
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

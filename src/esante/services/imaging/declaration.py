"""Declaration of image sharing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from starlette.routing import BaseRoute

from esante.contract import KeptData, Platform, Service, Task
from esante.core.journal import Consumer
from esante.core.outbound import AddressPolicy, parse_networks
from esante.core.types import Json
from esante.core.web import N_
from esante.identity.access import Access, Act, DispositionHandler
from esante.identity.directory import Directory
from esante.services.imaging.archive.deletion import Deletion
from esante.services.imaging.archive.service import Archive
from esante.services.imaging.cli import imaging
from esante.services.imaging.dicomweb.routes import routes
from esante.services.imaging.discovery.document_search import StudyDescriber
from esante.services.imaging.discovery.image_display import ImageDisplay
from esante.services.imaging.discovery.priors import Priors
from esante.services.imaging.discovery.study_index import StudyIndex
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
from esante.services.imaging.rendering.frame_renderer import FrameRenderer
from esante.services.imaging.xdsi.api import routes as xdsi_routes
from esante.services.imaging.xdsi.provide import ImagingDocumentRecipient
from esante.services.imaging.xdsi.retrieve import ImagingDocumentSource
from esante.services.record import Record

_LOOPBACK = "127.0.0.0/8 ::1/128"
"""In the demo, archives on the same machine can be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagingSettings:
    """`imaging_networks`: networks beside the public internet in which archives of hospitals are (CIDR, spaces).

    `imaging_cache`: MiB on disk, in each process, of images that were retrieved from them.
    """

    imaging_networks: str = ""
    imaging_cache: int = 4_096


def _build(platform: Platform) -> Iterable[object]:
    record, directory, access = platform[Record], platform[Directory], platform[Access]
    locations = Locations(platform.db, platform.journal)
    yield locations
    own = platform.settings.of(ImagingSettings)
    networks = parse_networks(own.imaging_networks or (_LOOPBACK if platform.settings.demo else ""))
    client = HospitalClient(AddressPolicy(networks))
    holdings = Holdings(platform.db, platform.objects, locations, directory, client, own.imaging_cache * 1024**2)
    yield holdings
    archive = Archive(platform.db, platform.objects, record, holdings)
    yield archive
    yield ManifestDeposits(platform.db, record, directory, access, locations)
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
        *federation_routes(platform[ManifestDeposits], platform[Record], access, directory, base),
        *ImageDisplay(archive, access, directory).routes(),
        *xdsi_routes(
            ImagingDocumentSource(archive, location_uid(f"{base}/dicomweb")),
            ImagingDocumentRecipient(platform[ManifestDeposits], directory),
            platform[Record],
            access,
            base,
        ),
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
    settings=ImagingSettings,
    kept=[
        KeptData(
            what=N_("X-ray pictures and other medical images, with what the device recorded about them"),
            why=N_("So that those who treat you can see them, and you too."),
        ),
    ],
)

"""Declaration of exports."""

from collections.abc import Iterable
from functools import partial

from starlette.routing import BaseRoute

from esante.contract import KeptData, Platform, Service, Task
from esante.core.types import Json
from esante.core.web import N_
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.export.api import OPERATIONS, SYSTEM_OPERATION, capabilities, routes
from esante.services.export.cli import export
from esante.services.export.pages import routes as page_routes
from esante.services.export.personal_export import FurtherFiles, PersonalExports
from esante.services.export.policy import policy_on
from esante.services.export.service import Exports
from esante.services.record import ReadableCopies, Record

_BULK_DATA = "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"


def _build(platform: Platform) -> Iterable[object]:
    yield Exports(
        platform.db,
        platform.objects,
        platform.journal,
        platform[Directory],
        platform[Access],
        platform[Record],
        platform.settings.base_url,
    )


def _routes(platform: Platform) -> list[BaseRoute]:
    exports, access, record = platform[Exports], platform[Access], platform[Record]
    copies = ReadableCopies(record.previews)
    further = [
        FurtherFiles(one.folder, one.about, partial(one.read, platform)) for one in platform.declared("personal_files")
    ]
    personal = PersonalExports(platform.db, record.extracts, exports, copies, platform[Directory], further)
    return [*routes(exports, access, platform.fhir_url), *page_routes(exports, personal, access)]


def _tasks(platform: Platform) -> list[Task]:
    return [Task(name="exports", run=platform[Exports].worker.run)]


def _capabilities(base_url: str) -> Json:
    operations = [
        {"type": type_, "operation": [{"name": name, "definition": url} for name, url in named.items()]}
        for type_, named in OPERATIONS.items()
    ]
    return {
        "resource": [*capabilities(), *operations],
        "operation": [SYSTEM_OPERATION],
        "instantiates": [_BULK_DATA],
    }


SERVICE = Service(
    package="esante.services.export",
    build=_build,
    routes=_routes,
    tasks=_tasks,
    capabilities=_capabilities,
    kept=[
        KeptData(
            what=N_("The file of your data that you asked for"),
            why=N_("So that you can download it."),
            how_long=lambda day: policy_on(day).keep,
        )
    ],
    commands=[export],
)

"""What the systems of hospitals add to the exchange."""

from collections.abc import Iterable

from starlette.routing import BaseRoute

from esante.contract import KeptData, Platform
from esante.contract_parts import Part
from esante.core.storage import Connection
from esante.core.web import N_
from esante.identity.access import Access, Act, Disposition, DispositionHandler, StepOutcome
from esante.identity.directory import Directory
from esante.services.exchange.hospital import store
from esante.services.exchange.hospital.api import PATH, HospitalEndpoints
from esante.services.exchange.hospital.certificates import OrganizationCertificates
from esante.services.exchange.hospital.identification import Identification
from esante.services.exchange.hospital.patients import Patients, community_oid
from esante.services.exchange.hospital.provide import Recipient
from esante.services.exchange.hospital.registry import Registry
from esante.services.exchange.hospital.repository import Repository
from esante.services.exchange.hospital.users.callers import Callers
from esante.services.record import Record


def _build(platform: Platform) -> Iterable[object]:
    yield OrganizationCertificates(platform.db, platform.journal, platform[Directory])
    yield Patients(platform.db, platform[Directory], community_oid(platform.settings.base_url))


def _routes(platform: Platform) -> list[BaseRoute]:
    db, record, directory, base_url = platform.db, platform[Record], platform[Directory], platform.settings.base_url
    patients = platform[Patients]
    audiences = [base_url, base_url + PATH]
    endpoints = HospitalEndpoints(
        Callers(platform[Access], directory, platform[OrganizationCertificates], patients, audiences),
        Registry(db, record, directory, patients),
        Repository(db, record, patients.community),
        Recipient(db, record, directory, patients),
        Identification(db, platform.journal, directory, patients),
        record.large_bodies,
        base_url,
    )
    return endpoints.routes()


async def _delete_record(conn: Connection, disposition: Disposition) -> StepOutcome:
    """Delete the keys and numbers of a person whose record is deleted."""
    return StepOutcome(await store.delete_of_person(conn, disposition.person_id), finished=True)


def _dispositions(platform: Platform) -> list[DispositionHandler]:
    return [DispositionHandler(act=Act.DELETE, step=_delete_record)]


HOSPITALS = Part(
    build=_build,
    routes=_routes,
    dispositions=_dispositions,
    kept=[
        KeptData(
            what=N_("The patient numbers that hospitals have for you, where they sent them to us"),
            why=N_("So that their computer systems find your record without mixing up patients."),
        )
    ],
)

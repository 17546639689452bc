"""Declaration of the sample service."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.contract import DemoCountry, DemoStep, HomeTile, NavigationItem, NoticeKind, Platform, Service
from esante.core.fhir.rest import fhir_response
from esante.core.types import Json, Progress
from esante.core.web import N_, render
from esante.identity.access import Access, Requester, requester_of
from tests.support.sample_service.cli import appointments
from tests.support.sample_service.model import Booked
from tests.support.sample_service.service import Appointments


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentSettings:
    """`appointment_days`: days from now to the appointments of the demo."""

    appointment_days: int = 7


def _build(platform: Platform) -> Iterable[object]:
    yield Appointments(platform.db, platform.journal)


def _routes(platform: Platform) -> list[BaseRoute]:
    access, service = platform[Access], platform[Appointments]

    async def page(request: Request) -> Response:
        requester = await access.page_requester(request, kinds=("patient",))
        return await render(
            request, "sample_service/appointments.html", appointments=await service.of_person(requester.id)
        )

    async def search(request: Request) -> Response:
        requester = await access.authorize(request, "Appointment", "s")
        found = [
            {"resourceType": "Appointment", "id": id_.hex, "status": "booked", "start": starts_at.isoformat()}
            for id_, starts_at in await service.of_person(requester.id)
        ]
        return fhir_response(
            {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": r} for r in found]}
        )

    return [Route("/appointments", page), Route("/fhir/Appointment", search)]


def _capabilities(base_url: str) -> Json:
    return {"resource": [{"type": "Appointment", "interaction": [{"code": "search-type"}]}]}


async def _next(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    return {"appointments": await platform[Appointments].of_person(requester.id)}


async def _load_demo(platform: Platform, country: DemoCountry, progress: Progress) -> None:
    days = platform.settings.of(AppointmentSettings).appointment_days
    doctor = requester_of(country.practitioners[0], next(iter(country.organizations.values())))
    person = country.account_holders[0]
    await platform[Appointments].book(doctor, person.id, country.now + timedelta(days=days))


SERVICE = Service(
    package="tests.support.sample_service",
    settings=AppointmentSettings,
    build=_build,
    routes=_routes,
    capabilities=_capabilities,
    navigation=[NavigationItem(role="patient", url="/appointments", label=N_("Appointments"), icon="bell", order=60)],
    tiles=[HomeTile(role="patient", template="sample_service/tile.html", load=_next, order=5)],
    notices=[
        NoticeKind(
            name="appointment_booked",
            event=Booked,
            text=N_("%(actor)s booked an appointment for you."),
            icon="bell",
            tone="act",
            link="/appointments",
        )
    ],
    commands=[appointments],
    demo=[DemoStep(name="appointments", load=_load_demo)],
)

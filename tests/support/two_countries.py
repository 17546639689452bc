"""Luxembourg, served over mutual TLS, and Portugal, whose professionals ask it; both over one database."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

from starlette.applications import Starlette

from esante.command_line import operator_of_shell
from esante.core import clock
from esante.core.time_zone import today
from esante.core.web import HANDLERS
from esante.identity.access import Requester, requester_of
from esante.services.exchange.audit import AuditTrail
from esante.services.exchange.contact_points import ContactPoints, FieldKind, MaskField
from esante.services.exchange.contact_points.publication import write_publication
from esante.services.exchange.contact_points.terms import terms_on
from esante.services.exchange.country_a.assembly import country_a_routes
from esante.services.exchange.country_a.server import server_of
from esante.services.exchange.country_b.asker import Asker
from esante.services.exchange.country_b.gateway import Gateway
from esante.services.exchange.country_b.model import Encounter
from esante.services.exchange.country_b.service import Encounters
from esante.services.exchange.hl7v3.model import InstanceId
from tests.support.contact_points import TrialCountry, contact_points, trial_country
from tests.support.country_a import CLASSES, COUNTRY, register
from tests.support.directory_entries import a_practitioner, an_organization
from tests.support.exchange_abroad import ISSUER, connector_of
from tests.support.record import World


def listening() -> tuple[socket.socket, str]:
    """Return a socket that listens, and its address."""
    found = socket.create_server(("127.0.0.1", 0))
    return found, f"https://127.0.0.1:{found.getsockname()[1]}"


@contextlib.asynccontextmanager
async def served(world: World, folder: Path, url: str, taken: socket.socket) -> AsyncIterator[None]:
    """Serve the contact point of Luxembourg, which answers from the record of a world."""
    points = contact_points(world.db, world.journal, folder / "LU")
    await points.all()
    routes = country_a_routes(points, AuditTrail(world.db, world.journal), world.access, connector_of(world), url)
    application = Starlette(routes=routes, exception_handlers=HANDLERS)
    server = server_of(application, points.server_context(), "127.0.0.1", 0)
    task = asyncio.create_task(server.serve(sockets=[taken]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task


@dataclass
class TwoCountries:
    """A doctor of Portugal who asks Luxembourg."""

    encounters: Encounters
    doctor: Requester
    points: ContactPoints

    def forget_keys(self) -> None:
        """Let the keys of Portugal be read again."""
        self.points._own = None

    async def ask(self, encounter: Encounter) -> Encounter:
        """Ask what an encounter waits for; return it with the answer."""
        await (await self.encounters.start(self.doctor, encounter))
        return await self.encounters.get(self.doctor, encounter.id)

    async def treat(self, number: InstanceId) -> Encounter:
        """Find a patient and confirm their treatment."""
        encounter = await self.ask(await self.encounters.open(self.doctor, "LU", {0: number.extension}))
        assert encounter.patient is not None, encounter.found
        return await self.encounters.confirm(self.doctor, encounter.id, "TREATMENT")

    async def list(self, encounter: Encounter, class_code: str) -> Encounter:
        """List documents of a class."""
        return await self.ask(await self.encounters.begin_list(self.doctor, encounter.id, class_code))

    async def retrieve(self, encounter: Encounter, unique_id: str) -> Encounter:
        """Retrieve a document."""
        return await self.ask(await self.encounters.begin_retrieval(self.doctor, encounter.id, unique_id))


@contextlib.asynccontextmanager
async def two_countries(world: World, folder: Path, *, is_fhir: bool) -> AsyncIterator[TwoCountries]:
    """Yield two countries that are linked; `is_fhir`: whether Luxembourg publishes its FHIR interface."""
    for table in ("exchange_contact_point", "exchange_encounter", "exchange_step"):
        await world.db.fetch(f"DELETE FROM {table}")
    taken, url = listening()
    await register(contact_points(world.db, world.journal, folder / "LU"))
    portugal = contact_points(world.db, world.journal, folder / COUNTRY, COUNTRY)
    here = trial_country("LU")
    files = _published(here, url)
    files = files if is_fhir else {name: content for name, content in files.items() if name != "FHIR.xml"}
    await portugal.register(operator_of_shell("Rui"), files, here.confirmed)
    hospital = await world.directory.register_organization(an_organization())
    doctor = await world.directory.register_practitioner(a_practitioner(hospital))
    asker = Asker(world.db, portugal, AuditTrail(world.db, world.journal), Gateway(portugal.client_context, 20.0))
    encounters = Encounters(world.db, world.journal, portugal, world.directory, asker)
    async with served(world, folder, url, taken):
        yield TwoCountries(encounters, requester_of(doctor, hospital), portugal)


def _published(here: TrialCountry, url: str) -> dict[str, bytes]:
    """Return what Luxembourg publishes, with the identifiers and classes of the tests."""
    mask = (MaskField(FieldKind.ID, "label.ism.nationalIdentityCardNumber", ISSUER, is_mandatory=True),)
    terms = replace(terms_on(today()), mask=mask, offers=frozenset(CLASSES))
    return dict(write_publication(here.own, terms, url, clock.now()))

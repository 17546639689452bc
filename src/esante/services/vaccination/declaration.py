"""Declaration of the vaccination card."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from esante.contract import (
    DemoStep,
    HomeTile,
    KeptData,
    NavigationItem,
    NoticeKind,
    Platform,
    Service,
    Task,
    allowed_and_by_another,
)
from esante.core.disclosure import StatisticsKey
from esante.core.journal import Consumer, Entry
from esante.core.storage import Connection
from esante.core.web import N_, P_
from esante.identity.access import Access, Act, Disposition, DispositionHandler, Requester, StepOutcome
from esante.identity.directory import Directory
from esante.services.record import ClinicalCreated, Record
from esante.services.vaccination.card.service import VaccinationCards
from esante.services.vaccination.card.write_rules import ImmunizationRules
from esante.services.vaccination.cli import vaccination
from esante.services.vaccination.coverage.service import Coverages
from esante.services.vaccination.coverage.trials import CalendarTrials
from esante.services.vaccination.demo import load_doses, load_operations
from esante.services.vaccination.health_cards import api as card_api
from esante.services.vaccination.health_cards.issuer import HealthCards
from esante.services.vaccination.health_cards.model import HealthCardRevoked
from esante.services.vaccination.health_cards.settings import HealthCardSettings
from esante.services.vaccination.health_cards.trust import load_directory
from esante.services.vaccination.health_links import api as link_api
from esante.services.vaccination.health_links.model import HealthLinkEnded, HealthLinkOpened
from esante.services.vaccination.health_links.service import HealthLinks
from esante.services.vaccination.history.compiler import Histories
from esante.services.vaccination.pages import public_pages
from esante.services.vaccination.pages.calendar_pages import CalendarPages
from esante.services.vaccination.pages.card_pages import CardPages
from esante.services.vaccination.pages.coverage_pages import CoveragePages
from esante.services.vaccination.pages.entry_pages import EntryPages
from esante.services.vaccination.pages.lot_pages import LotPages
from esante.services.vaccination.pages.proof_pages import ProofPages
from esante.services.vaccination.pages.reminder_pages import ReminderPages
from esante.services.vaccination.pages.stock_pages import StockPages
from esante.services.vaccination.products.catalogue import catalogue, use_samples
from esante.services.vaccination.recalls.model import LotRecalled
from esante.services.vaccination.recalls.service import Recalls
from esante.services.vaccination.reminders.forecasts import Forecasts
from esante.services.vaccination.reminders.model import Reminded, ReminderSettled, RepresentativeReminded
from esante.services.vaccination.reminders.service import Reminders
from esante.services.vaccination.stock.service import Stocks


def _build(platform: Platform) -> Iterable[object]:
    use_samples(platform.settings.demo)
    record, directory, access = platform[Record], platform[Directory], platform[Access]
    record.type_rules["Immunization"] = ImmunizationRules()
    cards = VaccinationCards(platform.db, record, directory, access, platform.fhir_url)
    settings, base = platform.settings, platform.settings.base_url
    key = Path(settings.of(HealthCardSettings).health_card_key or settings.data / "keys" / "health-cards.pem")
    proofs = HealthCards(platform.db, platform.journal, cards, directory, base, key)
    yield cards
    yield proofs
    yield HealthLinks(platform.db, platform.journal, proofs, record, access, base)
    yield Histories(platform.db, record, directory, access)
    yield Reminders(platform.db, platform.journal, directory, access)
    yield Recalls(platform.db, platform.journal, directory)
    yield Coverages(platform.db, platform[StatisticsKey])
    yield Stocks(platform.db, platform.journal, directory)
    forecasts = Forecasts(platform.db, platform.journal, directory, platform[StatisticsKey])
    yield forecasts
    yield CalendarTrials(platform.db, platform.journal, forecasts, platform[StatisticsKey])


def _routes(platform: Platform) -> list[BaseRoute]:
    cards, record = platform[VaccinationCards], platform[Record]
    access, directory = platform[Access], platform[Directory]
    proofs, links = platform[HealthCards], platform[HealthLinks]
    issuers = load_directory(platform.settings.of(HealthCardSettings).health_card_issuers)
    return [
        *ReminderPages(platform[Reminders], access, platform.settings.base_url).routes(),
        *CoveragePages(platform[Coverages], platform[Forecasts], access).routes(),
        *StockPages(platform[Stocks], access).routes(),
        *CalendarPages(platform[CalendarTrials], access).routes(),
        *LotPages(platform[Recalls], access).routes(),
        *CardPages(cards, record, access, directory, platform.fhir_url).routes(),
        *EntryPages(cards, record, access, directory).routes(),
        *ProofPages(proofs, links, platform.journal, access, platform.settings.base_url).routes(),
        *public_pages.routes(proofs, issuers),
        *card_api.routes(proofs),
        *link_api.routes(links),
        Mount("/static/vaccination", StaticFiles(directory=Path(__file__).parent / "static")),
    ]


def _consumers(platform: Platform) -> list[Consumer]:
    return [platform[Histories].consumer, platform[HealthCards].consumer, platform[Forecasts].consumer]


def _tasks(platform: Platform) -> list[Task]:
    async def forecast() -> None:
        if made := await platform[Forecasts].run():
            await platform[Reminders].remind_of(made)

    async def remind() -> None:
        await platform[Reminders].remind()

    async def notify() -> None:
        await platform[Recalls].notify()

    async def count() -> None:
        await platform[Coverages].refresh()

    return [
        Task(name="vaccination histories", run=platform[Histories].run, every=timedelta(seconds=1)),
        Task(name="files of links", run=platform[HealthLinks].tidy, every=timedelta(hours=1)),
        Task(name="vaccination forecasts", run=forecast, every=timedelta(seconds=1)),
        Task(name="reminders of vaccinations", run=remind, every=timedelta(hours=1)),
        Task(name="recalls of vaccine lots", run=notify, every=timedelta(seconds=15)),
        Task(name="trials of vaccination calendars", run=platform[CalendarTrials].run, every=timedelta(seconds=2)),
        Task(name="vaccination coverage", run=count, every=timedelta(minutes=30)),
    ]


def _dispositions(platform: Platform) -> list[DispositionHandler]:
    cards, links = platform[HealthCards], platform[HealthLinks]

    async def delete_proofs(conn: Connection, disposition: Disposition) -> StepOutcome:
        count = await cards.delete_of_person(conn, disposition.person_id)
        count += await links.delete_of_person(conn, disposition.person_id)
        return StepOutcome(count, finished=True)

    steps = (platform[Histories].delete, delete_proofs)
    return [DispositionHandler(act=Act.DELETE, step=step) for step in steps]


def _is_vaccination(entry: Entry) -> bool:
    resources = entry.event.resources
    return allowed_and_by_another(entry) and any(name.startswith("Immunization/") for name in resources)


async def _low(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    if requester.organization_id is None:
        return {"low": 0}
    products = await platform[Stocks].products(requester, requester.organization_id)
    return {"low": sum(one.is_low for one in products)}


async def _due(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    reminders = platform[Reminders]
    return {
        "doses": await reminders.due(requester.id),
        "pending": await reminders.is_pending(requester.id),
        "antigens": catalogue().antigens,
    }


SERVICE = Service(
    package="esante.services.vaccination",
    settings=HealthCardSettings,
    build=_build,
    routes=_routes,
    consumers=_consumers,
    tasks=_tasks,
    dispositions=_dispositions,
    commands=[vaccination],
    demo=[
        DemoStep(name="vaccinations", load=load_doses),
        DemoStep(name="vaccination operations", load=load_operations, background=True),
    ],
    navigation=[
        NavigationItem(
            role="patient", url="/vaccinations", label=P_("menu", "Vaccinations"), icon="vaccine", order=25
        ),
        NavigationItem(role="record", url="/vaccinations", label=N_("Vaccinations"), icon="vaccine"),
        NavigationItem(role="everyone", url=public_pages.VERIFY, label=N_("Check a vaccination card"), order=55),
        NavigationItem(
            role="practitioner",
            url="/due-vaccinations",
            label=P_("menu", "Due vaccinations"),
            icon="vaccine",
            order=27,
        ),
        NavigationItem(
            role="practitioner", url="/vaccine-stock", label=P_("menu", "Vaccine stock"), icon="archive", order=28
        ),
        NavigationItem(
            role="operator", url="/operator/vaccinations", label=N_("Vaccination coverage"), icon="vaccine", order=50
        ),
        NavigationItem(
            role="operator", url="/operator/vaccine-lots", label=N_("Lots and recalls"), icon="warning", order=51
        ),
        NavigationItem(
            role="operator", url="/operator/vaccine-stock", label=N_("Vaccine stock"), icon="archive", order=52
        ),
        NavigationItem(
            role="operator",
            url="/operator/vaccination-calendar",
            label=N_("Vaccination calendar"),
            icon="directive",
            order=53,
        ),
    ],
    tiles=[
        HomeTile(role="patient", template="vaccination/tile_due.html", load=_due, order=5),
        HomeTile(role="practitioner", template="vaccination/tile_stock.html", load=_low, order=-4),
    ],
    kept=[
        KeptData(
            what=N_("A list of your vaccinations, made from your record, with product and lot"),
            why=N_("So that we can reach you when a vaccine is recalled, and make your vaccination history."),
        ),
        KeptData(
            what=N_("The signed cards and the links to your vaccinations that you made"),
            why=N_("So that you can show them again, see who opened them, and end them."),
        ),
        KeptData(
            what=N_("Which vaccinations are due to you, and of which you were reminded"),
            why=N_("So that no dose is missed, and so that it is known how well the population is protected."),
        ),
    ],
    notices=[
        NoticeKind(
            name="vaccination_added",
            event=ClinicalCreated,
            text=N_("%(actor)s added a vaccination to your card."),
            icon="vaccine",
            tone="good",
            link="/vaccinations",
            applies=_is_vaccination,
        ),
        NoticeKind(
            name="vaccination_due",
            event=Reminded,
            text=N_("A vaccination is due to you, or will be soon. See which one."),
            icon="vaccine",
            tone="act",
            link="/vaccinations/reminders",
            settled_by=ReminderSettled,
        ),
        NoticeKind(
            name="represented_vaccination_due",
            event=RepresentativeReminded,
            text=N_("A vaccination is due to a person for whom you act, or will be soon."),
            icon="vaccine",
            tone="act",
            link="/vaccinations#represented",
        ),
        NoticeKind(
            name="vaccine_recalled",
            event=LotRecalled,
            text=N_("A vaccine that you were given has been recalled. Ask whoever gave it to you what to do."),
            icon="warning",
            tone="warn",
            link="/vaccinations",
            contact=True,
            by_any_means=True,
            applies=lambda entry: True,
        ),
        NoticeKind(
            name="health_card_revoked",
            event=HealthCardRevoked,
            text=N_("A signed card of yours is invalid because a vaccination on it was corrected."),
            icon="warning",
            tone="warn",
            link="/vaccinations/proof",
        ),
        NoticeKind(
            name="health_link_opened",
            event=HealthLinkOpened,
            text=N_("%(actor)s opened your link to your vaccinations. Nobody has checked this name."),
            icon="eye",
            tone="plain",
            link="/vaccinations/proof/shared",
        ),
        NoticeKind(
            name="health_link_locked",
            event=HealthLinkEnded,
            text=N_("A link to your vaccinations was ended after too many wrong PINs."),
            icon="lock",
            tone="warn",
            link="/vaccinations/proof/shared",
        ),
    ],
)

"""The contract by which a package takes part in the platform: one declared `Service`.

A service is added in two places: its folder, whose `declaration.py` holds `SERVICE`, and one line in
`esante.packages`. The application, the command, the portal, the capability statement, the notices, the subscriptions,
the bulletin and the demo loop over the declared services; none of them names one.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol, TypeVar, cast, runtime_checkable
from uuid import UUID

import click
from starlette.datastructures import State
from starlette.routing import BaseRoute

from esante.core.fhir.rest import merge_capabilities
from esante.core.journal import Consumer, Journal
from esante.core.storage import Database, Objects, Unavailable
from esante.core.types import Json, Progress
from esante.core.web import Meter
from esante.identity.access import (
    Access,
    Act,
    DispositionExecutor,
    DispositionHandler,
    Requester,
    SoftwareClient,
)
from esante.identity.directory import Organization, Person, Practitioner
from esante.notifications import Focus, NoticeKind, Topic, TopicFilter, actor_name, allowed_and_by_another
from esante.settings import Settings

__all__ = [
    "DemoCountry",
    "DemoProcess",
    "DemoStep",
    "Focus",
    "HomeTile",
    "KeptData",
    "NavigationItem",
    "NoticeKind",
    "PersonalFile",
    "PersonalFiles",
    "Platform",
    "QuickAction",
    "Service",
    "SignInPeople",
    "Task",
    "Topic",
    "TopicFilter",
    "actor_name",
    "allowed_and_by_another",
    "capability_statement",
]
T = TypeVar("T")
log = logging.getLogger(__name__)


class Platform:
    """The database, the object store, the journal, and the service objects that the declarations build over them.

    `platform[Record]` is the service object of the class `Record`. `dsn`: the address of the database.
    """

    def __init__(
        self,
        services: Sequence["Service"],
        settings: Settings,
        dsn: str,
        db: Database,
        objects: Objects,
        journal: Journal,
    ) -> None:
        self.services, self.settings, self.dsn = services, settings, dsn
        self.db, self.objects, self.journal = db, objects, journal
        self.meter = Meter()
        self._built: dict[type, object] = {}
        for service in services:
            for built in service.build(self):
                self._built[type(built)] = built

    def __getitem__(self, kind: type[T]) -> T:
        """Return the service object of a class. Raises: KeyError when no declared service builds one."""
        return cast(T, self._built[kind])

    def get(self, kind: type[T]) -> T | None:
        """Return the service object of a class, or None when none was built."""
        return cast(T | None, self._built.get(kind))

    def declared(self, name: str) -> list[Any]:
        """Return what the services declare under a field that holds sequences, in the order of the services."""
        return [item for service in self.services for item in getattr(service, name)]

    def capability_statement(self) -> Json:
        """Return the CapabilityStatement of the FHIR API: what all services declare, merged."""
        return capability_statement(self.services, self.settings.base_url)

    @property
    def fhir_url(self) -> str:
        """The address of the FHIR API, as clients know it."""
        return f"{self.settings.base_url}/fhir"

    @property
    def categories(self) -> Mapping[str, str]:
        """The labels (msgids) of the categories of data that events name, by code."""
        return {code: label for service in self.services for code, label in service.categories.items()}

    def disposition_executor(self, acts: Collection[Act] = tuple(Act)) -> DispositionExecutor:
        """Return the executor of dispositions with the handlers of all services; those of the lowest come last."""
        found = [one for service in reversed(self.services) for one in service.dispositions(self)]
        handlers = [handler for handler in found if handler.act in acts]
        return DispositionExecutor(self.db, self[Access].dispositions, handlers)

    async def admit(self) -> None:
        """Raise RuntimeError when a service forbids to serve the platform as it is; the message says what to do."""
        for service in self.services:
            await service.admit(self)

    async def close(self) -> None:
        """Close the service objects that hold processes or connections."""
        for built in self._built.values():
            if isinstance(built, _Closing):
                await built.close()


@runtime_checkable
class _Closing(Protocol):
    """A service object with `close`."""

    async def close(self) -> None:
        """Release what the object holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NavigationItem:
    """A place in the main navigation of the portal, for people of a role (patient, practitioner, operator, vendor,
    researcher).

    `label` is a msgid (of the context "menu" where its translations have soft hyphens for narrow screens), `icon` the
    name of a symbol in the portal's icons. Items are shown by ascending `order`. `menu`: shown in the personal menu
    and not in the main navigation. `waiting`: counts what waits there for somebody. `only_for`: whether somebody of
    the role sees the place at all; None: everybody does.
    The role "everyone" is the foot of every page; the role "record" is a professional's page of a patient, whose
    address comes before `url`.
    """

    role: str
    url: str
    label: str
    icon: str = ""
    order: int = 0
    menu: bool = False
    waiting: Callable[["Platform", Requester], Awaitable[int]] | None = None
    only_for: Callable[["Platform", Requester], Awaitable[bool]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickAction:
    """A large link on the home page of a role; `label` and `hint` are msgids, the first one `main` is emphasised."""

    role: str
    url: str
    icon: str
    label: str
    hint: str
    order: int = 0
    main: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeTile:
    """A part of the home page of a role: `template` rendered with what `load` returns, as `tile`.

    Tiles are shown by ascending `order`, those below 0 before the quick actions; consecutive `half` ones share a row
    on wide screens.
    """

    role: str
    template: str
    load: Callable[["Platform", Requester], Awaitable[Mapping[str, Any]]]
    order: int = 0
    half: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptData:
    """Personal data that a package keeps, for the privacy notice; `what` and `why` are msgids.

    `how_long` returns the time in force on a day, from dated data; None: for as long as there is a record.
    `with_data`: for that time at least, and for as long as the data exist that it is about.
    """

    what: str
    why: str
    how_long: Callable[[date], timedelta | None] = lambda day: None
    with_data: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Work beside the requests in every process: `run` for ever, or, with `every`, repeated after that time.

    Repeated work may fail: the failure is logged and the work tried again. It must do nothing where another process
    does it already.
    """

    name: str
    run: Callable[[], Awaitable[None]]
    every: timedelta | None = None

    async def keep_running(self) -> None:
        """Run for ever, or again after each pause; a failure is logged."""
        while True:
            try:
                await self.run()
            except Unavailable:
                log.warning("the task %s waits for the database", self.name)
            except Exception:
                log.exception("the task %s failed; it is tried again", self.name)
            await asyncio.sleep(self.every.total_seconds() if self.every else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoCountry:
    """The synthetic country, as far as the services' demonstration data need it."""

    seed: int
    now: datetime
    persons: Sequence[Person]
    practitioners: Sequence[Practitioner]
    organizations: Mapping[str, Organization]
    account_holders: Sequence[Person]
    """The persons who use the portal."""
    software: Mapping[UUID, SoftwareClient]
    """The registered software with which practitioners write fee notes."""
    months: int
    """Months of invented use before `now`; 0: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoStep:
    """Demonstration data of a service, loaded once after the persons and their documents.

    `load` may be broken off and is then called again. `background`: loaded beside the running server.
    """

    name: str
    load: Callable[["Platform", DemoCountry, Progress], Awaitable[None]]
    background: bool = False


@dataclass(frozen=True, slots=True)
class PersonalFile:
    """A file of a personal export; `content` is None where it is lost or damaged."""

    name: str
    at: datetime
    content: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalFiles:
    """What a service adds to the export of a patient's own data.

    `folder` is its name, `about` the line of the README about it (msgids). `read` yields the files of the patient
    that a requester is, made in a language, and journals that they were read.
    """

    folder: str
    about: str
    read: Callable[["Platform", Requester, str], AsyncIterator[PersonalFile]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoProcess:
    """A command of `esante` that the demo runs beside the server, a mock of a partner outside: it takes `--port`.

    `variable`: the environment variable that gives the platform its address; where it is set already, the command is
    not run.
    """

    command: tuple[str, ...]
    variable: str


@dataclass(frozen=True, slots=True)
class SignInPeople:
    """People to choose from on the sign-in page.

    `everyone` gives `id`, `name`, `role` and `detail` of each; `become` the requester of an id, None for an unknown
    one.
    """

    everyone: Callable[[], Awaitable[Sequence[Mapping[str, Any]]]]
    become: Callable[[str], Awaitable[Requester | None]]


def _nothing(platform: Platform) -> tuple[()]:
    return ()


def _no_capabilities(base_url: str) -> Json:
    return {}


async def _admit_any(platform: Platform) -> None:
    pass


async def _no_start(platform: Platform, state: State) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What a package adds to the platform; everything but `package` is optional.

    package        the import name of the package: its folders `migrations`, `templates`, `locale` and `data` are found
                   there; its last part names the service
    settings       a frozen dataclass; a field `x` is read from `ESANTE_X` (`Settings.of`)
    build          makes the service objects, over those of the services declared before
    routes         HTTP endpoints and pages
    admit          raises RuntimeError, with the remedy, when the platform must not be served as it is
    start          work before the first request of a process; `state` is that of the application
    consumers      consumers of the journal
    tasks          work beside the requests
    dispositions   handlers of what is planned for the end of a period (closing, deletion, expiry)
    capabilities   a part of the CapabilityStatement of the platform at a base URL: `resource`, `operation`,
                   `interaction`, `security` of `rest`, `instantiates`, `implementationGuide`, `patchFormat`; parts of
                   one resource type are merged
    categories     labels of the categories of data that its events name
    navigation, actions, tiles    of the portal, by role
    kept           personal data that the package keeps, for the privacy notice
    personal_files what it adds to the export of a patient's own data
    notices        kinds of notices to persons
    topics         topics of subscriptions
    commands       commands or groups of the `esante` command
    demo           demonstration data
    demo_processes mocks of partners outside, which the demo runs
    people         people to choose from on the sign-in page; None: none

    The files `data/indicators.toml` and `data/lake.toml` declare indicators of the bulletin and what of the service's
    events may leave the journal to be counted (docs/bulletin.md), `data/help.toml` questions of the help page.
    """

    package: str
    settings: type | None = None
    build: Callable[[Platform], Iterable[object]] = _nothing
    routes: Callable[[Platform], Sequence[BaseRoute]] = _nothing
    admit: Callable[[Platform], Awaitable[None]] = _admit_any
    start: Callable[[Platform, State], Awaitable[None]] = _no_start
    consumers: Callable[[Platform], Sequence[Consumer]] = _nothing
    tasks: Callable[[Platform], Sequence[Task]] = _nothing
    dispositions: Callable[[Platform], Sequence[DispositionHandler]] = _nothing
    capabilities: Callable[[str], Json] = _no_capabilities
    categories: Mapping[str, str] = field(default_factory=dict)
    navigation: Sequence[NavigationItem] = ()
    actions: Sequence[QuickAction] = ()
    tiles: Sequence[HomeTile] = ()
    kept: Sequence[KeptData] = ()
    personal_files: Sequence[PersonalFiles] = ()
    notices: Sequence[NoticeKind] = ()
    topics: Sequence[Topic] = ()
    commands: Sequence[click.Command] = ()
    demo: Sequence[DemoStep] = ()
    demo_processes: Sequence[DemoProcess] = ()
    people: Callable[[Platform], SignInPeople | None] = lambda platform: None

    @property
    def name(self) -> str:
        """The last part of the package's name."""
        return self.package.rpartition(".")[2]


def capability_statement(services: Iterable[Service], base_url: str) -> Json:
    """Return the CapabilityStatement of the FHIR API of a platform at `base_url`."""
    return merge_capabilities([service.capabilities(base_url) for service in services], f"{base_url}/fhir")

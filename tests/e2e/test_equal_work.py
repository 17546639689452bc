"""What a requester may not see causes no work: two worlds that differ in it do the same for every request.

Statements with their rows, objects, tasks of the sandbox and journal entries are counted, and the answers compared.
"""

import contextlib
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.routing import Match, Route

from esante.app import create_app, mount, open_platform
from esante.contract import Platform
from esante.core.fhir.store import Version, remove_sources
from esante.core.journal import advance
from esante.core.storage import NIL
from esante.core.web import COOKIE
from esante.identity.access import Access, Against, Confidentiality, care_opposition, requester_of
from esante.identity.access.representation.model import Capacity, CapacityKind, Representation, RepresentationKind
from esante.services.record import CLINICAL, Deposit, Filters, Record
from esante.services.record.clinical.routes import ClinicalRoutes
from esante.services.record.clinical_types import KEPT
from esante.services.record.documents.store import find_document
from esante.services.record.indexing.extraction import extract_facts
from esante.services.record.restrictions.store import fetch_source_ids
from esante.settings import Settings
from tests.conftest import create_database
from tests.support.hidden_calls import FACT_NUMBER, OWN_NUMBER, Call, Hidden, all_calls, observation
from tests.support.small_world import LOCAL_SYSTEM, SmallWorld, build_small_world, register_practitioner, sign_in
from tests.support.submissions import CONSULTATION, LABORATORY, LETTER, build_discharge_letter, build_pdf
from tests.support.summaries import summary_bytes, token_of
from tests.support.work import Work, counted_work

BASE_URL = "http://records.example"
DOCTOR, CODE_HOLDER, STRANGER, OTHER_PATIENT, PARENT = "doctor", "code_holder", "stranger", "other", "parent"
LARGE = 300 * 1024
"""Bytes of a document that lies in the object store."""


SECRET_PROBLEM = "bipolar"
"""The entry of the summary that its person restricts."""


@dataclass
class World:
    """A platform in this process over a database of its own, with nothing beside the requests."""

    small: SmallWorld
    platform: Platform
    app: Starlette
    csrf: dict[str, str]

    @property
    def person(self) -> UUID:
        """The person of the record."""
        return self.small.persons[0].id

    async def send(self, call: Call, by: str) -> httpx.Response:
        """Send a request."""
        cookies = {COOKIE: self.small.cookies[by]} if call.page else {}
        headers = call.headers if call.page else {**self.small.bearer(by), **call.headers}
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(
            transport=transport, base_url=BASE_URL, cookies=cookies, headers=headers
        ) as client:
            files = {"file": ("report.json", call.file, "application/json")} if call.file else None
            return await client.request(call.method, call.path, content=call.content, data=call.form, files=files)


@dataclass
class Template:
    """A database and a data folder that are copied for each world."""

    dsn: str
    small: SmallWorld
    copies: int = 0

    @contextlib.asynccontextmanager
    async def copied(self) -> AsyncIterator[World]:
        """Open a platform over a copy."""
        self.copies += 1
        name = DATABASE.search(self.dsn)[1]
        dsn = DATABASE.sub(f"/{name}_{self.copies}?", self.dsn)
        conn = await asyncpg.connect(DATABASE.sub("/postgres?", self.dsn))
        await conn.execute(f"CREATE DATABASE {name}_{self.copies} TEMPLATE {name}")
        await conn.close()
        data = self.small.data.with_name(f"{self.small.data.name}{self.copies}")
        shutil.copytree(self.small.data, data)
        settings = settings_of(data, dsn)
        app = create_app(settings)
        async with open_platform(settings) as platform:
            await mount(platform, app)
            rows = await platform.db.fetch("SELECT principal->>'id' AS id, csrf FROM web_session")
            tokens = {row["id"]: row["csrf"] for row in rows}
            csrf = {who: tokens[str(holder.id)] for who, holder in self.small.holders.items()}
            yield World(replace(self.small, data=data), platform, app, csrf)
        shutil.rmtree(data)


DATABASE = re.compile(r"/(\w+)\?")


def settings_of(data: Path, dsn: str) -> Settings:
    return Settings(data=data, database_url=dsn, public_url=BASE_URL, pool_size=2)


@pytest.fixture(scope="module")
def work() -> Iterator[Work]:
    with counted_work() as work:
        yield work


@pytest.fixture(scope="module")
async def empty(server: str, work: Work, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A country without documents: a circle doctor, a doctor with a code, a stranger, another patient."""
    data, dsn = tmp_path_factory.mktemp("worlds") / "empty", await create_database(server)
    async with open_platform(settings_of(data, dsn), migrate=True):
        pass
    small = await build_small_world(data, 2, database_url=dsn, pool_size=2)
    async with open_platform(settings_of(data, dsn)) as platform:
        await add_people(platform, small)
    return Template(dsn, small)


@pytest.fixture(scope="module")
async def filled(empty: Template) -> Template:
    """The same country with documents and resources that the patient has not hidden."""
    async with empty.copied() as world:
        await fill_record(world)
        await index_all(world)
        dsn, data = world.platform.dsn, empty.small.data.with_name("filled")
        shutil.copytree(world.small.data, data)
    return Template(dsn, replace(empty.small, data=data))


@pytest.fixture(scope="module")
async def summarised(filled: Template) -> Template:
    """The same country with a summary of which the patient may restrict lines."""
    async with filled.copied() as world:
        holders = world.small.holders
        await world.platform[Record].deposit(holders["hospital"], world.person, summary_of(world), Deposit())
        await index_all(world)
        dsn, data = world.platform.dsn, filled.small.data.with_name("summarised")
        shutil.copytree(world.small.data, data)
    return Template(dsn, replace(filled.small, data=data))


def summary_of(world: World) -> bytes:
    """Return a summary of the patient, a FHIR document."""
    person = world.small.persons[0]
    number = {"system": LOCAL_SYSTEM, "value": person.identifiers[0].value}
    return summary_bytes(patient={"identifier": [number], "name": [{"family": person.family}]})


async def add_people(platform: Platform, small: SmallWorld) -> None:
    """Register a doctor with a code and a stranger, let the patient give access, and sign all in."""
    access, patient = platform[Access], small.holders["patient"]
    for name, family in ((CODE_HOLDER, "Thill"), (STRANGER, "Faber")):
        small.holders[name] = requester_of(await register_practitioner(platform, family))
    small.holders[OTHER_PATIENT] = requester_of(small.persons[1])
    for name in (CODE_HOLDER, STRANGER, OTHER_PATIENT):
        await sign_in(platform, small, name, small.holders[name])
    await access.grants.add_to_circle(patient, small.holders[DOCTOR].id)
    await access.codes.redeem(small.holders[CODE_HOLDER], await access.codes.issue(patient))


async def fill_record(world: World) -> None:
    """Deposit documents and write resources: of a hospital, of the laboratory, of the doctor in the circle."""
    record, holders = world.platform[Record], world.small.holders
    for number in range(4):
        meta = Deposit(type=LETTER, title=f"Courrier {number}", event_date=date(2024, 3, 10 + number))
        await record.deposit(holders["hospital"], world.person, b"Courrier %d" % number, meta)
    scan = Deposit(type=CONSULTATION, title="Consultation", event_date=date(2024, 3, 11))
    first = await record.deposit(holders["hospital"], world.person, build_pdf("Une"), scan)
    await record.deposit(holders["hospital"], world.person, build_pdf("Deux"), scan, first.document.id)
    await record.deposit(holders["hospital"], world.person, report(world, "Négatif."), Deposit())
    await record.deposit(holders[DOCTOR], world.person, b"Ma note", Deposit(type=LETTER, title="De moi"))
    for number in range(3):
        await write_observation(world, "hospital", ("urn:example:fact", f"seen-{number}"))


def report(world: World, text: str) -> bytes:
    """Return a laboratory report about the patient, a FHIR document."""
    person = world.small.persons[0]
    patient = {
        "identifier": [{"system": LOCAL_SYSTEM, "value": person.identifiers[0].value}],
        "name": [{"family": person.family}],
    }
    found = build_discharge_letter(patient, text, title="Analyse sérologique", family="Biologist")
    found["entry"][0]["resource"]["type"]["coding"][0]["code"] = LABORATORY
    return orjson.dumps(found)


async def write_observation(world: World, by: str, number: tuple[str, str]) -> Version:
    writer = world.platform[Record].clinical_writer(world.platform.fhir_url)
    body = orjson.dumps(observation(world.person, number))
    return (await writer.create(world.small.holders[by], "Observation", body)).version


async def index_all(world: World) -> None:
    """Index every document that waits for it, as the consumer of the journal does."""
    await world.platform.journal.sealer.seal_all()
    while await advance(world.platform.db, world.platform[Record].clinical.indexer.consumer):
        pass


# What the second world has and the first has not


async def hide(world: World, level: Confidentiality, content: bytes) -> Hidden:
    """Deposit a document and write a resource, and let the patient set their confidentiality."""
    platform, holders, person = world.platform, world.small.holders, world.person
    meta = Deposit(event_date=date(2024, 3, 12), language="fr", identifiers=(OWN_NUMBER,))
    deposited = (await platform[Record].deposit(holders["laboratory"], person, content, meta)).document
    fact = await write_observation(world, "hospital", FACT_NUMBER)
    if level is not Confidentiality.NORMAL:
        record, patient = platform[Record], holders["patient"]
        deposited = await record.set_confidentiality(patient, person, deposited.id, level)
        writer = record.clinical_writer(platform.fhir_url)
        await writer.relabel(patient, "Observation", (person, fact.id), level)
    return Hidden(
        person_id=person,
        document=deposited,
        resource=("Composition", fact_id(person, content, "Composition")),
        author=("Practitioner", fact_id(person, content, "Practitioner")),
        fact=("Observation", fact.key),
        laboratory=holders["laboratory"].id,
        content=content,
    )


def fact_id(person_id: UUID, content: bytes, type_: str, *, secret: bool = False) -> str:
    """Return the logical id that a resource of a document gets when it is indexed; the last of those restricted."""
    persons = {name: type_.person for name, type_ in CLINICAL.items() if type_.person}
    facts = [fact for fact in extract_facts(orjson.loads(content), person_id, KEPT, persons) if fact.type == type_]
    return str(facts[-1 if secret else 0].resource["id"])


async def one_indexed(world: World, level: Confidentiality) -> Hidden:
    hidden = await hide(world, level, report(world, "Positif."))
    await index_all(world)
    return hidden


async def one_not_indexed(world: World, level: Confidentiality) -> Hidden:
    return await hide(world, level, report(world, "Positif."))


async def large_not_indexed(world: World, level: Confidentiality) -> Hidden:
    return await hide(world, level, report(world, "Positif. " * (LARGE // 9)))


async def fifty(world: World, level: Confidentiality) -> Hidden:
    """Fifty documents more, of which half are FHIR documents, some indexed and some not."""
    record, holders = world.platform[Record], world.small.holders
    for number in range(50):
        if number % 2:
            author, meta, content = "hospital", Deposit(type=LETTER, title=f"Lettre {number}"), b"Lettre %d" % number
        else:
            author, meta, content = "laboratory", Deposit(), report(world, f"Positif {number}.")
        document = (await record.deposit(holders[author], world.person, content, meta)).document
        if level is not Confidentiality.NORMAL:
            await record.set_confidentiality(holders["patient"], world.person, document.id, level)
        if number == 25:
            await index_all(world)
    return await hide(world, level, report(world, "Positif."))


async def misfiled(world: World, level: Confidentiality) -> Hidden:
    """A document that its author has moved to another patient; it does not say whom it is about."""
    anonymous = orjson.loads(report(world, "Positif."))
    for name in ("identifier", "name"):
        del anonymous["entry"][1]["resource"][name]
    hidden = await hide(world, level, orjson.dumps(anonymous))
    other = world.small.persons[1].id
    laboratory, document = world.small.holders["laboratory"], hidden.document
    await world.platform[Record].correct_person(laboratory, world.person, document.id, other, "Erreur")
    return hidden


HIDDEN, RESTRICTED, NORMAL = Confidentiality.HIDDEN, Confidentiality.RESTRICTED, Confidentiality.NORMAL
LONG = pytest.mark.long
CASES = [
    pytest.param("filled", fifty, HIDDEN, (DOCTOR,), id="hidden-fifty"),
    pytest.param("filled", one_not_indexed, RESTRICTED, (CODE_HOLDER,), id="restricted"),
    pytest.param("empty", fifty, NORMAL, (STRANGER,), id="no-grant-fifty"),
    pytest.param("filled", one_indexed, HIDDEN, (DOCTOR, STRANGER, OTHER_PATIENT), id="hidden", marks=LONG),
    pytest.param("filled", one_not_indexed, HIDDEN, (DOCTOR, STRANGER), id="hidden-not-indexed", marks=LONG),
    pytest.param("filled", large_not_indexed, HIDDEN, (DOCTOR, STRANGER), id="hidden-large", marks=LONG),
    pytest.param("filled", misfiled, HIDDEN, (DOCTOR, STRANGER), id="misfiled", marks=LONG),
    pytest.param("empty", one_not_indexed, NORMAL, (STRANGER, OTHER_PATIENT), id="no-grant", marks=LONG),
    pytest.param("empty", large_not_indexed, NORMAL, (STRANGER,), id="no-grant-large", marks=LONG),
]


@pytest.mark.parametrize(("template", "differ", "level", "roles"), CASES)
async def test_what_may_not_be_seen_causes_no_work(
    empty: Template,
    filled: Template,
    work: Work,
    template: str,
    differ: Callable[[World, Confidentiality], Awaitable[Hidden]],
    level: Confidentiality,
    roles: tuple[str, ...],
) -> None:
    origin = {"empty": empty, "filled": filled}[template]
    differences = []
    async with origin.copied() as without, origin.copied() as with_hidden:
        hidden = await differ(with_hidden, level)
        for by in roles:
            for call in all_calls(hidden, LOCAL_SYSTEM, without.csrf[by]):
                difference = await compare(work, (without, with_hidden), (call, call), by)
                differences += [f"{by}: {call}\n{difference}"] if difference else []
    assert not differences, f"{len(differences)} requests\n" + "\n\n".join(differences)


async def test_what_a_minor_opposes_causes_no_work_for_a_parent(filled: Template, work: Work) -> None:
    differences = []
    async with filled.copied() as without, filled.copied() as with_hidden:
        for world in (without, with_hidden):
            await add_parent(world)
        hidden = await one_not_indexed(with_hidden, NORMAL)
        for call in all_calls(hidden, LOCAL_SYSTEM, ""):
            if not call.page:  # no page is for who acts for another
                difference = await compare(work, (without, with_hidden), (call, call), PARENT)
                differences += [f"{call}\n{difference}"] if difference else []
    assert not differences, f"{len(differences)} requests\n" + "\n\n".join(differences)


@pytest.mark.parametrize(
    ("level", "roles"),
    [
        pytest.param(HIDDEN, (DOCTOR,), id="hidden"),
        pytest.param(RESTRICTED, (CODE_HOLDER,), id="restricted", marks=LONG),
        pytest.param(HIDDEN, (STRANGER, OTHER_PATIENT), id="without-access", marks=LONG),
    ],
)
async def test_restricted_lines_cause_no_work(
    summarised: Template, work: Work, level: Confidentiality, roles: tuple[str, ...]
) -> None:
    """A document with restricted lines is like one that was deposited without them."""
    differences = []
    async with summarised.copied() as without, summarised.copied() as with_hidden:
        hidden = await restrict_lines(with_hidden, level)
        await deposit_without_lines(without, hidden)
        for by in roles:
            for call in all_calls(hidden, LOCAL_SYSTEM, without.csrf[by]):
                difference = await compare(work, (without, with_hidden), (call, call), by)
                differences += [f"{by}: {call}\n{difference}"] if difference else []
    assert not differences, f"{len(differences)} requests\n" + "\n\n".join(differences)


async def restrict_lines(world: World, level: Confidentiality) -> Hidden:
    """Let the patient restrict a problem of the summary; what is hidden is that problem, and who asserted it."""
    content, patient, record = summary_of(world), world.small.holders["patient"], world.platform[Record]
    timeline = await record.timeline(patient, world.person, Filters(type=("60591-5",)))
    token = token_of(orjson.loads(content), SECRET_PROBLEM)
    await record.restrictions.restrict(patient, world.person, timeline.documents[0].id, [token], level)
    problem = ("Condition", fact_id(world.person, content, "Condition", secret=True))
    return Hidden(
        person_id=world.person,
        document=timeline.documents[0],
        resource=problem,
        author=("Practitioner", fact_id(world.person, content, "Practitioner", secret=True)),
        fact=problem,
        laboratory=world.small.holders["laboratory"].id,
        content=content,
    )


async def deposit_without_lines(world: World, hidden: Hidden) -> None:
    """Make the summary what it would be had it been deposited without the problem: nothing else is left of it."""
    db, restrictions = world.platform.db, world.platform[Record].restrictions
    tokens = frozenset({token_of(orjson.loads(hidden.content), SECRET_PROBLEM)})
    async with db.transaction() as conn:
        document = await find_document(conn, world.person, hidden.document.id)
        assert document is not None
        await restrictions._set(conn, document, [document], tokens, HIDDEN)
        for source in await fetch_source_ids(conn, world.person, [document.id]):
            await remove_sources(conn, world.person, [source])
        await conn.execute("DELETE FROM document_whole")
        await conn.execute("UPDATE document SET restricted_lines = ''")


async def add_parent(world: World) -> None:
    """Let the other person act for the patient, who does not want them to be told of some care of March 2024."""
    small = world.small
    world.small = replace(small, holders={**small.holders}, tokens={**small.tokens}, cookies={**small.cookies})
    access, holders, (child, parent) = world.platform[Access], world.small.holders, small.persons[:2]
    kind = RepresentationKind.PARENT
    representation = Representation(
        id=NIL, kind=kind, representative_id=parent.id, since=date(2024, 1, 1), until=date(2999, 1, 1)
    )
    await access.representations.record(holders["operator"], child.id, representation, "Acte de naissance")
    admitted = Capacity(id=NIL, kind=CapacityKind.DISCERNMENT, since=date(2024, 1, 1))
    await access.representations.state_capacity(holders[DOCTOR], child.id, admitted, "Discernement")
    for name in ("laboratory", "hospital"):
        days = date(2024, 3, 1), date(2024, 3, 31)
        opposition = care_opposition(Against.REPRESENTATIVES, holders[name].id, *days)
        await access.oppositions.oppose(holders["patient"], "organization", opposition)
    holders[PARENT] = replace(requester_of(parent), patient=child.id)
    await sign_in(world.platform, world.small, PARENT, holders[PARENT])


async def compare(work: Work, worlds: tuple[World, World], calls: tuple[Call, Call], by: str, pages: int = 2) -> str:
    """Send a request to both worlds; return how their answers, or the work for them, differ ("": not at all).

    Of a search that has more pages, as many are requested.
    """
    responses, answers, done, entries = [], [], [], []
    for world, call in zip(worlds, calls, strict=True):
        before = await count_entries(world)
        work.clear()
        responses.append(await world.send(call, by))
        done.append(work.taken())
        entries.append(await count_entries(world) - before)
        answers.append(normalised(responses[-1], whole=not call.writes))
    if answers[0] != answers[1]:
        return f"- {answers[0]}\n+ {answers[1]}"
    if entries[0] != entries[1]:
        return f"- {entries[0]} entries\n+ {entries[1]} entries"
    if difference := done[0].difference(done[1]):
        return difference
    following = [next_page(response) for response in responses]
    if not pages or not all(following):
        return ""
    return await compare(work, worlds, (Call(following[0]), Call(following[1])), by, pages - 1)


def next_page(response: httpx.Response) -> str:
    """Return the path of the next page of a searchset; "" where there is none."""
    if "fhir+json" not in response.headers.get("content-type", "") or response.status_code != 200:
        return ""
    links = response.json().get("link", ()) if response.content else ()
    return next((link["url"].removeprefix(BASE_URL) for link in links if link["relation"] == "next"), "")


async def count_entries(world: World) -> int:
    return int(await world.platform.db.fetchval("SELECT count(*) FROM journal_entry"))


_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[478][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{64}|[0-9a-f]{32}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)|\d\d:\d\d(?=</time>)")
_CURSOR = re.compile(r"_cursor=[\w%-]+")
"""The place of a page holds the moment of the search."""
_OF_MESSAGE = re.compile(
    r"(<wsa:MessageID>|<(?:Classification|ExternalIdentifier)[^>]*? id=\"|ITSVersion=\"XML_1.0\"><id root=\""
    r"|<creationTime value=\")[^<\"]+"
)
"""What names a message of SOAP itself and the parts that it is made of, not what it is about."""


def normalised(response: httpx.Response, *, whole: bool) -> tuple[int, list[tuple[str, str]], str]:
    """Return status, headers and body; not `whole`: without new ids and times."""
    headers = sorted(response.headers.items())
    if whole:
        return response.status_code, headers, _OF_MESSAGE.sub(r"\1", _CURSOR.sub("_cursor=", response.text))
    varying = ("content-length", "last-modified")
    headers = [(name, _ID.sub("<id>", value)) for name, value in headers if name not in varying]
    return response.status_code, headers, _TIME.sub("<time>", _ID.sub("<id>", response.text))


NOT_ABOUT_A_RECORD = (
    "/.well-known",
    "/accessibility",
    "/account",
    "/acting",
    "/activate",
    "/api/bulletin",
    "/api/health-links",
    "/api/healthnet",
    "/billing",
    "/bulletin",
    "/contact",
    "/digital-practice",
    "/directory/error-rate",
    "/ehds",
    "/fhir/$validate",
    "/fhir/.well-known",
    "/fhir/Claim",
    "/fhir/CoverageEligibilityRequest",
    "/fhir/Organization",
    "/fhir/Payment",
    "/fhir/Practitioner",
    "/fhir/PractitionerRole",
    "/fhir/metadata",
    "/fhir/{type}/$validate",
    "/health",
    "/health-cards",
    "/help",
    "/incentives",
    "/lang",
    "/motive",
    "/network",
    "/oauth",
    "/open-link",
    "/transfer",
    "/pid/v1",
    "/privacy",
    "/research",
    "/report",
    "/security",
    "/signin",
    "/signout",
    "/software",
    "/static",
    "/vendor",
    "/verify-card",
    "/workplace",
)
OF_PATIENTS_AND_OPERATORS = (
    "/apps",
    "/care-abroad",
    "/fee-notes",
    "/log",
    "/notices",
    "/operator",
    "/opt-out",
    "/portability",
    "/record",
    "/represented",
    "/secondary-use",
    "/sharing",
    "/summary",
    "/takeout",
    "/vaccinations",
)
"""Pages that show patients everything of their own, and operators no record."""
BY_OTHER_THINGS = {
    "/IHEInvokeImageDisplay": "is of images (tests/services/imaging/discovery/test_image_display.py)",
    "/api/xds-i": "is of images (tests/services/imaging/xdsi)",
    "/dicomweb": "is of images (tests/services/imaging)",
    "/due-vaccinations": "lists of whom doses are due (tests/services/vaccination/reminders)",
    "/emergency": "names a person by their number, and asks about no document",
    "/fhir/$export/{job}": "names an export of the requester",
    "/fhir/AuditEvent/{id}": "names an entry of the patient's own log",
    "/fhir/Encounter": "is the interface of stays alone; with a record, the clinical resources answer there",
    "/fhir/Group": "lists the grants of the requester",
    "/fhir/Patient": "names a person of the directory",
    "/fhir/Subscription": "is decided at each event (tests/services/subscriptions)",
    "/from-abroad": "asks another country, and opens no record here (tests/services/exchange/country_b)",
    "/images": "is of a person's own images, and leads a professional to the viewer",
    "/patients/code": "names a code",
    "/patients/{person_id:uuid}/images": "is of images (tests/services/imaging/pages)",
    "/patients/{person_id:uuid}/deposit/{upload_id:uuid}": "names a file that the requester just sent",
    "/ra/v1": "is of fee notes, decided by role and sender (tests/services/billing/exchange)",
    "/shared-images": "names a link (tests/services/imaging/pages/test_share_pages.py)",
    "/vaccine-stock": "is of a site, and of no record",
    "/viewer": "is of images (tests/services/imaging/pages/test_viewer_pages.py)",
    "/tasks": "lists what the requester's organisation has to deposit, and opens no record",
}


async def test_every_address_of_records_is_among_the_requests(filled: Template) -> None:
    async with filled.copied() as world:
        hidden = await one_not_indexed(world, HIDDEN)
        covered = {address_of(world.app, call) for call in all_calls(hidden, LOCAL_SYSTEM, "")}
        left_out = (*NOT_ABOUT_A_RECORD, *OF_PATIENTS_AND_OPERATORS, *BY_OTHER_THINGS)
        wanted = {one for one in addresses(world.app) if not one[1].startswith(left_out)}
    missing = sorted(f"{method} {path}" for method, path in wanted - covered)
    assert not missing, "\n".join(missing)


def addresses(app: Starlette) -> Iterator[tuple[str, str]]:
    """Yield method and path of every endpoint; of clinical resources the kind of the path."""
    for group in app.router.routes:
        for route in getattr(group, "routes", [group]):
            if isinstance(route, ClinicalRoutes):
                yield from ((method, shape) for shape, methods in route.endpoints.items() for method in methods)
            elif isinstance(route, Route):
                yield from ((method, route.path) for method in (route.methods or ()) if method != "HEAD")


def address_of(app: Starlette, call: Call) -> tuple[str, str]:
    """Return method and path of the endpoint that a request reaches."""
    path, method = call.path.partition("?")[0], call.method
    scope = {"type": "http", "path": path, "method": method, "root_path": "", "headers": []}
    for route in app.router.routes:
        match, child = route.matches(scope)
        if match is Match.FULL:
            found = child.get("esante.route", route)
            return method, child["shape"] if isinstance(found, ClinicalRoutes) else getattr(found, "path", path)
    raise AssertionError(f"no endpoint for {call}")


async def test_work_is_counted(filled: Template, work: Work) -> None:
    """What a requester may see does cause work: the counts would show it."""
    async with filled.copied() as without, filled.copied() as with_more:
        hidden = await one_not_indexed(with_more, NORMAL)
        for path in (f"/fhir/Bundle/{hidden.document.key}", f"/fhir/Composition?patient={hidden.person_id}"):
            work.clear()
            assert (await without.send(Call(path), DOCTOR)).status_code in (200, 404)
            done = work.taken()
            assert (await with_more.send(Call(path), DOCTOR)).status_code == 200
            assert done.difference(work.taken())

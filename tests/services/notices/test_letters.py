"""Letters to persons who never signed in: each once, in their language, as a file that no spreadsheet computes."""

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from esante.core.journal import Actor, advance
from esante.core.storage import NIL, uuid7
from esante.core.web import HANDLERS, Problem
from esante.identity.access import (
    Access,
    DispositionChanged,
    FirstAccess,
    Requester,
    SignedIn,
    StateChanged,
    page_routes,
)
from esante.identity.directory import Address, Directory, Identifier, Person
from esante.services.notices.letter_pages import routes
from esante.services.notices.letters import WITHIN, Letters
from esante.services.notices.model import LettersTaken, LetterTaken
from tests.support.declared import NOTICE_KINDS
from tests.support.portal_browser import PortalBrowser, page_text

BASE = "https://esante.example"
DOCTOR = Actor(kind="practitioner", id=uuid7(), name="Dr Example")
OPERATOR = Requester(kind="operator", id=uuid7(), name="Olga")
MRN = "http://hospital.example/mrn"


@pytest.fixture(scope="module")
def directory(db, journal):
    return Directory(db, journal)


@pytest.fixture(scope="module")
def letters(db, journal, directory):
    return Letters(db, journal, directory, NOTICE_KINDS, {"letter": "Letter"})


@pytest.fixture
async def person(directory):
    made = Person(
        id=uuid7(),
        identifiers=(Identifier(MRN, uuid7().hex),),
        family="Weber",
        given=("Anna",),
        birth_date=date(1980, 5, 17),
        sex="female",
        address=Address(line="1, rue de la Gare", postal_code="1611", city="Luxembourg"),
        languages=("de", "fr"),
    )
    return await directory.register_person(made)


async def follow(journal, letters, person, *events, at=None):
    for event in events:
        await journal.append(event, person_id=person.id, actor=DOCTOR, at=at)
    await journal.sealer.seal_all()
    while await advance(journal.db, letters.consumer):
        pass


async def waiting(letters, person):
    return [letter.kind.name for letter, _ in (await letters.page(OPERATOR, person_id=person.id)).items]


async def test_first_access_reaches_a_person_without_an_account_as_a_letter(journal, letters, person):
    await follow(journal, letters, person, FirstAccess(), FirstAccess())
    assert await waiting(letters, person) == ["first_access", "first_access"]


async def test_person_who_signed_in_gets_no_letter(journal, letters, person):
    await journal.append(SignedIn(method="demo"), person_id=person.id)
    await follow(journal, letters, person, FirstAccess())
    assert await waiting(letters, person) == []


async def test_only_kinds_that_must_reach_everybody_become_letters(journal, letters, person):
    planned = DispositionChanged(disposition_id=uuid7(), act="expire", rule="retention", change="planned")
    told = DispositionChanged(
        disposition_id=uuid7(), act="expire", rule="retention", change="announced", categories=("letter",)
    )
    await follow(journal, letters, person, planned, told, StateChanged(before="announced", after="open"))
    assert await waiting(letters, person) == ["expiry"]


async def test_nobody_writes_to_the_dead_or_about_what_is_long_past(journal, letters, person, directory):
    old = datetime.now(UTC) - WITHIN - timedelta(days=1)
    await journal.ensure_months(old, old)
    await follow(journal, letters, person, FirstAccess(), at=old)
    assert await waiting(letters, person) == []
    await directory.mark_deceased(person.id, datetime.now(UTC), actor=DOCTOR)
    await follow(journal, letters, person, StateChanged(before="open", after="closed", cause="death"))
    assert await waiting(letters, person) == []


async def test_taken_letters_are_a_file_in_the_language_of_each_person(journal, letters, person, directory):
    await letters.take(OPERATOR)
    hostile = await directory.register_person(
        replace(person, id=uuid7(), identifiers=(), family='=HYPERLINK("x")', given=("=1+1",), languages=("pt",))
    )
    await follow(journal, letters, person, FirstAccess())
    await follow(journal, letters, hostile, FirstAccess())
    batch = await letters.take(OPERATOR)
    assert await letters.take(OPERATOR) is None
    data = await letters.file(OPERATOR, batch)
    head, first, second = csv.reader(io.StringIO(data.decode("utf-8-sig")))
    row = dict(zip(head, first, strict=True))
    assert (row["name"], row["city"], row["language"]) == ("Anna Weber", "Luxembourg", "de")
    assert "Dr Example" in row["text"]
    assert second[2].startswith("'=1+1") and dict(zip(head, second, strict=True))["language"] == "fr"
    (entry,) = await journal.entries_of(person.id, [LetterTaken])
    assert (entry.event.batch_id, entry.actor.name) == (batch, "Olga")
    assert (await letters.batches(OPERATOR))[0].letters == 2
    assert (await journal.entries_of(NIL, [LettersTaken]))[0].event.count == 2


async def test_others_than_operators_see_and_take_nothing(letters, person):
    patient = Requester(kind="patient", id=person.id, name="Anna")
    for act in (
        letters.page(patient),
        letters.take(patient),
        letters.file(patient, uuid7()),
        letters.batches(patient),
    ):
        with pytest.raises(Problem) as refused:
            await act
        assert refused.value.status == 403


@pytest.fixture
async def browse(db, journal, letters, directory):
    access = Access(db, journal, directory, base_url=BASE)
    asking = {}

    async def become(request):
        return await access.sign_in(request, asking["requester"], method="demo")

    pages = [
        Route("/become", become, methods=["POST"]),
        *routes(letters, access, {"letter": "Letter"}),
        *page_routes(access, journal, directory, {}),
    ]
    app = Starlette(routes=pages, exception_handlers=HANDLERS)
    app.state.sessions = access.sessions
    clients = []

    async def sign_in(requester):
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE, headers={"Accept-Language": "en"})
        clients.append(http)
        asking["requester"] = requester
        await http.post("/become")
        return PortalBrowser(http)

    yield sign_in
    for http in clients:
        await http.aclose()


async def test_operator_searches_takes_and_downloads_letters(journal, letters, person, browse):
    await letters.take(OPERATOR)
    operator = await browse(OPERATOR)
    assert "No letters wait" in page_text(await operator.get("/operator/letters"))
    await follow(journal, letters, person, FirstAccess())
    number = person.identifiers[0].value
    asked = (await operator.http.get(f"/operator/letters?q={number}")).headers["location"]
    await operator.submit(await operator.get(asked), "/motive", purpose="HOPERAT", reference="ticket 12")
    assert "rue de la Gare" in page_text(await operator.get(f"/operator/letters?q={number}"))
    assert "Nothing found" in page_text(await operator.get("/operator/letters?q=nobody"))
    page = await operator.get("/operator/letters")
    done = await operator.submit(page, "/operator/letters")
    batch = done.headers["location"].partition("=")[2]
    downloaded = await operator.http.get(f"/operator/letters/{batch}.csv")
    assert downloaded.headers["content-type"].startswith("text/csv")
    assert person.name in downloaded.content.decode("utf-8-sig")
    assert person.name in page_text(await operator.get("/operator/letters?status=taken"))
    await operator.get(f"/operator/letters/{uuid7()}.csv", 404)
    await operator.get("/operator/letters?status=x", 404)
    patient = await browse(Requester(kind="patient", id=person.id, name="Anna"))
    await patient.get("/operator/letters", 404)

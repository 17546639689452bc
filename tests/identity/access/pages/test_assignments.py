"""The pages of the sorting of documents: list, simulation, proposal, confirmation by another operator, matrix."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from esante.core.storage import uuid7
from esante.core.time_zone import day_of
from esante.identity.access.assignments import document_counts
from esante.identity.access.assignments.changes import NOTICE
from esante.identity.access.assignments.document_counts import ClassCount
from tests.support.portal_browser import page_text

PLACE = "/operator/assignments"
LETTER = f"{PLACE}/types/letter"


@pytest.fixture
async def counted(house, db):
    """No changes and no counts from before; every person has 300 letters, one person a dispensing."""
    await db.fetch("DELETE FROM access_assignment")
    await db.fetch("DELETE FROM access_document_count")
    house.access.assignments._known = None
    for _ in range(5):
        await house.open_patient()

    async def count(conn, persons):
        return {"letter": ClassCount(300 * len(persons), len(persons)), "dispensing": ClassCount(3, 1)}

    house.access.assignments.counts.counter = count
    yield
    await db.fetch("DELETE FROM access_assignment")
    house.access.assignments._known = None


@pytest.fixture
def tomorrow():
    return day_of(datetime.now(UTC) + timedelta(days=1) + NOTICE).isoformat()


@pytest.fixture
async def operators(browse, house):
    return await browse(house.operator), await browse(replace(house.operator, id=uuid7(), name="Ada Zweite"))


async def propose(operator, tomorrow, category="summaries"):
    """Simulate and propose; return the address of the change."""
    page = await operator.get(f"{LETTER}/simulation?category={category}&valid_from={tomorrow}")
    answer = await operator.submit(page, LETTER, reason="article 7(1), committee of 3 November")
    return answer.headers["location"]


async def test_others_than_operators_find_nothing(browse, house, counted, tomorrow):
    for requester in (house.doctor, await house.open_patient()):
        browser = await browse(requester)
        for url in (
            PLACE,
            f"{PLACE}/changes",
            LETTER,
            f"{LETTER}/simulation?category=cover&valid_from={tomorrow}",
            "/operator/matrix",
        ):
            await browser.get(url, 404)


async def test_types_are_searched_filtered_and_paged(operators, counted):
    first, _ = operators
    page = await first.get(PLACE)
    (following,) = page.xpath("//a[@rel = 'next']/@href")
    assert page_text(await first.get(following))
    letter = await first.get(f"{PLACE}?q=Letter&category=care_reports")
    assert letter.xpath("//a[contains(@href, '/types/')]/@href") == [LETTER]
    assert "chosen by the agency" in page_text(letter)
    assert "Nothing found" in page_text(await first.get(f"{PLACE}?q=xyzzy"))
    await first.get(f"{PLACE}?category=riddles", 404)
    await first.get(f"{PLACE}/types/riddle", 404)


async def test_simulation_names_who_gains_and_loses_and_rounded_numbers(operators, counted, tomorrow, db):
    first, _ = operators
    page = await first.get(f"{LETTER}/simulation?category=summaries&valid_from={tomorrow}")
    text = page_text(page)
    persons = await db.fetchval("SELECT count(*) FROM access_record")
    assert f"about {300 * persons // 5 * 5:,}".replace(",", " ") in text
    rows = {row.xpath("string(th/text())").strip(): row.xpath("td//span/text()") for row in page.xpath("//tbody/tr")}
    assert rows["Pharmacists"] == ["loses"] and rows["Nurses"] == ["loses"]
    rare = await first.get(f"{PLACE}/types/dispensing/simulation?category=prescriptions&valid_from={tomorrow}")
    assert "fewer than 5" in page_text(rare)
    assert "No type of document would be left" in page_text(rare)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("category=riddles&valid_from=2099-01-01", "This category does not exist."),
        ("category=cover&valid_from=2099-13-01", "This is not a valid day."),
        ("category=cover", "This is not a valid day."),
    ],
)
async def test_wrong_simulation_is_answered_in_the_form(operators, counted, query, text):
    page = await operators[0].get(f"{LETTER}/simulation?{query}", 400)
    assert text in page_text(page)
    await operators[0].get(f"{PLACE}/types/riddle/simulation?category=cover&valid_from=2099-01-01", 404)


async def test_long_count_shows_progress_and_offers_no_proposal_before_it_ends(
    operators, counted, tomorrow, monkeypatch
):
    monkeypatch.setattr(document_counts, "BATCH", 1)
    monkeypatch.setattr(document_counts, "WAIT_SECONDS", 0.0)
    url = f"{LETTER}/simulation?category=summaries&valid_from={tomorrow}"
    page = await operators[0].get(url)
    (meter,) = page.xpath("//progress")
    assert not page.xpath("//form[@method = 'post' and contains(@action, '/types/')]")
    (poll,) = page.xpath("//*[@id = 'count']/@hx-get")
    assert poll == f"{url}&shown={meter.get('value')}"
    assert (await operators[0].http.get(f"{url}&shown=1")).status_code == 200
    monkeypatch.setattr(document_counts, "WAIT_SECONDS", 2.0)
    page = await operators[0].get(poll)
    assert page.xpath("//form[@method = 'post' and contains(@action, '/types/')]")


async def test_poll_of_an_unchanged_count_is_answered_without_a_page(operators, counted, tomorrow, db, monkeypatch):
    monkeypatch.setattr(document_counts, "WAIT_SECONDS", 0.0)
    url = f"{LETTER}/simulation?category=summaries&valid_from={tomorrow}"
    await operators[0].get(url)
    await db.fetch("UPDATE access_document_count SET total = 1000000, ended_at = NULL")
    async with db.transaction() as conn:  # another process works on it
        await conn.fetchrow("SELECT FROM access_document_count FOR UPDATE")
        assert (await operators[0].http.get(f"{url}&shown=0")).status_code == 204


async def test_proposal_is_confirmed_by_another_operator_after_their_own_simulation(operators, counted, tomorrow):
    first, second = operators
    change = await propose(first, tomorrow)
    own = await first.get(change)
    assert "Another person must confirm your proposal." in page_text(own)
    assert not own.xpath(f"//form[@action = '{change}/confirm']")
    other = await second.get(change)
    assert "loses" in page_text(other) and "committee of 3 November" in page_text(other)
    await second.submit(other, f"{change}/confirm")
    done = page_text(await first.get(change))
    assert "Confirmed" in done and "Ada Zweite" in done
    assert "changes on" in page_text(await first.get(f"{PLACE}?q=letter"))
    again = await second.submit(other, f"{change}/confirm", 409)
    assert "This proposal is confirmed already." in again.text
    assert "Letter" in page_text(await first.get(f"{PLACE}/changes?state=confirmed&q=ada"))


async def test_own_proposal_is_not_confirmed_by_a_forged_form(operators, counted, tomorrow):
    first, second = operators
    change = await propose(first, tomorrow)
    token = (await first.get(change)).xpath("//input[@name = '_csrf']/@value")[0]
    answer = await first.http.post(f"{change}/confirm", data={"_csrf": token})
    assert answer.status_code == 403 and "You cannot confirm your own proposal." in answer.text
    assert "Waiting" in page_text(await second.get(change))


async def test_withdrawn_proposal_is_listed_with_its_reason(operators, counted, tomorrow):
    first, second = operators
    assert "Nothing waits to be confirmed" in page_text(await first.get(f"{PLACE}/changes"))
    change = await propose(first, tomorrow)
    refused = await second.submit(await second.get(change), f"{change}/withdraw", 400, reason=" ")
    assert "too short" in refused.text
    await second.submit(await second.get(change), f"{change}/withdraw", reason="The committee thinks again")
    assert "The committee thinks again" in page_text(await first.get(change))
    assert "Letter" in page_text(await first.get(f"{PLACE}/changes?state=withdrawn&q=letter"))
    assert "Nothing found" in page_text(await first.get(f"{PLACE}/changes?state=withdrawn&q=xyzzy"))
    await first.get(f"{PLACE}/changes?state=x", 404)
    await first.get(f"{PLACE}/changes/{uuid7()}", 404)


async def test_refused_proposal_keeps_what_was_written(operators, counted, tomorrow):
    first, _ = operators
    page = await first.get(f"{LETTER}/simulation?category=summaries&valid_from={tomorrow}")
    answer = await first.submit(page, LETTER, 400, reason="x")
    assert "too short" in answer.text and ">\nx</textarea>" in answer.text
    early = await first.submit(page, LETTER, 400, reason="article 7", valid_from="2020-06-01")
    assert "This day is too early." in early.text and "article 7" in early.text


async def test_matrix_shows_the_rules_of_a_day_with_their_marks(operators, counted, house):
    first, _ = operators
    page = await first.get("/operator/matrix")
    rows = page.xpath("//table[contains(@class, 'matrix')]/tbody/tr")
    assert (len(rows), {len(row.xpath("td")) for row in rows}) == (19, {11})
    laboratory = next(row for row in rows if row.xpath("string(th/text())").strip() == "Laboratory")
    marks = [cell.xpath(".//*[@aria-label]/@aria-label") for cell in laboratory.xpath("td")]
    assert marks[0] == ["reads", "writes"] and marks[2] == ["reads"]
    assert "checked against the law" in page_text(page) and "annex 1" in page_text(page)
    one = await first.get("/operator/matrix?column=nurse&q=letter")
    rows = one.xpath("//table[contains(@class, 'matrix')]/tbody/tr")
    assert {len(row.xpath("td")) for row in rows} == {1}
    assert all("letter" in row.text_content().casefold() for row in rows) and len(rows) < 19
    assert "Nothing found" in page_text(await first.get("/operator/matrix?q=xyzzy"))
    assert "No rule was in force" in page_text(await first.get("/operator/matrix?on=2019-12-31"))
    await first.get("/operator/matrix?on=yesterday", 404)
    await first.get("/operator/matrix?column=riddle", 404)

"""The pages of the environment, without JavaScript: who sees them, their empty states, what a form shows again."""

import shutil

import pytest

from esante.core.storage import uuid7
from esante.identity.access import requester_of
from esante.services.research import PermitKind
from esante.services.research.accounts.model import AccountChange
from esante.services.research.accounts.service import Accounts
from esante.services.research.pages.environment_pages import EnvironmentPages
from esante.services.research.pages.environment_reviews import PLACE, ReviewPages
from tests.support.portal_browser import page_text
from tests.support.research import accepted
from tests.support.research_lake import open_environment, person_with_result
from tests.support.signed_in_pages import application_of, browsers_of

if shutil.which("bwrap") is None:
    pytest.skip("bubblewrap is not installed", allow_module_level=True)


@pytest.fixture(scope="module")
async def accounts(world):
    return Accounts(world.db, world.journal, world.access)


@pytest.fixture(scope="module")
async def researcher(world, accounts, lake):
    return await accepted(accounts, lake.operator, "Rita Researcher", "rita@uni.example")


@pytest.fixture(scope="module")
def environment(world, lake):
    return open_environment(world, lake)


@pytest.fixture(scope="module")
async def visit(world, accounts, environment, lake):
    pages = EnvironmentPages(world.access, accounts, environment.environment)
    reviews = ReviewPages(world.access, environment.environment, environment.outputs, lake.permits)
    async with browsers_of(application_of(world.access, [*pages.routes(), *reviews.routes()])) as visit:
        yield visit


async def test_environment_goes_from_no_data_to_a_job_and_its_result(visit, world, lake, environment, researcher):
    for _ in range(6):
        await person_with_result(world, 13.5)
    permit = await lake.issue(members=frozenset({researcher.id}))
    home, browser = f"/researcher/permits/{permit.permit_id}/environment", await visit(researcher)
    page = await browser.get(home)
    assert "There are no data yet" in page_text(page) and "No job yet" in page_text(page)
    await browser.submit(page, f"{home}/data")
    assert "The data are being made" in page_text(await browser.get(home))
    while await lake.lake.advance():
        pass
    page = await browser.get(home)
    wrong = await browser.submit(page, f"{home}/jobs", status=400, kind="sql", text=" ")
    assert "Enter a job" in wrong.text
    kept = await browser.submit(page, f"{home}/jobs", status=400, kind="none", text="SELECT 42 AS persons")
    assert "SELECT 42 AS persons" in kept.text
    done = await browser.submit(
        page,
        f"{home}/jobs",
        kind="sql",
        text="SELECT sex, count(DISTINCT person) AS persons FROM population_person GROUP BY sex",
    )
    job = done.headers["Location"]
    assert "Waiting" in page_text(await browser.get(job))
    while await environment.runner.advance():
        pass
    assert "Waiting for the access body" in page_text(await browser.get(job))

    reviewer = await visit(lake.operator)
    queue = await reviewer.get(PLACE)
    (link,) = [one for one in queue.xpath("//main//a/@href") if one.startswith(f"{PLACE}/")]
    table = await reviewer.get(link)
    assert "Nothing speaks against the release" in page_text(table)
    refused = await reviewer.submit(table, link, status=400, act="withhold", reason="")
    assert "reason" in refused.text
    await reviewer.submit(table, link, act="release")
    assert "Nothing to decide" in page_text(await reviewer.get(PLACE))
    (file,) = [one for one in (await browser.get(job)).xpath("//main//a/@href") if one.endswith(".csv")]
    assert (await browser.http.get(file)).text == "sex,persons\r\nfemale,6\r\n"


async def test_withdrawn_permit_is_told_with_its_article(visit, lake, researcher):
    permit = await lake.issue(members=frozenset({researcher.id}))
    await lake.permits.withdraw(lake.operator, permit.permit_id, "A condition was not kept.")
    home, browser = f"/researcher/permits/{permit.permit_id}/environment", await visit(researcher)
    page = await browser.get(home)
    assert "The permit was withdrawn" in page_text(page) and "Art. 68" in page_text(page)
    assert not page.xpath("//main//form[@method='post']")


@pytest.mark.parametrize("path", ["", "/jobs/{id}", "/results/{id}.csv"])
async def test_pages_of_another_permit_do_not_exist(visit, lake, researcher, path):
    browser, others = await visit(researcher), (await lake.issue()).permit_id
    answers = [
        (await browser.http.get(f"/researcher/permits/{permit_id}/environment{path.format(id=uuid7())}")).status_code
        for permit_id in (others, uuid7())
    ]
    assert answers == [404, 404]


async def test_operator_has_the_environment_of_a_data_request_only(visit, lake):
    browser, permit = await visit(lake.operator), await lake.issue()
    request = await lake.issue(kind=PermitKind.REQUEST)
    await browser.get(f"/operator/permits/{permit.permit_id}/environment", 404)
    assert "There are no data yet" in page_text(
        await browser.get(f"/operator/permits/{request.permit_id}/environment")
    )


async def test_suspended_researcher_is_sent_to_the_sign_in(visit, world, lake, accounts):
    suspended = await accepted(accounts, lake.operator, "Sam Suspended", "sam@uni.example")
    permit = await lake.issue(members=frozenset({suspended.id}))
    browser = await visit(suspended)
    await browser.get(f"/researcher/permits/{permit.permit_id}/environment")
    await accounts.change(lake.operator, suspended.id, AccountChange.SUSPENSION, "Left the university.")
    answer = await browser.http.get(f"/researcher/permits/{permit.permit_id}/environment")
    assert answer.status_code in (302, 303)


async def test_patient_and_researcher_see_no_results_to_release(visit, world, researcher):
    for requester in (researcher, requester_of(await world.person())):
        answer = await (await visit(requester)).http.get(PLACE)
        assert answer.status_code in (303, 403, 404)

"""The second half of the story of research: from a permit to a checked result, in browsers."""

from pathlib import Path
from uuid import UUID

from tests.support.page_checks import axe_violations, browser_errors, overflowing_elements
from tests.support.visitors import Visitor, download_file

JOB = "SELECT sex, count(DISTINCT person) AS persons FROM population_person GROUP BY sex ORDER BY sex"


async def check_page(visitor: Visitor) -> None:
    """Check that a page fits, is accessible, and made no error."""
    assert await overflowing_elements(visitor.page) == ""
    assert await axe_violations(visitor.page) == []
    assert browser_errors(visitor) == []


async def make_data(researcher: Visitor, permit_id: UUID) -> None:
    """Open the environment of a permit, have its data made, and wait for them."""
    await researcher.open(f"/researcher/permits/{permit_id}/environment")
    await check_page(researcher)
    await researcher.button("Make the data").click()
    await researcher.button("Make the data anew").wait_for(timeout=60_000)


async def run_job(researcher: Visitor, permit_id: UUID, text: str = JOB) -> None:
    """Run a job and wait until a person has to look at what it hands over."""
    await researcher.open(f"/researcher/permits/{permit_id}/environment")
    await researcher.page.locator("[name=text]").fill(text)
    await check_page(researcher)
    await researcher.button("Run the job").click()
    waiting = researcher.translate("Waiting for the access body")
    await researcher.page.get_by_text(waiting).first.wait_for(timeout=60_000)
    await check_page(researcher)


async def release(operator: Visitor, title: str) -> None:
    """Find the table in the queue, and agree to its release."""
    await operator.open("/operator/research/outputs")
    await check_page(operator)
    await operator.page.get_by_role("link", name=title).first.click()
    await operator.button("Agree to the release").wait_for()
    await check_page(operator)
    await operator.button("Agree to the release").click()
    await operator.page.get_by_text(operator.translate("agreed to the release")).first.wait_for()


async def download(researcher: Visitor, folder: Path) -> bytes:
    """Open the job again, and download the released table."""
    await researcher.page.reload()
    await researcher.page.locator("a[href$='.csv']").wait_for()
    await check_page(researcher)
    return (await download_file(researcher, researcher.page.locator("a[href$='.csv']"), folder)).read_bytes()

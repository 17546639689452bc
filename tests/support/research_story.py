"""The story of a data permit in a browser: its first half, from the catalogue to the permit.

What follows, from the permit to a checked result, continues in the same browsers.
"""

from dataclasses import dataclass
from uuid import UUID

from tests.support.visitors import Visitor

TITLE = "Blood glucose and age"
TEXTS = {
    "summary": "We study how laboratory results change with age, to find people at risk earlier.",
    "aim": "The study estimates the distribution of results by decade of birth and by sex.",
    "necessity": "The distribution by age needs one row for each result; names and days are not needed.",
    "safeguards": "Only the named people work with the data, in the environment of the access body.",
}
COLUMNS = {
    "laboratory.result": ("code", "value", "unit", "month"),
    "population.person": ("sex", "birth_decade"),
}


@dataclass
class GrantedPermit:
    """A permit that two operators granted: its id and the address of its page for the researcher."""

    permit_id: UUID
    place: str


async def obtain_permit(researcher: Visitor, first: Visitor, second: Visitor) -> GrantedPermit:
    """Lead a researcher without an account to a permit; `first` and `second` are different operators, signed in."""
    await register(researcher, first)
    id_ = await apply_for_permit(researcher)
    await decide(first, second, id_)
    await researcher.open(f"/researcher/applications/{id_}")
    link = researcher.page.locator("main a[href^='/researcher/permits/']")
    place = await link.get_attribute("href") or ""
    await link.click()
    await researcher.page.wait_for_url(f"**{place}")
    return GrantedPermit(permit_id=UUID(place.rpartition("/")[2]), place=place)


async def register(researcher: Visitor, operator: Visitor) -> None:
    """Register and sign in a researcher, whom an operator accepts."""
    page = researcher.page
    await researcher.open("/researchers")
    form = page.locator("form[action='/researchers/register']")
    await form.locator("[name=name]").fill("Rita Researcher")
    await form.locator("[name=organization]").fill("University of Example")
    await form.locator("[name=email]").fill("rita@uni.example")
    await form.locator("button").click()
    key = (await page.locator("main [translate=no]").inner_text()).strip()
    await researcher.open("/researchers")
    await page.locator("[name=key]").fill(key)
    await page.locator("form[action='/researchers/signin'] button").click()
    await page.wait_for_url(f"{researcher.base}/")
    await operator.open("/operator/researchers?q=rita")
    await operator.page.locator("main li.entry a").first.click()
    await operator.page.locator("details.confirm summary").first.click()
    await operator.page.locator("form[action$='/acceptance'] button").click()
    await operator.page.locator("main .badge.good").first.wait_for()


async def apply_for_permit(researcher: Visitor) -> str:
    """Find a dataset in the catalogue, and submit an application for it; return its id."""
    page = researcher.page
    await researcher.open("/research")
    await page.locator("main li.entry a[href='/research/datasets/laboratory']").click()
    await page.locator("main a[href^='/researcher/applications/new']").click()
    form = page.locator("form[action='/researcher/applications/new']")
    await form.locator("[name=title]").fill(TITLE)
    await form.locator("[name=purpose][value=research]").check()
    for name, text in TEXTS.items():
        await form.locator(f"[name={name}]").fill(text)
    for table, names in COLUMNS.items():
        group = form.locator("details", has=page.locator(f"[value^='{table}.']"))
        if await group.get_attribute("open") is None:
            await group.locator("summary").click()
        for box in await group.locator("[name=columns]").all():
            await box.set_checked((await box.get_attribute("value")) in {f"{table}.{name}" for name in names})
    await form.locator("[name=lawful]").check()
    await form.locator("button[value=submit]").click()
    await page.wait_for_url("**/researcher/applications/0*")
    return page.url.rpartition("/")[2]


async def decide(first: Visitor, second: Visitor, id_: str) -> None:
    """Let an operator propose to grant an application, and another confirm it."""
    place = f"/operator/applications/{id_}"
    await first.open(place)
    await first.page.locator("details:has(form[action$='/grant']) > summary").click()
    await first.page.locator("form[action$='/grant'] [name=conditions]").fill("Cite the source.")
    await first.page.locator("form[action$='/grant'] .actions button").click()
    await first.page.locator("#proposal").wait_for()
    await second.open(place)
    await second.page.locator("details:has(form[action$='/confirm']) > summary").click()
    await second.page.locator("form[action$='/confirm'] button").click()
    await second.page.locator("main a[href^='/operator/permits/']").wait_for()

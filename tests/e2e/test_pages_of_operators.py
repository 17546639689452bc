"""The pages of the agency's operators and those of the public in several languages, on phone and desktop."""

from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.support.demo_server import DemoServer
from tests.support.page_tour import OPERATOR, OTHER, find_tour_faults
from tests.support.processes import run_esante
from tests.support.visitors import Visitor, open_visitor

pytestmark = [pytest.mark.browser, pytest.mark.tour]


ACCOUNTS = (
    "/account",
    "/operator/accounts",
    "/operator/accounts?q=xyzzy",
    "/operator/accounts/register",
    "/operator/accounts/recoveries",
    "/operator/accounts/staff",
)
RULES = (
    "/operator/assignments",
    "/operator/assignments?q=xyzzy",
    "/operator/assignments/types/letter",
    "/operator/assignments/types/letter/simulation?category=dispensing&valid_from=2099-01-01",
    "/operator/assignments/changes",
    "/operator/assignments/changes?state=withdrawn",
    "/operator/matrix",
    "/motive?task=search:letters&to=/operator/letters",
    "/operator/duplicates",
    "/operator/duplicates?q=xyzzy",
    "/operator/merges",
    "/directory/error-rate",
)


async def open_product(operator: Visitor) -> None:
    await operator.open("/operator/software?q=dossier")
    await operator.page.locator("main li.entry a").first.click()
    await operator.page.locator("details.confirm").first.wait_for()


async def open_first(operator: Visitor, place: str) -> None:
    await operator.open(place)
    await operator.page.locator("main li.entry a").first.click()
    await operator.page.locator("details").first.wait_for()


async def open_vendor(operator: Visitor) -> None:
    await open_first(operator, "/operator/vendors")


async def open_label(operator: Visitor) -> None:
    await open_first(operator, "/operator/labels?state=granted")


SOFTWARE = (
    "/operator/software",
    "/operator/software?q=xyzzy",
    open_product,
    "/operator/vendors",
    "/operator/vendors?q=xyzzy",
    open_vendor,
    "/operator/labels",
    "/operator/labels?state=&q=xyzzy",
    open_label,
)


async def test_pages_of_operator_are_translated_fit_and_are_accessible(demo: DemoServer, browser: Browser) -> None:
    async with open_visitor(browser, demo.base, "en") as doctor:
        await doctor.sign_in(OTHER)
        await declare_emergency(doctor, demo.person("Camille Modèle"), "1988-09-03")
    reviews = ("/operator/reviews", "/operator/reviews?done=1", open_review)
    reports = ("/operator/reports", "/operator/reports?q=xyzzy", "/operator/reports?answered=yes", open_report)
    retention = ("/operator/dispositions", "/operator/dispositions?status=done", "/operator/dispositions?q=xyzzy")
    deposits = ("/operator/deposits", "/operator/deposits?show=overdue", "/operator/deposits?q=xyzzy")
    letters = ("/operator/letters", "/operator/letters?status=taken", "/operator/letters?q=xyzzy")
    steps = ["/", *reviews, *reports, "/operator/journal", "/operator/subscriptions", "/operator/bulletin", "/help"]
    steps += [*retention, *deposits, *letters, *RULES, *SOFTWARE, *ACCOUNTS]
    assert await find_tour_faults(demo, browser, OPERATOR, steps) == []


async def test_pages_of_public_are_translated_fit_and_are_accessible(demo: DemoServer, browser: Browser) -> None:
    everybody = ("/help", "/help?role=practitioner&q=xyzzy", "/contact", "/privacy", "/accessibility", "/report")
    software = ("/software", "/software?q=xyzzy", "/software/labelled", "/software/labelled?q=xyzzy")
    software += ("/software/report", "/vendors")
    steps = ["/signin", "/signin?q=Anna", "/signin?q=xyzzy", "/activate", *everybody, *software]
    steps += [send_report, *release_bulletin(demo)]
    assert await find_tour_faults(demo, browser, None, steps) == []


def release_bulletin(demo: DemoServer) -> list[str]:
    """Release the oldest month of the bulletin, which is the quickest to build; return the public pages."""
    now = datetime.now(UTC)
    place = now.year * 12 + now.month - 1 - 35
    month = f"{place // 12}-{place % 12 + 1:02}"
    for act, by in (("build", "anna"), ("preview", "ben")):
        preview = run_esante("bulletin", act, month, "--by", by, "--data", demo.data).stdout
    for line in preview.splitlines():
        if line.endswith("TO BE ACKNOWLEDGED"):
            code, subject = line[:14].strip(), line[15:59].strip()
            run_esante(
                "bulletin", "acknowledge", month, code, subject, "--by", "ben", "--note", "seen", "--data", demo.data
            )
    run_esante("bulletin", "release", month, "--by", "ben", "--data", demo.data)
    number = f"/bulletin/{month}/documents_deposited"
    pages = [
        "",
        f"/{month}",
        "/query",
        "/query?indicator=documents_deposited&breakdown=origin",
        "/calendar",
        "/changes",
    ]
    return [*(f"/bulletin{page}" for page in pages), "/bulletin/dictionary", "/bulletin/objectives", number]


async def declare_emergency(doctor: Visitor, person: dict[str, Any], born: str) -> None:
    await doctor.open("/emergency")
    await doctor.page.locator("[name=identifier]").fill(person["identifiers"][0]["value"])
    await doctor.page.locator("[name=birth_date]").fill(born)
    await doctor.page.locator("[name=reason]").fill("Schwerer Asthmaanfall, nicht ansprechbar")
    await doctor.page.locator("[name=confirmed]").check()
    await doctor.button("Open the record now").click()
    await doctor.page.locator(".banner.danger").wait_for()


async def send_report(visitor: Visitor) -> None:
    """Send a report without being signed in, after one attempt without enough words."""
    await visitor.open("/report?kind=problem")
    for text in ("too short", "The page of the bulletin is empty."):
        await visitor.page.locator("form[action='/report']").evaluate("form => form.noValidate = true")
        await visitor.page.locator("[name=text]").fill(text)
        await visitor.button("Send the report").click()
        await visitor.page.locator(".error, .reference").first.wait_for()


async def open_report(operator: Visitor) -> None:
    await operator.open("/operator/reports")
    await operator.page.locator("main li.entry a").first.click()
    await operator.page.wait_for_url("**/operator/reports/*")


async def open_review(operator: Visitor) -> None:
    await operator.open("/operator/reviews")
    await operator.page.locator("main li.entry a").first.click()
    await operator.page.wait_for_url("**/operator/reviews/*")

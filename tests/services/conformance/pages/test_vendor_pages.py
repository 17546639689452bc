"""The pages of vendors, tests and labels without JavaScript: what each kind of visitor sees, and wrong forms."""

import asyncio

import pytest

from esante.core.storage import uuid7
from esante.identity.access import Requester
from tests.services.conformance.kits.test_runs import run_sample
from tests.support.portal_browser import page_text
from tests.support.rest_hook_receiver import receiving
from tests.support.sample_kits import use_sample_kits

HOSTILE = "<script>alert(1)</script>\"'{{7*7}}%(agency)s"
SECRET = "s3cret-of-the-form"


@pytest.fixture(autouse=True)
def sample_kit():
    with use_sample_kits():
        yield


async def register_version(browser, number="4.2"):
    """Register a product with a version; return the address of its page."""
    made = await browser.submit(
        await browser.get("/vendor/products"), "/vendor/products/new", name=f"Exempla {number}"
    )
    place = made.headers["location"]
    token = (await browser.get(place)).xpath("//main//input[@name = '_csrf']/@value")[0]
    data = {"_csrf": token, "version": number, "profiles": ["mhd"]}
    assert (await browser.http.post(f"{place}/versions", data=data)).status_code == 303
    return place


async def test_wrong_registration_keeps_what_was_written_and_shows_it_as_text(browse):
    browser = await browse()
    refused = await browser.submit(
        await browser.get("/vendors"), "/vendors/register", 400, name=HOSTILE, contact="Vera", email="x"
    )
    assert "This is not an email address" in refused.text or "too short" in refused.text
    assert 'value="Vera"' in refused.text and "<script>alert" not in refused.text


async def test_vendor_who_is_signed_in_is_sent_home(browse, vendor):
    assert (await (await browse(vendor)).http.get("/vendors")).headers["location"] == "/"


async def test_run_is_started_watched_and_its_report_read_in_three_formats(browse, vendor, runs):
    browser = await browse(vendor)
    async with receiving("500") as target:
        page = await browser.get("/vendor/runs/new?kit=sample")
        fields = {"target": f"http://127.0.0.1:{target.port}", "token": SECRET, "name": "Vera"}
        started = await browser.submit(page, "/vendor/runs", **fields)
        place = started.headers["location"]
        async with asyncio.timeout(20):
            while "Run again" not in page_text(await browser.get(place)):
                await asyncio.sleep(0.02)
    shown = await browser.get(place)
    assert "Not passed" in page_text(shown) and "The answer has the status 500" in page_text(shown)
    assert "Answer with 200." in page_text(shown) and "S-02 Answers again" in page_text(shown)
    for format_, begin in (("json", b"{"), ("jws", b"eyJ"), ("pdf", b"%PDF-")):
        answer = await browser.http.get(f"{place}/report.{format_}")
        assert answer.content.startswith(begin) and "attachment" in answer.headers["content-disposition"]
    assert (await browser.http.get(f"{place}/report.exe")).status_code == 404
    again = await browser.http.get(shown.xpath("//a[contains(@href, 'again=')]/@href")[0])
    assert fields["target"] in again.text and 'value="Vera"' in again.text and SECRET not in again.text
    key = (await browser.http.get("/software/report-key.json")).json()
    assert key["crv"] == "P-256" and "d" not in key


async def test_refused_form_of_a_test_does_not_show_its_secrets_again(browse, vendor):
    browser = await browse(vendor)
    page = await browser.get("/vendor/runs/new?kit=sample")
    refused = await browser.submit(page, "/vendor/runs", 400, target="https://10.0.0.1/", token=SECRET, name="Vera")
    assert "We cannot run tests against this address" in refused.text
    assert SECRET not in refused.text and 'value="Vera"' in refused.text and "10.0.0.1" in refused.text
    await browser.get("/vendor/runs/new?kit=riddle", 404)


async def test_shared_report_is_read_by_its_code_and_refused_without(browse, vendor, runs):
    async with receiving() as target:
        run = await run_sample(runs, vendor, f"http://127.0.0.1:{target.port}")
    browser, anybody = await browse(vendor), await browse()
    place = f"/vendor/runs/{run.run_id}"
    shared = await browser.submit(await browser.get(place), f"{place}/links", 200)
    code = shared.text.partition("/software/report#")[2][:43]
    form = await anybody.get("/software/report")
    read = await anybody.submit(form, "/software/report", 200, code=code)
    assert "S-01 Answers" in read.text and "https://esante.example/software/report#" in shared.text
    file = await anybody.submit(form, "/software/report", 200, code=code, format="jws")
    assert file.text == run.report
    wrong = await anybody.submit(form, "/software/report", 400, code="x" * 43)
    assert "This link does not work" in wrong.text
    page = await browser.get(place)
    (revoke,) = page.xpath("//form[contains(@action, '/revoke')]/@action")
    await browser.submit(page, revoke)
    await anybody.submit(form, "/software/report", 400, code=code)


async def test_label_is_applied_for_reviewed_and_published_as_page_and_json(
    browse, vendor, runs, operator, second_operator
):
    browser, anybody = await browse(vendor), await browse()
    place = await register_version(browser)
    assert "No software is labelled yet" in page_text(await anybody.get("/software/labelled"))
    async with receiving() as target:
        run = await run_sample(runs, vendor, f"http://127.0.0.1:{target.port}")
    page = await browser.get(place)
    (action,) = page.xpath("//form[contains(@action, '/label')]/@action")
    await browser.submit(page, action, 400, run=str(uuid7()))
    await browser.submit(page, action, run=str(run.run_id))
    assert "In review" in page_text(await browser.get(place))
    for one, shown in ((operator, "In review"), (second_operator, "Labelled")):
        agent = await browse(one)
        (link,) = (await agent.get("/operator/labels")).xpath("//main//li//a/@href")
        case = await agent.get(link)
        assert "The automatic check found nothing against it" in page_text(case)
        await agent.submit(case, f"{link}/approve")
        assert shown in page_text(await agent.get(link))
        assert (await agent.http.get(f"{link}/report.json")).json()["kit"] == "sample"
    page = await anybody.get("/software/labelled?q=exempla&kit=sample")
    assert "Exempla 4.2 4.2" in page_text(page) and "vera@vendor.example" not in page_text(page)
    await anybody.get("/software/labelled?kit=riddle", 404)
    (entry,) = (await anybody.http.get("/software/labelled.json")).json()["labels"]
    assert set(entry) == {"id", "product", "vendor", "version", "kit", "kitVersion", "since", "until"}
    withdrawn = await agent.submit(await agent.get(link), f"{link}/withdraw", 400, reason=" ")
    assert "too short" in withdrawn.text
    await agent.submit(await agent.get(link), f"{link}/withdraw", reason=f"It pays twice {HOSTILE}")
    assert HOSTILE in page_text(await browser.get(place))
    assert (await anybody.http.get("/software/labelled.json")).json() == {"labels": []}


async def test_pages_of_vendors_and_operators_do_not_exist_for_others(browse, vendor, operator):
    places = ("/vendor/products", "/vendor/runs", "/vendor/account", "/operator/vendors", "/operator/labels")
    for kind in ("patient", "practitioner", "organization"):
        browser = await browse(Requester(kind=kind, id=uuid7(), name="X"))
        for place in places:
            await browser.get(place, 404)
    for place in places[:3]:
        await (await browse(operator)).get(place, 404)
    for place in (*places[3:], "/operator/software"):
        await (await browse(vendor)).get(place, 404)
    for place in places:
        assert (await (await browse()).http.get(place)).status_code == 303


async def test_lists_have_search_and_an_empty_state(browse, vendor, operator):
    browser, agent = await browse(vendor), await browse(operator)
    assert "No product yet" in page_text(await browser.get("/vendor/products"))
    assert "No test yet" in page_text(await browser.get("/vendor/runs"))
    assert "Nothing waiting" in page_text(await agent.get("/operator/labels"))
    assert "Vendor SA" in page_text(await agent.get("/operator/vendors?q=vera&status=accepted"))
    for one, place in (
        (browser, "/vendor/products"), (browser, "/vendor/runs"), (agent, "/operator/labels"), (agent, "/operator/vendors")
    ):  # fmt: skip
        assert "Nothing found" in page_text(await one.get(f"{place}?q=xyzzy"))
    for place in ("/operator/labels?state=riddle", "/operator/vendors?status=riddle"):
        await agent.get(place, 404)


async def test_operator_accepts_and_suspends_on_the_page_of_the_vendor(browse, vendors, operator):
    vendor, _ = await vendors.register("Exempla", "Vera Vendor", "vera@vendor.example", "192.0.2.1")
    agent, place = await browse(operator), f"/operator/vendors/{vendor.vendor_id}"
    await agent.submit(await agent.get(place), f"{place}/acceptance")
    refused = await agent.submit(await agent.get(place), f"{place}/suspension", 400, reason=" ")
    assert "too short" in refused.text
    await agent.submit(await agent.get(place), f"{place}/suspension", reason="False statements")
    assert "False statements" in page_text(await agent.get(place))
    token = (await agent.get(place)).xpath("//main//input[@name = '_csrf']/@value")[0]
    assert (await agent.http.post(f"{place}/riddle", data={"_csrf": token})).status_code == 404

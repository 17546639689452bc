"""The public list and its JSON, and the operators' pages of products, versions and phases."""

from esante.core.storage import uuid7
from esante.identity.access import Requester
from tests.support.portal_browser import page_text

HOSTILE = "<script>alert(1)</script>\"'{{7*7}}%(agency)s"
LIST = "/operator/software"


async def register(agent, name="Exempla"):
    """Register a product with a version; return the address of its page."""
    created = await agent.submit(
        await agent.get(LIST), f"{LIST}/products", name=name, vendor="Vendor SA", contact="a@b.example"
    )
    place = created.headers["location"]
    token = (await agent.get(place)).xpath("//main//input[@name = '_csrf']/@value")[0]
    data = {"_csrf": token, "version": "4.2", "profiles": ["mhd", "ips"]}
    assert (await agent.http.post(f"{place}/versions", data=data)).status_code == 303
    return place


async def state(agent, place, kind, status=303, **fields):
    page = await agent.get(place)
    (action,) = page.xpath(f"//form[contains(@action, '/{kind}')]/@action")
    return await agent.submit(page, action, status, **fields)


async def attest(agent, place):
    for kind in ("conformity", "connection"):
        await state(agent, place, kind, body="Test institute", reference="R-7", passed_on="2026-11-02")


async def test_product_goes_through_both_phases_and_is_published_to_everybody(browse, operator):
    agent, anybody = await browse(operator), await browse()
    assert "No software is attested yet" in page_text(await anybody.get("/software"))
    place = await register(agent)
    assert "Not tested yet" in page_text(await agent.get(place))
    await attest(agent, place)
    shown = page_text(await agent.get(place))
    assert "by Test institute on" in shown and "report R-7" in shown and "Olga Operator" in shown
    page = await anybody.get("/software?q=exempla&profile=ips")
    assert "Exempla 4.2" in page_text(page) and "IHE MHD" in page_text(page)
    assert "R-7" not in page_text(page) and "a@b.example" not in page_text(page)
    assert "Nothing found" in page_text(await anybody.get("/software?q=xyzzy"))
    await anybody.get("/software?profile=riddle", 404)


async def test_json_has_what_is_published_and_leads_on(browse, operator):
    agent, anybody = await browse(operator), await browse()
    assert (await anybody.http.get("/software.json")).json() == {"products": []}
    for number in range(21):
        await attest(agent, await register(agent, f"Product {number:02}"))
    first = (await anybody.http.get("/software.json?q=product")).json()
    assert len(first["products"]) == 20 and first["next"].startswith("/software.json?q=product&cursor=")
    rest = (await anybody.http.get(first["next"])).json()
    assert [one["product"] for one in rest["products"]] == ["Product 20"] and "next" not in rest
    assert set(rest["products"][0]) == {"id", "product", "vendor", "version", "attestedAt", "profiles"}
    assert [one["name"] for one in rest["products"][0]["profiles"]] == ["IHE MHD", "HL7 IPS"]
    assert "no-store" in (await anybody.http.get("/software.json")).headers["cache-control"]


async def test_suspension_needs_a_reason_and_takes_the_product_off_the_list(browse, operator):
    agent, anybody = await browse(operator), await browse()
    place = await register(agent)
    await attest(agent, place)
    refused = await state(agent, place, "suspension", 400, reason=" ")
    assert "too short" in refused.text
    await state(agent, place, "suspension", reason=f"A fault {HOSTILE}")
    page = await agent.get(place)
    assert HOSTILE in page_text(page) and "<script>alert" not in (await agent.http.get(place)).text
    assert "Exempla" not in page_text(await anybody.get("/software"))
    assert "Exempla" in page_text(await agent.get(f"{LIST}?status=suspended"))


async def test_lists_of_operators_are_searched_and_wrong_forms_keep_what_was_written(browse, operator):
    agent = await browse(operator)
    assert "No product yet" in page_text(await agent.get(LIST))
    refused = await agent.submit(await agent.get(LIST), f"{LIST}/products", 400, name="x", vendor="Vendor SA")
    assert "too short" in refused.text and 'value="Vendor SA"' in refused.text
    place = await register(agent)
    again = await agent.submit(await agent.get(LIST), f"{LIST}/products", 409, name="Exempla", vendor="vendor sa")
    assert "has a product of this name already" in again.text
    twice = await agent.submit(await agent.get(place), f"{place}/versions", 400, version="5")
    assert "Choose the profiles" in twice.text and 'value="5"' in twice.text
    assert "Nothing found" in page_text(await agent.get(f"{LIST}?q=xyzzy"))
    await agent.get(f"{LIST}?status=riddle", 404)
    await agent.get(f"{LIST}/{uuid7()}", 404)


async def test_pages_of_operators_do_not_exist_for_others(browse, conformance, operator):
    place = await register(await browse(operator))
    for kind in ("patient", "practitioner"):
        browser = await browse(Requester(kind=kind, id=uuid7(), name="X"))
        await browser.get(LIST, 404)
        await browser.get(place, 404)
    nobody = await browse()
    assert (await nobody.http.get(LIST)).status_code == 303

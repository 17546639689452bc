"""The pages of professionals, vendors and operators: from a claim to an answered appeal and a payment."""

from datetime import date

import pytest

from esante.core.journal import SYSTEM
from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.identity.access import Requester, delegate_requester, requester_of
from esante.identity.directory import Identifier, Organization, Practitioner, Role, catalogue
from esante.services.incentives.schemes.quarter import Quarter
from tests.support.incentives import EXEMPLA, IBANS, days_of
from tests.support.portal_browser import page_text

OWN, VENDOR, OPERATOR = "/digital-practice", "/vendor/incentives", "/operator/incentives"
CODE = "90100100"
HOSTILE = "<script>alert(1)</script>\"'{{7*7}}%(agency)s"


@pytest.fixture
async def doctor(world):
    """A doctor with four notes in the first quarter of 2026 and two in the present one."""
    await world.label(EXEMPLA, date(2025, 12, 1))
    await world.notes(CODE, days_of(date(2026, 1, 5), 4))
    await world.notes(CODE, [today()] * 2)
    await world.reader.catch_up()
    return requester_of(await world.doctor(CODE))


async def decide(world, browse, quarter="2026-Q1"):
    """Let two operators decide a quarter in the browser; return the browser of the second."""
    first, second = await browse(world.anna), await browse(world.ben)
    await first.submit(await first.get(OPERATOR), f"{OPERATOR}/quarters", quarter=quarter)
    await world.decisions.run()
    place = f"{OPERATOR}/quarters/{quarter}"
    assert "Another operator has to confirm" in page_text(await first.get(place))
    await second.submit(await second.get(place), f"{place}/confirm")
    return second


async def test_doctor_sees_what_is_reached_and_what_is_missing(world, browse, doctor):
    page = page_text(await (await browse(doctor)).get(OWN))
    assert str(Quarter.of(today())) in page and "1 more document is needed" in page
    assert "No quarter has been decided yet" in page and "Enter the account" in page


async def test_professional_without_a_code_is_told_whom_to_ask(world, browse):
    nobody = Requester(kind="practitioner", id=uuid7(), name="Nobody", profession="doctor")
    assert "No provider code is known for you" in page_text(await (await browse(nobody)).get(OWN))


async def test_quarter_is_decided_paid_and_an_appeal_is_answered(world, browse, doctor):
    agent, own = await decide(world, browse), await browse(doctor)
    page = await own.get(OWN)
    assert "4 documents with Exempla count, at €0.335 each." in page_text(page) and "€1.34" in page_text(page)
    await own.submit(page, f"{OWN}/account", holder="Eva Doctor", iban=IBANS[0])
    (action,) = page.xpath("//form[contains(@action, '/appeal')]/@action")
    refused = await own.submit(page, action, 400, text="short")
    assert "too short" in refused.text and ">\nshort</textarea>" in refused.text
    await own.submit(page, action, text=f"A note is missing. {HOSTILE}")
    payments = await agent.get(f"{OPERATOR}/payments")
    (confirm,) = payments.xpath("//form[contains(@action, '/accounts/')]/@action")
    await agent.submit(payments, confirm, decision="confirm")
    await agent.submit(await agent.get(f"{OPERATOR}/payments"), f"{OPERATOR}/payments/files")
    (link,) = (await agent.get(f"{OPERATOR}/payments")).xpath("//a[contains(@href, '.xml')]/@href")
    file = await agent.http.get(link)
    assert IBANS[0] in file.text and "attachment" in file.headers["content-disposition"]
    appeals = await agent.get(f"{OPERATOR}/appeals")
    assert HOSTILE in page_text(appeals) and "<script>alert" not in (await agent.http.get(f"{OPERATOR}/appeals")).text
    (answer,) = appeals.xpath("//form[contains(@action, '/appeals/')]/@action")
    wrong = await agent.submit(appeals, answer, 400, outcome="upheld", answer="It was lost.", amount="x")
    assert "not an amount" in wrong.text
    await agent.submit(appeals, answer, outcome="upheld", answer="You are right: it was lost.", amount="0.34")
    shown = page_text(await own.get(OWN))
    assert "Upheld" in shown and "You are right: it was lost." in shown and "€0.34 in addition" in shown
    assert "Sent to the bank" in shown


async def test_vendor_claims_a_practice_and_is_told_what_became_of_it(world, browse, doctor):
    vendor = await browse(EXEMPLA.requester)
    form = await vendor.get(f"{VENDOR}/claims")
    wrong = await vendor.submit(form, f"{VENDOR}/claims", 400, provider_code="12")
    assert "eight digits" in wrong.text and 'value="12"' in wrong.text
    await vendor.submit(form, f"{VENDOR}/claims", provider_code="901001-00")
    assert "Waiting for evidence" in page_text(await vendor.get(f"{VENDOR}/claims?q=exempla"))
    again = await vendor.submit(form, f"{VENDOR}/claims", 409, provider_code="90100100")
    assert "already" in again.text
    agent = await browse(world.anna)
    assert "Exempla SA" in page_text(await agent.get(f"{OPERATOR}/claims?q=901001"))
    assert "Nothing found" in page_text(await agent.get(f"{OPERATOR}/claims?q=xyzzy"))
    assert "No quarter has been decided yet" in page_text(await vendor.get(VENDOR))


async def test_operators_see_lines_orders_and_budgets_and_search_them(world, browse, doctor):
    agent = await decide(world, browse)
    place = f"{OPERATOR}/quarters/2026-Q1"
    assert "901001-00" in page_text(await agent.get(place)) and "Eva Doctor" in page_text(await agent.get(place))
    assert "Nothing found" in page_text(await agent.get(f"{place}?q=xyzzy"))
    assert "To be paid" in page_text(await agent.get(f"{place}?show=orders"))
    assert "There is nothing here" in page_text(await agent.get(f"{place}?show=signals"))
    assert "€1.34" in page_text(await agent.get(f"{OPERATOR}/budgets"))
    assert "Confirmed" in page_text(await agent.get(OPERATOR))


@pytest.mark.parametrize(
    ("url", "status"),
    [
        (f"{OPERATOR}/quarters/2026-Q9", 404),
        (f"{OPERATOR}/quarters/%3Cscript%3E", 404),
        (f"{OPERATOR}?cursor=x", 400),
        (f"{OPERATOR}/claims?state=riddle", 404),
        (f"{OPERATOR}/appeals?cursor=x", 400),
        ("/incentives?cursor=x", 400),
    ],
)
async def test_address_of_nothing_is_refused(world, browse, url, status):
    await (await browse(world.anna)).get(url, status)


async def test_answer_of_the_bank_without_a_file_is_refused(world, browse):
    agent = await browse(world.anna)
    await agent.submit(await agent.get(f"{OPERATOR}/payments"), f"{OPERATOR}/payments/answers", 400)


async def test_pages_are_of_their_role_only(world, browse, doctor):
    own = await browse(doctor)
    for url in (OPERATOR, f"{OPERATOR}/payments", VENDOR, f"{VENDOR}/claims"):
        await own.get(url, 404)
    agent = await browse(world.anna)
    for url in (OWN, VENDOR):
        await agent.get(url, 404)
    assert (await (await browse()).http.get(OPERATOR)).status_code == 303


async def test_nobody_enters_an_account_for_another(world, browse, doctor):
    own = await browse(doctor)
    page = await own.get(OWN)
    refused = await own.submit(page, f"{OWN}/account", 404, payee="90100200", holder="Eva Doctor", iban=IBANS[0])
    assert refused.status_code == 404
    assert await world.payments.accounts(["90100200"]) == []


async def register_site(world, kind, *professions):
    """Register an organisation with a code, and professionals with one who work there; return them."""
    system = catalogue().system("provider_code").uri

    def code(first):
        return (Identifier(system, f"{first}{uuid7().int % 10**6:06}"),)

    site = Organization(id=uuid7(), identifiers=code(80), name="Site", kind=kind)
    await world.directory.register_organization(site)
    made = []
    for profession in professions:
        role = Role(id=uuid7(), organization_id=site.id, profession=profession, since=date(2020, 1, 1))
        made.append(
            Practitioner(
                id=uuid7(), identifiers=code(91), family="Ada", given=("Eva",), profession=profession, roles=(role,)
            )
        )
    await world.directory.register_practitioners(made)
    return site, *made


async def test_delegate_does_not_see_the_money_of_the_professional(world, browse):
    site, doctor, assistant = await register_site(world, "practice", "doctor", "admin")
    await world.directory.delegations.add(assistant, doctor, site.id, today(), actor=SYSTEM)
    await (await browse(delegate_requester(assistant, doctor, site))).get(OWN, 404)
    await (await browse(requester_of(doctor, site))).get(OWN)


@pytest.mark.parametrize(("kind", "choices"), [("practice", 2), ("hospital", 0)])
async def test_account_of_a_practice_belongs_to_who_works_there_and_of_a_hospital_does_not(
    world, browse, kind, choices
):
    site, doctor = await register_site(world, kind, "doctor")
    page = await (await browse(requester_of(doctor, site))).get(OWN)
    assert len(page.xpath("//select[@name = 'payee']/option")) == choices


async def test_everybody_sees_figures_without_those_of_few(world, browse, doctor):
    page = page_text(await (await browse()).get("/incentives"))
    assert "Exempla" in page and "too few to show" in page
    assert "Nothing found" in page_text(await (await browse()).get("/incentives?q=xyzzy"))

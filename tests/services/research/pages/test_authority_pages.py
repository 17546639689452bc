"""From registration to a permit in pages, without JavaScript; who sees what; hostile texts."""

from esante.core.storage import uuid7
from esante.identity.access import Requester
from tests.support.portal_browser import page_text
from tests.support.research import CONTENT, accepted, granted, submitted

HOSTILE = "<script>alert(1)</script>\"'{{7*7}}%(agency)s"
OWN, QUEUE = "/researcher/applications", "/operator/applications"
TEXTS = {name: getattr(CONTENT, name) for name in ("title", "summary", "purpose", "aim", "necessity", "safeguards")}
COLUMNS = ["laboratory.result.code", "laboratory.result.value", "population.person.sex"]


async def post(browser, page, action, status=303, **fields):
    """Submit fields, some with several values, with the token of a page; return the response."""
    token = page.xpath("//input[@name = '_csrf']/@value")[0]
    response = await browser.http.post(action, data={"_csrf": token, **fields})
    assert response.status_code == status, response.text
    return response


async def test_researcher_registers_signs_in_and_writes_a_draft_before_being_accepted(browse):
    browser = await browse()
    page = await browser.get("/researchers")
    shown = await browser.submit(
        page, "/researchers/register", 200, name="Rita", organization="University", email="rita@uni.example"
    )
    key = next(text for text in shown.text.split("<p ") if "translate" in text).split(">")[1].split("<")[0].strip()
    refused = await browser.submit(page, "/researchers/signin", 400, key="x" * 43)
    assert "This access key is not valid" in refused.text
    await browser.submit(page, "/researchers/signin", key=key)
    assert "Not accepted yet" in page_text(await browser.get("/researcher/account"))
    form = await browser.get(f"{OWN}/new?dataset=laboratory")
    assert len(form.xpath("//input[@name = 'columns'][@checked]")) == 9
    saved = await post(browser, form, f"{OWN}/new", act="save", kind="permit", title="A draft", months="6")
    page = await browser.get(saved.headers["location"])
    assert "This is still missing" in page_text(page) and "Art. 53(1)" in page_text(page)
    refused = await post(browser, page, saved.headers["location"], 409, act="submit", kind="permit", title="A draft")
    assert "has not been accepted" in refused.text and 'value="A draft"' in refused.text
    replaced = await browser.submit(await browser.get("/researcher/account"), "/researcher/account/key", 200)
    assert "does not work any more" in replaced.text
    await browser.get("/researcher/account", 303)


async def test_application_is_granted_by_two_operators_and_published(browse, researcher, operator, second_operator):
    applicant, anybody = await browse(researcher), await browse()
    first, second = await browse(operator), await browse(second_operator)
    form = await applicant.get(f"{OWN}/new")
    fields = TEXTS | {"kind": "permit", "months": "12", "columns": COLUMNS, "lawful": "1"}
    incomplete = await post(applicant, form, f"{OWN}/new", 400, act="submit", **(fields | {"aim": "Short"}))
    assert "too short" in incomplete.text and "Blood glucose" in incomplete.text
    place = (await post(applicant, form, f"{OWN}/new", act="submit", **fields)).headers["location"]
    id_ = place.rpartition("/")[2]
    assert "A decision is due by" in page_text(await applicant.get(place))
    assert "Blood glucose" in page_text(await first.get(QUEUE))
    case = await first.get(f"{QUEUE}/{id_}")
    assert "The automatic check found nothing" in page_text(case) and "Rita Researcher" in page_text(case)
    await post(first, case, f"{QUEUE}/{id_}/ask", text="Why do you need the sex?")
    page = await applicant.get(place)
    assert "Why do you need the sex?" in page_text(page)
    await post(applicant, page, f"{place}/answer", text="Glucose differs by sex.")
    case = await first.get(f"{QUEUE}/{id_}")
    assert "Glucose differs by sex." in page_text(case)
    more = await post(first, case, f"{QUEUE}/{id_}/grant", 400, months="12", columns=["vaccination.dose.code"])
    assert "more than was asked for" in more.text
    await post(first, case, f"{QUEUE}/{id_}/grant", months="6", columns=COLUMNS[:2], conditions=f"Cite {HOSTILE}")
    case = await first.get(f"{QUEUE}/{id_}")
    assert "Somebody else of the agency must confirm it" in page_text(case)
    assert not case.xpath("//form[contains(@action, '/confirm')]")
    own = await post(first, case, f"{QUEUE}/{id_}/confirm", 409)
    assert "You cannot confirm your own proposal" in own.text
    case = await second.get(f"{QUEUE}/{id_}")
    assert "Proposal: grant it" in page_text(case) and HOSTILE in page_text(case)
    await post(second, case, f"{QUEUE}/{id_}/confirm")
    assert "Nothing waits for you" in page_text(await second.get(QUEUE))
    page = await applicant.get(place)
    (permit,) = page.xpath("//a[contains(@href, '/researcher/permits/')]/@href")
    assert "Rita Researcher" in page_text(await applicant.get(permit))
    listed = page_text(await anybody.get("/research/permits?q=glucose&state=valid&dataset=laboratory"))
    assert "University of Example" in listed
    public = await anybody.http.get(permit.replace("researcher", "research"))
    assert "Rita" not in public.text and "<script>alert" not in public.text and "Cite" in public.text
    (entry,) = (await anybody.http.get("/research/permits.json")).json()["permits"]
    assert entry["columns"] == {"laboratory.result": ["code", "value"]} and "Rita" not in str(entry)


async def test_refusal_is_shown_with_its_reason_after_a_second_operator_confirmed(
    browse, applications, researcher, operator, second_operator
):
    id_ = await submitted(applications, researcher)
    applicant, first, second = await browse(researcher), await browse(operator), await browse(second_operator)
    case = await first.get(f"{QUEUE}/{id_}")
    assert "needs its reason" in (await post(first, case, f"{QUEUE}/{id_}/refuse", 400, reason="No")).text
    await post(first, case, f"{QUEUE}/{id_}/refuse", reason=f"Published statistics are enough. {HOSTILE}")
    assert "Published statistics" not in page_text(await applicant.get(f"{OWN}/{id_}"))
    case = await second.get(f"{QUEUE}/{id_}")
    await post(second, case, f"{QUEUE}/{id_}/reject", remark="They are not by age.")
    case = await second.get(f"{QUEUE}/{id_}")
    assert "Not confirmed" in page_text(case) and "They are not by age." in page_text(case)
    await post(second, case, f"{QUEUE}/{id_}/refuse", reason="The aim is not research on health or care.")
    await post(first, await first.get(f"{QUEUE}/{id_}"), f"{QUEUE}/{id_}/confirm")
    assert "The aim is not research" in page_text(await applicant.get(f"{OWN}/{id_}"))


async def test_pages_of_others_are_as_those_that_do_not_exist(
    browse, accounts, applications, decisions, researcher, operator, second_operator
):
    permit = await granted(applications, decisions, researcher, (operator, second_operator))
    other = await browse(await accepted(accounts, operator, "Otto Other", "otto@uni.example"))
    patient = await browse(Requester(kind="patient", id=uuid7(), name="Petra"))
    for browser, status in ((other, 404), (patient, 404), (await browse(), 303)):
        await browser.get(f"{OWN}/{permit.application_id}", status)
        await browser.get(f"/researcher/permits/{permit.permit_id}", status)
        for place in (f"{QUEUE}/{permit.application_id}", "/operator/researchers", "/operator/permits"):
            await browser.get(place, status)
    assert "No permit yet" in page_text(await other.get("/researcher/permits"))
    await other.get("/research/permits?state=riddle", 404)


async def test_withdrawn_permit_is_published_with_its_reason(
    browse, applications, decisions, researcher, operator, second_operator
):
    permit = await granted(applications, decisions, researcher, (operator, second_operator))
    agent, anybody = await browse(operator), await browse()
    place = f"/operator/permits/{permit.permit_id}"
    page = await agent.get(place)
    assert "too short" in (await post(agent, page, f"{place}/withdraw", 400, reason="No")).text
    await post(agent, page, f"{place}/withdraw", reason="The results were published by person.")
    shown = page_text(await anybody.get(f"/research/permits/{permit.permit_id}"))
    assert "Withdrawn" in shown and "published by person" in shown
    assert not (await agent.get(place)).xpath("//form[contains(@action, '/withdraw')]")


async def test_patient_opts_out_and_in_and_sees_permits_for_data_such_as_theirs(
    browse, applications, decisions, researcher, operator, second_operator
):
    await granted(applications, decisions, researcher, (operator, second_operator))
    patient = await browse(Requester(kind="patient", id=uuid7(), name="Petra"))
    page = await patient.get("/secondary-use")
    assert "Your data may be used." in page_text(page) and "Blood glucose and age" in page_text(page)
    await patient.submit(page, "/secondary-use/out")
    page = await patient.get("/secondary-use")
    assert "Your data are not used." in page_text(page) and "Not used since" in page_text(page)
    await patient.submit(page, "/secondary-use/in")
    assert "Not used from" in page_text(await patient.get("/secondary-use"))
    await post(patient, await patient.get("/secondary-use"), "/secondary-use/riddle", 404)


async def test_data_request_asks_for_statistics_and_gives_no_access(browse, applications, researcher):
    applicant = await browse(researcher)
    form = await applicant.get(f"{OWN}/new?kind=request")
    assert not form.xpath("//textarea[@name = 'necessity']") and form.xpath("//textarea[@name = 'question']")
    fields = {name: TEXTS[name] for name in ("title", "summary", "purpose", "aim")}
    fields |= {"kind": "request", "months": "3", "columns": COLUMNS, "lawful": "1"}
    question = "The mean of glucose by decade of birth and by sex."
    saved = await post(applicant, form, f"{OWN}/new", act="submit", question=question, **fields)
    shown = page_text(await applicant.get(saved.headers["location"]))
    assert "Data request" in shown and question in shown


async def test_operator_finds_accepts_and_suspends_a_researcher(browse, accounts, operator):
    account, _ = await accounts.register(f"Rita {HOSTILE}", "University", "rita@uni.example", "192.0.2.1")
    agent = await browse(operator)
    page = await agent.get("/operator/researchers?q=rita&status=registered")
    assert HOSTILE in page_text(page)
    place = f"/operator/researchers/{account.account_id}"
    page = await agent.get(place)
    await agent.submit(page, f"{place}/acceptance")
    page = await agent.get(place)
    assert "too short" in (await agent.submit(page, f"{place}/suspension", 400, reason="x")).text
    await agent.submit(page, f"{place}/suspension", reason="They left the university.")
    assert "They left the university." in page_text(await agent.get(place))
    await post(agent, page, f"{place}/riddle", 404)

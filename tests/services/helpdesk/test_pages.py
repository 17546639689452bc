"""The pages of reports: the form, the answer by its reference, the operators' list."""

from lxml import html

from tests.support.portal_browser import form_values, page_text

HOSTILE = "<script>alert(1)</script>\"'{{7*7}}%(agency)s"


def sent_reference(response):
    return html.fromstring(response.text).xpath("//p[contains(@class, 'reference')]/text()")[0]


async def test_report_without_sign_in_is_answered_by_an_operator_and_read_by_its_number(browse, operator):
    anybody = await browse(origin="203.0.113.1")
    page = await anybody.get("/report?kind=accessibility")
    assert form_values(page, "/report")["kind"] == "accessibility"
    sent = await anybody.submit(page, "/report", 200, text=f"I cannot read it. {HOSTILE}", contact=HOSTILE)
    assert sent.headers["cache-control"] == "no-store"
    reference = sent_reference(sent)
    waiting = await anybody.submit(
        await anybody.get("/report/answer"), "/report/answer", 200, reference=reference.lower()
    )
    assert "There is no answer yet." in page_text(html.fromstring(waiting.text))

    agent = await browse(operator)
    found = await agent.get(f"/operator/reports?q={reference}")
    (url,) = found.xpath("//main//li//a/@href")
    shown = await agent.http.get(url)
    assert HOSTILE not in shown.text and HOSTILE in page_text(html.fromstring(shown.text))
    token = {"_csrf": html.fromstring(shown.text).xpath("//main//input[@name = '_csrf']/@value")[0]}
    assert (await agent.http.post(url, data={**token, "answer": " "})).status_code == 400
    assert (await agent.http.post(url, data={**token, "answer": f"Thank you. {HOSTILE}"})).status_code == 303
    assert (await agent.http.post(url, data={**token, "answer": "Once more."})).status_code == 409
    assert url not in (await agent.http.get("/operator/reports")).text
    assert url in (await agent.http.get("/operator/reports?answered=yes")).text

    answered = await anybody.submit(await anybody.get("/report/answer"), "/report/answer", 200, reference=reference)
    assert f"Thank you. {HOSTILE}" in page_text(html.fromstring(answered.text))
    assert "I cannot read it." not in answered.text


async def test_wrong_field_is_marked_and_what_was_written_is_kept(browse):
    anybody = await browse(origin="203.0.113.2")
    page = await anybody.get("/report")
    response = await anybody.submit(page, "/report", 400, kind="misuse", text="short", contact="me@person.example")
    shown = html.fromstring(response.text)
    assert shown.xpath("//textarea[@name = 'text' and @aria-invalid = 'true']")[0].text_content().strip() == "short"
    assert form_values(shown, "/report")["contact"] == "me@person.example"
    assert (
        "Check the number"
        in (await anybody.submit(await anybody.get("/report/answer"), "/report/answer", 404, reference=HOSTILE)).text
    )


async def test_form_of_another_site_is_refused(browse):
    anybody = await browse(origin="203.0.113.3")
    forged = await anybody.http.post(
        "/report", data={"kind": "other", "text": "From another site"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert forged.status_code == 403


async def test_page_before_is_filled_in_when_it_is_of_this_site(browse):
    anybody = await browse(origin="203.0.113.4")
    for referer, path in (
        ("https://esante.example/log?q=secret", "/log"),
        ("https://elsewhere.example/log", ""),
        ("https://esante.example/report", ""),
    ):
        response = await anybody.http.get("/report", headers={"Referer": referer})
        assert form_values(html.fromstring(response.text), "/report")["page"] == path


async def test_patient_sees_own_reports_with_answers(browse, helpdesk, patient, operator):
    user = await browse(patient, origin="203.0.113.5")
    assert "You have not reported anything" in page_text(await user.get("/report/answer"))
    await user.submit(await user.get("/report"), "/report", 200, kind="privacy", text="Please correct my name.")
    (own,) = (await helpdesk.list_own(patient)).items
    await helpdesk.answer(operator, own.report_id, "It is corrected.")
    assert "It is corrected." in page_text(await user.get("/report/answer"))


async def test_list_has_empty_states_and_refuses_unknown_subjects(browse, operator):
    agent = await browse(operator)
    assert "No report has these words." in page_text(await agent.get("/operator/reports?q=xyzzy"))
    await agent.get("/operator/reports?kind=gossip", 404)


async def test_operators_pages_are_absent_for_others(browse, patient):
    user = await browse(patient, origin="203.0.113.6")
    await user.get("/operator/reports", 404)
    anybody = await browse(origin="203.0.113.7")
    assert (await anybody.http.get("/operator/reports")).headers["location"].startswith("/signin")

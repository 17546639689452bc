"""Pages of operators: reviews of emergencies."""

from dataclasses import replace
from datetime import date

from lxml import html

from esante.core.storage import uuid7
from esante.identity.access import StayRead
from tests.identity.access.conftest import terms
from tests.support.access_policy import changed_policy
from tests.support.portal_browser import page_text

HOSTILE_TEXT = "<script>alert(1)</script>\"'{{7*7}}%(actor)s"


async def test_confirmed_emergency_reaches_patient_and_operator_for_review(browse, house):
    patient = await house.open_patient()
    doctor = await browse(house.other_doctor)
    page = await doctor.get("/emergency")
    assert "notified" in page_text(page)
    fields = {
        "identifier": await house.identifier(patient),
        "birth_date": "1970-05-17",
        "reason": f"Unconscious {HOSTILE_TEXT}",
    }
    await doctor.submit(page, "/emergency", 400, **fields)
    assert (await house.access.consent(patient.id)).grants == ()
    opened = await doctor.submit(page, "/emergency", confirmed="yes", **fields)
    assert opened.headers["location"] == f"/patients/{patient.id}"

    user = await browse(patient)
    log = await user.http.get("/log?kind=emergency")
    assert HOSTILE_TEXT not in log.text
    assert HOSTILE_TEXT in page_text(html.fromstring(log.text))

    operator = await browse(house.operator)
    queue = await operator.get("/operator/reviews")
    (url,) = [found for found in queue.xpath("//main//a/@href") if "reviews/" in found][:1]
    review = await operator.get(url)
    assert house.other_doctor.name in page_text(review) and patient.name in page_text(review)
    token = {"_csrf": review.xpath("//main//input[@name = '_csrf']/@value")[0]}
    wrong = await operator.http.post(url, data={**token, "verdict": "perhaps"})
    assert wrong.status_code == 400
    done = await operator.http.post(url, data={**token, "verdict": "justified", "note": HOSTILE_TEXT})
    assert done.status_code == 303
    assert (await operator.http.post(url, data={**token, "verdict": "justified"})).status_code == 409
    reviewed = await operator.http.get(url)
    assert HOSTILE_TEXT not in reviewed.text and not html.fromstring(reviewed.text).xpath("//main//form")
    assert "Justified" in page_text(await operator.get("/operator/reviews?done=1"))
    await operator.get(f"/operator/reviews/{uuid7()}", 404)
    await operator.get("/operator/reviews/x", 404)


async def test_unconfirmed_stay_and_alarm_reach_operator(browse, house):
    patient = await house.open_patient()
    with changed_policy(admissions=replace(terms().admissions, alarm_share=0.0)):
        stay, _ = await house.access.stays.admit(house.software, patient.id)
    operator = await browse(house.operator)
    queue = await operator.get("/operator/reviews?kind=stay")
    assert f"Unusually many admissions: {house.hospital.name}" in page_text(queue)
    (alarm, *_) = [form.get("action") for form in queue.forms if "/alarms/" in (form.get("action") or "")]
    await operator.submit(queue, alarm)
    assert alarm not in (await operator.http.get("/operator/reviews")).text
    review = await operator.get(f"/operator/reviews/{stay.id}")
    assert "Review of a hospital stay" in page_text(review) and patient.name in page_text(review)
    token = {"_csrf": review.xpath("//main//input[@name = '_csrf']/@value")[0]}
    await operator.http.post(f"/operator/reviews/{stay.id}", data={**token, "verdict": "unjustified"})
    assert "Not justified" in page_text(await operator.get("/operator/reviews?kind=stay&done=1"))
    await operator.get("/operator/reviews?kind=theft", 404)


async def test_reviewer_sees_what_the_emergency_opened(browse, house, journal, fresh):
    patient, doctor = await house.open_patient(), fresh(house.other_doctor)
    identifier = await house.identifier(patient)
    grant = await house.access.emergencies.declare(doctor, identifier, date(1970, 5, 17), "Unconscious at home")
    operator = await browse(house.operator)
    url = f"/operator/reviews/{grant.id}"
    shown = await operator.get(url)
    assert "Nothing was read with this access." in page_text(shown)
    await journal.append_for(
        doctor, StayRead(grant_id=grant.id, categories=("letter",), documents=(uuid7(),)), person_id=patient.id
    )
    await journal.append_for(doctor, StayRead(categories=("letter",)), person_id=patient.id)
    shown = await operator.get(url)
    by_type, one_by_one = shown.xpath("//section[@aria-labelledby = 'opened']//tbody")
    assert [" ".join(row.text_content().split())[:10] for row in by_type] == ["Letter 1 1"]
    assert len(one_by_one) == 1


async def test_reviewer_sees_duty_of_the_professional_and_earlier_emergencies(browse, house):
    doctor = house.doctor
    grants = []
    for _ in range(2):
        patient = await house.open_patient()
        identifier = await house.identifier(patient)
        grants.append(
            await house.access.emergencies.declare(doctor, identifier, date(1970, 5, 17), "Unconscious at home")
        )
    await house.access.emergencies.review(house.operator, grants[0].id, "unjustified", "")
    shown = page_text(await (await browse(house.operator)).get(f"/operator/reviews/{grants[1].id}"))
    assert f"{house.hospital.name}: Doctor" in shown
    assert "1 other emergency access, 1 of them not justified" in shown


async def test_question_of_the_reviewer_is_answered_by_the_professional(browse, house, fresh):
    patient, doctor = await house.open_patient(), fresh(house.other_doctor)
    identifier = await house.identifier(patient)
    grant = await house.access.emergencies.declare(doctor, identifier, date(1970, 5, 17), "Unconscious at home")
    operator = await browse(house.operator)
    url = f"/operator/reviews/{grant.id}"
    page = await operator.get(url)
    token = {"_csrf": page.xpath("//main//input[@name = '_csrf']/@value")[0]}
    assert (await operator.http.post(url, data={**token, "question": "short"})).status_code == 400
    asked = await operator.http.post(url, data={**token, "question": f"Who called you there? {HOSTILE_TEXT}"})
    assert asked.headers["location"] == url
    assert "No reply yet" in page_text(await operator.get(url))
    (question,) = await house.access.review_questions.list_open(doctor)
    user = await browse(doctor)
    own = await user.get("/patients")
    token = {"_csrf": own.xpath("//input[@name = '_csrf']/@value")[0], "reply": f"The ambulance did. {HOSTILE_TEXT}"}
    assert (await user.http.post(f"/emergency/questions/{question.question_id}", data=token)).status_code == 303
    reviewed = await operator.http.get(url)
    assert HOSTILE_TEXT not in reviewed.text
    assert f"The ambulance did. {HOSTILE_TEXT}" in page_text(html.fromstring(reviewed.text))

"""Questions in the review of an emergency: who asks, who replies, and what the journal has."""

from datetime import date

import pytest

from esante.core.storage import uuid7
from esante.core.web import Problem
from esante.identity.access.events import ReviewQuestionAnswered, ReviewQuestionAsked

QUESTION, REPLY = "Who called you to the patient?", "The ambulance called me."


@pytest.fixture
async def declared(house, fresh):
    """An emergency under review: the patient, the doctor, and the grant."""
    patient, doctor = await house.open_patient(), fresh(house.other_doctor)
    identifier = await house.identifier(patient)
    grant = await house.access.emergencies.declare(doctor, identifier, date(1970, 5, 17), "Unconscious at home")
    return patient, doctor, grant


async def refusal(act):
    with pytest.raises(Problem) as refused:
        await act
    return refused.value.status


async def test_question_waits_for_the_professional_until_the_reply(house, journal, declared):
    patient, doctor, grant = declared
    questions = house.access.review_questions
    asked = await questions.ask(house.operator, grant.id, QUESTION)
    assert await questions.list_open(doctor) == [asked]
    await questions.reply(doctor, asked.question_id, REPLY)
    assert await questions.list_open(doctor) == []
    (found,) = await questions.list_of_review(house.operator, grant.id)
    assert (found.question, found.reply, found.asked_by) == (QUESTION, REPLY, house.operator.name)
    (first,) = await journal.entries_of(patient.id, [ReviewQuestionAsked])
    (second,) = await journal.entries_of(patient.id, [ReviewQuestionAnswered])
    assert (first.actor.id, second.actor.id) == (house.operator.id, doctor.id)
    assert QUESTION not in repr(first.event) and REPLY not in repr(second.event)


async def test_only_operators_ask_and_read_the_questions(house, declared):
    patient, doctor, grant = declared
    questions = house.access.review_questions
    for somebody in (patient, doctor, house.software):
        assert await refusal(questions.ask(somebody, grant.id, QUESTION)) == 403
        assert await refusal(questions.list_of_review(somebody, grant.id)) == 403


async def test_only_the_professional_who_was_asked_replies(house, declared, fresh):
    patient, doctor, grant = declared
    questions = house.access.review_questions
    asked = await questions.ask(house.operator, grant.id, QUESTION)
    for somebody in (fresh(house.doctor), patient, house.operator):
        assert await refusal(questions.reply(somebody, asked.question_id, REPLY)) == 404
        assert await questions.list_open(somebody) == []
    assert await refusal(questions.reply(doctor, uuid7(), REPLY)) == 404


async def test_question_is_answered_once_and_not_after_the_review(house, declared):
    _, doctor, grant = declared
    questions = house.access.review_questions
    first = await questions.ask(house.operator, grant.id, QUESTION)
    second = await questions.ask(house.operator, grant.id, QUESTION)
    await questions.reply(doctor, first.question_id, REPLY)
    assert await refusal(questions.reply(doctor, first.question_id, REPLY)) == 409
    await house.access.emergencies.review(house.operator, grant.id, "justified", "")
    assert await questions.list_open(doctor) == []
    assert await refusal(questions.reply(doctor, second.question_id, REPLY)) == 409
    assert await refusal(questions.ask(house.operator, grant.id, QUESTION)) == 409


async def test_questions_need_an_emergency_and_enough_words(house, declared):
    patient, doctor, grant = declared
    questions = house.access.review_questions
    stay, _ = await house.access.stays.admit(house.software, patient.id)
    assert await refusal(questions.ask(house.operator, stay.id, QUESTION)) == 404
    assert await refusal(questions.ask(house.operator, uuid7(), QUESTION)) == 404
    assert await refusal(questions.ask(house.operator, grant.id, "Why?")) == 400
    asked = await questions.ask(house.operator, grant.id, QUESTION)
    assert await refusal(questions.reply(doctor, asked.question_id, " no ")) == 400

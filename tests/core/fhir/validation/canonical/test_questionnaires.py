"""Conditions of the items of a Questionnaire."""

import pytest

from tests.core.fhir.validation.passes import full_issues


def questionnaire(question):
    condition = {"question": question, "operator": "exists", "answerBoolean": True}
    inner = {"linkId": "2.1", "type": "string", "text": "x"}
    items = [
        {"linkId": "1", "type": "boolean", "text": "x"},
        {"linkId": "2", "type": "group", "text": "x", "enableWhen": [condition], "item": [inner]},
    ]
    return {"resourceType": "Questionnaire", "status": "draft", "item": items}


def test_condition_on_another_question_is_accepted():
    assert full_issues(questionnaire("1")) == []


@pytest.mark.parametrize("question", ["9", "2", "2.1"])
def test_condition_on_no_question_or_an_inner_one_is_rejected(question):
    assert full_issues(questionnaire(question)) == ["Questionnaire.item[1].enableWhen[0].question"]

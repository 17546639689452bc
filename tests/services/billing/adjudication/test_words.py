"""The words of findings, in four languages."""

from datetime import date

import pytest

from esante.core.web import LANGUAGES
from esante.services.billing.adjudication import adjudicate, current_rules
from esante.services.billing.adjudication.model import Effect
from esante.services.billing.adjudication.words import explain
from tests.services.billing.adjudication.test_cases import CASES
from tests.support.billing_cases import make_case


def findings():
    for row in CASES.values():
        decided = adjudicate(make_case(row), current_rules())
        yield from decided.findings
        for line in decided.lines:
            yield from line.findings


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_finding_of_the_tables_is_said_whole(language):
    rules = current_rules()
    for finding in findings():
        said = explain(finding, language)
        assert "%(" not in said.title + said.remedy
        assert said.legal_source == finding.legal_source != ""
        assert bool(said.remedy) == (finding.effect is not Effect.RATE)
        if language != "en":
            assert said.title != rules.rule(finding.rule).label


def first(row, language):
    decided = adjudicate(make_case(row), current_rules())
    return [explain(finding, language).title for finding in decided.lines[0].findings]


def test_days_amounts_shares_and_limits_are_written_as_a_language_does():
    on = date(2023, 12, 28)
    case = {"on": on, "lines": [{"act": "C1", "gross": "1057.71"}]}
    assert first(case, "en") == [
        "Ambulatory: 88% of the tariff",
        "The amount €1,057.71 is above the tariff; €57.70 may be charged.",
    ]
    assert (
        first(case, "de")[1] == "Der Betrag von 1.057,71\xa0€ liegt über dem Tarif; verlangt werden dürfen 57,70\xa0€."
    )
    past = {"on": on, "past": [{"code": "C1", "on": on}], "lines": [{"act": "C1"}]}
    assert first(past, "en") == ["The act C1 was billed too often: the limit is 1 in 1 day by the same provider."]
    assert "28 décembre 2023" in first({"on": on, "covers": [], "lines": [{"act": "C1"}]}, "fr")[0]


@pytest.mark.parametrize(
    ("code", "limit"), [("PAP11", "1 in a lifetime"), ("9T09", "2 in a calendar year"), ("9T06", "4 in 12 months")]
)
def test_limits_are_said(code, limit):
    on = date(2026, 3, 2)
    past = [{"code": code, "on": on, "quantity": 4}]
    said = first({"on": on, "born": date(2008, 3, 2), "past": past, "lines": [{"act": code}]}, "en")
    assert any(title.endswith(f"the limit is {limit}.") for title in said)


def test_rule_that_is_not_in_the_data_any_more_stands_for_itself():
    (finding,) = (
        adjudicate(make_case({"on": date(2023, 12, 28), "covers": [], "lines": [{"act": "C1"}]}), current_rules())
        .lines[0]
        .findings
    )
    old = type(finding)(**{name: getattr(finding, name) for name in finding.__slots__} | {"rule": "act.gone"})
    assert explain(old, "fr").title == "act.gone"


def test_finding_keeps_its_id_when_the_note_is_decided_again():
    row = {"on": date(2023, 12, 28), "lines": [{"act": "9T02", "letters": "NV"}, {"act": "9T03"}]}
    once, again = (adjudicate(make_case(row), current_rules()) for _ in range(2))
    ids = [finding.id for line in once.lines for finding in line.findings]
    assert len(set(ids)) == len(ids)
    assert ids == [finding.id for line in again.lines for finding in line.findings]

"""The rules as data: what is in force on a day, what is refused when it is read, the digest."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from esante.services.billing.adjudication import adjudicate, current_rules
from esante.services.billing.adjudication.line_checks import BEFORE_ACT, WITH_ACT
from esante.services.billing.adjudication.rates import APPLIES
from esante.services.billing.adjudication.terms import PACKAGE, PARAMETERS, RATES, RULES, load_rules
from esante.services.billing.nomenclature import use_folder
from esante.services.billing.nomenclature.data_files import data_text
from tests.support.billing_cases import make_case

ON = date(2023, 12, 28)


@pytest.fixture
def own(tmp_path):
    """Use a changed copy of a data file: `own(name, old, new)`."""

    def change(name, old, new):
        text = data_text(PACKAGE, name)
        assert old in text
        (tmp_path / name).write_text(text.replace(old, new, 1), encoding="utf-8")
        use_folder(tmp_path)

    yield change
    use_folder("")


def test_every_rule_of_the_program_is_in_the_data():
    assert {rule.key for rule in current_rules().rules} == PARAMETERS.keys()
    assert {*BEFORE_ACT, *WITH_ACT, *APPLIES} <= PARAMETERS.keys()


def test_every_period_has_its_source_and_none_claims_to_be_verified():
    for rule in current_rules().rules:
        assert all(period.legal_source and not period.verified for period in rule.periods)


def test_days_of_a_span_share_their_rules_and_the_next_span_has_others():
    rules = current_rules()
    assert rules.on(date(2023, 9, 1)) is rules.on(ON)
    assert rules.on(date(2023, 8, 31)) is not rules.on(date(2023, 9, 1))


def test_rate_changes_from_the_day_of_a_new_period(own):
    new = '\n[[rule.period]]\nvalid_from = 2023-12-28\nshare = "0.90"\nlegal_source = "Test"\nverified = false\n'
    text = data_text(PACKAGE, RATES)
    own(RATES, text, text + new)
    row = {"on": ON, "lines": [{"act": "C1", "day": date(2023, 12, 27)}, {"act": "C1"}]}
    decided = adjudicate(make_case(row), current_rules())
    assert [one.statutory for one in decided.lines] == [Decimal("50.78"), Decimal("51.93")]


def test_digest_changes_with_the_data_and_is_kept_in_the_decision(own):
    before = current_rules().digest
    own(RATES, 'share = "0.88"', 'share = "0.89"')
    after = current_rules()
    assert after.digest != before
    assert adjudicate(make_case({"on": ON, "lines": [{"act": "C1"}]}), after).rules == after.digest


def test_line_for_which_there_is_no_rate_is_refused(own):
    text = data_text(PACKAGE, RATES)
    last = text.rindex("valid_from = 2020-01-01")
    own(RATES, text, text[:last] + "valid_from = 2030-01-01" + text[last + 23 :])
    (line,) = adjudicate(make_case({"on": ON, "lines": [{"act": "C1"}]}), current_rules()).lines
    assert (line.tariff, [one.rule for one in line.findings]) == (0, ["act.no-tariff"])


def test_day_before_all_tariffs_is_refused_although_no_rule_had_begun():
    row = {"on": date(1, 1, 1), "born": date(1, 1, 1), "lines": [{"act": "CP1"}, {"act": "ZZ9"}]}
    decided = adjudicate(make_case(row), current_rules())
    assert all(line.is_refused for line in decided.lines)


def test_last_day_of_the_calendar_is_decided():
    row = {
        "on": date.max,
        "specialities": ["general_medicine"],
        "lines": [{"act": "9T06"}, {"act": "9T09"}, {"act": "V1"}],
    }
    assert len(adjudicate(make_case(row), current_rules()).lines) == 3


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        (RULES, 'key = "act.age"', 'key = "act.eyes"', "act.eyes: the program does not know this rule"),
        (RULES, 'key = "act.age"', 'key = "act.place"', "a rule is there twice"),
        (RULES, 'effect = "refused"', 'effect = "doubled"', "'doubled' is not a valid Effect"),
        (RULES, "years = 2", "year = 2", "act.too-old: parameters are missing: years"),
        (RULES, 'most = "100000.00"', 'most = "a lot"', "amount.impossible"),
        (RATES, 'share = "1.00"', "", "parameters are missing: share"),
        (RATES, 'label = "In-patient', 'title = "In-patient', "rate.in-patient: 'label'"),
        (RATES, "[[rule]]", "[[rule", RATES),
    ],
)
def test_wrong_data_is_refused_with_the_rule(own, name, old, new, says):
    own(name, old, new)
    with pytest.raises(ValueError, match=says):
        load_rules(name)


def test_rules_without_which_nothing_is_decided_must_be_there(own):
    text = data_text(PACKAGE, RULES)
    start = text.index('[[rule]]\nkey = "act.unknown"')
    own(RULES, text, text[:start] + text[text.index("[[rule]]", start + 8) :])
    with pytest.raises(ValueError, match=r"rules are missing: act\.unknown"):
        current_rules()


def test_act_that_is_older_than_all_tariffs_is_refused(tmp_path):
    columns = "code,valid_from,label_fr,chapter,key,coefficient,legal_source,verified"
    row = "X1,2010-01-01,Acte,technical,physicians,1,Test,false"
    (tmp_path / "acts.csv").write_text(f"{columns}\n{row}\n")
    use_folder(tmp_path)
    try:
        (line,) = adjudicate(make_case({"on": date(2015, 1, 1), "lines": [{"act": "X1"}]}), current_rules()).lines
    finally:
        use_folder("")
    assert [one.rule for one in line.findings] == ["act.no-tariff"]


def test_every_rule_is_in_the_documentation():
    page = (Path(__file__).resolve().parents[4] / "docs" / "billing-rules.md").read_text("utf-8")
    assert [rule.key for rule in current_rules().rules if f"`{rule.key}`" not in page] == []


def test_simulation_takes_no_notice_of_what_stands_as_an_amount():
    row = {"on": ON, "lines": [{"act": "9T02", "gross": "NaN"}, {"act": "9T02", "gross": "NaN"}]}
    case = replace(make_case(row), has_amounts=False)
    assert [one.tariff for one in adjudicate(case, current_rules()).lines] == [Decimal("48.30"), Decimal("24.15")]

"""Files of rules with something wrong in any place: an error that says which file, and nothing else."""

import re
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esante.services.billing.adjudication import adjudicate, current_rules
from esante.services.billing.adjudication import terms as rule_terms
from esante.services.billing.adjudication.rule_set import RuleSet
from esante.services.billing.nomenclature import load_surcharges, nomenclature, use_folder
from esante.services.billing.nomenclature import terms as tariff_terms
from esante.services.billing.nomenclature.data_files import data_text
from tests.services.billing.adjudication.test_cases import CASES
from tests.support.billing_cases import make_case

FILES = [
    (rule_terms.PACKAGE, "rules.toml"),
    (rule_terms.PACKAGE, "rates.toml"),
    (tariff_terms.PACKAGE, "tariff.toml"),
    (tariff_terms.PACKAGE, "surcharges.toml"),
]
TEXTS = {name: data_text(package, name) for package, name in FILES}
VALUES = [
    "5",
    "-1",
    "1.5",
    '"x"',
    '""',
    "[]",
    '["x"]',
    "[1]",
    "true",
    "{}",
    "1979-05-27",
    "1979-05-27T07:32:00",
    "nan",
]


@pytest.fixture
def own_files(tmp_path):
    yield tmp_path
    use_folder("")


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_wrong_value_is_refused_or_decides_notes(own_files, data):
    name = data.draw(st.sampled_from(sorted(TEXTS)))
    places = list(re.finditer(r"(?m)^(\w+) = .*$", TEXTS[name]))
    match = data.draw(st.sampled_from(places))
    line = data.draw(st.sampled_from([f"{match[1]} = {value}" for value in VALUES] + [""]))
    for file in own_files.iterdir():
        file.unlink()
    (own_files / name).write_text(TEXTS[name][: match.start()] + line + TEXTS[name][match.end() :], encoding="utf-8")
    use_folder(own_files)
    try:
        tariff_terms.load_tariff()
        rules = RuleSet(
            nomenclature(),
            rule_terms.load_rules("rules.toml"),
            rule_terms.load_rules("rates.toml"),
            load_surcharges().values(),
        )
    except ValueError as error:
        assert str(error).startswith(name)
        return
    for row in CASES.values():
        adjudicate(make_case(row), rules)


@pytest.mark.parametrize("name", sorted(TEXTS))
@pytest.mark.parametrize(
    "text",
    [
        "rule = 5",
        "rule = [5]",
        "[[rule]]\nperiod = 5",
        "",
        "surcharge = [1]",
        "surcharge = 7",
        "index = 'x'\nrounding = []\nkey_letter = 7",
    ],
)
def test_file_of_another_form_is_refused(own_files, name, text):
    (own_files / name).write_text(text)
    use_folder(own_files)
    with pytest.raises(ValueError, match=r"\.toml"):
        current_rules()


def test_end_on_the_last_day_of_the_calendar_is_no_end(own_files):
    columns = "code,valid_from,valid_to,label_fr,chapter,fixed,legal_source,verified"
    (own_files / "acts.csv").write_text(f"{columns}\nX1,2020-01-01,9999-12-31,Acte,technical,9.00,Test,false\n")
    use_folder(own_files)
    (line,) = adjudicate(make_case({"on": date(2023, 1, 1), "lines": [{"act": "X1"}]}), current_rules()).lines
    assert str(line.tariff) == "9.00"

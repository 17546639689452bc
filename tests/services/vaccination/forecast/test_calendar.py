"""Loading a calendar: the packaged one is sound, and one with a gap, an overlap or a slip is refused with the row."""

from datetime import date
from importlib.resources import files

import pytest

from esante.services.vaccination.forecast import RulesError, load_rules
from esante.services.vaccination.forecast.handbook import calendar_page
from esante.services.vaccination.forecast.rules import parse_calendar
from tests.test_structure import ROOT

DATA = files("esante.services.vaccination") / "data" / "lu-2026"
VACCINES = (DATA / "vaccines.toml").read_text(encoding="utf-8")

SMALL = """\
valid_from = 2026-01-01
grace = "4 days"
[source.assumed]
legal_source = "assumed"
[source.text]
legal_source = "a text"
[[series]]
id = "mmr"
label = "MMR"
antigens = ["Measles"]
default = true
[[series.dose]]
minimum = "12 months"
recommended = "12 months"
late = "15 months"
basis = "text"
verified = true
[[series.dose]]
recommended = "15 months"
interval = [{ after = "previous", minimum = "4 weeks" }]
[[observation]]
code = "007"
label = "Pregnancy"
"""


def small(old="", new="", vaccines=VACCINES):
    assert old in SMALL
    return parse_calendar("xx-2026", {"calendar.toml": SMALL.replace(old, new, 1), "vaccines.toml": vaccines})


def test_small_calendar_is_read():
    rules = small()
    (series,) = rules.antigens["Measles"].series
    first, second = series.doses
    assert (first.ages[0].absolute_minimum.months, first.ages[0].absolute_minimum.days) == (12, -4)
    assert second.intervals[0].absolute_minimum.days == 24
    rule = rules.rule("xx/mmr/1/age")
    assert (rule.source, rule.verified) == ("a text", True)
    assert rules.rule("xx/mmr/2/interval/1").verified is False


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('late = "15 months"', 'late = "11 months"', "line 12: overlap: absolute minimum, minimum"),
        ('recommended = "15 months"', 'recommended = "11 months"', "line 18: overlap: dose 2 has an earlier"),
        (
            'recommended = "15 months"\ninterval = [{ after = "previous", minimum = "4 weeks" }]',
            "",
            "line 18: gap: nothing says when dose 2",
        ),
        ("default = true", "", "line 7: gap: no series of the group 1 is the default"),
        ('after = "previous"', "after = 2", "line 18: an interval of dose 2 is measured from dose 2"),
        ('after = "previous"', 'after = "Tuesday"', "line 18: after is 'Tuesday'"),
        ('minimum = "4 weeks"', 'minimum = "four weeks"', 'line 18: minimum: "four weeks" is no duration'),
        ('minimum = "4 weeks"', 'minimal = "4 weeks"', "line 18: minimal: no such key here"),
        ('late = "15 months"', 'latest = "15 months"', "line 12: latest: no such key here"),
        ('antigens = ["Measles"]', 'antigens = ["Plague"]', "line 7: no group has the antigen Plague"),
        ('basis = "text"', 'basis = "hearsay"', "line 12: there is no [source.hearsay]"),
        ('basis = "text"\n', "", "line 12: a rule that is verified names the source"),
        ("verified = true", 'verified = "yes"', "line 12: verified is 'yes' and no bool"),
        ('label = "MMR"', "", "line 7: label is missing"),
        ("default = true", 'kind = "rare"', "line 7: kind is 'rare'"),
        ("default = true", 'default = true\nvaccines = "all"', "line 7: vaccines is 'all' and no list"),
        (
            'recommended = "15 months"',
            'recommended = "15 months"\nadvised = [999]',
            "line 18: there is no vaccine 999",
        ),
        (
            "[[observation]]",
            '[[contraindication]]\nantigens = ["Measles"]\nobservations = ["003"]\nlabel = "x"\n[[observation]]',
            "there is no [[observation]] 003",
        ),
        ("[source.assumed]", "[source.other]", "[source.assumed] is missing"),
        ("valid_from = 2026-01-01", "valid_from = soon", "is no TOML"),
    ],
)
def test_faulty_row_is_refused(old, new, says):
    with pytest.raises(RulesError) as error:
        small(old, new)
    assert says in str(error.value)


def test_two_defaults_of_a_group_overlap():
    again = SMALL[SMALL.index("[[series]]") : SMALL.index("[[observation]]")].replace('id = "mmr"', 'id = "mmr2"')
    with pytest.raises(RulesError, match="line 21: overlap: two series of the group 1 are the default"):
        small("[[observation]]", again + "[[observation]]")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("cvx = [3]", "cvx = [3, 94]", "the vaccine 94 is there twice"),
        ('antigens = ["Varicella"]', 'antigens = ["Varicella", "Polio"]', "Polio is in the groups"),
        ("live = [3,", "live = [999, 3,", "there is no vaccine 999"),
        ('name = "MMRV"', 'name = "MMRV"\ncolour = "red"', "colour: no such key here"),
    ],
)
def test_faulty_vaccine_is_refused(old, new, says):
    assert old in VACCINES
    with pytest.raises(RulesError) as error:
        small(vaccines=VACCINES.replace(old, new, 1))
    assert says in str(error.value)
    assert "line " in str(error.value)


def test_calendar_of_a_day_before_the_first_is_the_first():
    assert load_rules("lu", on=date(2001, 1, 1)) is load_rules("lu", on=date(2026, 11, 29))


def test_unknown_country_is_refused():
    with pytest.raises(RulesError, match="there is no calendar"):
        load_rules("zz", on=date(2026, 1, 1))


def test_every_rule_of_the_packaged_calendar_has_a_source(lu):
    assert all(rule.source for rule in lu.rules.values())
    assert {rule.verified for rule in lu.rules.values()} == {True, False}


def test_every_antigen_of_the_packaged_calendar_has_a_vaccine_and_a_series(lu):
    contained = {each.antigen for associations in lu.vaccines.values() for each in associations}
    grouped = {antigen for group in lu.groups for antigen in group.antigens}
    assert contained == grouped == set(lu.antigens)


def test_page_of_the_calendar_is_that_of_the_data(lu):
    assert (ROOT / "docs" / "vaccination-calendar.md").read_text("utf-8") == calendar_page(lu)

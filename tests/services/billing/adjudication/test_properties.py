"""What holds for every note: sums of shares, the order of lines, the slow twin of articles 9 and 10, old prices."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esante.identity.directory import catalogue
from esante.services.billing.adjudication import RuleSet, adjudicate, current_rules
from esante.services.billing.adjudication.model import Effect
from esante.services.billing.adjudication.terms import RATES, RULES, load_rules
from esante.services.billing.nomenclature import Flag, Nomenclature, load_surcharges, nomenclature, report_of
from esante.services.billing.nomenclature.data_files import data_text
from esante.services.billing.nomenclature.model import Value
from esante.services.billing.nomenclature.terms import PACKAGE, load_tariff
from tests.support.billing_cases import make_case
from tests.support.billing_oracle import Billed, session_amounts

ON = date(2023, 12, 28)
ALL = list(catalogue().specialities)
TECHNICAL = ("9T01", "9T02", "9T03", "9T04", "9T06", "9T11", "9R01", "9R02", "9R03")
GENERAL = ("C1", "RM1", "DK1", "V1")
codes = [act.code for act in nomenclature().acts(ON)]

any_line = st.fixed_dictionaries(
    {
        "act": st.sampled_from([*codes, "ZZ9", "PAP11"]),
        "quantity": st.integers(-1, 5),
        "gross": st.decimals(-1, 700, places=2).map(str),
        "letters": st.sampled_from(["", "", "R", "B", "N", "D", "F", "P", "A", "V", "NB", "Z"]),
        "day": st.integers(-20, 1).map(lambda days: ON + timedelta(days=days)),
        "class": st.sampled_from(["", "1", "2", "A"]),
    },
    optional={"time": st.sampled_from(["00:00", "06:59", "19:30", "20:00"]), "place": st.sampled_from(["01", "02"])},
)
any_note = st.fixed_dictionaries(
    {
        "on": st.just(ON),
        "specialities": st.just(ALL),
        "born": st.dates(date(1930, 1, 1), ON),
        "lines": st.lists(any_line, min_size=1, max_size=8),
    },
    optional={
        "polytrauma": st.just(True),
        "accident": st.just("L123456789"),
        "approvals": st.just([{"code": "9T08", "since": date(2023, 1, 1), "until": ON, "quantity": 2}]),
        "past": st.lists(
            st.fixed_dictionaries({"code": st.sampled_from(codes), "on": st.dates(date(2023, 12, 1), ON)}), max_size=3
        ),
    },
)
session_line = st.one_of(
    st.fixed_dictionaries(
        {
            "act": st.sampled_from([*TECHNICAL, "9T05"]),
            "quantity": st.integers(1, 4),
            "letters": st.sampled_from(["", "", "B", "N"]),
            "time": st.just("21:00"),
        }
    ),
    st.fixed_dictionaries({"act": st.sampled_from(GENERAL), "quantity": st.just(1)}),
)
session = st.lists(session_line, min_size=1, max_size=7, unique_by=lambda line: line["act"])


def decide(row):
    return adjudicate(make_case(row), current_rules())


@given(any_note)
def test_shares_add_up_to_the_tariff_and_are_never_negative(row):
    for line, decision in zip(row["lines"], decide(row).lines, strict=True):
        assert decision.statutory + decision.personal == decision.tariff
        assert 0 <= decision.statutory <= decision.tariff
        assert decision.tariff + decision.convenience <= max(Decimal(line["gross"]), Decimal(0))
        assert all(
            amount == round(amount, 2) for amount in (decision.tariff, decision.statutory, decision.convenience)
        )
        assert 0 <= decision.quantity <= max(line["quantity"], 0)
        if decision.is_refused:
            assert (decision.tariff, decision.convenience, decision.quantity) == (0, 0, 0)
        elif not decision.tariff and not decision.convenience:
            assert Decimal(line["gross"]) == 0


@given(any_note, st.randoms(use_true_random=False))
def test_order_of_lines_changes_no_sum(row, random):
    shuffled = row | {"lines": random.sample(row["lines"], len(row["lines"]))}
    one, other = decide(row), decide(shuffled)
    assert (one.statutory, one.personal) == (other.statutory, other.personal)


@pytest.mark.parametrize("code", ["9T02", "9T08"])
def test_order_of_lines_that_differ_in_their_rate_only_changes_no_sum(code):
    """The second one is reduced, or has no approval left: it must be the same one whatever the order."""
    lines = [{"act": code, "class": "2"}, {"act": code, "class": "A"}]
    approvals = [{"code": "9T08", "since": ON, "until": ON}]
    sums = {decide({"on": ON, "approvals": approvals, "lines": order}).statutory for order in (lines, lines[::-1])}
    assert len(sums) == 1


def test_order_of_lines_that_differ_in_their_quantity_changes_no_sum():
    """Two may be billed in a year: the line with two is paid, and the one with one is not, whatever the order."""
    lines = [{"act": "9T09", "quantity": 1}, {"act": "9T09", "quantity": 2}]
    decided = [decide({"on": ON, "born": date(2015, 1, 1), "lines": order}) for order in (lines, lines[::-1])]
    assert decided[0].statutory == decided[1].statutory


@given(any_note)
def test_every_line_that_gets_less_names_a_rule_with_source_and_remedy(row):
    rules = current_rules()
    for decision in decide(row).lines:
        for finding in decision.findings:
            assert finding.legal_source
            assert finding.effect is Effect.RATE or rules.rule(finding.rule).words
        if decision.is_refused or not decision.tariff:
            assert decision.findings


def billed(line, rules):
    """The line for the slow twin, priced by hand."""
    act = rules.nomenclature.act(line["act"], ON)
    price = rules.nomenclature.price(act, ON)
    factor = {"": Decimal(1), "B": Decimal("1.5"), "N": Decimal(2)}[line.get("letters", "")]
    unit = (price.unit * factor + Decimal("0.0000001")).quantize(Decimal("0.01"))
    flags = {"cac": Flag.CAC in act.flags, "cat": Flag.CAT in act.flags, "part_of": tuple(act.part_of)}
    return Billed(line["act"], act.chapter.value, price.exact, unit, line["quantity"], **flags)


@given(session)
@settings(max_examples=300)
def test_session_is_paid_as_the_slow_twin_says(lines):
    rules = current_rules()
    decided = adjudicate(make_case({"on": ON, "specialities": ALL, "lines": lines}), rules)
    assert [one.tariff for one in decided.lines] == session_amounts([billed(line, rules) for line in lines])


@given(
    st.lists(st.sampled_from([*TECHNICAL, *GENERAL]), min_size=1, max_size=7, unique=True),
)
def test_one_more_act_never_lowers_what_is_paid_for_the_session(acts):
    def total(some):
        lines = [{"act": act} for act in some]
        return sum(one.tariff for one in decide({"on": ON, "specialities": ALL, "lines": lines}).lines)

    assert total(acts) >= total(acts[:-1])


@given(any_note)
@settings(max_examples=50)
def test_later_index_and_coefficients_change_no_old_note(row):
    tariff, acts = load_tariff(), report_of(data_text(PACKAGE, "acts.csv")).acts
    index = Value(valid_from=date(2024, 1, 1), value=Decimal("1500"), legal_source="test", verified=False)
    later = replace(tariff, index=(*(one for one in tariff.index if one.valid_from <= ON), index))
    changed = {
        code: tuple(replace(act, valid_to=ON) for act in periods if act.valid_from <= ON)
        + tuple(
            replace(act, valid_from=ON + timedelta(days=1), coefficient=act.coefficient and act.coefficient * 2)
            for act in periods[-1:]
        )
        for code, periods in acts.items()
    }
    rules = RuleSet(Nomenclature(changed, later), load_rules(RULES), load_rules(RATES), load_surcharges().values())
    row = row | {"lines": [line | {"day": min(line["day"], ON)} for line in row["lines"]]}
    assert adjudicate(make_case(row), rules).lines == decide(row).lines


def test_decision_is_the_same_when_it_is_made_again():
    row = {"on": ON, "lines": [{"act": "C1"}, {"act": "9T02"}, {"act": "9T03"}]}
    assert decide(row) == decide(row)

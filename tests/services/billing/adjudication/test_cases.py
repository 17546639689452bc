"""The tables in cases/: every rule, and every edge of one."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from esante.services.billing.adjudication import adjudicate, current_rules
from tests.support.billing_cases import make_case, read_cases

CASES = dict(read_cases(Path(__file__).parent / "cases"))


@pytest.mark.parametrize("name", CASES, ids=str)
def test_case_gets_what_its_table_says(name):
    row = CASES[name]
    decided = adjudicate(make_case(row), current_rules())
    for expected, line in zip(row["lines"], decided.lines, strict=True):
        amounts = [line.tariff, line.statutory, line.personal]
        wanted = [Decimal(amount) for amount in expected["expect"].split()]
        if line.convenience or len(wanted) > 3:
            amounts.append(line.convenience)
        assert (amounts, sorted(one.rule for one in line.findings)) == (wanted, sorted(expected["rules"])), expected
        assert "paid" not in expected or line.quantity == expected["paid"]
    assert sorted(one.rule for one in decided.findings) == sorted(row.get("note_rules", []))


def test_every_rule_has_a_case():
    named = Counter(rule for row in CASES.values() for line in row["lines"] for rule in line["rules"])
    named.update(rule for row in CASES.values() for rule in row.get("note_rules", []))
    untabled = {"act.no-tariff"}
    assert {rule.key for rule in current_rules().rules} - named.keys() == untabled

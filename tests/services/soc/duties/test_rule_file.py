"""The file of duties: what is packaged, and what is refused."""

import pytest

from esante.core.dated_data import packaged_text
from esante.services.soc.duties.model import Status
from esante.services.soc.duties.rule_file import packaged_rules, parse_rules

TEXT = packaged_text("esante.services.soc", "duties.toml")


def test_every_set_names_its_source_and_whether_it_was_checked():
    rules = packaged_rules()
    assert {one.regime for one in rules.sets} == {"nis2", "gdpr", "devices"}
    assert all(one.legal_source for one in rules.sets)
    assert {one.key for one in rules.sets if one.verified} == {"gdpr"}
    assert {one.status for one in rules.sets if one.regime == "nis2"} == {Status.IN_FORCE, Status.DRAFT}


def test_duties_in_force_have_keys_of_their_own():
    keys = [duty.key for one in packaged_rules().sets if one.status is Status.IN_FORCE for duty in one.duties]
    assert len(keys) == len({*keys})


@pytest.mark.parametrize(
    ("part", "other", "fault"),
    [
        ('fact = "deaths"', 'fact = "deahts"', "no fact deahts"),
        ('to = "cnpd"', 'to = "nobody"', "no recipient nobody"),
        ('starts = "incident_notification"', 'starts = "nothing"', "nothing starts it"),
        ('thresholds = ["breach_risk"]', 'thresholds = ["breach"]', "no threshold breach"),
        ("hours = 72", "hours = 0", "at least 1"),
        ("hours = 24", "hours = 24\ndays = 1", "give one of"),
        ('"advice", "contact"]', '"advise", "contact"]', "no section advise"),
        ("is = true }", "is = true, at_least = 1 }", "give one of at_least"),
        ("verified = true", 'verified = "yes"', "verified"),
        ("valid_from = 2018-05-25", 'valid_from = "soon"', "valid_from"),
    ],
)
def test_wrong_part_is_refused_with_its_place(part, other, fault):
    assert part in TEXT
    with pytest.raises(ValueError, match=fault):
        parse_rules(TEXT.replace(part, other, 1))

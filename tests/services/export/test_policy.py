"""Dated limits of exports."""

from datetime import date, timedelta

import pytest

from esante.services.export.policy import parse_policies, policy_on


def test_policy_has_periods_with_source_and_all_fields():
    terms = policy_on(date(2026, 1, 1))
    assert terms.keep > timedelta(0)
    assert terms.legal_source
    text = """
    [[period]]
    valid_from = 2020-01-01
    legal_source = "x"
    verified = false
    keep_hours = 1
    running_jobs = 1
    kept_jobs = 1
    poll_seconds = 1
    """
    assert parse_policies(text)[0].keep == timedelta(hours=1)
    with pytest.raises(KeyError):
        parse_policies(text.replace("keep_hours = 1", ""))
    with pytest.raises(ValueError, match=r"no \[\[period\]\]"):
        parse_policies("period = []")

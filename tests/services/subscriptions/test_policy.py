"""The policy file of subscriptions."""

from datetime import timedelta

import pytest

from esante.services.subscriptions import rules, subscription_policy
from esante.services.subscriptions.policy import parse_policy


def test_packaged_policy_gives_up_after_hours_and_is_consistent():
    policy = subscription_policy()
    waits = [rules.retry_wait(policy, failures, 1) for failures in range(1, policy.attempts)]
    assert waits == sorted(waits)
    assert timedelta(hours=2) < sum(waits, timedelta()) < timedelta(days=1)
    assert policy.lease > policy.timeout


def test_lease_shorter_than_timeout_is_refused():
    from importlib.resources import files

    text = (files("esante.services.subscriptions") / "data" / "policy.toml").read_text("utf-8")
    with pytest.raises(ValueError, match="lease"):
        parse_policy(text.replace("lease_seconds = 30", "lease_seconds = 5"))

"""Rules of subscriptions: statuses, retries, purposes."""

from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.identity.access import Requester
from esante.services.subscriptions import (
    SubscriptionStatus,
    rules,
    subscription_policy,
)

REQUESTED, ACTIVE, ERROR, OFF = (
    SubscriptionStatus.REQUESTED,
    SubscriptionStatus.ACTIVE,
    SubscriptionStatus.ERROR,
    SubscriptionStatus.OFF,
)


@pytest.mark.parametrize(
    ("now", "wanted", "after"),
    [
        (REQUESTED, REQUESTED, REQUESTED), (REQUESTED, ACTIVE, REQUESTED), (REQUESTED, OFF, OFF), (REQUESTED, ERROR, None),
        (ACTIVE, ACTIVE, ACTIVE), (ACTIVE, REQUESTED, ACTIVE), (ACTIVE, OFF, OFF), (ACTIVE, ERROR, None),
        (ERROR, REQUESTED, REQUESTED), (ERROR, ACTIVE, REQUESTED), (ERROR, ERROR, ERROR), (ERROR, OFF, OFF),
        (OFF, REQUESTED, REQUESTED), (OFF, ACTIVE, REQUESTED), (OFF, OFF, OFF), (OFF, ERROR, None),
    ],
)  # fmt: skip
def test_next_status_of_every_pair(now, wanted, after):
    assert rules.next_status(now, wanted) is after


@given(st.integers(1, 1_000), st.floats(0, 1))
def test_retry_wait_doubles_up_to_bound_spread_over_second_half(failures, chance):
    policy = subscription_policy()
    longest = policy.first_wait
    for _ in range(failures - 1):
        longest = min(longest * 2, policy.longest_wait)
    assert longest / 2 <= rules.retry_wait(policy, failures, chance) <= longest


def test_purpose_depends_on_kind_of_owner():
    requester = Requester(kind="patient", id=uuid4(), name="Anna")
    assert rules.purpose_of(requester).value == "PATRQT"
    assert rules.purpose_of(replace(requester, kind="organization")).value == "TREAT"

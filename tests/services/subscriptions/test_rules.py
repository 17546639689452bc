"""The pure decisions: statuses, waits, the terms, and whose event something is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.journal import EVENTS, Actor, Entry
from esante.core.storage import uuid7
from esante.identity.access import Requester
from esante.services.record import ConfidentialitySet, DepositedEvent, Read, Withdrawn
from esante.services.subscriptions import TOPICS, SubscriptionStatus, rules, subscription_policy
from esante.services.subscriptions.policy import parse_policy
from esante.services.subscriptions.topics import foci_of

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
def test_what_a_subscriber_may_make_of_a_status(now, wanted, after):
    assert rules.next_status(now, wanted) is after


@given(st.integers(1, 1_000), st.floats(0, 1))
def test_waits_double_up_to_a_bound_and_are_spread_over_their_second_half(failures, chance):
    terms = subscription_policy()
    longest = terms.first_wait
    for _ in range(failures - 1):
        longest = min(longest * 2, terms.longest_wait)
    assert longest / 2 <= rules.retry_wait(terms, failures, chance) <= longest


def test_the_terms_give_up_after_some_hours_and_hold_together():
    terms = subscription_policy()
    waits = [rules.retry_wait(terms, failures, 1) for failures in range(1, terms.attempts)]
    assert waits == sorted(waits)
    assert timedelta(hours=2) < sum(waits, timedelta()) < timedelta(days=1)
    assert terms.lease > terms.timeout


def test_a_lease_that_is_shorter_than_an_attempt_is_refused():
    from importlib.resources import files

    text = (files("esante.services.subscriptions") / "data" / "policy.toml").read_text("utf-8")
    with pytest.raises(ValueError, match="lease"):
        parse_policy(text.replace("lease_seconds = 30", "lease_seconds = 5"))


def entry(told):
    return Entry(uuid7(), uuid4(), datetime.now(UTC), "", Actor(kind="practitioner"), "", told)


def test_what_an_entry_may_be_told_of():
    document = uuid4()
    about = {"documents": (document,), "categories": ("letter",)}
    for told in (DepositedEvent(**about), Withdrawn(**about), ConfidentialitySet(level="hidden", **about)):
        happened = entry(told)
        [(topic, focus)] = foci_of(happened)
        assert (topic.resource, focus.person_id, focus.id) == ("DocumentReference", happened.person_id, document)
        assert focus.reference == f"DocumentReference/{happened.person_id.hex}{document.hex}"
    for told in (Read(**about), DepositedEvent(allowed=False, **about), None):
        assert foci_of(entry(told)) == []


@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)
def test_a_topic_follows_declared_events_and_has_words(topic):
    assert topic.follows
    for type_ in topic.follows:
        assert EVENTS[type_.TYPE] is type_
    assert topic.url.startswith("https://")
    assert topic.title
    assert topic.description
    assert "patient" not in topic.filters


def test_somebody_who_asks_is_the_same_whatever_he_asked_from():
    requester = Requester(kind="patient", id=uuid4(), name="Anna")
    assert rules.purpose_of(requester).value == "PATRQT"
    assert rules.purpose_of(replace(requester, kind="organization")).value == "TREAT"

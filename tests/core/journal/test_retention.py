"""The retention policies: the first one in force whose pattern fits, of persons or of the platform."""

import tomllib
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest

from esante.core.journal import EVENTS, retention
from esante.core.journal.retention import retention_cutoff, retention_policy

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("type_", "of_person", "now", "days"),
    [
        ("record.read", True, NOW, 1096),
        ("record.read", False, NOW, 3652),
        ("directory.person_read", True, NOW, 3652),
        ("auth.signed-in", False, NOW, 1096),
        ("auth.signed-in", False, datetime(2025, 3, 25, tzinfo=UTC), 3652),
    ],
)
def test_cutoff_of_the_first_policy_in_force(type_, of_person, now, days):
    assert retention_cutoff(type_, now, of_person=of_person) == now - timedelta(days=days)


def test_only_entries_of_persons_live_as_long_as_their_data():
    assert retention_policy("record.read", NOW, of_person=True).with_data
    assert not retention_policy("directory.person_read", NOW, of_person=True).with_data
    assert not retention_policy("record.read", NOW, of_person=False).with_data


def test_type_without_policy_is_a_lookup_error(monkeypatch):
    monkeypatch.setattr(retention, "_policies", tuple)
    with pytest.raises(LookupError, match=r"no retention policy fits record\.read"):
        retention_cutoff("record.read", NOW, of_person=True)


def test_every_event_type_has_a_cutoff():
    assert all(
        retention_cutoff(type_, NOW, of_person=of_person) < NOW for type_ in EVENTS for of_person in (True, False)
    )


def test_three_years_of_the_regulation_are_the_least_that_any_policy_keeps():
    text = (files("esante.core.journal") / "data" / "retention.toml").read_text(encoding="utf-8")
    for policy in tomllib.loads(text)["policy"]:
        assert policy["legal_source"] and isinstance(policy["verified"], bool)
        assert policy["years"] >= 3

"""The retention policies: the first one in force whose pattern fits."""

from datetime import UTC, datetime, timedelta

import pytest

from esante.core.journal import EVENTS, retention
from esante.core.journal.retention import retention_cutoff

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("type_", "now", "days"),
    [
        ("record.read", NOW, 3652),
        ("auth.signed-in", NOW, 1096),
        ("auth.signed-in", datetime(2025, 3, 25, tzinfo=UTC), 3652),
    ],
)
def test_cutoff_of_the_first_policy_in_force(type_, now, days):
    assert retention_cutoff(type_, now) == now - timedelta(days=days)


def test_type_without_policy_is_a_lookup_error(monkeypatch):
    monkeypatch.setattr(retention, "_policies", tuple)
    with pytest.raises(LookupError, match=r"no retention policy fits record\.read"):
        retention_cutoff("record.read", NOW)


def test_every_event_type_has_a_cutoff():
    assert all(retention_cutoff(type_, NOW) < NOW for type_ in EVENTS)

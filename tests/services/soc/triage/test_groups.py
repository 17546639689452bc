"""Which alerts belong together: against a twin that compares each with each."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.soc.alerts.model import Level, Origin
from esante.services.soc.cases.model import QueuedAlert
from esante.services.soc.triage.groups import Join, case_rules_on, group, parse_case_rules
from tests.support.soc import NOON

TENANTS = [UUID(int=1), UUID(int=2)]
JOINS = st.lists(
    st.builds(Join, same=st.sampled_from([("subject",), ("rule",), ("rule", "subject")]), minutes=st.integers(1, 60)),
    max_size=3,
)


def an_alert(tenant, rule, subject, start, length) -> QueuedAlert:
    first = NOON + timedelta(minutes=start)
    return QueuedAlert(
        tenant_id=tenant, alert_id=uuid4(), tenant="", raised_at=first, first_at=first,
        last_at=first + timedelta(minutes=length), origin=Origin.SIGMA, rule=rule, title="t", level=Level.LOW,
        techniques=(), subject=subject,
    )  # fmt: skip


ALERTS = st.lists(
    st.builds(
        an_alert,
        st.sampled_from(TENANTS),
        st.sampled_from(["r1", "r2"]),
        st.sampled_from(["", "s1", "s2"]),
        st.integers(0, 300),
        st.integers(0, 40),
    ),
    max_size=12,
)


def belong(one, other, joins) -> bool:
    gap = max(one.first_at, other.first_at) - min(one.last_at, other.last_at)
    return one.tenant_id == other.tenant_id and any(
        all(getattr(one, part) and getattr(one, part) == getattr(other, part) for part in join.same)
        and gap <= timedelta(minutes=join.minutes)
        for join in joins
    )


def twin(alerts, joins):
    """Return the sets of keys, joined until nothing changes."""
    sets = [{one.alert_id} for one in alerts]
    by_key = {one.alert_id: one for one in alerts}
    changed = True
    while changed:
        changed = False
        for left in sets:
            for right in sets:
                if left is not right and any(belong(by_key[a], by_key[b], joins) for a in left for b in right):
                    left |= right
                    sets = [one for one in sets if one is not right]
                    changed = True
                    break
            if changed:
                break
    return {frozenset(one) for one in sets}


@given(ALERTS, JOINS)
def test_groups_are_those_of_the_twin_in_the_order_of_the_alerts(alerts, joins):
    found = group(alerts, joins)
    assert {frozenset(one.alert_id for one in part) for part in found} == twin(alerts, joins)
    places = [[alerts.index(one) for one in part] for part in found]
    assert all(part == sorted(part) for part in places) and [part[0] for part in places] == sorted(
        p[0] for p in places
    )


def test_packaged_rules_hold_on_any_day():
    rules = case_rules_on(NOON.date())
    assert rules.join and rules.legal_source and not rules.verified


@pytest.mark.parametrize("text", ["", "[[period]]\n", 'period = "x"'])
def test_wrong_file_is_refused(text):
    with pytest.raises(ValueError, match=r"period|missing|Expected"):
        parse_case_rules(text)

"""Which duties facts bring: against a twin in plain Python, written from the facts of the law."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esante.services.soc.duties.model import DataRisk, DeviceHarm, Entity, Facts, RuleSet
from esante.services.soc.duties.rule_file import packaged_rules
from esante.services.soc.duties.rules import owed_duties, reached, sets_on

ZONE = ZoneInfo("Europe/Luxembourg")
START = datetime(2026, 10, 1, tzinfo=UTC)
SETS = {one.key: one for one in packaged_rules().sets}
COUNTS = st.sampled_from([0, 1, 9, 10, 50, 51, 60, 61, 119, 120, 239, 240, 1439, 1440, 2879, 2880])
PERCENT = st.sampled_from(
    [Decimal(n) for n in ("0", "1.99", "2", "5", "5.01", "9.9", "10", "49.9", "50", "99.9", "100")]
)
EUROS = st.sampled_from(
    [Decimal(n) for n in ("0", "9999.99", "10000", "49999", "50000", "250000", "499999.99", "500000")]
)
LATER = st.one_of(st.none(), st.integers(0, 100_000).map(lambda minutes: START + timedelta(minutes=minutes)))
FACTS = st.builds(
    Facts,
    detected_at=st.just(START),
    aware_at=LATER,
    breach_aware_at=LATER,
    handled_at=LATER,
    entity=st.sampled_from([*Entity]),
    planned_maintenance=st.booleans(),
    outage_minutes=COUNTS,
    users_out_percent=PERCENT,
    analyses_out_percent=PERCENT,
    severe_disruption=st.booleans(),
    malicious_access=st.booleans(),
    physical_access=st.booleans(),
    cross_border=st.booleans(),
    affected_users=COUNTS,
    trade_secrets=st.booleans(),
    reversible_harm=COUNTS,
    irreversible_harm=COUNTS,
    deaths=st.integers(0, 2),
    person_endangered=st.booleans(),
    considerable_harm=st.booleans(),
    public_health_risk=st.booleans(),
    considerable_damage=st.booleans(),
    loss_eur=EUROS,
    earlier_loss_eur=EUROS,
    turnover_eur=st.sampled_from([Decimal(0), Decimal(1_000_000), Decimal(20_000_000)]),
    damage_legal_eur=EUROS,
    damage_natural_eur=EUROS,
    personal_data=st.booleans(),
    data_risk=st.sampled_from([*DataRisk]),
    data_unreadable=st.booleans(),
    risk_removed=st.booleans(),
    device_harm=st.sampled_from([*DeviceHarm]),
)


def is_significant_by_law(f: Facts) -> bool:
    if f.severe_disruption or f.considerable_damage:
        return True
    if f.entity == "hospital":
        return f.reversible_harm >= 10 or f.irreversible_harm >= 1
    if f.entity == "laboratory":
        hours = Decimal(f.outage_minutes) / 60
        out = f.analyses_out_percent
        steps = ((100, 2), (50, 4), (10, 24), (2, 48))
        return f.person_endangered or any(out >= share and hours >= least for share, least in steps)
    return False


def is_significant_by_draft(f: Facts) -> bool:
    if not f.planned_maintenance and (f.outage_minutes > 60 or f.users_out_percent > 5):
        return True
    loss = f.loss_eur + f.earlier_loss_eur
    least = min(Decimal(500_000), f.turnover_eur * 5 / 100) if f.turnover_eur else Decimal(500_000)
    if loss >= least or f.damage_legal_eur >= 50_000 or f.damage_natural_eur >= 10_000:
        return True
    flags = (f.malicious_access, f.trade_secrets, f.cross_border, f.physical_access, f.public_health_risk)
    return any(flags) or f.considerable_harm or f.deaths > 0 or f.affected_users > 50


def month_after(moment: datetime) -> datetime:
    local = moment.astimezone(ZONE)
    year, month = (local.year + 1, 1) if local.month == 12 else (local.year, local.month + 1)
    day = local.day
    while True:
        try:
            return datetime(year, month, day, 23, 59, tzinfo=ZONE)
        except ValueError:
            day -= 1


def twin(f: Facts, sent: dict[str, datetime]) -> dict[str, datetime | None]:
    """The duties in force with their deadlines, None where none is counted."""
    owed: dict[str, datetime | None] = {}
    if is_significant_by_law(f):
        owed["early_warning"] = f.aware_at + timedelta(hours=24) if f.aware_at else None
        owed["incident_notification"] = f.aware_at + timedelta(hours=72) if f.aware_at else None
        owed["users_informed"] = None
        owed["final_report"] = None
        if "incident_notification" in sent:
            report = month_after(sent["incident_notification"])
            if f.handled_at is not None and f.handled_at <= report:
                owed["final_report"] = report
            else:
                owed["progress_report"] = report
                owed["final_report"] = month_after(f.handled_at) if f.handled_at else None
    known = f.breach_aware_at or f.aware_at
    if f.personal_data and f.data_risk != "none":
        owed["breach_notification"] = known + timedelta(hours=72) if known else None
        if f.data_risk == "high" and not (f.data_unreadable or f.risk_removed):
            owed["persons_informed"] = None
    days = {"serious": 15, "death": 10, "public": 2}
    if f.device_harm != "none":
        due = None
        if f.aware_at:
            last = f.aware_at.astimezone(ZONE).date() + timedelta(days=days[f.device_harm])
            due = datetime(last.year, last.month, last.day, 23, 59, tzinfo=ZONE)
        owed[f"device_{f.device_harm}_report"] = due
    return owed


@settings(max_examples=400)
@given(FACTS, st.one_of(st.none(), st.integers(0, 60_000)))
def test_duties_in_force_are_those_of_the_twin(facts, minutes):
    sent = {} if minutes is None else {"incident_notification": START + timedelta(minutes=minutes)}
    found = owed_duties(facts, sent, sets_on(packaged_rules().sets, date(2026, 10, 1)), ZONE)
    assert {one.duty.key: one.due_at for one in found} == twin(facts, sent)
    assert all(one.why for one in found)
    assert {one.duty.key: one.sent_at for one in found if one.sent_at} == {
        key: at for key, at in sent.items() if key in twin(facts, sent)
    }


@settings(max_examples=400)
@given(FACTS)
def test_thresholds_of_the_draft_are_those_of_the_twin(facts):
    assert bool(reached(SETS["nis2-n26"], facts)) == is_significant_by_draft(facts)


@given(FACTS)
def test_early_warning_of_the_draft_runs_from_detection(facts):
    owed = {one.duty.key: one for one in owed_duties(facts, {}, [SETS["nis2-n26"]], ZONE)}
    if is_significant_by_draft(facts):
        assert owed["early_warning"].due_at == START + timedelta(hours=24)
    else:
        assert owed == {}


def test_draft_is_in_force_on_no_day():
    for year in (2024, 2026, 2030):
        assert "nis2-n26" not in {one.key for one in sets_on(packaged_rules().sets, date(year, 1, 1))}


@pytest.mark.parametrize(("minutes", "late"), [(-1, False), (0, False), (1, True)])
def test_duty_is_late_after_its_last_minute(minutes, late):
    facts = Facts(detected_at=START, aware_at=START, severe_disruption=True)
    [owed] = [one for one in owed_duties(facts, {}, [SETS["nis2-2026"]], ZONE) if one.duty.key == "early_warning"]
    assert owed.is_late(START + timedelta(hours=24, minutes=minutes)) is late
    assert owed.elapsed(START + timedelta(hours=6)) == 0.25
    assert owed.elapsed(START + timedelta(days=9)) == 1.0


def test_period_of_a_regime_follows_the_one_before():
    def rules(key: str, day: date) -> RuleSet:
        base = SETS["gdpr"]
        return RuleSet(**{name: getattr(base, name) for name in base.__slots__} | {"key": key, "valid_from": day})

    sets = [rules("new", date(2027, 1, 1)), rules("old", date(2020, 1, 1))]
    assert [one.key for one in sets_on(sets, date(2026, 12, 31))] == ["old"]
    assert [one.key for one in sets_on(sets, date(2027, 1, 1))] == ["new"]

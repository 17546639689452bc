"""Objectives: their state, and the data file."""

from esante.services.bulletin.analysis.objectives import assess_objectives, assess_state, objectives_contract
from esante.services.bulletin.publication.declared_indicators import declared_indicators
from tests.support.bulletin_issue import sample


def test_objective_is_assessed_by_linear_progress():
    objective = next(one for one in objectives_contract().objective if one.key == "accounts")
    assert assess_state(objective, 200_000, 350_000, "2026-01")[0] == "reached"
    # two thirds of the way in half the time
    assert assess_state(objective, 200_000, 300_000, "2026-06")[0] == "on_track"
    assert assess_state(objective, 200_000, 210_000, "2026-06")[0] == "behind"
    assert assess_state(objective, 200_000, 340_000, "2027-12")[0] == "missed"
    assert assess_state(objective, 200_000, None, "2026-06") == ("unknown", None)
    assert assess_state(objective, 360_000, 355_000, "2026-06") == ("reached", 1.0)
    assert assess_state(objective, 360_000, 340_000, "2026-06") == ("behind", 0.0)
    assert assess_state(objective, 350_000, 340_000, "2026-06") == ("behind", 0.0)
    assert assess_state(objective, None, 340_000, "2026-06") == ("unknown", None)
    assert assess_state(objective, None, 340_000, "2027-12") == ("missed", None)
    lower = next(one for one in objectives_contract().objective if one.key == "failures")
    assert assess_state(lower, 2_000, 900, "2026-01")[0] == "reached"
    assert assess_state(lower, 2_000, 1_900, "2026-05")[0] == "behind"


def test_objectives_name_declared_indicators_and_sources():
    known = {one.id for one in declared_indicators().indicator}
    axes = {axis.key for axis in objectives_contract().axis}
    for objective in objectives_contract().objective:
        assert objective.indicator in known
        assert objective.axis in axes
        assert objective.legal_source or not objective.verified
    assert all(set(scenario.changes) <= known for scenario in objectives_contract().scenario)


def test_sample_issue_assesses_every_objective():
    found = {progress.objective.key: progress for progress in assess_objectives(sample())}
    accounts = found["accounts"]
    assert accounts.state in ("on_track", "behind")
    assert accounts.forecast.reliable
    assert accounts.scenarios["low"] < accounts.scenarios["central"] < accounts.scenarios["high"]

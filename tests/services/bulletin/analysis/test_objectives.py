"""Objectives: their state, and the data file."""

import msgspec
import pytest

from esante.services.bulletin.analysis.objectives import (
    assess_objectives,
    assess_state,
    ceiling_of,
    objectives_contract,
    scenario_values,
)
from esante.services.bulletin.publication.declared_indicators import declared_indicators
from esante.services.bulletin.publication.issue_files import make_document
from tests.support.bulletin_issue import BASE, revise, sample, sample_issue

ACCOUNTS, FAILURES = (
    next(one for one in objectives_contract().objective if one.key == key) for key in ("accounts", "failures")
)


@pytest.mark.parametrize(
    ("baseline", "value", "period", "state", "share"),
    [
        (200_000, 350_000, "2026-01", "reached", 1.0),
        (200_000, 300_000, "2026-06", "on_track", 2 / 3),  # two thirds of the way in half the time
        (200_000, 210_000, "2026-06", "behind", 1 / 15),
        (200_000, 190_000, "2026-06", "behind", 0.0),
        (200_000, 340_000, "2027-12", "missed", 14 / 15),
        (200_000, 350_000, "2027-12", "reached", 1.0),
        (200_000, None, "2026-06", "unknown", None),
    ],
)
def test_way_to_the_target_is_judged_by_linear_progress(baseline, value, period, state, share):
    found, part = assess_state(ACCOUNTS, baseline, value, period)
    assert found == state
    assert part == (share if share is None else pytest.approx(share))


@pytest.mark.parametrize(
    ("baseline", "value", "period", "state"),
    [
        (360_000, 355_000, "2026-06", "kept"),
        (350_000, 350_000, "2026-06", "kept"),
        (360_000, 340_000, "2026-06", "lost"),
        (360_000, 340_000, "2027-12", "missed"),
        (None, 360_000, "2026-06", "met"),
        (None, 340_000, "2026-06", "unknown"),
        (None, 340_000, "2027-12", "missed"),
    ],
)
def test_target_that_was_not_crossed_is_not_reached(baseline, value, period, state):
    assert assess_state(ACCOUNTS, baseline, value, period) == (state, None)


@pytest.mark.parametrize(
    ("baseline", "value", "state"),
    [(2_000, 900, "reached"), (2_000, 1_900, "behind"), (900, 950, "kept"), (900, 1_100, "lost")],
)
def test_falling_target_is_crossed_downwards(baseline, value, state):
    assert assess_state(FAILURES, baseline, value, "2026-05")[0] == state


def progress_of(key, document):
    """Return the progress of one objective."""
    return next(one for one in assess_objectives(document) if one.objective.key == key)


def test_objective_whose_date_is_over_is_judged_by_the_value_of_that_date():
    issue = sample_issue()
    met_since = msgspec.structs.replace(issue, vintage=revise(issue.vintage, "platform_failures", -1_600))
    document = make_document(met_since, BASE)
    failures = progress_of("failures", document)
    assert failures.value <= failures.objective.target < failures.final
    assert failures.final == document.cell("platform_failures", "2026-06").value
    assert failures.state == "missed"


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


def test_scenario_stays_below_the_ceiling():
    progress = progress_of("documents", sample())
    assert ceiling_of(sample().indicator(progress.objective.indicator), None) == 100
    assert ceiling_of(sample().indicator("patient_accounts"), 690_000) == 690_000
    central = progress.forecast.points[-1].value
    assert scenario_values(progress.objective, progress.forecast, 100)["high"] == pytest.approx(central * 1.03)
    assert scenario_values(progress.objective, progress.forecast, central + 1)["high"] == central + 1

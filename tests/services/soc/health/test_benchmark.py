"""The labelled benchmark: what the detections find, and what they leave alone."""

import pytest

from esante.services.soc.health.benchmark.run import BUDGET, entry_line, evaluate, label_line, make_set
from esante.services.soc.health.detections.model import Detection


@pytest.mark.parametrize("detection", list(Detection))
async def test_detection_finds_misuse_of_its_kind(figures, detection):
    one = figures[detection.value]
    assert one.incidents > 0
    assert one.found > 0


@pytest.mark.parametrize(
    "detection",
    [Detection.PROBING, Detection.MASS_READING, Detection.INVENTED, Detection.AFTER_DEATH, Detection.NOTE_DECEASED],
)
async def test_detections_of_plain_misuse_leave_ordinary_care_alone(figures, detection):
    one = figures[detection.value]
    assert one.right == one.findings > 0


async def test_most_misuse_is_found_and_reviews_within_the_budget_mostly_show_it(small_run):
    result = evaluate(small_run.labelled, small_run.found, 0.0)
    everything = result.figures[-1]
    assert everything.found >= 0.8 * everything.incidents
    assert result.right_reviews >= result.reviews / 3
    assert result.reviews <= (small_run.labelled.weeks + 1) * BUDGET


async def test_covered_misuse_is_not_found_and_the_figures_say_so(small_run):
    covered = [one for one in small_run.labelled.incidents if one.name == "a note to cover it"]
    found = {id(incident) for _, finding in small_run.found for incident in small_run.incidents_of(finding)}
    assert covered and not any(id(one) in found for one in covered)


def test_same_seed_gives_the_same_set_and_another_seed_another():
    first, again, other = (make_set(seed, weeks=4, scale=0.1) for seed in (3, 3, 4))
    assert [*map(entry_line, first.entries)] == [*map(entry_line, again.entries)]
    labels, same, others = ([*map(label_line, one.incidents)] for one in (first, again, other))
    assert labels == same != others


def test_labels_name_entries_of_their_user(labelled):
    by_id = {one.id: one for one in labelled.entries}
    for incident in labelled.incidents:
        actors = {by_id[entry].actor.id for entry in incident.entries}
        assert incident.user_id in actors

"""A small labelled set of the benchmark, and what the detections find in it."""

from dataclasses import dataclass

import pytest

from esante.packages import declared_services
from esante.services.soc.health.benchmark.run import LabelledSet, evaluate, find, make_set
from esante.services.soc.health.detections.model import Finding

SEED, WEEKS, SCALE = 11, 5, 0.25


@dataclass(frozen=True)
class Run:
    """A labelled set with its findings."""

    labelled: LabelledSet
    found: list[tuple]

    def incidents_of(self, finding: Finding) -> list:
        """The incidents that a finding is about."""
        return [one for one in self.labelled.incidents if set(one.entries) & set(finding.evidence)]


@pytest.fixture(scope="session")
def labelled():
    """The small labelled set."""
    declared_services()
    return make_set(SEED, WEEKS, SCALE)


@pytest.fixture(scope="session")
async def small_run(labelled):
    """What is found in the small set."""
    found, _ = await find(labelled)
    return Run(labelled, found)


@pytest.fixture(scope="session")
async def figures(small_run):
    """The figures of the small run by detection."""
    return {one.name: one for one in evaluate(small_run.labelled, small_run.found, 0.0).figures}

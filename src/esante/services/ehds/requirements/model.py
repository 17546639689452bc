"""Types of requirements, of test runs, and of the report that joins them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from esante.core.journal import Event, event
from esante.core.web import N_

AREAS: Mapping[str, str] = {
    "patients": N_("Rights of people and access in care"),
    "systems": N_("Requirements on systems"),
    "api": N_("Interface of the European guides"),
    "cross-border": N_("Exchange across borders"),
    "secondary-use": N_("Research and statistics"),
}
"""The areas of requirements (msgids), in the order in which they are shown."""


class Article(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where requirements come from, with its title by language.

    `read`: descriptions of it by others ("secondary"), or nothing ("none").
    """

    id: str
    title: dict[str, str]
    legal_source: str
    read: str
    verified: bool
    applies_from: date


class Requirement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A requirement in our own words; `tests`: the paths and names of the tests that show it, all together.

    Texts by language. `missing`: what is not there, of a requirement without tests.
    """

    id: str
    article: str
    area: str
    text: dict[str, str]
    tests: tuple[str, ...] = ()
    missing: dict[str, str] = {}


class Outcome(StrEnum):
    """What a run says of a test."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Standing(StrEnum):
    """What a run says of a requirement."""

    SHOWN = "shown"
    """All its tests ran and passed."""
    FAILED = "failed"
    NOT_RUN = "not-run"
    """A test was skipped or was not in the run, and none failed."""
    NOT_SHOWN = "not-shown"
    """There is no test for it."""


STANDING_NAMES: Mapping[str, str] = {
    Standing.SHOWN: N_("Shown by tests"),
    Standing.FAILED: N_("A test failed"),
    Standing.NOT_RUN: N_("Not tested in this run"),
    Standing.NOT_SHOWN: N_("Not shown"),
}
"""The standings in words (msgids)."""


@dataclass(frozen=True, slots=True)
class TestRun:
    """A run of the tests: when it began, the revision of the program that was tested, and what came out.

    `outcomes`: of each test function by path and name, over all its cases.
    """

    __test__ = False
    """It is not a test of pytest."""

    ran_at: datetime
    revision: str
    outcomes: Mapping[str, Outcome]


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A run that was recorded, when and by whom."""

    run_id: UUID
    run: TestRun
    recorded_at: datetime
    recorded_by: str


@dataclass(frozen=True, slots=True)
class Line:
    """A requirement with its article, what a run says of it, and of each of its tests (None: not in the run)."""

    requirement: Requirement
    article: Article
    standing: Standing
    outcomes: Mapping[str, Outcome | None]


@dataclass(frozen=True, slots=True)
class Report:
    """All requirements, with what a run says of them; without a run, those with tests are not tested."""

    lines: Sequence[Line]
    run: TestRun | None

    def count(self, standing: str) -> int:
        """Return how many requirements have a standing."""
        return sum(line.standing == standing for line in self.lines)


@event("ehds.test_run_recorded")
class TestRunRecorded(Event, frozen=True, kw_only=True):
    """A run of the tests was recorded as evidence: its revision, and how many requirements it shows."""

    __test__ = False

    run_id: UUID
    revision: str
    shown: int
    failed: int
    requirements: int

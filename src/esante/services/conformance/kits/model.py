"""Types of conformance kits: requirements, checks, what was exchanged with a target, and the run."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from esante.core.web import N_

if TYPE_CHECKING:
    from esante.services.conformance.kits.session import Session


class Verdict(StrEnum):
    """What a run found out about a requirement."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"
    """The target does not claim what the requirement is about, or the run was not given what it needs."""
    BLOCKED = "blocked"
    """A requirement that it builds on has failed."""


VERDICT_NAMES: Mapping[str, str] = {
    Verdict.PASSED: N_("Met"),
    Verdict.FAILED: N_("Not met"),
    Verdict.NOT_APPLICABLE: N_("Does not apply"),
    Verdict.BLOCKED: N_("Not tested"),
}
"""The verdicts in words (msgids)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A requirement of a kit (a row of its requirements.toml).

    `titles` by language. `requires`: what is required, in English as the specifications are. `source`: where it
    stands. `needs`: the requirements without which it cannot be tested.
    """

    id: str
    titles: Mapping[str, str]
    requires: str
    source: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """Something that a run is given beside the target's address; `secret`: never shown, stored or reported.

    `titles` by language; `help`: what it is, in English.
    """

    name: str
    titles: Mapping[str, str]
    help: str
    secret: bool = False


Check = Callable[["Session"], Awaitable[None]]
"""The check of a requirement. Raises: `Fault` when it is not met, `NotApplicable`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """A kit: the requirements of a version of an interface, each with its check."""

    name: str
    version: str
    titles: Mapping[str, str]
    requirements: Sequence[Requirement]
    options: Sequence[Option]
    checks: Mapping[str, Check]


class Fault(Exception):
    """A requirement is not met: what was wrong, and how to mend it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


class NotApplicable(Exception):
    """A requirement cannot be tested on this target; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request to the target and its answer; texts are cut to some kilobytes, secrets are left out.

    `status` is 0 when there was no answer, which `answer` explains.
    """

    method: str
    address: str
    request: str
    status: int
    answer: str
    milliseconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The verdict on a requirement, why, what to do, and what was exchanged to find out."""

    requirement: str
    verdict: Verdict
    what: str = ""
    remedy: str = ""
    exchanges: tuple[Exchange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of a kit against a target, with an outcome for each requirement."""

    id: UUID
    kit: str
    kit_version: str
    target: str
    started_at: datetime
    ended_at: datetime
    outcomes: tuple[Outcome, ...]

    def count(self, verdict: str) -> int:
        """Return the number of requirements with a verdict."""
        return sum(one.verdict == verdict for one in self.outcomes)

    @property
    def passed(self) -> bool:
        """Whether no requirement failed or was blocked, and one at least was met."""
        return not self.count(Verdict.FAILED) and not self.count(Verdict.BLOCKED) and self.count(Verdict.PASSED) > 0

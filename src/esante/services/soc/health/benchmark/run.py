"""The run of the benchmark: a seeded country, its entries and labels, the findings, and how good they are.

A review is the look of a person at everything that was found about one user in one week. Reviews are made in the order
of the highest score, `BUDGET` a week.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from esante.core.journal import Entry
from esante.core.types import Progress
from esante.services.soc.health.benchmark.care import Care
from esante.services.soc.health.benchmark.country import Country, build_country
from esante.services.soc.health.benchmark.misuse import Misuse
from esante.services.soc.health.benchmark.scribe import Incident, Scribe
from esante.services.soc.health.detections.model import Detection, Finding
from esante.services.soc.health.detections.parameters import HealthTerms
from esante.services.soc.health.engine import Engine
from esante.services.soc.health.facts.memory_store import MemoryFacts

BUDGET = 20
"""Reviews a week."""
START = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday."""
BATCH = 500
"""Entries that the engine takes at once."""
_QUIET_WEEKS = 2
"""Weeks without misuse, in which what is usual is seen."""


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """The entries of the journal in the order of time, the incidents that some of them belong to, and the country."""

    seed: int
    weeks: int
    country: Country
    entries: Sequence[Entry]
    incidents: Sequence[Incident]


@dataclass(frozen=True, slots=True)
class Figures:
    """How good a detection is: findings, those about an incident, incidents, those that were found, and reviewed."""

    name: str
    findings: int
    right: int
    incidents: int
    found: int
    in_budget: int

    @property
    def precision(self) -> float | None:
        """The share of findings that are about an incident."""
        return self.right / self.findings if self.findings else None

    @property
    def recall(self) -> float | None:
        """The share of incidents that were found."""
        return self.found / self.incidents if self.incidents else None


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a run: how many reviews there could be, were made within the budget, and showed misuse."""

    seed: int
    weeks: int
    entries: int
    visits_explained: float
    """The share of visits that care explains."""
    reviews: int
    right_reviews: int
    candidates: int
    figures: Sequence[Figures]


def make_set(seed: int = 1, weeks: int = 8, scale: float = 1.0, progress: Progress = lambda *_: None) -> LabelledSet:
    """Return the labelled set of a seed: the same seed gives the same entries and labels."""
    rng = random.Random(seed)  # noqa: S311 - not for secrets
    country = build_country(rng, scale)
    scribe = Scribe(rng, country)
    care = Care(scribe, country, random.Random(seed + 1))  # noqa: S311 - not for secrets
    misuse = Misuse(scribe, country, care, random.Random(seed + 2))  # noqa: S311 - not for secrets
    care.history(START)
    days = weeks * 7
    planned = _plan(random.Random(seed + 3), misuse, days)  # noqa: S311 - not for secrets
    for number in range(days):
        midnight = START + timedelta(days=number)
        care.day(midnight)
        for scenario in planned[number]:
            scenario(midnight)
        progress(number + 1, days, "writing the journal")
    entries = sorted(scribe.entries, key=lambda one: (one.at, one.id))
    return LabelledSet(seed, weeks, country, entries, [one for one in scribe.incidents if one.entries])


def _plan(rng: random.Random, misuse: Misuse, days: int) -> list[list[Any]]:
    """Spread the scenarios over the days after the quiet weeks; the last week has time to show what is missing."""
    planned: list[list[Any]] = [[] for _ in range(days)]
    for scenario in misuse.scenarios():
        planned[rng.randrange(_QUIET_WEEKS * 7, days - 10)].append(scenario)
    return planned


async def find(
    labelled: LabelledSet, terms: HealthTerms | None = None, progress: Progress = lambda *_: None
) -> tuple[list[tuple[datetime, Finding]], MemoryFacts]:
    """Return what the detections find in a labelled set, each with the time of the batch that it was found in."""
    store = MemoryFacts()
    engine = Engine(store, labelled.country, terms=terms)
    found: dict[str, tuple[datetime, Finding]] = {}
    for start in range(0, len(labelled.entries), BATCH):
        batch = labelled.entries[start : start + BATCH]
        for finding in await engine.take(batch):
            found.setdefault(finding.key, (batch[-1].at, finding))
        progress(min(start + BATCH, len(labelled.entries)), len(labelled.entries), "reading the journal")
    return [*found.values()], store


async def measure(labelled: LabelledSet, progress: Progress = lambda *_: None) -> Result:
    """Return how well the detections find the misuse in a labelled set."""
    found, store = await find(labelled, progress=progress)
    judged = await store.habits({one.id for one in labelled.country.professionals})
    all_judged, unexplained = (sum(counts) for counts in zip(*judged.values(), strict=True))
    return evaluate(labelled, found, 1 - unexplained / max(1, all_judged))


def evaluate(labelled: LabelledSet, found: Sequence[tuple[datetime, Finding]], explained: float) -> Result:
    """Compare findings with labels."""
    incident_of = {entry: incident for incident in labelled.incidents for entry in incident.entries}

    def incidents_of(finding: Finding) -> list[Incident]:
        return [*{id(one): one for entry in finding.evidence if (one := incident_of.get(entry))}.values()]

    reviewed, candidates = _reviews([*found])
    seen = {id(one) for review in reviewed for finding in review for one in incidents_of(finding)}
    right = [review for review in reviewed if any(incidents_of(finding) for finding in review)]
    found_at_all = {id(one) for _, finding in found for one in incidents_of(finding)}
    figures = []
    for detection in Detection:
        own = [finding for _, finding in found if finding.detection is detection]
        wanted = [one for one in labelled.incidents if one.detection == detection]
        by_own = {id(one) for finding in own for one in incidents_of(finding)}
        figures.append(
            Figures(
                name=detection.value,
                findings=len(own),
                right=sum(bool(incidents_of(finding)) for finding in own),
                incidents=len(wanted),
                found=sum(id(one) in by_own for one in wanted),
                in_budget=sum(id(one) in seen for one in wanted),
            )
        )
    figures.append(
        Figures(
            name="all",
            findings=len(found),
            right=sum(bool(incidents_of(finding)) for _, finding in found),
            incidents=len(labelled.incidents),
            found=len(found_at_all),
            in_budget=len(seen),
        )
    )
    return Result(
        seed=labelled.seed,
        weeks=labelled.weeks,
        entries=len(labelled.entries),
        visits_explained=explained,
        reviews=len(reviewed),
        right_reviews=len(right),
        candidates=candidates,
        figures=figures,
    )


def _reviews(found: Sequence[tuple[datetime, Finding]]) -> tuple[list[list[Finding]], int]:
    """Return the findings that are reviewed within the budget, by review, and how many reviews there could be."""
    weeks: dict[date, dict[UUID, list[Finding]]] = defaultdict(lambda: defaultdict(list))
    for at, finding in found:
        monday = at.date() - timedelta(days=at.weekday())
        weeks[monday][finding.user_id].append(finding)
    reviewed = []
    for users in weeks.values():
        by_score = sorted(users.values(), key=lambda some: (-_weight(some), str(some[0].user_id)))
        reviewed += by_score[:BUDGET]
    return reviewed, sum(map(len, weeks.values()))


def _weight(findings: Sequence[Finding]) -> float:
    """Return the order of a review: the highest score, then how many findings there are."""
    return max(one.score for one in findings) + min(9, len(findings)) / 10


def label_line(incident: Incident) -> bytes:
    """Return a label as JSON: what happened, which detection should find it, who did it, by which entries."""
    return msgspec.json.encode(
        {
            "incident": incident.name,
            "detection": incident.detection,
            "user": incident.user_id,
            "entries": incident.entries,
        }
    )


def entry_line(entry: Entry) -> bytes:
    """Return an entry of the journal as JSON; `event` has the fields of its type."""
    return msgspec.json.encode(
        {
            "id": entry.id,
            "person": entry.person_id,
            "at": entry.at,
            "type": entry.type,
            "actor": entry.actor,
            "origin": entry.origin,
            "event": entry.event,
        }
    )

"""What the outcomes of tests say of requirements."""

from collections.abc import Collection, Sequence
from typing import Any

from esante.services.ehds.requirements.model import Article, Line, Outcome, Report, Requirement, Standing, TestRun


def report_on(requirements: Sequence[tuple[Requirement, Article]], run: TestRun | None) -> Report:
    """Return the report on requirements after a run."""
    known = run.outcomes if run else {}
    lines = []
    for requirement, article in requirements:
        outcomes = {test: known.get(test) for test in requirement.tests}
        lines.append(Line(requirement, article, standing_of(list(outcomes.values())), outcomes))
    return Report(lines, run)


def standing_of(outcomes: Collection[Outcome | None]) -> Standing:
    """Return what the outcomes of the tests of a requirement say of it; None: the test was not in the run."""
    if not outcomes:
        return Standing.NOT_SHOWN
    if Outcome.FAILED in outcomes:
        return Standing.FAILED
    return Standing.SHOWN if all(one is Outcome.PASSED for one in outcomes) else Standing.NOT_RUN


def combine(outcomes: Collection[Outcome]) -> Outcome:
    """Return the outcome of a test function over its cases: one that failed counts, then one that was skipped."""
    for outcome in (Outcome.FAILED, Outcome.SKIPPED):
        if outcome in outcomes:
            return outcome
    return Outcome.PASSED


def report_as_json(report: Report) -> dict[str, Any]:
    """Return a report for machines, with the texts in all languages."""
    run = report.run
    return {
        "run": run and {"ranAt": run.ran_at.isoformat(), "revision": run.revision},
        "counts": {standing.value: report.count(standing) for standing in Standing},
        "requirements": [
            {
                "id": line.requirement.id,
                "area": line.requirement.area,
                "text": line.requirement.text,
                "legalSource": line.article.legal_source,
                "verified": line.article.verified,
                "read": line.article.read,
                "appliesFrom": line.article.applies_from.isoformat(),
                "standing": line.standing.value,
                "tests": [{"test": test, "outcome": outcome} for test, outcome in line.outcomes.items()],
                **({"missing": line.requirement.missing} if line.requirement.missing else {}),
            }
            for line in report.lines
        ],
    }

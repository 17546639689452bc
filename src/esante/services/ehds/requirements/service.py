"""The evidence for the requirements: record a run of the tests, report on the latest."""

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, uuid7
from esante.identity.access import Requester
from esante.services.ehds.requirements.model import KeptRun, Outcome, Report, Standing, TestRun, TestRunRecorded
from esante.services.ehds.requirements.requirement_file import requirements
from esante.services.ehds.requirements.rules import report_on
from esante.services.ehds.requirements.run_store import fetch_latest, run_row


class Requirements:
    """The requirements with the evidence that was recorded for them."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    async def record(self, requester: Requester, run: TestRun) -> Report:
        """Record a run as evidence; of its tests, those that show a requirement are kept."""
        report = report_on(requirements(), run)
        shown_by: dict[str, Outcome] = {}
        for line in report.lines:
            shown_by |= {test: outcome for test, outcome in line.outcomes.items() if outcome}
        kept = KeptRun(uuid7(), TestRun(run.ran_at, run.revision, shown_by), clock.now(), requester.name)
        event = TestRunRecorded(
            run_id=kept.run_id,
            revision=run.revision,
            shown=report.count(Standing.SHOWN),
            failed=report.count(Standing.FAILED),
            requirements=len(report.lines),
        )
        await self._db.write([run_row(kept), *self._journal.rows_for(requester, event)])
        return report

    async def report(self) -> Report:
        """Return the report on the run that was recorded last; without one, nothing is tested."""
        kept = await fetch_latest(self._db)
        return report_on(requirements(), kept.run if kept else None)

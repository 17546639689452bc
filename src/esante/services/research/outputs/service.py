"""The use cases of results: check what a job handed over, release it, download it."""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from uuid import UUID

from esante.core import clock
from esante.core.disclosure import rule_on
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, Row, insert, uuid7
from esante.core.time_zone import today
from esante.core.web import N_, NOT_FOUND, Page, Problem, clean_text, decode_uuid_cursor, encode_cursor
from esante.identity.access import Requester, require_operator
from esante.services.research.environment.model import JobKind, ResearchJob
from esante.services.research.outputs import output_store
from esante.services.research.outputs.model import (
    Output,
    OutputChecked,
    OutputFinding,
    OutputReviewed,
    OutputState,
    OutputVerdict,
    ResultDownloaded,
    ResultTable,
    Review,
)
from esante.services.research.outputs.rules import (
    check_table,
    format_table,
    parse_table,
    protect_table,
    verdict_of,
    worst,
)

PAGE_SIZE = 20
SHORTEST, LONGEST = 5, 1_000
"""Characters of the reason of a decision."""


class Outputs:
    """Tables that jobs hand over: nothing leaves before rules and people have agreed (Article 73(2))."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    async def check(
        self, conn: Connection, job: ResearchJob, tables: Mapping[str, str], pseudonyms: Collection[str]
    ) -> list[Row]:
        """Return the rows of what a job handed over, checked and journalled; `pseudonyms`: of the extraction."""
        released = [
            parse_table(one.decode()) for one in await output_store.fetch_released_contents(conn, job.permit_id)
        ]
        headers = {tuple(one.header) for one in released if one is not None}
        rows: list[Row] = []
        for name, text in tables.items():
            output = self._checked(job, name, text, pseudonyms, headers)
            event = OutputChecked(
                output_id=output.output_id,
                job_id=job.job_id,
                permit_id=job.permit_id,
                name=output.name,
                rows=output.rows,
                sha256=hashlib.sha256(output.content).hexdigest(),
                verdict=output.verdict,
                findings=dict(Counter(one.kind for one in output.findings)),
            )
            rows += [output_store.output_row(output), *self._journal.rows(event)]
        return rows

    async def of_jobs(self, jobs: Collection[UUID]) -> list[Output]:
        """Return what jobs handed over; the caller has decided who sees it."""
        return await output_store.fetch_of_jobs(self._db, list(jobs))

    async def queue(self, requester: Requester, state: str = "", cursor: str | None = None) -> Page[Output]:
        """Return a page of the tables in a state, the latest first. Raises: Problem 403 for who is no operator."""
        require_operator(requester)
        found = await output_store.fetch_page(self._db, state, decode_uuid_cursor(cursor), PAGE_SIZE + 1)
        following = encode_cursor(found[PAGE_SIZE - 1].output_id) if len(found) > PAGE_SIZE else None
        return Page(found[:PAGE_SIZE], following)

    async def count_waiting(self) -> int:
        """Return how many tables wait for somebody of the access body."""
        return await output_store.count_waiting(self._db)

    async def find(self, requester: Requester, output_id: UUID) -> tuple[Output, list[Review]]:
        """Return a table with its reviews. Raises: Problem 403 for who is no operator, 404."""
        require_operator(requester)
        output = _found(await output_store.fetch_output(self._db, output_id))
        return output, await output_store.fetch_reviews(self._db, output_id)

    async def review(
        self, requester: Requester, output_id: UUID, author_id: UUID, *, release: bool, reason: str
    ) -> OutputState:
        """Agree to the release of a table, or withhold it; `author_id`: who ran the job.

        Raises: Problem 400 without a reason to withhold, 403 for who is no operator or ran the job, 404, 409.
        """
        require_operator(requester)
        reason = clean_text(reason, 0 if release else SHORTEST, LONGEST, "reason")
        async with self._db.transaction() as conn:
            output = _found(await output_store.fetch_output(conn, output_id, lock=True))
            reviews = await output_store.fetch_reviews(conn, output_id)
            if output.state is not OutputState.WAITING or any(one.reviewer_id == requester.id for one in reviews):
                remedy = N_("Open the page again to see its present state.")
                raise Problem(409, "conflict", N_("This was decided already."), remedy=remedy)
            if requester.id == author_id:
                remedy = N_("Ask another person of the access body.")
                raise Problem(403, "forbidden", N_("You cannot release what you made yourself."), remedy=remedy)
            review = Review(requester.id, requester.name, release, reason, clock.now())
            agreed = sum(one.released for one in reviews) + release
            state: OutputState = output.state
            if not release:
                state = OutputState.WITHHELD
            elif agreed >= output.reviews_needed:
                state = OutputState.RELEASED
            event = OutputReviewed(
                output_id=output_id, permit_id=output.permit_id, released=release, reason=reason, state=state
            )
            await insert(conn, [output_store.review_row(output_id, review), *self._journal.rows_for(requester, event)])
            if state is not OutputState.WAITING:
                await output_store.set_state(conn, output_id, state, review.at)
        return state

    async def download(self, requester: Requester, permit_id: UUID, output_id: UUID) -> Output:
        """Return a released table of a permit, of which the caller decided that the requester may use it.

        Raises: Problem 404 for every other table, released or not.
        """
        output = await output_store.fetch_output(self._db, output_id)
        if output is None or output.permit_id != permit_id or output.state is not OutputState.RELEASED:
            raise Problem(404, "not-found", NOT_FOUND)
        event = ResultDownloaded(output_id=output_id, permit_id=permit_id)
        await self._db.write(self._journal.rows_for(requester, event))
        return output

    def _checked(
        self,
        job: ResearchJob,
        name: str,
        text: str,
        pseudonyms: Collection[str],
        released: Collection[tuple[str, ...]],
    ) -> Output:
        rule, table = rule_on(today()), parse_table(text)
        if table is not None and job.protect:
            table = protect_table(table, rule)
        findings = check_table(table, rule, pseudonyms)
        if table is not None and job.kind is JobKind.PYTHON:
            findings.append(OutputFinding("script"))
        if table is not None and tuple(table.header) in released:
            findings.append(OutputFinding("compared"))
        verdict = verdict_of(findings)
        refused = verdict is OutputVerdict.REFUSED
        return Output(
            output_id=uuid7(),
            job_id=job.job_id,
            permit_id=job.permit_id,
            name=name,
            # What nobody may release is not kept: the findings say what was wrong with it.
            content=b"" if refused or table is None else format_table(table).encode(),
            rows=len(table.rows) if table is not None else 0,
            verdict=verdict,
            findings=worst(findings),
            state=OutputState.REFUSED if refused else OutputState.WAITING,
            made_at=clock.now(),
            ended_at=None,
        )


def table_of(output: Output) -> ResultTable | None:
    """Return the table of an output; None where it was not kept."""
    return parse_table(output.content.decode()) if output.content else None


def _found(output: Output | None) -> Output:
    if output is None:
        raise Problem(404, "not-found", NOT_FOUND)
    return output

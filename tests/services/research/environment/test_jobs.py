"""Jobs under a permit: from the text to a released result, and every way in which this is refused."""

import asyncio
import shutil
from datetime import timedelta

import pytest

from esante.core import clock
from esante.core.storage import NIL, uuid7
from esante.core.web import Problem
from esante.identity.access import Requester, requester_of
from esante.services.research import PermitKind
from esante.services.research.environment import job_store
from esante.services.research.environment.model import JobEnded, JobQueued, ResearchJobState
from esante.services.research.lake.model import UseRefused
from esante.services.research.outputs.model import OutputChecked, OutputReviewed, OutputState, ResultDownloaded
from tests.support.research_lake import RESEARCHER, open_environment, person_with_result

if shutil.which("bwrap") is None:
    pytest.skip("bubblewrap is not installed", allow_module_level=True)

STRANGER = Requester(kind="researcher", id=uuid7(), name="Dr Paul Weis")
REVIEWERS = [Requester(kind="operator", id=uuid7(), name=name) for name in ("Anne Schmit", "Tom Reuter")]
BY_SEX = "SELECT sex, count(DISTINCT person) AS persons FROM population_person GROUP BY sex ORDER BY sex"


@pytest.fixture(scope="module")
def environment(world, lake):
    return open_environment(world, lake)


@pytest.fixture(scope="module")
async def permit(world, lake):
    """A permit with its data: seven women and three men."""
    for number in range(10):
        await person_with_result(world, 10 + number, sex="female" if number < 7 else "male")
    permit = await lake.issue()
    await lake.extract(permit)
    return permit


async def events(world, *types):
    return [entry.event for entry in await world.journal.entries_of(NIL, list(types), limit=20)]


async def refused(coroutine) -> Problem:
    with pytest.raises(Problem) as problem:
        await coroutine
    return problem.value


async def test_result_goes_from_the_job_to_the_researcher(world, environment, permit):
    job, (output,) = await environment.run(permit, BY_SEX, protect=True)
    assert job.state is ResearchJobState.DONE and output.state is OutputState.WAITING
    assert output.content == b"sex,persons\r\nfemale,7\r\nmale,\r\n"
    early = await refused(environment.environment.download(RESEARCHER, permit.permit_id, output.output_id))
    assert early.status == 404
    state = await environment.outputs.review(REVIEWERS[0], output.output_id, job.account_id, release=True, reason="")
    assert state is OutputState.RELEASED
    got = await environment.environment.download(RESEARCHER, permit.permit_id, output.output_id)
    assert got.content == output.content
    queued, ended, checked, reviewed, downloaded = [
        (await events(world, type_))[0]
        for type_ in (JobQueued, JobEnded, OutputChecked, OutputReviewed, ResultDownloaded)
    ]
    assert queued.text == BY_SEX and queued.permit_id == permit.permit_id
    assert ended.state == "done" and ended.tables == ("result_1",) and ended.extraction_id
    assert checked.output_id == reviewed.output_id == downloaded.output_id == output.output_id


async def test_small_cells_are_refused_with_the_row(environment, permit):
    _, (output,) = await environment.run(permit, BY_SEX)
    assert output.state is OutputState.REFUSED and output.content == b""
    assert (output.findings[0].kind, output.findings[0].row) == ("small-cell", 2)
    problem = await refused(
        environment.outputs.review(REVIEWERS[0], output.output_id, RESEARCHER.id, release=True, reason="")
    )
    assert problem.status == 409


async def test_rows_of_persons_are_refused(environment, permit):
    _, (output,) = await environment.run(permit, "SELECT person, 50 AS persons FROM laboratory_result")
    assert output.state is OutputState.REFUSED and {one.kind for one in output.findings} == {"person"}


async def test_script_needs_two_different_people(environment, permit):
    text = f'output("by_sex", sql("{BY_SEX.replace("GROUP BY sex", "WHERE sex = {q}female{q} GROUP BY sex").format(q=chr(39))}"))'
    job, (output,) = await environment.run(permit, text, "python")
    first, second = REVIEWERS
    review = environment.outputs.review
    assert await review(first, output.output_id, job.account_id, release=True, reason="") is OutputState.WAITING
    again = await refused(review(first, output.output_id, job.account_id, release=True, reason=""))
    assert again.status == 409
    assert await review(second, output.output_id, job.account_id, release=True, reason="") is OutputState.RELEASED


async def test_one_no_withholds_a_table(environment, permit):
    job, (output,) = await environment.run(permit, "SELECT count(DISTINCT person) AS persons FROM population_person")
    review = environment.outputs.review
    assert (
        await refused(review(REVIEWERS[0], output.output_id, job.account_id, release=False, reason=""))
    ).status == 400
    state = await review(REVIEWERS[0], output.output_id, job.account_id, release=False, reason="Not the purpose.")
    assert state is OutputState.WITHHELD
    late = await refused(environment.environment.download(RESEARCHER, permit.permit_id, output.output_id))
    assert late.status == 404


async def test_table_like_a_released_one_needs_a_second_look(environment, permit):
    statement = "SELECT 'all' AS grp, count(DISTINCT person) AS persons FROM population_person"
    job, (output,) = await environment.run(permit, statement)
    await environment.outputs.review(REVIEWERS[0], output.output_id, job.account_id, release=True, reason="")
    _, (second,) = await environment.run(permit, f"{statement} WHERE sex = 'female'")
    assert [one.kind for one in second.findings] == ["compared"] and second.reviews_needed == 2


async def test_column_that_is_not_covered_does_not_exist(environment, permit):
    job, outputs = await environment.run(permit, "SELECT canton FROM population_person")
    assert (job.state, job.failure) == (ResearchJobState.FAILED, "sql") and "canton" in job.message and not outputs
    job, _ = await environment.run(permit, "SELECT * FROM diagnoses_condition")
    assert job.failure == "sql"


async def test_columns_beyond_the_permit_are_refused_and_journalled(world, environment, permit):
    wanted = {"population.person": {"canton"}}
    problem = await refused(environment.environment.usable(RESEARCHER, permit.permit_id, "job", wanted))
    assert problem.status == 403 and "Art. 68" in problem.detail and "population.person.canton" in problem.detail
    assert (await events(world, UseRefused))[0].columns == ("population.person.canton",)


async def test_stranger_sees_the_same_as_for_no_permit(environment, permit):
    asked = [
        environment.environment.jobs(STRANGER, permit.permit_id),
        environment.environment.submit(STRANGER, permit.permit_id, "sql", "SELECT 1", protect=True),
        environment.environment.extract(STRANGER, permit.permit_id),
        environment.environment.download(STRANGER, permit.permit_id, uuid7()),
        environment.environment.jobs(RESEARCHER, uuid7()),
    ]
    found = [await refused(one) for one in asked]
    assert {(one.status, one.title) for one in found} == {(404, found[0].title)}


@pytest.mark.parametrize(("days", "code"), [(-2, "not valid yet"), (40, "expired")])
async def test_permit_out_of_its_time_allows_nothing(world, environment, permit, monkeypatch, days, code):
    later = clock.now() + timedelta(days=days)
    monkeypatch.setattr(clock, "now", lambda: later)
    problem = await refused(environment.environment.submit(RESEARCHER, permit.permit_id, "sql", BY_SEX, protect=True))
    assert problem.status == 403 and code in problem.title and problem.remedy


async def test_permit_withdrawn_while_a_job_runs_keeps_nothing_of_it(world, lake, environment):
    permit = await lake.issue()
    await lake.extract(permit)
    text = "import time\ntime.sleep(1.5)\noutput('n', [{'persons': 100}])"
    job = await environment.environment.submit(RESEARCHER, permit.permit_id, "python", text, protect=False)
    working = asyncio.create_task(environment.runner.advance())
    await asyncio.sleep(0.5)
    await lake.permits.withdraw(lake.operator, permit.permit_id, "A condition was not kept.")
    await working
    done, outputs, _ = await environment.environment.job(RESEARCHER, permit.permit_id, job.job_id)
    assert (done.state, done.failure, outputs) == (ResearchJobState.FAILED, "permit", [])
    problem = await refused(environment.environment.submit(RESEARCHER, permit.permit_id, "sql", BY_SEX, protect=True))
    assert problem.status == 403 and "withdrawn" in problem.title


async def test_cancelled_job_ends_at_once_and_keeps_nothing(environment, permit):
    text = "import time\ntime.sleep(50)\noutput('n', [{'persons': 100}])"
    job = await environment.environment.submit(RESEARCHER, permit.permit_id, "python", text, protect=False)
    working = asyncio.create_task(environment.runner.advance())
    await asyncio.sleep(0.3)
    await environment.environment.cancel(RESEARCHER, permit.permit_id, job.job_id)
    await asyncio.wait_for(working, 20)
    done, outputs, _ = await environment.environment.job(RESEARCHER, permit.permit_id, job.job_id)
    assert (done.state, outputs) == (ResearchJobState.CANCELLED, [])


async def test_job_of_a_process_that_died_is_told_as_lost(world, environment, permit):
    job = await environment.environment.submit(RESEARCHER, permit.permit_id, "sql", BY_SEX, protect=True)
    before = clock.now() - timedelta(hours=1)
    async with world.db.transaction() as conn:
        await job_store.take_next(conn, before)
    await environment.runner._end_abandoned()
    done, _, _ = await environment.environment.job(RESEARCHER, permit.permit_id, job.job_id)
    assert (done.state, done.failure) == (ResearchJobState.FAILED, "lost")


async def test_sixth_open_job_of_a_permit_has_to_wait(environment, permit):
    submit = environment.environment.submit
    jobs = [await submit(RESEARCHER, permit.permit_id, "sql", BY_SEX, protect=True) for _ in range(5)]
    assert (await refused(submit(RESEARCHER, permit.permit_id, "sql", BY_SEX, protect=True))).status == 429
    for job in jobs:
        await environment.environment.cancel(RESEARCHER, permit.permit_id, job.job_id)


@pytest.mark.parametrize(("kind", "text"), [("sql", "  "), ("sql", "x" * 100_001), ("r", "SELECT 1"), ("sql", "a\0b")])
async def test_wrong_job_is_refused_with_its_field(environment, permit, kind, text):
    problem = await refused(environment.environment.submit(RESEARCHER, permit.permit_id, kind, text, protect=True))
    assert problem.status == 400 and problem.place in ("kind", "text")


async def test_data_request_is_answered_by_operators_and_released_by_another(lake, environment, permit):
    request = await lake.issue(kind=PermitKind.REQUEST)
    assert (
        await refused(environment.environment.submit(RESEARCHER, request.permit_id, "sql", BY_SEX, protect=True))
    ).status == 403
    maker, reviewer = REVIEWERS
    await environment.environment.extract(maker, request.permit_id)
    while await lake.lake.advance():
        pass
    job, (output,) = await environment.run(request, BY_SEX, protect=True, by=maker)
    own = await refused(environment.outputs.review(maker, output.output_id, job.account_id, release=True, reason=""))
    assert own.status == 403
    await environment.outputs.review(reviewer, output.output_id, job.account_id, release=True, reason="")
    got = await environment.environment.download(RESEARCHER, request.permit_id, output.output_id)
    assert got.content.startswith(b"sex,persons")
    # Under a data permit, the access body does not work in the name of researchers.
    assert (
        await refused(environment.environment.submit(maker, permit.permit_id, "sql", BY_SEX, protect=True))
    ).status == 404


async def test_nobody_but_operators_sees_or_decides(world, environment, permit):
    _, (output,) = await environment.run(permit, BY_SEX, protect=True)
    person = await world.person()
    for requester in (RESEARCHER, requester_of(person)):
        assert (await refused(environment.outputs.queue(requester))).status == 403
        assert (await refused(environment.outputs.find(requester, output.output_id))).status == 403
        problem = await refused(environment.outputs.review(requester, output.output_id, NIL, release=True, reason=""))
        assert problem.status == 403

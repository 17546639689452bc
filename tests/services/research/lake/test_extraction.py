"""Extractions: what enters them, under which names, and what stops one."""

import orjson
import pytest

from esante.core.disclosure import uncounted_row
from esante.core.storage import NIL
from esante.core.web import Problem
from esante.identity.access import Confidentiality, requester_of
from esante.services.record import Deposit
from esante.services.research.lake import part_files, service
from esante.services.research.lake.model import ExtractionMade, ExtractionStarted, ExtractionState
from tests.support.research_lake import COVERED, RESEARCHER, laboratory_report, person_with_result, rows_in


def values(folder) -> set[float]:
    return {row["value"] for row in rows_in(folder, "laboratory.result")}


async def test_extraction_holds_what_is_covered_under_pseudonyms(world, lake):
    person = await person_with_result(world, 11.25, sex="male")
    permit = await lake.issue()
    extraction, folder = await lake.extract(permit)
    (result,) = [row for row in rows_in(folder, "laboratory.result") if row["value"] == 11.25]
    assert set(result) == {"person", "code", "value", "month"}
    assert (result["code"], result["month"]) == ("718-7", "2026-03")
    (found,) = [row for row in rows_in(folder, "population.person") if row["person"] == result["person"]]
    assert found == {"person": result["person"], "sex": "male", "birth_decade": "1980"}
    whole = b"".join(path.read_bytes() for path in folder.rglob("*.parquet"))
    for secret in (person.id.hex, str(person.id), person.family, person.birth_date.isoformat()):
        assert secret.encode() not in whole
    assert extraction.rows == sum(len(rows_in(folder, table)) for table in COVERED)
    assert {one.name for one in folder.iterdir()} == set(COVERED)


async def test_two_permits_have_other_pseudonyms_and_one_permit_the_same(world, lake):
    await person_with_result(world, 12.5)
    first, second = await lake.issue(), await lake.issue()
    names = []
    for permit in (first, second, first):
        _, folder = await lake.extract(permit)
        names.append({row["person"] for row in rows_in(folder, "laboratory.result")})
    assert names[0] == names[2] and not names[0] & names[1]


async def test_restricted_hidden_withdrawn_and_closed_are_left_out(world, lake):
    await person_with_result(world, 1.5, confidentiality=Confidentiality.RESTRICTED)
    hiding = await person_with_result(world, 2.5)
    timeline = await world.record.timeline(requester_of(hiding), hiding.id)
    document = timeline.documents[0]
    await world.record.set_confidentiality(requester_of(hiding), hiding.id, document.id, Confidentiality.HIDDEN)
    closed = await person_with_result(world, 3.5)
    await world.access.lifecycle.change(requester_of(closed), "close")
    unshared = await person_with_result(world, 4.5)
    await world.access.restrictions.set_sharing(requester_of(unshared), sharing=False)
    invented = await person_with_result(world, 5.5)
    await world.db.write([uncounted_row(invented.id)])
    shown = await person_with_result(world, 6.5)
    _, folder = await lake.extract(await lake.issue())
    assert values(folder) & {1.5, 2.5, 3.5, 4.5, 5.5, 6.5} == {6.5}
    assert shown.id


async def test_person_who_opted_out_is_left_out_and_comes_back(world, lake):
    person = await person_with_result(world, 20.5)
    await lake.opt_outs.change(requester_of(person), out=True)
    permit = await lake.issue()
    extraction, folder = await lake.extract(permit)
    assert 20.5 not in values(folder) and extraction.left_out >= 1
    await lake.opt_outs.change(requester_of(person), out=False)
    _, folder = await lake.extract(permit)
    assert 20.5 in values(folder)


async def test_opt_out_in_the_middle_of_an_extraction_counts(world, lake, monkeypatch):
    monkeypatch.setattr(service, "BATCH", 1)
    person = await person_with_result(world, 21.5)
    await person_with_result(world, 22.5)
    permit = await lake.issue()
    started = await lake.lake.start(RESEARCHER, permit)
    growing = lake.folders.growing(started.extraction_id)
    while 21.5 not in values(growing):
        assert await lake.lake.advance()
    await lake.opt_outs.change(requester_of(person), out=True)
    while await lake.lake.advance():
        pass
    extraction, folder = await lake.lake.ready(permit.permit_id)
    assert values(folder) & {21.5, 22.5} == {22.5}
    assert extraction.left_out >= 1 and extraction.persons == len(
        {row["person"] for table in COVERED for row in rows_in(folder, table)}
    )


async def test_extraction_goes_on_where_a_killed_process_stopped(world, lake, monkeypatch):
    monkeypatch.setattr(service, "BATCH", 2)
    for number in range(5):
        await person_with_result(world, 30.5 + number)
    permit = await lake.issue()
    await lake.lake.start(RESEARCHER, permit)
    await lake.lake.advance()
    # A process that died between its files and the database: the step is done again, under the same names.
    update = service.extraction_store.update

    async def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(service.extraction_store, "update", die)
    with pytest.raises(KeyboardInterrupt):
        await lake.lake.advance()
    monkeypatch.setattr(service.extraction_store, "update", update)
    assert await lake.lake.ready(permit.permit_id) is None
    while await lake.lake.advance():
        pass
    _, folder = await lake.lake.ready(permit.permit_id)
    found = [row["value"] for row in rows_in(folder, "laboratory.result") if 30 < row["value"] < 36]
    assert sorted(found) == [30.5, 31.5, 32.5, 33.5, 34.5]


async def test_failing_extraction_leaves_nothing_and_is_told(world, lake, monkeypatch):
    permit = await lake.issue()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(part_files, "write_part", full)
    monkeypatch.setattr(service, "MAX_FAILURES", 1)
    started = await lake.lake.start(RESEARCHER, permit)
    while await lake.lake.advance():
        pass
    (failed,) = await lake.lake.latest(permit.permit_id)
    assert failed.state is ExtractionState.FAILED and failed.failure
    assert not lake.folders.growing(started.extraction_id).exists() and await lake.lake.ready(permit.permit_id) is None


async def test_permit_withdrawn_meanwhile_ends_the_extraction(world, lake):
    permit = await lake.issue()
    started = await lake.lake.start(RESEARCHER, permit)
    await lake.lake.advance()
    await lake.permits.withdraw(lake.operator, permit.permit_id, "A condition was not kept.")
    while await lake.lake.advance():
        pass
    assert await lake.lake.ready(permit.permit_id) is None
    assert not lake.folders.growing(started.extraction_id).exists()


async def test_withdrawn_permit_loses_its_data(world, lake):
    permit = await lake.issue()
    _, folder = await lake.extract(permit)
    await lake.permits.withdraw(lake.operator, permit.permit_id, "A condition was not kept.")
    await lake.lake.tend()
    assert not folder.exists() and await lake.lake.ready(permit.permit_id) is None


async def test_second_extraction_at_the_same_time_is_refused(world, lake):
    permit = await lake.issue()
    await lake.lake.start(RESEARCHER, permit)
    with pytest.raises(Problem) as refused:
        await lake.lake.start(RESEARCHER, permit)
    assert refused.value.status == 409
    while await lake.lake.advance():
        pass


async def test_extraction_is_journalled_with_its_columns(world, lake):
    permit = await lake.issue()
    await lake.extract(permit)
    entries = await world.journal.entries_of(NIL, [ExtractionStarted, ExtractionMade], limit=2)
    made, started = [entry.event for entry in entries]
    assert sorted(started.columns["laboratory.result"]) == ["code", "month", "value"]
    assert made.permit_id == permit.permit_id and made.persons > 0
    assert entries[1].actor.name == RESEARCHER.name


async def test_resource_that_fails_under_a_view_is_passed_over(world, lake):
    person = await world.person()
    report = orjson.loads(laboratory_report(person, 40.5))
    report["entry"][-1]["resource"]["category"][0]["coding"].append({"code": "laboratory"})
    await world.record.deposit(world.people["hospital"], person.id, orjson.dumps(report), Deposit())
    _, folder = await lake.extract(await lake.issue())
    assert rows_in(folder, "population.person")


async def test_restricted_line_of_a_document_is_left_out(world, lake):
    person = await world.person()
    content = laboratory_report(person, 50.5)
    document = (await world.record.deposit(world.people["hospital"], person.id, content, Deposit())).document
    line = f"entry/{len(orjson.loads(content)['entry']) - 1}"
    await world.record.restrictions.restrict(requester_of(person), person.id, document.id, [line])
    _, folder = await lake.extract(await lake.issue())
    assert 50.5 not in values(folder)

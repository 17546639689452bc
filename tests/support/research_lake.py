"""Support for tests of secondary use: laboratory reports in records, permits, the lake over a test's database."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import orjson
import pyarrow.parquet as pq

from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.identity.access import Requester
from esante.services.record import Deposit
from esante.services.research import OptOuts, Permit, Permits
from esante.services.research.environment.model import JobLimits
from esante.services.research.environment.service import Environment
from esante.services.research.environment.worker import JobRunner
from esante.services.research.lake.folders import ExtractionFolders
from esante.services.research.lake.pseudonyms import PseudonymKey
from esante.services.research.lake.service import Lake
from esante.services.research.outputs.service import Outputs
from tests.support.record import World, fhir_document

COVERED = {
    "population.person": frozenset({"sex", "birth_decade"}),
    "laboratory.result": frozenset({"code", "value", "month"}),
}
RESEARCHER = Requester(kind="researcher", id=uuid7(), name="Dr Lena Kieffer")


def laboratory_report(person, value: float, code: str = "718-7") -> bytes:
    """Return a FHIR document with one laboratory result of a person."""
    document = fhir_document(person, type_="11502-2")
    url = uuid7().urn
    result = {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": document["entry"][0]["resource"]["subject"],
        "effectiveDateTime": "2026-03-04T10:00:00Z",
        "valueQuantity": {"value": value, "code": "g/dL"},
    }
    document["entry"].append({"fullUrl": url, "resource": result})
    document["entry"][0]["resource"]["section"][0]["entry"] = [{"reference": url}]
    return orjson.dumps(document)


async def person_with_result(world: World, value: float, sex: str = "female", **meta):
    """Register a person with an open record that holds one laboratory result; return the person."""
    person = await world.person(sex=sex)
    await world.record.deposit(world.people["hospital"], person.id, laboratory_report(person, value), Deposit(**meta))
    return person


def make_permit(columns=COVERED, *, days: int = 30, **fields) -> Permit:
    """Return a permit of `RESEARCHER`, in force since yesterday."""
    day = today()
    return Permit(
        **{
            "permit_id": uuid7(),
            "application_id": uuid7(),
            "holder_id": RESEARCHER.id,
            "members": frozenset({RESEARCHER.id}),
            "columns": columns,
            "valid_from": day - timedelta(days=1),
            "valid_to": day + timedelta(days=days),
            "title": "Anaemia",
            "issued_at": world_day(day),
        }
        | fields
    )


def world_day(day: date):
    """Return the first moment of a day."""
    from datetime import UTC, datetime, time

    return datetime.combine(day, time(), UTC)


@dataclass
class EnvironmentOfTest:
    """The environment over a lake, with who works and decides in it."""

    environment: Environment
    outputs: Outputs
    runner: JobRunner

    async def run(self, permit: Permit, text: str, kind: str = "sql", *, protect: bool = False, by=RESEARCHER):
        """Run a job to its end; return it and what it handed over."""
        job = await self.environment.submit(by, permit.permit_id, kind, text, protect=protect)
        while await self.runner.advance():
            pass
        done, outputs, _ = await self.environment.job(by, permit.permit_id, job.job_id)
        return done, outputs


def open_environment(world: World, lake: "LakeOfTest") -> EnvironmentOfTest:
    """Return the environment over a lake."""
    outputs = Outputs(world.db, world.journal)
    environment = Environment(world.db, world.journal, lake.permits, lake.lake, outputs)
    runner = JobRunner(world.db, world.journal, lake.permits, lake.lake, outputs, JobLimits(seconds=60))
    return EnvironmentOfTest(environment, outputs, runner)


@dataclass
class LakeOfTest:
    """The lake over a database, with what it is built of."""

    lake: Lake
    permits: Permits
    opt_outs: OptOuts
    folders: ExtractionFolders
    operator: Requester

    async def issue(self, columns=COVERED, **fields) -> Permit:
        """Issue a permit."""
        permit = make_permit(columns, **fields)
        async with self.lake._db.transaction() as conn:
            await self.permits.issue(conn, self.operator, permit)
        return permit

    async def extract(self, permit: Permit):
        """Make an extraction whole; return it and its folder."""
        await self.lake.start(RESEARCHER, permit)
        while await self.lake.advance():
            pass
        return await self.lake.ready(permit.permit_id)


def open_lake(world: World, folder: Path) -> LakeOfTest:
    """Return the lake over the services of a world."""
    permits, opt_outs = Permits(world.db, world.journal), OptOuts(world.db, world.journal, world.access)
    folders, key = ExtractionFolders(folder / "extractions"), PseudonymKey(b"secret of a test")
    lake = Lake(world.db, world.journal, world.record, world.directory, permits, opt_outs, folders, key)
    return LakeOfTest(lake, permits, opt_outs, folders, world.people["operator"])


def rows_in(folder: Path, table: str) -> list[dict]:
    """Return the rows of a table of an extraction."""
    return [row for path in sorted((folder / table).glob("*.parquet")) for row in pq.read_table(path).to_pylist()]

"""The commands of access and of the directory's functions, on a platform of their own."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest
from click.testing import CliRunner

from esante.app import open_platform
from esante.cli import main
from esante.core.journal import Actor
from esante.core.storage import insert, uuid7
from esante.identity.directory import Directory, Identifier, Organization, Person, Practitioner, Role
from esante.services.record import Read
from esante.settings import Settings

PERSON, DOCTOR, CLERK, PRACTICE = (uuid7() for _ in range(4))
LOCAL = "urn:example:cli"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The data folder of a platform with a person, a doctor and an assistant, and two verdicts in its journal."""
    data = tmp_path_factory.mktemp("cli")

    async def fill():
        async with open_platform(Settings(data=data)) as platform:
            now = datetime.now(UTC)
            await platform.journal.ensure_months(now, now)
            directory = platform[Directory]
            await directory.register_organization(
                Organization(id=PRACTICE, identifiers=(Identifier(LOCAL, "p"),), name="Praxis", kind="practice")
            )
            await directory.register_person(
                Person(
                    id=PERSON, identifiers=(Identifier(LOCAL, "1"),), family="Weber", given=("Anna",),
                    birth_date=date(1980, 5, 17), sex="female",
                )
            )  # fmt: skip
            for id_, profession in ((DOCTOR, "doctor"), (CLERK, "admin")):
                role = Role(id=uuid7(), organization_id=PRACTICE, profession=profession, since=date(2020, 1, 1))
                await directory.register_practitioner(
                    Practitioner(
                        id=id_, identifiers=(Identifier(LOCAL, id_.hex),), family="Muster", given=("Max",),
                        profession=profession, roles=(role,),
                    )
                )  # fmt: skip
            await _verdicts(platform)
            await platform.journal.sealer.seal_all()

    asyncio.run(fill())
    return data


async def _verdicts(platform):
    """Append a verdict that the matrix gives, and one that it does not."""
    actor = Actor(kind="practitioner", id=CLERK, name="Apel", role="pharmacist")
    for class_ in ("laboratory_report", "patient_summary"):
        event = Read(rule="grant.circle", reason="circle", grant_kind="circle", categories=(class_,))
        async with platform.db.transaction() as conn:
            await insert(conn, platform.journal.rows(event, person_id=PERSON, actor=actor))


def esante(folder, *arguments):
    return CliRunner().invoke(main, [*arguments, "--data", str(folder)])


def test_matrix_is_printed_without_a_database():
    done = CliRunner().invoke(main, ["access", "matrix"])
    assert done.exit_code == 0
    assert done.output.startswith("# Access matrix\n")


def test_replay_tells_what_differs_and_fails(folder):
    done = esante(folder, "access", "replay")
    assert done.exit_code == 1
    assert "pharmacist, read, patient_summary: grant.circle -> read.category" in done.output
    assert "1 x pharmacist, patient_summary: grant.circle -> read.category" in done.output
    assert "2 verdicts decided again, 0 left out" in done.output
    assert "1 with another outcome, 0 by another rule" in done.output


def test_replay_of_days_without_verdicts_succeeds(folder):
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    done = esante(folder, "access", "replay", "--since", tomorrow)
    assert (done.exit_code, "0 verdicts decided again" in done.output) == (0, True)
    done = esante(folder, "access", "replay", "--since", "yesterday")
    assert done.exit_code == 2 and "Traceback" not in done.output


def test_referring_doctor_is_recorded_and_ended(folder):
    done = esante(folder, "directory", "refer", str(PERSON), str(DOCTOR), "--notified", "2026-03-14")
    assert (done.exit_code, done.output) == (0, f"Max Muster is the referring doctor of {PERSON} from 2026-04-01\n")
    done = esante(folder, "directory", "refer", str(PERSON), str(DOCTOR), "--notified", "2026-06-01", "--end")
    assert "until 2026-07-01 (exclusive)" in done.output
    done = esante(folder, "directory", "refer", str(PERSON), str(DOCTOR), "--notified", "2026-08-01", "--end")
    assert done.exit_code == 1 and "not the person's referring doctor" in done.output
    done = esante(folder, "directory", "refer", str(DOCTOR), str(PERSON), "--notified", "2026-06-01")
    assert done.exit_code == 1 and "is not a person" in done.output


def test_delegation_is_added_and_ended(folder):
    arguments = ("directory", "delegation", str(CLERK), str(DOCTOR), str(PRACTICE))
    done = esante(folder, *arguments, "--since", "2026-03-01")
    assert done.exit_code == 0 and "at Praxis from 2026-03-01 on" in done.output
    done = esante(folder, *arguments, "--since", "2026-05-01", "--end")
    assert done.exit_code == 0 and "no more from 2026-05-01 on" in done.output
    done = esante(folder, *arguments, "--since", "2026-05-01", "--end")
    assert done.exit_code == 1 and "no such delegation" in done.output

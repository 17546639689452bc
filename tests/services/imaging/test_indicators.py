"""The indicators of images: what they count of the events, and that deposits and openings write what they need."""

import tomllib

import duckdb

from esante.core.dated_data import packaged_text
from esante.services.imaging.model import SeriesOpened, StudyDeposited
from tests.services.imaging.test_access import paths
from tests.support.dicom import stow, study_files

INDICATORS = {
    one["id"]: one for one in tomllib.loads(packaged_text("esante.services.imaging", "indicators.toml"))["indicator"]
}
ELSEWHERE = ("imaging.opened", True, "elsewhere", "practitioner")


def count(indicator: str, *rows: tuple) -> list[tuple]:
    """What an indicator counts of events: type, allowed, kind, kind of actor, subject, organisation."""
    with duckdb.connect() as db:
        db.execute(
            "CREATE TABLE events (seq BIGINT, type TEXT, allowed BOOLEAN, kind TEXT, actor_kind TEXT, subject BIGINT,"
            " organization BIGINT, actor BIGINT)"
        )
        db.executemany(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, 9)", [(seq, *row) for seq, row in enumerate(rows)]
        )
        return sorted(db.execute(INDICATORS[indicator]["sql"]).fetchall())


def test_only_the_first_part_of_a_study_counts_as_shared():
    parts = [("imaging.deposited", True, part, "organization", 1, 1) for part in ("first", "further", "first")]
    assert [unit for unit, _ in count("images_shared", *parts)] == [0, 2]


def test_openings_of_patients_and_refused_ones_do_not_count():
    rows = [
        (*ELSEWHERE, 1, 1),
        ("imaging.opened", True, "own", "practitioner", 1, 2),
        ("imaging.opened", True, "elsewhere", "patient", 1, None),
        ("imaging.opened", False, "elsewhere", "practitioner", 1, 1),
    ]
    assert [unit for unit, _ in count("images_opened", *rows)] == [0, 1]
    assert [unit for unit, _ in count("cds_avoided", *rows)] == [0]


def test_cd_is_avoided_once_for_a_patient_and_an_establishment():
    rows = [(*ELSEWHERE, 1, 1), (*ELSEWHERE, 1, 1), (*ELSEWHERE, 1, 2), (*ELSEWHERE, 2, 1), (*ELSEWHERE, 2, None)]
    assert [unit for unit, _ in count("cds_avoided", *rows)] == [0, 2, 3, 4]


async def test_deposits_and_openings_write_what_is_counted(imaging, world, person):
    files = study_files(person, instances=2)
    async with imaging.client(world.people["hospital"]) as client:
        for file in files:
            assert (await stow(client, [file])).status_code == 200
        await client.get(paths(files[0])[8])
    async with imaging.client(world.people["doctor"]) as client:
        await client.get(paths(files[0])[8])
    assert [event.part for _, event in await world.events(person, StudyDeposited)] == ["first", "further"]
    assert [event.place for _, event in await world.events(person, SeriesOpened)] == ["own", "elsewhere"]

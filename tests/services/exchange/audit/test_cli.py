"""The commands about messages: figures, the statement of a month, and the comparison with that of another country."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from esante.services.exchange.audit.model import Side
from esante.services.exchange.audit.statement import FORMAT, Line, Statement, read_statement, write_statement
from esante.services.exchange.contact_points.registration import fingerprint, read_registration
from tests.support.contact_points import HOMES, trial_country
from tests.support.processes import run_esante

SETTINGS = {"ESANTE_NCP_HOME": HOMES["LU"]}
MONTH = "2026-10"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A platform with keys, where Portugal is registered."""
    folder = tmp_path_factory.mktemp("ncp")
    portugal = trial_country("PT")
    (folder / "PT").mkdir()
    for name, content in portugal.files().items():
        (folder / "PT" / name).write_bytes(content)
    run_esante("ncp", "keys", "--data", folder / "data", **SETTINGS)
    seal = fingerprint(portugal.own.issuer.certificate)
    run_esante("ncp", "import", folder / "PT", "--fingerprint", seal, "--data", folder / "data", **SETTINGS)
    return folder / "data"


def their_statement(*lines: Line) -> str:
    stated = Statement(format=FORMAT, from_="PT", to="LU", month=MONTH, journal="", messages=list(lines))
    return write_statement(stated, trial_country("PT").own.issuer)


@pytest.mark.long
def test_statement_of_another_country_is_compared_and_what_is_missing_here_is_named(
    data: Path, tmp_path: Path
) -> None:
    line = Line(
        side=Side.ASKED,
        transaction="ITI-55",
        message_id="urn:uuid:missing",
        answer_id="",
        request_hash="aa",
        answer_hash="bb",
        outcome="",
        at=datetime(2026, 10, 5, 12, tzinfo=UTC),
    )
    file = tmp_path / "statement.jws"
    file.write_text(their_statement(line))
    done = run_esante("ncp", "reconcile", file, "--data", data, check=False, **SETTINGS)
    assert done.returncode == 1
    assert "missing here: ITI-55 urn:uuid:missing of 2026-10-05 12:00:00" in done.stdout
    file.write_text(their_statement())
    done = run_esante("ncp", "reconcile", file, "--data", data, **SETTINGS)
    assert "0 messages here, 0 there, 0 differences." in done.stdout
    file.write_text("nonsense")
    done = run_esante("ncp", "reconcile", file, "--data", data, check=False, **SETTINGS)
    assert done.returncode == 1 and "no seal of a registered country signed it" in done.stderr


@pytest.mark.long
def test_own_statement_is_sealed_and_figures_are_csv(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "ours.jws"
    run_esante("ncp", "statement", "PT", MONTH, "--output", file, "--data", data, **SETTINGS)
    run_esante("ncp", "export", tmp_path / "LU", "--data", data, **SETTINGS)
    files = {one.name: one.read_bytes() for one in (tmp_path / "LU").iterdir()}
    seal = run_esante("ncp", "export", tmp_path / "LU", "--data", data, **SETTINGS).stdout.rpartition(" ")[2].strip()
    here = read_registration(files, (), frozenset({seal}), datetime.now(UTC))
    assert read_statement(file.read_text(), [here], "PT").month == MONTH
    figures = run_esante("ncp", "figures", MONTH, "--data", data, **SETTINGS).stdout
    assert figures.splitlines()[0].startswith("month,country_asking,country_answering,transaction")
    done = run_esante("ncp", "figures", "2026-13", "--data", data, check=False, **SETTINGS)
    assert done.returncode == 2 and "write the month as 2026-11" in done.stderr

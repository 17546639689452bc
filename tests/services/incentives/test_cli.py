"""The commands of incentives."""

from click.testing import CliRunner

from esante.services.incentives.cli import incentives
from tests.services.incentives.schemes.test_scheme_file import file_of


def run(*arguments):
    return CliRunner().invoke(incentives, [str(one) for one in arguments])


def test_check_prints_the_rows_of_a_file(tmp_path):
    file = tmp_path / "schemes.toml"
    file.write_text(file_of({}), encoding="utf-8")
    done = run("check", file)
    assert done.exit_code == 0 and "2026-01-01 to 2026-06-30" in done.output and "0.35 EUR" in done.output


def test_check_refuses_a_file_with_the_row_and_without_a_trace(tmp_path):
    file = tmp_path / "schemes.toml"
    file.write_text(file_of({}, {"amount": '"-1"'}), encoding="utf-8")
    done = run("check", file)
    assert done.exit_code == 1 and "row 2 (line 13)" in done.output and "Traceback" not in done.output
    file.write_bytes(b"\xff\xfe")
    assert run("check", file).exit_code == 1


def test_quarter_is_decided_by_one_person_and_confirmed_by_another(tmp_path):
    data = tmp_path / "data"
    decided = run("decide", "2026-Q1", "--by", "anna", "--data", data)
    assert decided.exit_code == 0, decided.output
    assert "2026-Q1  draft  0 lines" in decided.output
    own = run("decide", "2026-Q1", "--by", "anna", "--confirm", "--data", data)
    assert own.exit_code == 1 and "Another operator" in own.output
    assert "confirmed" in run("decide", "2026-Q1", "--by", "ben", "--confirm", "--data", data).output
    again = run("decide", "2026-Q1", "--by", "anna", "--data", data)
    assert again.exit_code == 1 and "corrections come with the next quarter" in again.output
    listed = run("evidence", "90100100", "--data", data)
    assert listed.exit_code == 0 and "0 documents" in listed.output
    assert run("evidence", "90100100", "--quarter", "2026", "--data", data).exit_code == 1

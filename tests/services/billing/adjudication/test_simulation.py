"""`esante billing simulate`: notes in files, without a database."""

import io
import json
import zipfile
from datetime import date
from decimal import Decimal

import pytest
from click.testing import CliRunner

from esante.services.billing.adjudication.cli import simulate
from esante.services.billing.nomenclature import use_folder
from esante.services.billing.note.fhir_resources import claim
from esante.services.billing.note.model import Patient
from esante.services.billing.note.national_xml import write_note
from tests.support.billing_cases import make_line, make_note

ON = date(2023, 12, 28)
GOLDEN = ({"act": "C1", "gross": "57.70"}, {"act": "9T03", "gross": "36.20"})


def golden(**fields):
    return make_note(tuple(make_line(number, row, ON) for number, row in enumerate(GOLDEN, 1)), ON, **fields)


@pytest.fixture
def run(tmp_path):
    """Simulate the note in some bytes with options."""

    def run_on(data, *options):
        path = tmp_path / "note"
        path.write_bytes(data)
        return CliRunner().invoke(simulate, [str(path), *options])

    yield run_on
    use_folder("")


def answer(done):
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_golden_case_is_printed_line_by_line_with_its_rules(run):
    lines = run(write_note(golden())).stdout.splitlines()
    assert lines[0] == "By the SAMPLE nomenclature of the program: these are no official tariffs."
    assert lines[2].split() == ["1", "C1", "1", "57.70", "88%", "50.78", "6.92", "0.00"]
    assert lines[4].split() == ["2", "9T03", "0", "0.00", "0%", "0.00", "0.00", "0.00"]
    assert "[cumulation.general-technical; Règlement grand-ducal" in lines[5]
    assert lines[6].strip().startswith("-> Leave the act out.")
    assert lines[-1].startswith("statutory 50.78   personal 6.92   total 57.70")


def test_golden_case_as_json_has_amounts_as_texts(run):
    found = answer(run(write_note(golden()), "--json", "--language", "lb"))
    assert (found["statutory"], found["personal"], found["total"], found["sample"]) == ("50.78", "6.92", "57.70", True)
    first, second = found["lines"]
    amounts = [first[name] for name in ("tariff", "rate", "statutory", "personal", "convenience")]
    assert amounts == ["57.70", "0.88", "50.78", "6.92", "0.00"]
    assert second["refused"]
    assert second["rules"][0]["remedy"].startswith("Loosst den Akt ewech.")


def test_xml_zip_and_claim_get_the_same_decision(run):
    xml = write_note(golden())
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("F90000011202312_MED_MHM_001_0101_00000000-0000-4000-8000-000000000001.xml", xml)
    fhir = json.dumps(
        claim(golden(), "claim"), default=lambda value: float(value) if isinstance(value, Decimal) else str(value)
    )
    found = [answer(run(data, "--json")) for data in (xml, packed.getvalue(), fhir.encode())]
    assert found[0]["lines"] == found[1]["lines"] == found[2]["lines"]


@pytest.mark.parametrize(
    ("options", "statutory"),
    [
        ((), "50.78"),
        (("--born", "2005-12-28"), "50.78"),
        (("--born", "2005-12-29"), "57.70"),
        (("--not-covered",), "0.00"),
        (("--third-party-payer",), "57.70"),
        (("--profession", "dentist"), "31.86"),
        (("--speciality", "cardiology"), "31.86"),
        (("--speciality", "cardiology", "--speciality", "general_medicine"), "50.78"),
        (("--received", "2025-12-28"), "50.78"),
        (("--received", "2025-12-29"), "0.00"),
    ],
)
def test_what_is_assumed_can_be_said(run, options, statutory):
    assert answer(run(write_note(golden()), "--json", *options))["statutory"] == statutory


def test_note_without_amounts_is_simulated_at_the_tariff(run):
    note = make_note((make_line(1, {"act": "C1", "gross": "0.00"}, ON),), ON)
    assert answer(run(write_note(note), "--json"))["statutory"] == "0.00"
    assert answer(run(write_note(note), "--json", "--without-amounts"))["statutory"] == "50.78"


def test_birth_date_that_nothing_says_is_asked_for(run):
    note = golden(patient=Patient(matricule="1980990012345"))
    done = run(write_note(note))
    assert (done.exit_code, done.stderr) == (
        1,
        "Error: note: the birth date is not known from the note: give it with --born YYYY-MM-DD\n",
    )
    assert answer(run(write_note(note), "--born", "1980-01-01", "--json"))["statutory"] == "50.78"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x01",
        b"{",
        b"{}",
        b'{"resourceType": "Patient"}',
        b"[]",
        b"<memoireHonoraire/>",
        b"<!DOCTYPE x [<!ENTITY a 'b'>]><memoireHonoraire>&a;</memoireHonoraire>",
        b"PK\x03\x04 no archive",
    ],
)
def test_broken_file_gets_an_error_with_its_name_and_no_trace(run, data):
    done = run(data)
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: note: ")
    assert "Traceback" not in done.output
    assert isinstance(done.exception, SystemExit)


def test_every_fault_of_a_message_is_said_with_its_place(run):
    xml = write_note(golden()).replace(b"57.70", b"much").replace(b"36.20", b"more")
    said = run(xml).stderr.splitlines()
    assert sum("montantBrut" in line and "line" in line for line in said) == 2


def test_own_rules_are_used_and_wrong_ones_are_said(run, tmp_path, monkeypatch):
    monkeypatch.setenv("ESANTE_BILLING_DATA", str(tmp_path))
    (tmp_path / "rates.toml").write_text("[[rule]]\nkey = 'rate.free'\n")
    done = run(write_note(golden()))
    assert done.stderr == "Error: note: rates.toml: rate.free: the program does not know this rule\n"

"""Catalogues: what loaders read, and what they refuse."""

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.exchange import NotUsable, load_catalogue, sample_catalogue
from esante.services.exchange.terminology import name_of, oid_of, uri_of
from esante.services.exchange.terminology.systems import known_systems

GENDER = "2.16.840.1.113883.5.1"
FSH = """Alias: $SCT = http://snomed.info/sct
ValueSet: Colours
Id: colours
Title: "Colours"
* ^url = "http://example.org/ValueSet/colours"
* ^version = "8.1.0"
* ^identifier.value = "urn:oid:2.999.42"
// a comment
* $SCT#371240000 "Red \\"colour\\""
* include http://snomed.info/sct#"a b" "With blank"
* urn:oid:2.999.7#x
"""
TSAM = """INSERT INTO `code_system` VALUES (1,'2.999.8','National',NULL),(2,'2.999.9','Pivot','it''s; (odd), x');
INSERT INTO code_system_version (id, code_system_id, local_name) VALUES (1, 1, '2026'), (2, 2, '2025');
INSERT INTO `code_system_concept` VALUES (1,'a','Current','2026-02-03 00:00:00',NULL,1),
(2,'B','Current','2026-01-01',NULL,2),(3,'old','Retired','2026-03-01',NULL,2);
INSERT INTO `designation` VALUES (1,'Alpha','en-GB','T',1,'Current',NULL,2),(2,'Beta','en-GB','T',0,'Current',NULL,2),
(3,'Gone','fr','T',1,'Retired',NULL,2);
INSERT INTO `transcoding_association` VALUES (1,1,2,1,NULL,'Current',NULL);
INSERT INTO value_set VALUES (1,'2.999.10','Letters','',2);
INSERT INTO value_set_version VALUES (1,'8.1.0',NULL,NULL,'Current',NULL,NULL,NULL,1);
INSERT INTO x_concept_value_set VALUES (2,1),(3,1);
"""


def faults_of(folder) -> list[str]:
    with pytest.raises(NotUsable) as refused:
        load_catalogue(folder)
    return [str(fault) for fault in refused.value.faults]


def test_shorthand_gives_value_set_with_oid_and_version(tmp_path):
    (tmp_path / "colours.fsh").write_text(FSH)
    catalogue = load_catalogue(tmp_path)
    found = catalogue.value_sets["2.999.42"]
    assert (found.name, found.version) == ("Colours", "8.1.0")
    sct = "2.16.840.1.113883.6.96"
    assert found.codes == {(sct, "371240000"), (sct, "a b"), ("2.999.7", "x")}
    assert catalogue.designation((sct, "371240000"), "en") == 'Red "colour"'
    assert catalogue.holds(("2.999.7", "x"))
    assert catalogue.designation(("2.999.7", "x"), "en") is None


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("* include codes from system SCT where concept is-a #1", "colours.fsh:12: the codes are computed"),
        ('* #red "Red"', "colours.fsh:12: the code red has no code system"),
        ("* something else", "colours.fsh:12: the rule cannot be read"),
    ],
)
def test_rule_that_lists_no_code_is_named_with_its_line(tmp_path, rule, said):
    (tmp_path / "colours.fsh").write_text(FSH + rule + "\n")
    assert faults_of(tmp_path)[0].startswith(said)


def test_export_of_a_terminology_server_is_read(tmp_path):
    (tmp_path / "ltrdb.sql").write_text(TSAM)
    catalogue = load_catalogue(tmp_path)
    assert catalogue.pivots == {("2.999.8", "a"): ("2.999.9", "B")}
    assert catalogue.designation(("2.999.9", "B"), "en-GB") == "Alpha"
    assert catalogue.designation(("2.999.9", "B"), "fr") is None
    assert not catalogue.holds(("2.999.9", "old"))
    assert catalogue.value_sets["2.999.10"].codes == {("2.999.9", "B")}
    assert catalogue.versions == {"2.999.8": "2026", "2.999.9": "2025"}
    assert catalogue.day == date(2026, 2, 3)


def test_two_current_designations_none_preferred_are_refused(tmp_path):
    (tmp_path / "ltrdb.sql").write_text(TSAM.replace("'en-GB','T',1,'Current'", "'en-GB','T',0,'Current'"))
    (fault,) = faults_of(tmp_path)
    assert fault.startswith("ltrdb.sql:5: B of 2.999.9 has several current designations in en-gb")
    assert "Mark one as preferred" in fault


def test_two_preferred_designations_are_refused(tmp_path):
    (tmp_path / "ltrdb.sql").write_text(TSAM.replace("'en-GB','T',0,'Current'", "'en-GB','T',1,'Current'"))
    assert "several preferred designations in en-gb" in faults_of(tmp_path)[0]


def test_row_with_too_few_values_is_refused_with_its_line(tmp_path):
    (tmp_path / "ltrdb.sql").write_text(TSAM + "INSERT INTO value_set VALUES (1,'2.999.10');\n")
    assert faults_of(tmp_path)[0].startswith("ltrdb.sql:11: a row of value_set has 2 values for 5 columns")


def test_sql_in_an_export_is_not_executed_and_text_is_text(tmp_path):
    (tmp_path / "ltrdb.sql").write_text(TSAM + "DROP TABLE x; DELETE FROM value_set;\n")
    assert load_catalogue(tmp_path).value_sets


def test_fhir_resources_are_read(tmp_path):
    value_set = {
        "resourceType": "ValueSet",
        "url": "http://example.org/vs",
        "version": "1",
        "date": "2026-05-04T10:00:00Z",
        "identifier": [{"value": "urn:oid:2.999.11"}],
        "compose": {
            "include": [
                {
                    "system": "http://loinc.org",
                    "version": "2.78",
                    "concept": [{"code": "1-8", "display": "One", "designation": [{"language": "fr", "value": "Un"}]}],
                }
            ]
        },
    }
    (tmp_path / "vs.json").write_text(json.dumps({"resourceType": "Bundle", "entry": [{"resource": value_set}]}))
    catalogue = load_catalogue(tmp_path)
    code = ("2.16.840.1.113883.6.1", "1-8")
    assert catalogue.value_sets["2.999.11"].codes == {code}
    assert (catalogue.designation(code, "en"), catalogue.designation(code, "fr-LU")) == ("One", "Un")
    assert catalogue.versions["2.16.840.1.113883.6.1"] == "2.78"
    assert catalogue.day == date(2026, 5, 4)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", b"{", "a.json: the file is no JSON"),
        ("a.json", b'{"resourceType": "Patient"}', "a.json: a resource of the type Patient is no part of a catalogue"),
        (
            "a.json",
            b'{"resourceType": "ValueSet", "compose": {"include": [{"system": "s"}]}, "url": "u"}',
            "a.json: ValueSet",
        ),
        ("a.json", b'{"resourceType": "CodeSystem", "concept": [{}], "url": "u"}', "a.json: the CodeSystem has not"),
        ("a.json", b"[1]", "a.json: a resource of the type None"),
        ("a.fsh", b"\xff\xfe", "a.fsh: the file is not in UTF-8"),
        ("a.sql", b"SELECT 1;", "a.sql: the file has no rows"),
        ("a.txt", b"x", ""),
    ],
)
def test_file_that_is_no_catalogue_is_named(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    assert said in faults_of(tmp_path)[0]


def test_day_of_the_folder_wins_and_must_be_a_day(tmp_path):
    (tmp_path / "colours.fsh").write_text(FSH)
    (tmp_path / "catalogue.toml").write_text("date = 2025-12-23")
    assert load_catalogue(tmp_path).day == date(2025, 12, 23)
    (tmp_path / "catalogue.toml").write_text('date = "2025-12-23"')
    assert faults_of(tmp_path)[0].startswith("catalogue.toml: the date is '2025-12-23'")


def test_two_versions_of_a_value_set_are_refused(tmp_path):
    (tmp_path / "a.fsh").write_text(FSH)
    (tmp_path / "b.fsh").write_text(FSH.replace("8.1.0", "8.2.0"))
    assert "has the versions 8.1.0 and 8.2.0" in faults_of(tmp_path)[0]


def test_displays_that_differ_between_value_sets_are_a_warning(tmp_path):
    (tmp_path / "a.fsh").write_text(FSH)
    (tmp_path / "b.fsh").write_text(FSH.replace("2.999.42", "2.999.43").replace("With blank", "Blank"))
    catalogue = load_catalogue(tmp_path)
    assert [warning.place for warning in catalogue.warnings] == ["a.fsh:10, b.fsh:10"]


def test_sample_is_a_catalogue_of_hl7_codes_with_its_day():
    catalogue = sample_catalogue()
    assert catalogue.designation((GENDER, "F"), "lb") == "Weiblech"
    assert catalogue.pivots[("http://hl7.org/fhir/administrative-gender", "female")] == (GENDER, "F")
    assert catalogue.day is not None
    assert {system for system, _ in catalogue.designations} <= {
        one.oid for one in known_systems() if "hl7.org" in one.uri
    } | {"http://hl7.org/fhir/administrative-gender"}


@given(st.sampled_from(known_systems()))
def test_uri_of_an_oid_leads_back(system):
    assert uri_of(oid_of(system.uri)) == system.uri
    assert name_of(system.oid)


@given(st.from_regex(r"[0-2](\.[1-9][0-9]{0,3}){1,8}", fullmatch=True))
def test_unknown_oid_leads_back(oid):
    assert oid_of(uri_of(oid)) in (oid, oid_of(uri_of(oid_of(uri_of(oid)))))
    if not name_of(oid):
        assert oid_of(uri_of(oid)) == oid

"""The check of documents: every rule of the guides is broken once, and real documents of others give what is expected."""

import copy
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from esante.core.types import Json
from esante.services.ehds.cli import ehds
from esante.services.ehds.formats import check_document
from esante.services.ehds.formats.guides import guide_rules

DAY = date(2026, 11, 30)
_TEXT = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Text</div>'}
_CORE = "http://hl7.eu/fhir/base/StructureDefinition/"


def _concept(code: str, system: str = "http://loinc.org") -> Json:
    return {"coding": [{"system": system, "code": code}], "text": code}


def _document(type_: str, sections: list[Json], *resources: Json, **composition: object) -> Json:
    """Return a document about a patient; resources are referred to as urn:uuid: and their place from 2 on."""
    patient = {"resourceType": "Patient", "name": [{"family": "Weber"}], "birthDate": "1980-05-17"}
    author = {"resourceType": "Organization", "name": "Clinic", "meta": {"profile": [f"{_CORE}organization-eu-core"]}}
    head = {
        "resourceType": "Composition",
        "meta": {"profile": [f"{_CORE}composition-eu-core"]},
        "status": "final",
        "identifier": {"system": "urn:x", "value": "1"},
        "type": _concept(type_),
        "subject": {"reference": _url(1)},
        "date": "2026-01-01",
        "author": [{"reference": _url(2)}],
        "title": "Document",
        "section": sections,
    } | composition
    every = [orjson.loads(orjson.dumps(one)) for one in (head, patient, author, *resources)]
    return {
        "resourceType": "Bundle",
        "type": "document",
        "identifier": {"system": "urn:x", "value": "1"},
        "timestamp": "2026-01-01T00:00:00Z",
        "entry": [{"fullUrl": _url(number), "resource": one} for number, one in enumerate(every)],
    }


def _url(number: int) -> str:
    return f"urn:uuid:00000000-0000-4000-8000-{number:012}"


def _section(code: str, *entries: int, **fields: object) -> Json:
    section = {"title": code, "code": _concept(code), "text": _TEXT}
    if entries:
        section["entry"] = [{"reference": _url(number)} for number in entries]
    else:
        reason = _concept("unavailable", "http://terminology.hl7.org/CodeSystem/list-empty-reason")
        section["emptyReason"] = reason
    return section | fields


SUBJECT = {"subject": {"reference": _url(1)}}


def summary() -> Json:
    """Return a patient summary that keeps every rule."""
    patient = {"patient": {"reference": _url(1)}}
    return _document(
        "60591-5",
        [
            _section("11450-4", 3),
            _section("48765-2", 4),
            _section("10160-0", 5),
            _section("47519-4", 7),
            _section("46264-8", 8),
            _section("30954-2", 10, 12),
        ],
        {"resourceType": "Condition", "code": {"text": "Asthma"}, **SUBJECT},
        {
            "resourceType": "AllergyIntolerance",
            "clinicalStatus": _concept("active", "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"),
            "code": {"text": "Latex"},
            **patient,
        },
        {
            "resourceType": "MedicationStatement",
            "status": "active",
            "medicationReference": {"reference": _url(6)},
            "effectiveDateTime": "2026",
            **SUBJECT,
        },
        {"resourceType": "Medication", "code": {"text": "Aspirin"}},
        {
            "resourceType": "Procedure",
            "status": "completed",
            "code": {"text": "Repair"},
            "performedDateTime": "2020",
            **SUBJECT,
        },
        {
            "resourceType": "DeviceUseStatement",
            "status": "active",
            "device": {"reference": _url(9)},
            "timingDateTime": "2020",
            **SUBJECT,
        },
        {"resourceType": "Device", "type": {"text": "Pacemaker"}},
        {
            "resourceType": "Observation",
            "meta": {"profile": [f"{_CORE}medicalTestResult-eu-core"]},
            "status": "final",
            "category": [{"text": "laboratory"}],
            "code": {"text": "Sodium"},
            "effectiveDateTime": "2026",
            "performer": [{"reference": _url(11)}],
            **SUBJECT,
        },
        {
            "resourceType": "Practitioner",
            "name": [{"family": "Muller"}],
            "meta": {"profile": [f"{_CORE}practitioner-eu-core"]},
        },
        {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "Blood"}, **SUBJECT},
    )


def laboratory() -> Json:
    """Return a laboratory report that keeps every rule."""
    same = {"identifier": {"system": "urn:x", "value": "7"}, "category": [_concept("LAB", "urn:c")]}
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": _concept("11502-2"),
        "identifier": [same["identifier"]],
        "category": same["category"],
        "encounter": {"reference": _url(5)},
        "result": [{"reference": _url(4)}],
        **SUBJECT,
    }
    result = {"resourceType": "Observation", "status": "final", "code": {"text": "Sodium"}, **SUBJECT}
    stay = {"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}, **SUBJECT}
    inner = _section("18717-9", 4)
    outer = {"title": "Studies", "code": _concept("26436-6"), "section": [inner]}
    note = {"title": "Note", "code": _concept("48767-8"), "text": _TEXT}
    encounter = {"encounter": {"reference": _url(5)}}
    return _document("11502-2", [outer, note], report, result, stay, **same, **encounter)


def discharge() -> Json:
    """Return a discharge report that keeps every rule."""
    stay = {"resourceType": "Encounter", "status": "finished", "class": {"code": "IMP"}, **SUBJECT}
    course = {"title": "Course", "code": _concept("8648-8"), "text": _TEXT}
    return _document("34105-7", [course], stay, encounter={"reference": _url(3)})


def imaging() -> Json:
    """Return an imaging report that keeps every rule."""
    study = {"resourceType": "ImagingStudy", "status": "available", **SUBJECT}
    sections = [_section("18726-0", 3), _section("55115-0"), _section("11329-0"), _section("55111-9")]
    return _document("85430-7", sections, study, category=[_concept("RAD", "urn:c")])


def manifest() -> Json:
    """Return a manifest that keeps every rule."""
    series = {"uid": "1.2.3.4", "modality": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"}}
    uid = {"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"}
    study = {"resourceType": "ImagingStudy", "status": "available", "identifier": [uid], "series": [series], **SUBJECT}
    return _document("55113-5", [_section("18726-0", 3)], study)


def prescription() -> Json:
    """Return a prescription that keeps every rule."""
    request = {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "authoredOn": "2026-01-01",
        "requester": {"display": "Dr Muller"},
        "medicationCodeableConcept": {"text": "Aspirin"},
        **SUBJECT,
    }
    return _document("57833-6", [_section("57828-6", 3)], request)


def dispensation() -> Json:
    """Return a dispensation that keeps every rule."""
    dispense = {
        "resourceType": "MedicationDispense",
        "status": "completed",
        "medicationCodeableConcept": {"text": "Aspirin"},
        "performer": [{"actor": {"display": "Pharmacy"}}],
        "quantity": {"value": 1},
        "whenHandedOver": "2026-01-01",
        **SUBJECT,
    }
    return _document("60593-1", [_section("60590-7", 3)], dispense)


DOCUMENTS: dict[str, Callable[[], Json]] = {
    one.__name__: one for one in (summary, laboratory, discharge, imaging, manifest, prescription, dispensation)
}


def _rules(document: Json) -> set[str]:
    return {finding.rule for finding in check_document(orjson.dumps(document), DAY).findings if finding.rule != "R4"}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_document_that_keeps_every_rule_has_no_error(kind):
    check = check_document(orjson.dumps(DOCUMENTS[kind]()), DAY)
    assert [one for one in check.findings if one.is_error or one.rule != "R4"] == []
    assert check.guide and check.article.startswith("14(1)")


def _drop(*path: str | int) -> Callable[[Json], None]:
    """Return the change that removes an element: names and places from `Bundle`, entries by their number."""

    def change(document: Json) -> None:
        node = document
        for step in path[:-1]:
            node = node[step]
        del node[path[-1]]

    return change


def _put(value: object, *path: str | int) -> Callable[[Json], None]:
    def change(document: Json) -> None:
        node = document
        for step in path[:-1]:
            node = node[step]
        node[path[-1]] = value

    return change


def _entry(number: int, *path: str | int) -> tuple[str | int, ...]:
    return ("entry", number, "resource", *path)


def _add_entry(resource: Json) -> Callable[[Json], None]:
    return lambda document: document["entry"].append({"fullUrl": _url(99), "resource": resource})


def _repeat_section(number: int) -> Callable[[Json], None]:
    def change(document: Json) -> None:
        sections = document["entry"][0]["resource"]["section"]
        sections.append(copy.deepcopy(sections[number]))

    return change


OTHER = {"coding": [{"system": "urn:c", "code": "other"}]}
BROKEN: list[tuple[str, str, Callable[[Json], None]]] = [
    ("summary", "base-document", _put("collection", "type")),
    ("summary", "base-identifier", _drop("identifier")),
    ("summary", "base-timestamp", _drop("timestamp")),
    ("summary", "base-full-url", _drop("entry", 2, "fullUrl")),
    ("summary", "base-one-composition", _add_entry({"resourceType": "Composition"})),
    ("summary", "base-no-search", _put({"mode": "match"}, "entry", 1, "search")),
    ("summary", "base-section-title", _drop(*_entry(0, "section", 0, "title"))),
    ("summary", "base-section-code", _drop(*_entry(0, "section", 0, "code"))),
    ("summary", "base-subject", _drop(*_entry(0, "subject"))),
    ("summary", "base-composition-identifier", _drop(*_entry(0, "identifier"))),
    ("summary", "base-patient-name", _drop(*_entry(1, "name"))),
    ("summary", "base-patient-birth-date", _drop(*_entry(1, "birthDate"))),
    ("summary", "base-organization-name", _drop(*_entry(2, "name"))),
    ("summary", "base-organization-core-name", _drop(*_entry(2, "name"))),
    ("summary", "base-practitioner-name", _drop(*_entry(11, "name"))),
    ("summary", "base-practitioner-core-name", _drop(*_entry(11, "name"))),
    ("summary", "base-condition-code", _drop(*_entry(3, "code"))),
    ("summary", "base-allergy-code", _drop(*_entry(4, "code"))),
    ("summary", "base-procedure-code", _drop(*_entry(7, "code"))),
    ("summary", "base-procedure-performed", _drop(*_entry(7, "performedDateTime"))),
    ("summary", "base-report-subject", _drop(*_entry(12, "subject"))),
    ("summary", "base-result-category", _drop(*_entry(10, "category"))),
    ("summary", "base-result-subject", _drop(*_entry(10, "subject"))),
    ("summary", "base-result-effective", _drop(*_entry(10, "effectiveDateTime"))),
    ("summary", "eps-section-text", _drop(*_entry(0, "section", 0, "text"))),
    ("summary", "eps-medication-code", _drop(*_entry(6, "code"))),
    ("summary", "eps-patient-reference", _drop(*_entry(4, "patient"))),
    ("summary", "eps-subject-reference", _drop(*_entry(3, "subject"))),
    ("summary", "eps-statement-effective", _drop(*_entry(5, "effectiveDateTime"))),
    ("summary", "eps-statement-medication", _drop(*_entry(5, "medicationReference"))),
    ("summary", "eps-device-timing", _drop(*_entry(8, "timingDateTime"))),
    ("summary", "eps-section-required", _drop(*_entry(0, "section", 3))),
    ("summary", "eps-section-repeated", _repeat_section(0)),
    ("summary", "eps-section-entry-type", _put(_url(4), *_entry(0, "section", 0, "entry", 0, "reference"))),
    ("summary", "eps-section-entries", _drop(*_entry(0, "section", 0, "entry"))),
    ("summary", "eps-section-nested", _put([_section("x")], *_entry(0, "section", 0, "section"))),
    ("summary", "profile-unknown", _put(["urn:profile"], *_entry(3, "meta"))),
    ("laboratory", "lab-one-report", _drop("entry", 3)),
    ("laboratory", "lab-same-subject", _put(_url(2), *_entry(3, "subject", "reference"))),
    ("laboratory", "lab-same-type", _put(OTHER, *_entry(3, "code"))),
    ("laboratory", "lab-same-category", _put([OTHER], *_entry(3, "category"))),
    ("laboratory", "lab-same-identifier", _put("8", *_entry(0, "identifier", "value"))),
    ("laboratory", "lab-same-encounter", _drop(*_entry(0, "encounter"))),
    ("laboratory", "lab-sections", _drop(*_entry(0, "section"))),
    ("laboratory", "lab-leaf-entries", _drop(*_entry(0, "section", 0, "section", 0, "entry"))),
    ("laboratory", "lab-parent-sections", _put(_TEXT, *_entry(0, "section", 0, "text"))),
    ("laboratory", "lab-annotation-text", _drop(*_entry(0, "section", 1, "text"))),
    ("discharge", "hdr-type", _put("18842-5", *_entry(0, "type", "coding", 0, "code"))),
    ("discharge", "hdr-encounter", _drop(*_entry(0, "encounter"))),
    ("discharge", "hdr-encounter-entry", _drop("entry", 3)),
    ("discharge", "hdr-patient-entry", _drop("entry", 1)),
    ("discharge", "hdr-section-content", _drop(*_entry(0, "section", 0, "text"))),
    ("discharge", "hdr-encounter-subject", _drop(*_entry(3, "subject"))),
    ("imaging", "img-identifier", _drop(*_entry(0, "identifier"))),
    ("imaging", "img-category", _drop(*_entry(0, "category"))),
    ("imaging", "img-studies", _put(_section("18726-0"), *_entry(0, "section", 0))),
    ("manifest", "manifest-study", _drop("entry", 3)),
    ("manifest", "manifest-study-uid", _drop(*_entry(3, "identifier"))),
    ("manifest", "manifest-series", _drop(*_entry(3, "series", 0, "modality"))),
    ("prescription", "mpd-request", _drop("entry", 3)),
    ("prescription", "mpd-authored", _drop(*_entry(3, "authoredOn"))),
    ("prescription", "mpd-requester", _drop(*_entry(3, "requester"))),
    ("prescription", "mpd-medication", _drop(*_entry(3, "medicationCodeableConcept"))),
    ("dispensation", "mpd-dispense", _drop("entry", 3)),
    ("dispensation", "mpd-performer", _drop(*_entry(3, "performer"))),
    ("dispensation", "mpd-quantity", _drop(*_entry(3, "quantity"))),
    ("dispensation", "mpd-recorded", _drop(*_entry(3, "whenHandedOver"))),
]


@pytest.mark.parametrize(("kind", "rule", "change"), BROKEN, ids=[f"{kind}-{rule}" for kind, rule, _ in BROKEN])
def test_broken_rule_is_found_with_article_and_remedy(kind, rule, change):
    document = DOCUMENTS[kind]()
    if rule == "profile-unknown":
        document["entry"][3]["resource"]["meta"] = {"profile": ["urn:profile"]}
    else:
        change(document)
    found = [one for one in check_document(orjson.dumps(document), DAY).findings if one.rule == rule]
    assert found, _rules(document)
    assert all("Article" in one.source and one.requires and one.help and one.place for one in found)


def test_every_rule_of_the_guides_is_broken_once():
    known = {rule.id for guide in guide_rules(DAY).guides for rule in guide.rules}
    assert known <= {rule for _, rule, _ in BROKEN}


_NAMES = st.sampled_from(["resourceType", "entry", "resource", "section", "code", "coding", "type", "meta", "profile"])
_VALUES = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["Bundle", "Composition", "x", ""])


@settings(max_examples=40)
@given(st.recursive(_VALUES, lambda inner: st.lists(inner) | st.dictionaries(_NAMES, inner)))
def test_any_json_gives_findings_and_no_exception(value):
    for wrapped in (value, {"resourceType": "Bundle", "entry": [{"resource": value}]}):
        assert check_document(orjson.dumps(wrapped), DAY).findings


@pytest.mark.parametrize("content", [b"", b"x", b"<Bundle/>", b'{"resourceType": "Bundle"', b"\xff\xfe"])
def test_what_is_no_json_is_told_as_such(content):
    check = check_document(content, DAY)
    assert not check.ok
    assert check.findings[0].rule == "R4"


EXPECTED = {
    "eps/Sensotrend": (0, 11),
    "eps/au-examples-connectathon-2026-05": (19, 9),
    "lab/de-mii-examples": (0, 6),
}
"""Errors and warnings of the folders of ehds-examples that are at hand; docs/ehds-formats.md explains each row."""


@pytest.mark.parametrize("folder", EXPECTED)
def test_vendors_documents_give_the_counts_that_the_documentation_explains(shared_data: Path, folder):
    files = sorted((shared_data / "ehds-examples" / folder).glob("*.json"))
    found = [one for file in files for one in check_document(file.read_bytes(), DAY).findings]
    counts = Counter("error" if one.is_error else "warning" for one in found)
    assert (counts["error"], counts["warning"]) == EXPECTED[folder]


@pytest.mark.parametrize("kind", ["eps", "hdr", "lab"])
def test_documents_of_hl7_europe_have_no_error(shared_data: Path, kind):
    for file in sorted((shared_data / "eu-documents" / kind).glob("*.json"))[:3]:
        assert check_document(file.read_bytes(), DAY).ok, file.name


def test_command_tells_each_finding_and_sets_the_exit_status(tmp_path):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    document = summary()
    good.write_bytes(orjson.dumps(document))
    _drop(*_entry(0, "section", 3))(document)
    bad.write_bytes(orjson.dumps(document))
    run = CliRunner().invoke(ehds, ["check", str(good), str(bad)])
    assert run.exit_code == 1
    assert "eps-section-required" in run.output and "Article 14(1)(a)" in run.output
    assert CliRunner().invoke(ehds, ["check", str(good)]).exit_code == 0
    assert CliRunner().invoke(ehds, ["check", str(tmp_path / "none.json")]).exit_code == 2
    told = orjson.loads(CliRunner().invoke(ehds, ["check", "--json", str(bad)]).output)
    assert told[0]["ok"] is False and told[0]["article"].startswith("14(1)(a)")

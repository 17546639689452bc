"""The slow pass over the structure of a resource."""

import gzip
import json

import pytest

from esante.core.fhir import check, passes_fast_check
from esante.core.fhir.validation import structure_validator
from tests.core.fhir.samples import dumped, narrative, patient
from tests.core.fhir.validation.passes import reported_issues, slow_findings


def test_only_faulty_entries_of_a_bundle_are_reported(shared_data):
    bundle = json.loads(gzip.decompress((shared_data / "synthea" / "01.json.gz").read_bytes()))
    for entry, name, value in ((3, "status", "x"), (60, "birthDay", 1), (90, "id", "a b")):
        bundle["entry"][entry]["resource"][name] = value
    data = dumped(bundle)
    found = {issue.expression for issue in check(data).issues}
    assert found == {f"Bundle.entry[{n}].resource.{name}" for n, name in ((3, "status"), (60, "birthDay"), (90, "id"))}
    assert [code for _, code in reported_issues(data)] == [code for _, code in slow_findings(data)]


def test_check_beyond_the_work_limit_ends_with_an_error(monkeypatch):
    monkeypatch.setattr(structure_validator, "MAX_WORK", 1_000)
    names = [{"text": "x"}] * 600
    assert check(dumped(patient() | {"name": names})).issues == (), "the fast pass has no such limit"
    result = check(dumped({"resourceType": "Patient", "birthDate": "x", "name": names}))
    assert [(issue.severity, issue.code) for issue in result.issues] == [("error", "too-costly"), ("error", "value")]
    assert not check(dumped(patient() | {"name": [*names, {"text": "x", "_text": {}}]})).ok


@pytest.mark.parametrize(
    ("code", "is_right"), [("a b", True), ("a\tb", False), ("a\nb", False), ("a  b", False), (" a", False)]
)
def test_code_has_no_white_space_but_single_spaces(code, is_right):
    data = dumped(patient() | {"maritalStatus": {"coding": [{"code": code}]}})
    assert check(data).ok is is_right


#: What a narrative has of an HTML page or of an XML document, and words of the report.
NOT_XHTML = {
    "a named entity": ("<p>a&nbsp;b</p>", "named entity"),
    "a named entity in an attribute": ('<p title="caf&eacute;">a</p>', "named entity"),
    "a named entity beside one of XML": ("<p>a &amp; b&nbsp;c</p>", "named entity"),
}
HEADS = {
    "an XML declaration": ('<?xml version="1.0" encoding="UTF-8"?>', "XML declaration"),
    "an XML declaration after a blank": ('\n<?xml version="1.0"?>', "XML declaration"),
    "a DOCTYPE": ("<!DOCTYPE div>", "DOCTYPE"),
}
FAULTY_NARRATIVES = {name: (narrative(html)["div"], words) for name, (html, words) in NOT_XHTML.items()} | {
    name: (head + narrative("a")["div"], words) for name, (head, words) in HEADS.items()
}


@pytest.mark.parametrize("name", FAULTY_NARRATIVES)
def test_narrative_that_no_xml_reader_can_read_is_rejected_without_the_constraints_too(name):
    div, words = FAULTY_NARRATIVES[name]
    data = dumped(patient() | {"text": {"status": "generated", "div": div}})
    assert not passes_fast_check(data)
    (issue,) = check(data).issues
    assert (issue.severity, issue.code, issue.expression) == ("error", "value", "Patient.text.`div`")
    assert words in issue.diagnostics


@pytest.mark.parametrize(
    "html", ["a &amp; b &#160; &#xA0; &lt; &gt; &quot; &apos;", "really? yes!", "a<!-- x&nbsp; -->"]
)
def test_narrative_with_markup_of_xml_is_accepted(html):
    assert check(dumped(patient() | {"text": narrative(html)})).issues == ()

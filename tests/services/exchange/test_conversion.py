"""CDA to FHIR and back: what stands where, what is lost, and that the report of losses is true."""

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from esante.core.fhir import check, decode, encode
from esante.services.exchange import NotUsable, cda_to_fhir, fhir_to_cda
from esante.services.exchange.cda import local_name, read_checked
from esante.services.exchange.cli import exchange
from esante.services.exchange.conversion import Fate
from esante.services.exchange.conversion.datatypes import cda_time, fhir_time
from esante.services.exchange.conversion.narrative import from_xhtml, to_xhtml
from esante.services.exchange.conversion.to_cda import write_bundle
from esante.services.exchange.translation import coded_elements
from tests.support.exchange_documents import cda, section
from tests.support.perturbed_leaves import change_json, change_xml, find_xml, xml_leaves

NS = {"v": "urn:hl7-org:v3"}
SNOMED = "2.16.840.1.113883.6.96"
CARRIED = (Fate.KEPT, Fate.MOVED, Fate.MERGED)
PLAIN = etree.XMLParser(remove_comments=True, remove_pis=True)


def only(bundle: dict, kind: str) -> dict:
    """Return the one resource of a type."""
    (found,) = [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]
    return found


def problem(value: str, times: str = "", inner: str = "", status: str = "active") -> str:
    """Return a problem section with one concern."""
    return section(
        "11450-4",
        f"""<entry><act classCode="ACT" moodCode="EVN"><id root="2.999.9"/>
<code code="CONC" codeSystem="2.16.840.1.113883.5.6"/><statusCode code="{status}"/>
<entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN">
<code code="64572001" codeSystem="{SNOMED}"/>{times}{value}{inner}</observation></entryRelationship></act></entry>""",
    )


ASTHMA = f'<value xsi:type="CD" code="195967001" codeSystem="{SNOMED}" displayName="Asthma"/>'


def medicine(material: str, extra: str = "", code: str = "10160-0", dose: str = "") -> str:
    """Return a section with one medicine."""
    return section(
        code,
        f"""<entry><substanceAdministration classCode="SBADM" moodCode="INT"><id root="2.999.8" extension="m"/>
{extra}{dose}<consumable><manufacturedProduct classCode="MANU">
<manufacturedMaterial classCode="MMAT" determinerCode="KIND">{material}</manufacturedMaterial>
</manufacturedProduct></consumable></substanceAdministration></entry>""",
    )


def test_problem_becomes_condition_with_status_dates_and_concern():
    times = '<effectiveTime><low value="20100203"/></effectiveTime>'
    condition = only(cda_to_fhir(cda(problem(ASTHMA, times))).bundle, "Condition")
    assert condition["code"]["coding"] == [
        {"system": "http://snomed.info/sct", "code": "195967001", "display": "Asthma"}
    ]
    assert condition["onsetDateTime"] == "2010-02-03"
    assert condition["clinicalStatus"]["coding"][0]["code"] == "active"
    assert {one["url"].rpartition("/")[2] for one in condition["extension"]} == {
        "concern-identifier",
        "concern-code",
        "concern-status",
    }


@pytest.mark.parametrize(
    ("low", "high", "status", "expected"),
    [
        ("2010", "2012", "completed", "resolved"),
        ("2010", "", "completed", "inactive"),
        ("2010", "", "active", "active"),
    ],
)
def test_clinical_status_follows_from_concern_and_dates_where_none_is_stated(low, high, status, expected):
    end = f'<high value="{high}"/>' if high else ""
    times = f'<effectiveTime><low value="{low}"/>{end}</effectiveTime>'
    condition = only(cda_to_fhir(cda(problem(ASTHMA, times, status=status))).bundle, "Condition")
    assert condition["clinicalStatus"]["coding"][0]["code"] == expected


def test_negated_problem_is_refuted():
    data = cda(problem(ASTHMA)).replace(
        b'classCode="OBS" moodCode="EVN"', b'classCode="OBS" moodCode="EVN" negationInd="true"'
    )
    assert only(cda_to_fhir(data).bundle, "Condition")["verificationStatus"]["coding"][0]["code"] == "refuted"


def test_planned_observation_is_no_finding():
    entry = f'<entry><observation classCode="OBS" moodCode="RQO"><code code="1-8" codeSystem="2.999.1"/>{ASTHMA}</observation></entry>'
    done = cda_to_fhir(cda(section("18776-5", entry)))
    assert "Observation" not in {one["resource"]["resourceType"] for one in done.bundle["entry"]}
    assert any(leaf.reason == "planned or wished, not done" for leaf in done.report().leaves)


OLD = """<name>Eutirox</name><p:formCode code="10219000" codeSystem="0.4.0.127.0.16.1.1.2.1"/>
<p:asContent><p:containerPackagedMedicine><p:name>Box</p:name><p:capacityQuantity value="20" unit="1"/></p:containerPackagedMedicine></p:asContent>
<p:asSpecializedKind><p:generalizedMedicineClass><p:code code="H03AA01" codeSystem="2.16.840.1.113883.6.73"/></p:generalizedMedicineClass></p:asSpecializedKind>
<p:ingredient><p:quantity><p:numerator xsi:type="p:PQ" value="100" unit="ug"/><p:denominator xsi:type="p:PQ" value="1" unit="1"/></p:quantity>
<p:ingredient><p:code code="H03AA01" codeSystem="2.16.840.1.113883.6.73"/><p:name>levothyroxine</p:name></p:ingredient></p:ingredient>"""
NEW = OLD.replace("containerPackagedMedicine", "containerPackagedProduct").replace(
    "generalizedMedicineClass", "generalizedMaterialKind"
)
NEW = NEW.replace("<p:ingredient><p:code", "<p:ingredientSubstance><p:code").replace(
    "</p:ingredient></p:ingredient>", "</p:ingredientSubstance></p:ingredient>"
)


def test_both_grammars_of_medicine_give_the_same_and_the_newer_is_written():
    old = cda(medicine(OLD)).replace(b'xmlns:pharm="urn:hl7-org:pharm"', b'xmlns:p="urn:epsos-org:ep:medication"')
    new = cda(medicine(NEW)).replace(b'xmlns:pharm="urn:hl7-org:pharm"', b'xmlns:p="urn:hl7-org:pharm"')
    medications = [only(cda_to_fhir(one).bundle, "Medication") for one in (old, new)]
    assert medications[0] == medications[1]
    assert str(medications[0]["ingredient"][0]["strength"]["numerator"]["value"]) == "100"
    written = fhir_to_cda(cda_to_fhir(old).encoded()).root
    names = {local_name(one) for one in written.iter()}
    assert {"containerPackagedProduct", "generalizedMaterialKind", "ingredientSubstance"} <= names
    assert not names & {"containerPackagedMedicine", "generalizedMedicineClass"}


def test_null_flavor_of_a_primitive_is_an_extension_beside_it_and_never_a_value():
    data = cda().replace(b'<birthTime value="19700101"/>', b'<birthTime nullFlavor="ASKU"/>')
    done = cda_to_fhir(data)
    patient = only(done.bundle, "Patient")
    assert "birthDate" not in patient
    assert patient["_birthDate"]["extension"][0]["valueCode"] == "asked-unknown"
    birth = fhir_to_cda(done.encoded()).root.find(".//v:birthTime", NS)
    assert dict(birth.attrib) == {"nullFlavor": "ASKU"}


@pytest.mark.parametrize("flavor", ["NI", "UNK", "NA", "ASKU", "NASK", "NAV", "MSK", "OTH", "NINF", "PINF", "TRC"])
def test_each_null_flavor_comes_back(flavor):
    value = f'<value xsi:type="CD" nullFlavor="{flavor}"/>'
    root = fhir_to_cda(cda_to_fhir(cda(problem(value))).encoded()).root
    assert root.find(".//v:section//v:value", NS).get("nullFlavor") == flavor


def test_known_absence_stays_a_code():
    value = '<value xsi:type="CD" code="no-known-allergies" codeSystem="2.16.840.1.113883.5.1150.1"/>'
    data = cda(problem(value).replace("11450-4", "48765-2"))
    allergy = only(cda_to_fhir(data).bundle, "AllergyIntolerance")
    assert allergy["code"]["coding"][0]["code"] == "no-known-allergies"
    found = fhir_to_cda(encode(cda_to_fhir(data).bundle)).root.find(".//v:section//v:value", NS)
    assert found.get("code") == "no-known-allergies"


def test_quantity_with_comparator_keeps_it():
    value = '<value xsi:type="IVL_PQ"><high value="5" unit="mg" inclusive="false"/></value>'
    entry = f'<entry><observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.999.1"/>{value}</observation></entry>'
    done = cda_to_fhir(cda(section("30954-2", entry)))
    assert only(done.bundle, "Observation")["valueQuantity"]["comparator"] == "<"
    high = fhir_to_cda(done.encoded()).root.find(".//v:value/v:high", NS)
    assert (high.get("value"), high.get("inclusive")) == ("5", "false")


def test_statement_about_another_is_not_written_as_the_patients():
    bundle = cda_to_fhir(cda(problem(ASTHMA))).bundle
    only(bundle, "Condition")["subject"] = {"display": "their mother"}
    done = fhir_to_cda(encode(bundle))
    assert done.root.find(".//v:entry", NS) is None
    assert any(leaf.value == "195967001" and leaf.fate is Fate.DROPPED for leaf in done.report().leaves)


def files_of(shared_data: Path) -> list[Path]:
    found = sorted((shared_data / "ehdsi-cda").glob("*/*.xml"))
    assert len(found) >= 12
    return [*found, shared_data / "ncpeh-messages" / "Patient_Summary_CDA3.xml"]


def core_of(root) -> Counter:
    """Count the codes of a document with their systems, by section and element."""
    found: Counter = Counter()
    for element in coded_elements(root):
        if element.get("code") and element.get("codeSystem"):
            above = [one for one in element.iterancestors() if local_name(one) == "section"]
            code = above[0].find("v:code", NS).get("code") if above else ""
            found[code, local_name(element), element.get("code"), element.get("codeSystem")] += 1
    return found


def test_real_documents_become_valid_fhir_and_come_back_with_their_codes(shared_data: Path):
    for file in files_of(shared_data):
        data = file.read_bytes()
        there = cda_to_fhir(data)
        assert [issue for issue in check(there.encoded()).issues if issue.severity in ("error", "fatal")] == [], (
            file.name
        )
        back = fhir_to_cda(there.encoded())
        before, after = core_of(read_checked(data)), core_of(read_checked(back.encoded()))
        lost = Counter((code, element) for _, element, code, _ in (before - after).elements())
        reported = Counter(
            (leaf.value, leaf.place.split("/")[-2].split("[")[0])
            for leaf in there.report().leaves
            if leaf.place.endswith("/@code") and leaf.fate not in CARRIED
        )
        systems = Counter(  # a code system that is no OID, or wrong for its code, is corrected: the code stays
            (code, element) for _, element, code, _ in (after - before).elements()
        )
        assert not lost - reported - systems, file.name
        assert there.report().fidelity > 0.9


def test_synthetic_summaries_become_cda_and_come_back_valid(shared_data: Path):
    files = sorted((shared_data / "eu-documents" / "eps").glob("*.json"))
    assert files
    for file in files:
        there = fhir_to_cda(file.read_bytes())
        read_checked(there.encoded())
        counts = there.report().counts
        assert sum(counts.values()) == len(there.report().leaves) == leaf_count(decode(file.read_bytes()))
        back = cda_to_fhir(there.encoded())
        assert [issue for issue in check(back.encoded()).issues if issue.severity in ("error", "fatal")] == [], (
            file.name
        )
        for kind in ("Condition", "AllergyIntolerance", "Immunization", "Procedure", "Observation"):
            codes = [concepts(one, kind) for one in (decode(file.read_bytes()), back.bundle)]
            assert codes[0] == codes[1], (file.name, kind)


def concepts(bundle: dict, kind: str) -> list:
    """Return the codes of the resources of a type that a section names, sorted."""
    named = {
        entry["reference"]
        for section in bundle["entry"][0]["resource"]["section"]
        for entry in section.get("entry", ())
    }
    return sorted(
        [
            (coding.get("system"), coding.get("code"), coding.get("display"))
            for coding in one["resource"]
            .get("vaccineCode" if kind == "Immunization" else "code", {})
            .get("coding", ())
        ]
        for one in bundle["entry"]
        if one["resource"]["resourceType"] == kind and one.get("fullUrl") in named
    )


def leaf_count(value) -> int:
    """Count primitives in a plain way."""
    if isinstance(value, dict):
        return sum(leaf_count(one) for one in value.values())
    if isinstance(value, list):
        return sum(leaf_count(one) for one in value)
    return 1


def check_cda_leaves(data: bytes, step: int, start: int = 0) -> int:
    """Change leaves one by one: the result changes exactly where the report says that the leaf is carried."""
    root = etree.fromstring(data, PLAIN)
    base = cda_to_fhir(etree.tostring(root))
    expected, report = base.encoded(), base.report()
    places = [leaf.place for leaf in report.leaves]
    assert len(set(places)) == len(places) == sum(1 for _ in xml_leaves(root))
    for leaf in report.leaves[start::step]:
        changed = etree.fromstring(data, PLAIN)
        change_xml(*find_xml(changed, leaf.place))
        try:
            result = cda_to_fhir(etree.tostring(changed)).encoded()
        except NotUsable:
            result = b""
        replaced = leaf.place.endswith("@xsi:type") and result == expected  # another time says the same
        assert replaced or (result != expected) == (leaf.fate in CARRIED), leaf
    return len(places)


def check_fhir_leaves(data: bytes, step: int, start: int = 0) -> None:
    """Do the same for a document of FHIR."""
    document = decode(data)
    base = fhir_to_cda(data)
    expected, report = base.encoded(), base.report()
    for leaf in report.leaves[start::step]:
        try:
            result = write_bundle(change_json(document, leaf.place)).encoded()
        except NotUsable:
            result = b""
        assert (result != expected) == (leaf.fate in CARRIED), leaf


def test_report_of_a_dispensation_is_true(shared_data: Path):
    data = (shared_data / "ehdsi-cda" / "dispensation" / "CzRequest3.xml").read_bytes()
    assert check_cda_leaves(data, 3) > 300
    check_fhir_leaves(cda_to_fhir(data).encoded(), 3)


def test_report_of_a_summary_is_true(shared_data: Path):
    data = (shared_data / "ehdsi-cda" / "patient-summary" / "RTD_W3_no_information.xml").read_bytes()
    check_cda_leaves(data, 3)
    check_cda_leaves((shared_data / "ehdsi-cda/patient-summary/L3_PS_ReferenceTestData_W3.xml").read_bytes(), 43)


@pytest.mark.long
def test_report_of_every_document_is_true_for_every_leaf(shared_data: Path):
    for file in files_of(shared_data):
        check_cda_leaves(file.read_bytes(), 1)
        check_fhir_leaves(cda_to_fhir(file.read_bytes()).encoded(), 1)
    for file in sorted((shared_data / "eu-documents" / "eps").glob("*.json")):
        check_fhir_leaves(file.read_bytes(), 7)


@pytest.mark.parametrize(
    "text",
    ["2010", "201002", "20100203", "20100203040506+0100", "20100203040506.123-0230", "20100203040506+0000"],
)
def test_time_comes_back(text):
    assert cda_time(fhir_time(text)) == text


@given(
    st.datetimes(),
    st.sampled_from(["+0000", "+0100", "-0930", "+1400"]),
)
def test_any_time_with_a_zone_comes_back(moment, zone):
    text = f"{moment:%Y%m%d%H%M%S}".rjust(14, "0") + zone
    assert cda_time(fhir_time(text)) == text


@pytest.mark.parametrize(
    "text", ["", "x", "20101301", "20100230", "2010020325", "201002030405060708", "20100203040506+2500"]
)
def test_text_that_is_no_time_has_none(text):
    assert fhir_time(text) is None


words = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=20
)


@st.composite
def narratives(draw, depth=3):
    """Return the content of a narrative block."""
    parts = []
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(["content", "paragraph", "list", "table", "br", "sub", ""]))
        text = draw(words).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        inner = draw(narratives(depth=depth - 1)) if depth > 0 and name == "content" else text
        if name == "list":
            inner = f"<item>{text}</item>"
        elif name == "table":
            inner = f"<tbody><tr><td>{text}</td></tr></tbody>"
        parts.append(inner if not name else f"<{name}/>" if name == "br" else f"<{name}>{inner}</{name}>")
    return "".join(parts)


@given(narratives())
def test_words_of_a_narrative_survive_both_ways(inner):
    block = etree.fromstring(f'<text xmlns="urn:hl7-org:v3">{inner}</text>')
    div = to_xhtml(block)
    if div is None:
        assert not "".join(block.itertext()).strip()
        return
    back = etree.Element("{urn:hl7-org:v3}text")
    assert from_xhtml(div, back)
    assert "".join(back.itertext()) == "".join(block.itertext())


@pytest.mark.parametrize(
    "div",
    [
        '<div xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script>words</div>',
        '<div xmlns="http://www.w3.org/1999/xhtml"><a href="javascript:alert(1)" onclick="x()">words</a></div>',
        '<div xmlns="http://www.w3.org/1999/xhtml"><p style="x" onload="y">words</p></div>',
    ],
)
def test_nothing_active_comes_out_of_xhtml(div):
    text = etree.Element("{urn:hl7-org:v3}text")
    assert from_xhtml(div, text)
    written = etree.tostring(text, encoding="unicode")
    assert "words" in written
    assert not any(word in written for word in ("alert", "onclick", "onload", "style", "script"))


def test_active_link_of_a_cda_narrative_is_no_link():
    block = etree.fromstring(
        '<text xmlns="urn:hl7-org:v3"><linkHtml href="javascript:alert(1)">words</linkHtml></text>'
    )
    assert "javascript" not in to_xhtml(block)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no JSON"),
        (b"[1]", "no Bundle of the type document"),
        (b'{"resourceType": "Patient"}', "no Bundle of the type document"),
        (b'{"resourceType": "Bundle", "type": "collection"}', "no Bundle of the type document"),
        (b'{"resourceType": "Bundle", "type": "document", "entry": 5}', "entry"),
        (b"[" * 100_000, "no JSON"),
        (b'{"resourceType": "Bundle", "type": "document", "entry": [{"resource": {"resourceType": "Patient"}}]}', ""),
    ],
)
def test_fhir_that_is_no_document_is_refused(data, said):
    with pytest.raises(NotUsable) as refused:
        fhir_to_cda(data)
    assert said in str(refused.value)
    assert all(fault.remedy for fault in refused.value.faults)


@given(st.data())
def test_damaged_document_is_converted_or_refused_and_nothing_else(data):
    text = bytearray(cda(problem(ASTHMA) + medicine(NEW.replace("p:", "pharm:"))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 2))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.sampled_from([b"", b"<", b'"', b"0", b"x", b" ", b"\xff"])
        )
    try:
        done = cda_to_fhir(bytes(text))
    except NotUsable as refused:
        assert refused.faults
        return
    issues = [issue for issue in check(done.encoded()).issues if issue.severity in ("error", "fatal")]
    assert issues == []
    done.report()
    fhir_to_cda(done.encoded()).report()


@pytest.mark.parametrize(
    ("written", "damaged"),
    [
        ('<languageCode code="en-GB"/>', '<languageCode code=" en-GB "/>'),
        ('<languageCode code="en-GB"/>', '<languageCode code="en  GB"/>'),
        ('<statusCode code="active"/>', '<statusCode code=" active "/>'),
        ('<id root="2.999" extension="doc-1"/>', '<id root=" 999" extension="doc-1"/>'),
    ],
)
def test_code_or_identifier_with_white_space_makes_no_invalid_fhir(written, damaged):
    text = cda(problem(ASTHMA)).decode()
    assert written in text
    assert check(cda_to_fhir(text.replace(written, damaged).encode()).encoded()).issues == ()


def test_identifier_of_document_without_system_is_said_to_be_dropped():
    text = cda(problem(ASTHMA)).replace(
        b'<id root="2.999" extension="doc-1"/>', b'<id root=" 999" extension="doc-1"/>'
    )
    done = cda_to_fhir(text)
    fates = {leaf.value: leaf.fate for leaf in done.report().leaves}
    assert fates["doc-1"] is fates[" 999"] is Fate.DROPPED
    assert "doc-1" not in done.encoded().decode()


def run(*arguments: str):
    return CliRunner().invoke(exchange, arguments)


def test_command_converts_there_and_back(tmp_path):
    (tmp_path / "a.xml").write_bytes(cda(problem(ASTHMA)))
    there = run("convert", str(tmp_path / "a.xml"), "--to", "fhir", "--json", "--output", str(tmp_path / "b.json"))
    report = json.loads(there.output)
    assert there.exit_code == 0
    assert sum(report["counts"].values()) == len(report["leaves"])
    assert report["document"]["type"] == "document"
    back = run("convert", str(tmp_path / "b.json"), "--to", "cda", "--json")
    assert "195967001" in json.loads(back.output)["document"]
    plain = run("convert", str(tmp_path / "a.xml"), "--to", "fhir")
    assert "Carried in elements: " in plain.output


@pytest.mark.parametrize(("form", "content"), [("fhir", b"{}"), ("cda", b"<x/>"), ("fhir", b"\xff\xfe")])
def test_command_refuses_what_is_not_of_the_form(tmp_path, form, content):
    (tmp_path / "a").write_bytes(content)
    done = run("convert", str(tmp_path / "a"), "--to", form, "--json")
    assert done.exit_code == 2
    error = json.loads(done.output)["errors"][0]
    assert error["message"]
    assert error["remedy"]

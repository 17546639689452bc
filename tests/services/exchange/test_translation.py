"""Transcoding and translation: the account of every coded element, the chain of former codes, the original untouched."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from esante.services.exchange import NotUsable, sample_catalogue
from esante.services.exchange.cli import exchange
from esante.services.exchange.terminology import CodeCatalogue
from esante.services.exchange.translation import Outcome, translate
from tests.support.exchange_documents import cda, section

NS = {"v": "urn:hl7-org:v3"}
LOCAL, PIVOT = "2.999.20", "2.16.840.1.113883.6.96"
CATALOGUE = CodeCatalogue(
    designations={(PIVOT, "111"): {"en": "Fever", "fr": "Fièvre"}, (PIVOT, "222"): {"en": "Cough"}},
    pivots={(LOCAL, "f"): (PIVOT, "111"), (LOCAL, "c"): (PIVOT, "222")},
    ambiguous={(LOCAL, "two"): ((PIVOT, "111"), (PIVOT, "222"))},
)


def observation(value: str) -> bytes:
    """Return a document with one value in an observation."""
    return cda(section("11450-4", f'<entry><observation classCode="OBS" moodCode="EVN">{value}</observation></entry>'))


def only(data: bytes, language: str = "fr"):
    done = translate(data, language, CATALOGUE)
    (element,) = [one for one in done.elements if one.place.endswith("/value")]
    value = etree.fromstring(done.document).find(".//v:observation/v:value", NS)
    return element, value


def test_national_code_becomes_pivot_and_goes_into_a_translation():
    element, value = only(observation(f'<value xsi:type="CD" code="f" codeSystem="{LOCAL}" displayName="Fieber"/>'))
    assert element.outcome is Outcome.TRANSCODED
    assert dict(value.attrib) == {
        "{http://www.w3.org/2001/XMLSchema-instance}type": "CD",
        "code": "111",
        "codeSystem": PIVOT,
        "codeSystemName": "SNOMED CT",
        "displayName": "Fièvre",
    }
    (former,) = value
    assert dict(former.attrib) == {"code": "f", "codeSystem": LOCAL, "displayName": "Fieber"}


def test_chain_of_former_codes_grows_at_its_end():
    chain = '<translation code="older" codeSystem="2.999.21"><translation code="oldest" codeSystem="2.999.22"/></translation>'
    _, value = only(observation(f'<value xsi:type="CD" code="f" codeSystem="{LOCAL}">{chain}</value>'))
    codes, at = [], value
    while at is not None:
        codes.append(at.get("code"))
        assert len(at.findall("v:translation", NS)) <= 1
        at = at.find("v:translation", NS)
    assert codes == ["111", "f", "older", "oldest"]


def test_display_already_in_the_language_changes_nothing():
    element, value = only(observation(f'<value xsi:type="CD" code="111" codeSystem="{PIVOT}" displayName="Fièvre"/>'))
    assert (element.outcome, len(value)) == (Outcome.TRANSLATED, 0)


@pytest.mark.parametrize(
    ("value", "outcome", "reason"),
    [
        (f'code="111" codeSystem="{PIVOT}" displayName="Fever"', Outcome.TRANSLATED, ""),
        (f'code="222" codeSystem="{PIVOT}"', Outcome.UNTRANSLATED, "no designation in fr"),
        (f'code="c" codeSystem="{LOCAL}"', Outcome.UNTRANSLATED, "no designation in fr"),
        (f'code="999" codeSystem="{PIVOT}"', Outcome.NOT_IN_CATALOGUE, ""),
        ('nullFlavor="UNK"', Outcome.NULL, ""),
        (f'code="two" codeSystem="{LOCAL}"', Outcome.ERROR, "to several codes"),
        (f'codeSystem="{PIVOT}"', Outcome.ERROR, "no code"),
        (f'code=" 111" codeSystem="{PIVOT}"', Outcome.ERROR, "blank"),
        ('code="111" codeSystem="CNPEM"', Outcome.ERROR, "is no OID"),
        ('code="completed"', Outcome.FIXED, ""),
    ],
)
def test_each_value_has_its_outcome(value, outcome, reason):
    element, _ = only(observation(f'<value xsi:type="CD" {value}/>'))
    assert element.outcome is outcome
    assert reason in element.reason


def test_code_in_the_translation_of_a_null_value_is_transcoded():
    inner = f'<translation code="f" codeSystem="{LOCAL}"/>'
    element, value = only(observation(f'<value xsi:type="CD" nullFlavor="OTH">{inner}</value>'))
    assert (element.outcome, element.null_flavor) == (Outcome.TRANSCODED, "OTH")
    assert (value.get("code"), value.get("nullFlavor")) == ("111", None)
    former = value.find("v:translation", NS)
    assert former.get("nullFlavor") == "OTH"
    assert former.find("v:translation", NS).get("code") == "f"


def test_narrative_and_bytes_of_the_original_stay():
    data = observation(f'<value xsi:type="CD" code="f" codeSystem="{LOCAL}"/>')
    kept = bytes(data)
    done = translate(data, "fr", CATALOGUE)
    assert data == kept
    texts = [
        [etree.tostring(text, method="c14n") for text in etree.fromstring(one).iterfind(".//v:section/v:text", NS)]
        for one in (data, done.document)
    ]
    assert texts[0] == texts[1]


def plain_count(data: bytes) -> int:
    """Count coded elements in another way than the program: all that XPath finds outside narratives."""
    kinds = " or ".join(
        f"substring-after(concat(':',@*[local-name()='type']),':')='{kind}'" for kind in ("CD", "CE", "CS")
    )
    found = etree.fromstring(data).xpath(
        "//*[@code or @codeSystem or (@nullFlavor and ((not(@*[local-name()='type']) and ("
        "local-name()='code' or substring(local-name(), string-length(local-name())-3)='Code') and local-name()!='postalCode') or "
        f"(@*[local-name()='type'] and ({kinds}))))]"
        "[not(ancestor::v:text[parent::v:section])]",
        namespaces=NS,
    )
    return len(found)


def test_every_coded_element_of_real_documents_is_accounted_for_once(shared_data: Path):
    files = sorted((shared_data / "ehdsi-cda").glob("*/*.xml"))
    assert len(files) > 10
    for file in files:
        data = file.read_bytes()
        done = translate(data, "de", sample_catalogue())
        places = [element.place for element in done.elements]
        assert len(set(places)) == len(places) == sum(done.counts.values())
        assert len(places) == plain_count(data), file.name
        root = etree.fromstring(data)
        for element in done.elements:
            steps = [step.partition("[") for step in element.place[1:].split("/")]
            path = "".join(f"/*[local-name()='{name}'][{number or '1]'}" for name, _, number in steps)
            (found,) = root.xpath(path)
            assert found.get("code", "") == element.before[0]


def test_translated_document_of_a_real_one_differs_in_codes_only(shared_data: Path):
    for file in sorted((shared_data / "ehdsi-cda").glob("*/*.xml")):
        done = translate(file.read_bytes(), "fr", sample_catalogue())
        root = etree.fromstring(done.document)
        for element in [*root.iter("{urn:hl7-org:v3}administrativeGenderCode")]:
            if element.get("code") == "F":
                assert element.get("displayName") == "Féminin"
                assert element.find("v:translation", NS).get("displayName") not in (None, "Féminin")
        again = translate(done.document, "fr", sample_catalogue())
        assert again.document == done.document


@given(
    st.lists(st.sampled_from(["f", "c", "two", "999", ""]), min_size=1, max_size=6),
    st.sampled_from(["fr", "en", "de-AT"]),
)
def test_outcomes_sum_to_the_coded_elements(codes, language):
    values = "".join(f'<value xsi:type="CD" code="{code}" codeSystem="{LOCAL}"/>' for code in codes)
    data = observation(values)
    done = translate(data, language, CATALOGUE)
    assert sum(done.counts.values()) == len(done.elements) == plain_count(data)
    assert sum(one.outcome is Outcome.ERROR for one in done.elements) == codes.count("two") + codes.count("")


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
DEEP = "<a>" * 150 + "</a>" * 150


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no well-formed XML"),
        (b"no xml", "no well-formed XML"),
        (b"<ClinicalDocument/>", "its root is ClinicalDocument of no namespace"),
        (b'<x xmlns="urn:hl7-org:v3"/>', "its root is x of urn:hl7-org:v3"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', "document type"),
        (b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', "document type"),
        (BOMB.encode() + b"<x>&b;</x>", "document type"),
        (('<?xml version="1.0" encoding="UTF-16"?>' + BOMB + "<x>&b;</x>").encode("utf-16"), "document type"),
        (cda(DEEP), "nested in more than"),
        (b"<a>" * 5000, "no well-formed XML"),
        (cda().replace(b"Muster", b"M\xfcnster"), "no well-formed XML"),
        (cda().replace(b'encoding="UTF-8"', b'encoding="nonsense"'), "no well-formed XML"),
        (cda().replace(b"custodian>", b"custodians>"), "the element custodian is missing"),
        (cda().replace(b"structuredBody", b"nothing"), "the body is empty"),
        (b" " * (21 << 20), "larger than"),
    ],
    ids=range(15),
)
def test_hostile_input_is_refused_with_place_and_remedy(data, said):
    with pytest.raises(NotUsable) as refused:
        translate(data, "fr", sample_catalogue())
    assert said in str(refused.value)
    assert all(fault.remedy for fault in refused.value.faults)


def run(*arguments: str):
    return CliRunner().invoke(exchange, arguments)


def test_command_prints_the_account_and_the_document(tmp_path):
    (tmp_path / "a.xml").write_bytes(cda())
    done = run("translate", str(tmp_path / "a.xml"), "--to", "fr", "--json", "--output", str(tmp_path / "b.xml"))
    report = json.loads(done.output)
    assert done.exit_code == 0
    assert report["counts"]["translated"] == 2
    assert report["document"].encode() == (tmp_path / "b.xml").read_bytes()
    assert len(report["elements"]) == sum(report["counts"].values())


@pytest.mark.parametrize(
    ("name", "language", "said"),
    [("none.xml", "fr", "No such file"), ("bad.xml", "fr", "no well-formed"), ("good.xml", "f r", "no language tag")],
)
def test_command_says_what_cannot_be_used(tmp_path, name, language, said):
    (tmp_path / "bad.xml").write_text("bad")
    (tmp_path / "good.xml").write_bytes(cda())
    for option in ((), ("--json",)):
        done = run("translate", str(tmp_path / name), "--to", language, *option)
        assert done.exit_code == 2
        assert said in done.output
        assert "Traceback" not in done.output
    assert json.loads(done.output)["errors"][0]["remedy"]


def test_command_ends_with_one_when_a_code_cannot_be_understood(tmp_path):
    (tmp_path / "a.xml").write_bytes(observation('<value xsi:type="CD" code="1" codeSystem="x"/>'))
    done = run("translate", str(tmp_path / "a.xml"), "--to", "fr")
    assert done.exit_code == 1
    assert "error" in done.output

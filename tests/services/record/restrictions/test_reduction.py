"""What is left of a document without its restricted lines."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esante.core.fhir import check, decode, encode
from esante.services.record.restrictions.chosen_lines import DocumentLines, addresses_in
from esante.services.record.restrictions.reduction import reduce_document, texts_with_words
from tests.support.summaries import SECRET, SNOMED, build_summary, token_of, urn

EU_DOCUMENTS = Path(__file__).parents[5] / "shared/data/eu-documents"


def resources_of(bundle, type_):
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == type_]


def section_of(bundle, title):
    sections = bundle["entry"][0]["resource"]["section"]
    return next((one for one in sections if one["title"] == title), None)


def reduced_by(*names, **options):
    bundle = build_summary(**options)
    return reduce_document(bundle, [token_of(bundle, name) for name in names])


def test_restricted_problem_leaves_no_word_of_it():
    reduced = reduced_by("bipolar")
    text = encode(reduced).decode()
    for trace in (SECRET, "13746004", urn("bipolar"), "Seelenarzt", urn("psychiatrist")):
        assert trace not in text
    assert check(text.encode()).ok
    assert [one["code"]["text"] for one in resources_of(reduced, "Condition")] == ["Asthma"]
    assert "Asthma" in section_of(reduced, "Probleme")["text"]["div"]
    lithium = resources_of(reduced, "MedicationStatement")[1]
    assert not {"reasonReference", "reasonCode", "note"} & lithium.keys()


def test_document_without_the_line_is_that_which_never_had_it_but_for_texts():
    def without_texts(bundle):
        for section in bundle["entry"][0]["resource"]["section"]:
            if "entry" in section:
                section.pop("text", None)
        return bundle

    assert without_texts(reduced_by("bipolar")) == without_texts(build_summary(secret=False))


def test_sections_without_the_line_keep_the_text_of_their_author():
    bundle = build_summary()
    reduced = reduce_document(bundle, [token_of(bundle, "bipolar")])
    for title in ("Medikamente", "Befunde", "Planung"):
        assert section_of(reduced, title)["text"] == section_of(bundle, title)["text"]


def test_restricted_result_goes_from_its_report_with_the_conclusion():
    [report] = resources_of(reduced_by("lithium-level"), "DiagnosticReport")
    assert [one["reference"] for one in report["result"]] == [urn("glucose")]
    assert "conclusion" not in report


def test_restricted_report_takes_its_results_along():
    reduced = reduced_by("report")
    assert resources_of(reduced, "Observation") == []
    assert section_of(reduced, "Befunde") is None


def test_required_section_that_lost_everything_says_that_nothing_is_known():
    reduced = reduced_by("bipolar", "asthma")
    section = section_of(reduced, "Probleme")
    assert "entry" not in section
    assert section["emptyReason"]["coding"][0]["code"] == "unavailable"
    assert "withheld" not in encode(reduced).decode()


def test_restricted_section_goes_with_what_only_it_lists():
    bundle = build_summary()
    reduced = reduce_document(bundle, ["section/2"])
    assert section_of(reduced, "Befunde") is None
    assert resources_of(reduced, "Observation") + resources_of(reduced, "DiagnosticReport") == []


def test_restricted_section_of_text_goes():
    reduced = reduce_document(build_summary(), ["section/3"])
    assert section_of(reduced, "Planung") is None
    assert len(reduced["entry"]) == len(build_summary()["entry"])


def test_patient_and_author_never_go():
    bundle = build_summary()
    tokens = [f"entry/{index}" for index in range(len(bundle["entry"]))]
    reduced = reduce_document(bundle, tokens)
    assert [entry["resource"]["resourceType"] for entry in reduced["entry"]] == [
        "Composition",
        "Patient",
        "Practitioner",
    ]
    assert check(encode(reduced)).ok


def test_unknown_token_leaves_the_document():
    bundle = build_summary()
    assert reduce_document(bundle, ["entry/99", "section/7", "entry/0"]) == bundle


def test_text_section_with_words_of_the_line_is_told_of():
    bundle = build_summary(extra=f"Bei Verschlechterung der {SECRET.upper()} in die Klinik.")
    assert texts_with_words(bundle, [token_of(bundle, "bipolar")]) == ["Planung"]
    assert texts_with_words(bundle, [token_of(bundle, "bipolar"), "section/3"]) == []
    assert texts_with_words(bundle, [token_of(bundle, "asthma")]) == []


def test_files_in_the_document_go_with_any_line():
    bundle = build_summary()
    report = bundle["entry"][-1]["resource"]
    report["presentedForm"] = [{"contentType": "application/pdf", "data": "JVBERg=="}]
    binary = {"resourceType": "Binary", "contentType": "application/pdf", "data": "JVBERg=="}
    bundle["entry"].append({"fullUrl": urn("binary"), "resource": binary})
    bundle["entry"][0]["resource"]["section"][3]["entry"] = [{"reference": urn("binary")}]
    bundle["signature"] = {"type": [{"code": "x"}], "when": "2024-03-12T10:00:00Z", "who": {"display": "M"}}
    text = encode(reduce_document(bundle, [token_of(bundle, "bipolar")])).decode()
    assert "JVBERg" not in text
    assert urn("binary") not in text
    assert "signature" not in text


def test_references_in_every_form_go():
    bundle = build_summary()
    token = token_of(bundle, "bipolar")
    condition = bundle["entry"][int(token[6:])]
    condition["fullUrl"], condition["resource"]["id"] = "http://a.example/fhir/Condition/b1", "b1"
    address = "http://a.example/fhir/Condition/b1"
    bundle["entry"][0]["resource"]["section"][0]["entry"][1]["reference"] = address
    medicine = bundle["entry"][int(token_of(bundle, "salbutamol")[6:])]["resource"]
    medicine["reasonReference"] = [
        {"reference": f"{address}/_history/2", "display": "gone 1"},
        {"reference": "http://b.example/other/Condition/b1", "display": "gone 2"},
        {"identifier": {"system": "urn:example:problems", "value": "bipolar"}, "display": "gone 3"},
        {"reference": urn("asthma"), "display": "stays"},
    ]
    medicine["extension"] = [{"url": "urn:example:why", "valueReference": {"reference": address, "display": "gone 4"}}]
    bundle["entry"].append(
        {
            "fullUrl": urn("encounter"),
            "resource": {
                "resourceType": "Encounter",
                "status": "finished",
                "class": {"code": "AMB"},
                "diagnosis": [{"condition": {"reference": address, "display": "gone 5"}, "rank": 1}],
            },
        }
    )
    reduced = reduce_document(bundle, [token])
    text = encode(reduced).decode()
    assert "gone" not in text
    assert "Condition/b1" not in text
    kept, _ = resources_of(reduced, "MedicationStatement")
    assert kept["reasonReference"] == [{"reference": urn("asthma"), "display": "stays"}]
    [encounter] = resources_of(reduced, "Encounter")
    assert "diagnosis" not in encounter


def test_what_is_only_about_the_line_goes():
    bundle = build_summary()
    for name, resource in (
        (
            "provenance",
            {
                "resourceType": "Provenance",
                "target": [{"reference": urn("bipolar")}],
                "recorded": "2024-03-12T10:00:00Z",
                "agent": [{"who": {"reference": urn("author")}}],
            },
        ),
        (
            "goal",
            {
                "resourceType": "Goal",
                "lifecycleStatus": "active",
                "description": {"text": "stabil"},
                "subject": {"reference": urn("patient")},
                "addresses": [{"reference": urn("bipolar")}],
            },
        ),
    ):
        bundle["entry"].append({"fullUrl": urn(name), "resource": resource})
    reduced = reduce_document(bundle, [token_of(bundle, "bipolar")])
    assert resources_of(reduced, "Provenance") + resources_of(reduced, "Goal") == []


def test_further_copy_of_the_line_goes():
    bundle = build_summary()
    copy = dict(bundle["entry"][int(token_of(bundle, "bipolar")[6:])]["resource"], id="copy")
    bundle["entry"].append({"fullUrl": urn("copy"), "resource": copy})
    bundle["entry"][0]["resource"]["section"][3]["entry"] = [{"reference": urn("copy")}]
    reduced = reduce_document(bundle, [token_of(bundle, "bipolar")])
    assert SECRET not in encode(reduced).decode()


def test_nulls_beside_primitive_extensions_stay_in_their_place():
    bundle = build_summary()
    name = {"given": ["A", "B"], "_given": [None, {"extension": [{"url": "urn:x", "valueCode": "IN"}]}]}
    bundle["entry"][1]["resource"]["name"] = [name]
    reduced = reduce_document(bundle, [token_of(bundle, "bipolar")])
    assert reduced["entry"][1]["resource"]["name"] == [name]


def eu_documents():
    return sorted(EU_DOCUMENTS.glob("*/*.json"))


def check_reduction(path, tokens):
    """Check that a reduced document is valid, closed, and has nothing of what was restricted."""
    content = path.read_bytes()
    bundle = decode(content)
    lines = DocumentLines(bundle)
    reduced = reduce_document(bundle, tokens)
    assert encode(bundle) == encode(decode(content))
    if check(content).ok:
        assert check(encode(reduced)).ok, check(encode(reduced)).issues[:2]
    left = DocumentLines(reduced)
    covered = lines.covered(tokens)
    urls = {entry["fullUrl"] for entry in reduced["entry"]}
    assert not urls & {bundle["entry"][index]["fullUrl"] for index in covered}
    known = {entry["fullUrl"] for entry in bundle["entry"]}
    for index, resource in enumerate(left.resources):
        for address in addresses_in(resource):
            assert address not in known or address in urls
            assert lines.target(address, index) not in covered


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_lines_of_european_documents_are_left_out_whole(data):
    if not EU_DOCUMENTS.is_dir():
        pytest.skip("no European documents beside the checkout")
    path = data.draw(st.sampled_from(eu_documents()))
    tokens = sorted(DocumentLines(decode(path.read_bytes())).line_tokens())
    check_reduction(path, data.draw(st.sets(st.sampled_from(tokens), max_size=6)))


@pytest.mark.long
def test_every_section_of_european_documents_can_be_left_out():
    if not EU_DOCUMENTS.is_dir():
        pytest.skip("no European documents beside the checkout")
    for path in eu_documents():
        for token in sorted(DocumentLines(decode(path.read_bytes())).line_tokens()):
            if token.startswith("section/"):
                check_reduction(path, [token])


def test_code_of_a_line_stays_where_it_names_another_line():
    bundle = build_summary()
    other = dict(bundle["entry"][int(token_of(bundle, "bipolar")[6:])]["resource"])
    other |= {"identifier": [{"system": "urn:example:problems", "value": "second"}]}
    bundle["entry"].append({"fullUrl": urn("second"), "resource": other})
    bundle["entry"][0]["resource"]["section"][0]["entry"].append({"reference": urn("second")})
    reduced = reduce_document(bundle, [token_of(bundle, "bipolar")])
    codes = [coding["code"] for one in resources_of(reduced, "Condition") for coding in one["code"]["coding"]]
    assert codes == ["195967001", "13746004"]
    assert SNOMED in encode(reduced).decode()

"""The restricted lines in other versions of their document."""

import copy

from esante.services.record.restrictions.matching import matching_tokens
from tests.support.summaries import build_summary, token_of, urn


def matched(change, *names):
    """Return the fullUrls of what corresponds to lines after a change to the document."""
    before = build_summary()
    after = copy.deepcopy(before)
    change(after)
    tokens = matching_tokens(before, [token_of(before, name) for name in names], after)
    return {after["entry"][int(token[6:])]["fullUrl"] for token in tokens}


def resource(bundle, name):
    return bundle["entry"][int(token_of(bundle, name)[6:])]["resource"]


def test_line_is_found_by_its_identifier_in_another_place():
    def move(bundle):
        bundle["entry"].append(bundle["entry"].pop(int(token_of(bundle, "bipolar")[6:])))
        resource(bundle, "bipolar")["note"] = [{"text": "neu"}]

    assert matched(move, "bipolar") == {urn("bipolar")}


def test_line_without_identifier_is_found_by_its_code_when_it_changed():
    def change(bundle):
        resource(bundle, "lithium")["status"] = "completed"

    assert matched(change, "lithium") == {urn("lithium")}


def test_line_in_other_words_is_taken_to_be_any_new_line_of_its_type():
    def change(bundle):
        one = resource(bundle, "bipolar")
        one["identifier"], one["code"] = [{"system": "urn:x", "value": "7"}], {"text": "Affektive Störung"}

    assert matched(change, "bipolar") == {urn("bipolar")}


def test_line_that_is_gone_has_no_match_among_lines_that_were_there():
    def remove(bundle):
        del bundle["entry"][int(token_of(bundle, "bipolar")[6:])]

    assert matched(remove, "bipolar") == set()


def test_section_is_found_by_its_code_and_so_is_what_left_it():
    before = build_summary()
    after = copy.deepcopy(before)
    sections = after["entry"][0]["resource"]["section"]
    sections[1]["entry"].append(sections[2]["entry"].pop())
    sections.insert(0, sections.pop(2))
    found = matching_tokens(before, ["section/2"], after)
    assert "section/0" in found
    assert token_of(after, "report") in found

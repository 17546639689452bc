"""The course of care: which documents a person gets, and laboratory values that follow conditions."""

from collections import defaultdict

from esante.demo.documents.care_timeline import draft_documents


def _results_by_person(country, analyte):
    """The results of an analyte by person."""
    found = defaultdict(list)
    for citizen in country.citizens:
        for draft in draft_documents(country, citizen):
            for section in draft.sections:
                found[citizen.number] += [fact for fact in section.facts if getattr(fact, "loinc", "") == analyte]
    return found


def test_record_that_is_not_open_gets_no_documents(country):
    closed = [citizen for citizen in country.citizens if citizen.state in ("none", "announced", "objected")]
    assert closed
    assert all(draft_documents(country, citizen) == [] for citizen in closed)


def test_values_follow_the_condition_and_are_flagged(country):
    by_person = _results_by_person(country, "4548-4")
    results = [result for results in by_person.values() for result in results]
    assert len(results) > 50
    for result in results:
        expected = "H" if result.value > result.high else "L" if result.value < result.low else "N"
        assert result.flag == expected
    anna = by_person[0]
    assert len(anna) >= 6
    assert anna[0].value > anna[-1].value > anna[0].low
    assert {result.flag for result in anna} >= {"H"}


def test_examinations_fit_the_sex(country):
    for citizen in country.citizens:
        female = citizen.person.sex == "female"
        loincs = {
            getattr(fact, "loinc", "")
            for draft in draft_documents(country, citizen)
            for s in draft.sections
            for fact in s.facts
        }
        titles = " ".join(draft.title for draft in draft_documents(country, citizen) if draft.kind == "imaging")
        assert not (female and "2857-1" in loincs)
        assert female or "ammogra" not in titles

"""The assignment of document classes: dated, complete, and refused by the name of what is wrong."""

from datetime import date

import pytest

from esante.identity.access import policy_set
from esante.identity.access.regulation.assignment import in_force, parse_assignments

HEAD = "document_class,category,valid_from,legal_source,assumed\n"
TEXT = HEAD + "note,notes,2020-01-01,x,yes\nresult,results,2020-01-01,x,yes\n"
CATEGORIES = ("notes", "results")


def test_class_changes_its_category_on_a_day():
    found = parse_assignments(TEXT + "note,results,2027-01-01,x,yes\nmemo,notes,2027-01-01,x,no\n", CATEGORIES)
    assert in_force(found, date(2026, 12, 31)) == {"note": "notes", "result": "results"}
    assert in_force(found, date(2027, 1, 1)) == {"note": "results", "result": "results", "memo": "notes"}
    assert in_force(found, date(2019, 12, 31)) == {}


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("note,notices,2020-01-01,x,yes", "line 4: the category 'notices' is unknown"),
        ("note,results,2020-01-01,x,yes", "line 4: the class note is there twice from 2020-01-01"),
        ("memo,,2020-01-01,x,yes", "line 4: the field category is empty"),
        ("memo,notes,2020-01-01,,yes", "line 4: the field legal_source is empty"),
        ("memo,notes,yesterday,x,yes", "line 4"),
        ("memo,notes,2020-01-01,x,perhaps", "line 4"),
        ("memo,notes", "line 4"),
        ("note,results,2027-01-01,x,yes", "the category notes has no document class on 2027-01-01"),
    ],
)
def test_wrong_line_is_refused_with_its_number(line, match):
    with pytest.raises(ValueError, match=match):
        parse_assignments(TEXT + line + "\n", CATEGORIES)


def test_category_without_class_is_refused():
    with pytest.raises(ValueError, match="the category letters has no document class"):
        parse_assignments(TEXT, (*CATEGORIES, "letters"))


def test_packaged_assignment_is_assumed_and_has_its_sources():
    assert all(one.assumed and one.legal_source for one in policy_set().assignments)

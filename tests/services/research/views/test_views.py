"""Views: faults with their place, bounds of work, keys, and what holds for every list of names."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.research import ViewFault, read_view

ID = {"name": "id", "path": "id"}


def a_view(*selects: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"resource": "Patient", "select": list(selects), **more}


def a_patient(*names: tuple[str, int], **more: Any) -> dict[str, Any]:
    listed = [{"family": family, "given": [f"g{number}" for number in range(count)]} for family, count in names]
    return {"resourceType": "Patient", "id": "p", "name": listed, **more}


@pytest.mark.parametrize(
    ("view", "place", "reason"),
    [
        ([], "ViewDefinition", "object"),
        ({"resource": "Patients", "select": [{"column": [ID]}]}, "resource", "R4"),
        ({"resource": "Patient"}, "select", "at least one"),
        (a_view({}), "select", "at least one column"),
        (a_view({"column": [ID, ID]}), "select", "id is there twice"),
        (a_view({"column": [{"name": "1x", "path": "id"}]}), "select[0].column[0].name", "letter"),
        (a_view({"column": [{"name": "x"}]}), "select[0].column[0].path", "FHIRPath"),
        (a_view({"column": [{"name": "x", "path": "famly"}]}), "select[0].column[0].path", "famly"),
        (a_view({"forEach": "name", "forEachOrNull": "name"}), "select[0]", "cannot stand together"),
        (a_view({"forEach": "name", "column": [{"name": "x", "path": "birthDate"}]}), "select[0].column[0].path", ""),
        (
            a_view({"column": [{"name": "x", "path": "%nothing"}]}),
            "select[0].column[0].path",
            "%nothing is not defined",
        ),
        (a_view({"column": "x"}), "select[0].column", "list"),
        (a_view({"column": [ID]}, where=[{"path": "name.family"}]), "where[0].path", "true or false"),
        (a_view({"column": [ID]}, constant=[{"name": "a"}]), "constant[0]", "value[x]"),
        (a_view({"column": [ID]}, constant=[{"name": "a", "valueCoding": {}}]), "constant[0]", "primitive"),
        (
            a_view({"unionAll": [{"column": [ID]}, {"column": [{"name": "x", "path": "id"}]}]}),
            "select[0].unionAll",
            "same columns",
        ),
    ],
)
def test_wrong_definition_is_refused_at_its_place(view: Any, place: str, reason: str) -> None:
    with pytest.raises(ViewFault) as refused:
        read_view(view)
    assert refused.value.place == place and reason in refused.value.reason


def test_several_values_where_no_list_is_are_refused() -> None:
    view = read_view(a_view({"column": [{"name": "given", "path": "name.given"}]}))
    with pytest.raises(ViewFault, match=r"select\[0\].column\[0\].path: there are 2 values"):
        view.rows(a_patient(("a", 2)))


def test_definition_that_is_nested_without_end_is_refused() -> None:
    part: dict[str, Any] = {"column": [ID]}
    for _ in range(40):
        part = {"select": [part]}
    with pytest.raises(ViewFault, match="nested 12 deep"):
        read_view(a_view(part))


@pytest.mark.parametrize("paths", [["$this"], ["$this | $this"], ["extension", "$this"]])
def test_path_that_repeats_for_ever_ends(paths: list[str]) -> None:
    view = read_view(a_view({"repeat": paths, "column": [{"name": "x", "path": "1"}]}))
    with pytest.raises(ViewFault, match="100,000"):
        view.rows(a_patient(("a", 1)))


def test_product_of_lists_is_bounded() -> None:
    part = {"forEach": "name.given", "column": []}
    selects = [{**part, "column": [{"name": f"x{number}", "path": "$this"}]} for number in range(4)]
    view = read_view(a_view(*selects))
    assert len(view.rows(a_patient(("a", 4)))) == 4**4
    with pytest.raises(ViewFault, match="more than 100,000 rows"):
        view.rows(a_patient(("a", 40)))


def test_resource_that_is_no_valid_one_gives_nothing_or_a_fault() -> None:
    view = read_view(a_view({"forEach": "name", "column": [{"name": "family", "path": "family"}]}))
    for name in (None, "x", 1, [None], [[]], {"family": "a"}, [{"family": {"a": 1}}]):
        try:
            rows = view.rows({"resourceType": "Patient", "name": name})
        except ViewFault:
            continue
        assert isinstance(rows, list)


def test_key_of_a_reference_meets_that_of_its_resource() -> None:
    column = {"name": "key", "path": "subject.getReferenceKey(Patient)"}
    view = read_view({"resource": "Observation", "select": [{"column": [column]}]})
    own = read_view(a_view({"column": [{"name": "key", "path": "getResourceKey()"}]})).rows(a_patient())
    for reference in ("Patient/p", "https://x.example/fhir/Patient/p", "Patient/p/_history/3"):
        found = view.rows({"resourceType": "Observation", "subject": {"reference": reference}})
        assert found == own == [{"key": "Patient/p"}]
    assert view.rows({"resourceType": "Observation", "subject": {"reference": "Group/p"}}) == [{"key": None}]


names = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 3)), max_size=5)


@given(names)
def test_rows_are_those_of_a_plain_loop(found: list[tuple[str, int]]) -> None:
    family = {"name": "family", "path": "family"}
    given_ = {"name": "given", "path": "$this"}
    view = read_view(
        a_view(
            {"column": [ID]},
            {"forEach": "name", "column": [family], "select": [{"forEachOrNull": "given", "column": [given_]}]},
        )
    )
    expected = [
        {"id": "p", "family": one, "given": given_name}
        for one, count in found
        for given_name in ([f"g{number}" for number in range(count)] or [None])
    ]
    assert view.rows(a_patient(*found)) == expected


@given(names)
def test_union_has_the_rows_of_all_branches_in_order(found: list[tuple[str, int]]) -> None:
    part = {"forEach": "name", "column": [{"name": "x", "path": "family"}]}
    one, both = read_view(a_view(part)), read_view(a_view({"unionAll": [part, part]}))
    assert both.rows(a_patient(*found)) == one.rows(a_patient(*found)) * 2

"""Rules for the entries of a transaction."""

import msgspec
import pytest

from esante.core.fhir.rest import BundleEntry
from esante.core.web import Problem
from esante.services.record.clinical.transactions.bundle_entries import (
    check_entries,
    entry_place,
    group_entries,
    processing_order,
)


def item(method: str, type_: str = "Observation", id_: str = "", *, index: int = 0, size: int = 0) -> BundleEntry:
    """Return an entry with a body of `size` bytes."""
    return BundleEntry(
        index=index,
        full_url="",
        method=method,
        path=f"{type_}/{id_}",
        query="",
        type=type_,
        id=id_,
        criteria=None,
        conditions=(),
        body=msgspec.Raw(b" " * size),
    )


def test_entries_are_sorted_by_method_and_supporting_types_come_last():
    items = [item("GET"), item("PATCH"), item("POST", "Practitioner"), item("POST"), item("DELETE"), item("PUT")]
    found = [(one.method, one.type) for one in sorted(items, key=processing_order)]
    assert found == [
        ("DELETE", "Observation"),
        ("POST", "Observation"),
        ("POST", "Practitioner"),
        ("PATCH", "Observation"),
        ("PUT", "Observation"),
        ("GET", "Observation"),
    ]


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [([], []), ([1] * 45, [20, 20, 5]), ([200_000, 200_000, 1], [1, 2]), ([900_000], [1])],
)
def test_groups_are_bounded_in_number_and_bytes(sizes, groups):
    assert [len(group) for group in group_entries(item("POST", size=size) for size in sizes)] == groups


def test_second_change_of_one_resource_is_refused_with_its_place():
    read, change = item("GET", id_="x"), item("PUT", id_="x", index=1)
    check_entries([read, change])
    with pytest.raises(Problem) as refused:
        check_entries([read, change, item("DELETE", id_="x", index=2)])
    assert (refused.value.status, refused.value.place) == (422, "Bundle.entry[2]")


@pytest.mark.parametrize(
    ("place", "placed"),
    [
        ("Observation.status", "Bundle.entry[3].resource.status"),
        ("Bundle.entry[1]", "Bundle.entry[1]"),
        ("If-Match", "Bundle.entry[3] If-Match"),
        ("", "Bundle.entry[3]"),
    ],
)
def test_place_in_problem_names_the_entry(place, placed):
    with pytest.raises(Problem) as refused, entry_place(item("POST", index=3)):
        raise Problem(422, "value", "x", place=place)
    assert refused.value.place == placed

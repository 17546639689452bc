"""Scopes: parsing, intersection and coverage, checked against slow models that try every request."""

from dataclasses import replace
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.web import Problem
from esante.identity.access import Requester
from esante.identity.access.smart.scopes import (
    Scope,
    common_scopes,
    covering_queries,
    parse_scope,
    require_scope,
    resolve_patient_context,
)

PERSON = UUID(int=1)
LAB = "category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
LAB_PAIR = tuple(LAB.split("=", 1))
SOFTWARE = Requester(kind="organization", id=UUID(int=2), name="H")
DOCTOR = Requester(kind="practitioner", id=UUID(int=3), name="Dr")
LAUNCHED = replace(DOCTOR, patient=PERSON)
ANNA = Requester(kind="patient", id=PERSON, name="Anna")


def holding(requester, *scopes):
    return replace(requester, scopes=frozenset(scopes))


def may(requester, resource, letters, *scopes):
    try:
        require_scope(holding(requester, *scopes), resource, letters)
    except Problem as problem:
        assert (problem.status, problem.code) == (403, "forbidden")
        assert "insufficient_scope" in problem.headers["WWW-Authenticate"]
        return False
    return True


def test_scopes_cover_their_level_and_letters_only():
    assert may(SOFTWARE, "Patient", "r", "system/Patient.rs")
    assert may(SOFTWARE, "Patient", "rs", "system/Patient.r", "system/*.s")
    assert may(DOCTOR, "Patient", "r", "user/Patient.r")
    assert may(ANNA, "Patient", "r", "user/Patient.r")
    assert may(ANNA, "Patient", "r", "patient/*.read")
    assert not may(SOFTWARE, "Patient", "r", "user/Patient.r")
    assert not may(SOFTWARE, "Patient", "c", "system/Patient.rs")
    assert not may(SOFTWARE, "Practitioner", "r", "system/Patient.rs")
    assert not may(SOFTWARE, "Patient", "r")
    assert not may(ANNA, "Patient", "r", "system/Patient.r")
    require_scope(DOCTOR, "Patient", "cruds")


def test_patient_scopes_of_a_professional_need_a_patient_in_context():
    assert not may(DOCTOR, "Patient", "r", "patient/Patient.r")
    assert may(LAUNCHED, "Patient", "r", "patient/Patient.r")


def test_restricted_scope_is_insufficient_where_it_cannot_be_applied():
    assert not may(LAUNCHED, "Observation", "rs", f"patient/Observation.rs?{LAB}")
    assert covering_queries(holding(LAUNCHED, f"patient/Observation.rs?{LAB}"), "Observation", "s") == [(LAB_PAIR,)]
    assert covering_queries(holding(ANNA, "patient/*.rs", f"patient/Observation.rs?{LAB}"), "Observation", "s") == [()]
    both = holding(ANNA, f"patient/Observation.rs?{LAB}", "patient/Observation.rs?category=vital-signs")
    assert covering_queries(both, "Observation", "rs") == [(LAB_PAIR,), (("category", "vital-signs"),)]
    assert covering_queries(ANNA, "Observation", "s") == [()]


def test_user_scope_lifts_the_patient_context_only_when_it_covers_everything():
    def patient_context(*scopes, resource="Observation", letters="rs"):
        return resolve_patient_context(holding(LAUNCHED, *scopes), resource, letters).patient

    assert patient_context("patient/*.rs") == PERSON
    assert patient_context("user/Observation.rs", "patient/*.cruds") is None
    assert patient_context("user/Observation.r", "patient/*.cruds") == PERSON
    assert patient_context(f"user/Observation.rs?{LAB}", "patient/Observation.rs") == PERSON
    assert patient_context(f"user/Observation.rs?{LAB}", "patient/Patient.rs") is None
    assert patient_context() == PERSON
    assert resolve_patient_context(LAUNCHED, "Observation", "r").patient == PERSON


@pytest.mark.parametrize(
    "text",
    [
        "system/Patient.", "system/Patient.sr", "system/Patient.rr", "system/patient.r", "x/Patient.r", "a b", "",
        "patient/Patient.rs?", "patient/Patient.rs?name", "patient/Patient.rs?=x", "patient/Patient.rs?name=",
        "patient/Observation.rs?category:in=x", "patient/Observation.rs?subject.name=x",
        "patient/Observation.rs?_has:Group:member:_id=1", "patient/Observation.rs?_filter=x", "patient/*.rs?code=x",
        "patient/Observation.rs?nonsense=1", "patient/Observation.rs?code-value-quantity=a$b",
        "patient/Observation.rs?code=x#y", "patient/Observation.rs?code=a?b", 'patient/Observation.rs?code="',
        "patient/Observation.rs?code=é", "patient/Observation.rs?code=%00", "patient/Patient.reads", "patient/Patient.v",
        "patient/Nonsense.rs?code=1", "patient/Patient.rs?name=" + "x" * 600, "openid",
    ],
)  # fmt: skip
def test_invalid_scope_is_parsed_to_none(text):
    assert parse_scope(text) is None


def test_smart_1_permissions_are_kept_as_requested():
    assert parse_scope("patient/*.read") == Scope("patient", "*", "rs")
    assert parse_scope("patient/Patient.write") == Scope("patient", "Patient", "cud")
    assert parse_scope("user/*.*") == Scope("user", "*", "cruds")
    assert common_scopes(["patient/*.read"], ["patient/*.cruds"]) == {"patient/*.read"}
    assert common_scopes(["patient/*.read"], ["patient/Patient.r"]) == {"patient/Patient.r"}


def test_non_resource_scopes_are_intersected_as_text():
    requested = ["openid", "fhirUser", "launch/patient", "offline_access", "profile", "launch/encounter"]
    assert common_scopes(requested, ["openid", "launch/patient", "launch"]) == {"openid", "launch/patient"}


def test_common_scopes_are_the_minimal_meet():
    assert common_scopes(["system/*.cruds"], ["system/Patient.rs"]) == {"system/Patient.rs"}
    assert common_scopes(["system/Patient.cr"], ["system/*.rs"]) == {"system/Patient.r"}
    assert common_scopes(["system/Patient.c"], ["system/Patient.rs"]) == frozenset()
    assert common_scopes(["user/Patient.r"], ["system/Patient.r"]) == frozenset()
    lab = f"patient/Observation.rs?{LAB}"
    assert common_scopes([lab], ["patient/*.rs"]) == {lab}
    assert common_scopes(["patient/*.rs"], [lab, "patient/Patient.r"]) == {lab, "patient/Patient.r"}
    assert common_scopes(["patient/*.rs", lab], ["patient/*.rs"]) == {"patient/*.rs"}
    assert common_scopes(["patient/Observation.r?code=a"], ["patient/Observation.rs?status=final"]) == {
        "patient/Observation.r?code=a&status=final"
    }


# A slow model of what sets of scopes allow: every request on a small set of resources and queries.

RESOURCES = ("Observation", "Condition")
QUERIES = ((), (("category", "a"),), (("code", "http://x|1 2"),), (("category", "a"), ("code", "é&=?%")))
some_scope = st.builds(
    Scope,
    st.sampled_from(["user", "patient", "system"]),
    st.sampled_from([*RESOURCES, "*"]),
    st.sets(st.sampled_from("cruds"), min_size=1).map(lambda found: "".join(x for x in "cruds" if x in found)),
    st.just(()),
).flatmap(
    lambda scope: st.sampled_from(QUERIES if scope.resource != "*" else QUERIES[:1]).map(
        lambda query: replace(scope, query=query)
    )
)
some_scopes = st.lists(some_scope, max_size=4).map(lambda found: [str(scope) for scope in found])
REQUESTS = list(product(("user", "patient", "system"), RESOURCES, "cruds", QUERIES))
"""Requests: level, type, letter, and the query that the resource matches."""


def allows(scopes, request):
    level, resource, letter, matched_query = request
    return any(
        scope.level == level
        and scope.resource in ("*", resource)
        and letter in scope.letters
        and set(scope.query) <= set(matched_query)
        for scope in map(parse_scope, scopes)
    )


@given(some_scope)
def test_scope_round_trips_through_text(scope):
    assert parse_scope(str(scope)) == scope
    assert all("!" <= char <= "~" and char not in '"\\' for char in str(scope))


@given(st.text(st.characters(codec="ascii"), max_size=60).map("patient/Observation.rs?".__add__))
def test_parsed_scope_round_trips_through_text(text):
    scope = parse_scope(text)
    assert scope is None or parse_scope(str(scope)) == scope


@given(some_scopes, some_scopes)
def test_common_scopes_allow_what_both_sides_allow(requested, allowed):
    common = common_scopes(requested, allowed)
    for request in REQUESTS:
        assert allows(common, request) == (allows(requested, request) and allows(allowed, request))


@given(some_scopes, st.sampled_from([SOFTWARE, DOCTOR, LAUNCHED, ANNA]), st.sets(st.sampled_from("crs"), min_size=1))
def test_covering_queries_match_a_slow_model(scopes, requester, letters):
    letters = "".join(sorted(letters))
    levels = {SOFTWARE: ["system"], DOCTOR: ["user"]}.get(requester, ["user", "patient"])
    for resource, matched_query in product(RESOURCES, QUERIES):
        try:
            alternatives = covering_queries(holding(requester, *scopes), resource, letters)
        except Problem:
            alternatives = []
        is_covered = any(set(query) <= set(matched_query) for query in alternatives)
        assert is_covered == all(
            any(allows(scopes, (level, resource, letter, matched_query)) for level in levels) for letter in letters
        )
        assert () not in alternatives or alternatives == [()]


@given(some_scopes, st.sampled_from(["r", "rs", "c"]))
def test_lifted_patient_context_does_not_change_coverage(scopes, letters):
    launched = holding(LAUNCHED, *scopes)
    for resource in RESOURCES:
        found = resolve_patient_context(launched, resource, letters)
        if found.patient is None:
            assert covering_queries(found, resource, letters) == covering_queries(launched, resource, letters)

"""What the outcomes of tests say of a requirement."""

from hypothesis import given
from hypothesis import strategies as st

from esante.services.ehds.requirements.model import Outcome, Standing
from esante.services.ehds.requirements.rules import combine, standing_of

outcomes = st.lists(st.sampled_from([*Outcome, None]), max_size=6)


@given(outcomes)
def test_requirement_is_shown_only_when_every_test_of_it_ran_and_passed(found):
    standing = standing_of(found)
    assert (standing is Standing.SHOWN) == (len(found) > 0 and set(found) == {Outcome.PASSED})
    assert (standing is Standing.FAILED) == (Outcome.FAILED in found)
    assert (standing is Standing.NOT_SHOWN) == (found == [])


@given(st.lists(st.sampled_from(Outcome), min_size=1))
def test_function_passed_only_when_each_of_its_cases_did(cases):
    assert (combine(cases) is Outcome.PASSED) == (set(cases) == {Outcome.PASSED})
    assert (combine(cases) is Outcome.FAILED) == (Outcome.FAILED in cases)

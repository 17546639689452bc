"""The pure rules of the record."""

from hypothesis import given
from hypothesis import strategies as st

from esante.identity.access import Confidentiality
from esante.services.record import rules

LEVELS = st.sampled_from(Confidentiality)


@given(LEVELS, LEVELS, LEVELS)
def test_stricter_level_is_upper_bound(one, other, third):
    assert rules.stricter(one, other) == rules.stricter(other, one)
    assert rules.stricter(one, rules.stricter(other, third)) == rules.stricter(rules.stricter(one, other), third)
    assert rules.stricter(one, Confidentiality.HIDDEN) is Confidentiality.HIDDEN
    assert rules.stricter(one, Confidentiality.NORMAL) is one


@given(st.text(max_size=40))
def test_fold_text_is_idempotent(text):
    assert rules.fold_text(rules.fold_text(text)) == rules.fold_text(text)


def test_fold_text_removes_accents():
    assert rules.fold_text("Évaluation À Größe") == "evaluation a grosse"

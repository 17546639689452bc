"""The read filter says of every item what the decision says of it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.identity.access import Action, Confidentiality, Purpose, ReadFilter, decide, label_of, read_filter
from tests.identity.access.test_rules import (
    DOC,
    DOCTOR,
    HOSPITAL,
    NOW,
    OPEN,
    PERSON,
    SELF,
    consents,
    granted,
    items,
    requesters,
    with_grants,
)


def includes(wanted, item) -> bool:
    """Return whether a filter includes an item, as `ReadFilter` describes it."""
    holders = {wanted.author, wanted.organization} - {None}
    return (
        wanted.everything
        or (item.author_id is not None and item.author_id == wanted.author)
        or item.organization_id in holders
        or label_of(item.confidentiality, item.category) in wanted.labels
    )


@given(consents, requesters, items, st.sampled_from(Purpose), st.sampled_from([Action.READ, Action.LIST]))
def test_filter_includes_exactly_what_the_decision_allows(consent, requester, item, purpose, action):
    allowed = decide(consent, requester, action, item, purpose, NOW).allowed
    assert includes(read_filter(consent, requester, purpose, NOW, action), item) is allowed


def test_professional_without_grant_reads_only_what_they_wrote():
    wanted = read_filter(OPEN, DOC, Purpose.TREATMENT, NOW)
    assert wanted == ReadFilter(author=DOCTOR, organization=HOSPITAL)


def test_grant_adds_the_readable_categories_of_its_levels():
    wanted = read_filter(with_grants(granted()), DOC, Purpose.TREATMENT, NOW)
    levels = {label.partition("/")[0] for label in wanted.labels}
    assert levels == {Confidentiality.NORMAL}
    assert label_of("normal", "letter") in wanted.labels


@pytest.mark.parametrize(
    ("requester", "wanted"),
    [
        (SELF, ReadFilter(everything=True, author=PERSON)),
        (replace(SELF, id=DOCTOR), ReadFilter()),
        (replace(DOC, kind="operator"), ReadFilter()),
    ],
)
def test_patient_reads_everything_of_their_own_and_operators_nothing(requester, wanted):
    assert read_filter(OPEN, requester, Purpose.TREATMENT, NOW) == wanted

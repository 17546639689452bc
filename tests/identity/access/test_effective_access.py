"""Who can see a record: the shown access follows from the decision."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from esante.identity.access import Action, GrantKind, Purpose, RecordState, Requester, decide, who_can_see
from tests.identity.access.test_rules import (
    DOC,
    DOCTOR,
    HIDDEN,
    HOSPITAL,
    LETTER,
    NOW,
    PRACTICE,
    RESTRICTED,
    SOFTWARE,
    consents,
    granted,
    items,
    with_grants,
)

AT_HOME = replace(DOC, organization_id=None, organization="")
HOLDERS = {DOCTOR: [AT_HOME, replace(DOC, organization="Hospital")], HOSPITAL: [SOFTWARE]}


def first_access(consent, item=None, holders=HOLDERS):
    """Return whether the first grant reads, and why or why not."""
    (access,) = who_can_see(consent, holders, NOW, item)
    return access.reads, access.reason


def test_grant_reads_for_its_own_reason():
    assert first_access(with_grants(granted())) == (True, "presence_code")
    assert first_access(with_grants(granted(GrantKind.STAY, HOSPITAL))) == (True, "institution_stay")


def test_opt_out_block_and_closing_are_told_instead_of_access():
    assert first_access(with_grants(granted(), sharing=False)) == (False, "opted-out")
    assert first_access(with_grants(granted(), blocked=frozenset({DOCTOR}))) == (False, "blocked")
    assert first_access(with_grants(granted(), state=RecordState.CLOSED)) == (False, "closed")
    assert first_access(with_grants(granted(), deceased_at=NOW)) == (False, "dead")


def test_refused_stay_is_told_as_refused():
    consent = with_grants(granted(GrantKind.STAY, HOSPITAL), refused=frozenset({HOSPITAL}))
    assert first_access(consent) == (False, "stay-refused")


def test_block_of_a_workplace_is_told_beside_access():
    consent = with_grants(granted(), blocked=frozenset({HOSPITAL}))
    (access,) = who_can_see(consent, HOLDERS, NOW)
    assert access.reads and access.not_for == ("Hospital",)


def test_holder_who_may_not_use_the_platform_reads_nothing():
    assert first_access(with_grants(granted()), holders={}) == (False, "suspended")


def test_profession_without_categories_reads_nothing():
    assert first_access(with_grants(granted()), holders={DOCTOR: [replace(DOC, profession="admin")]}) == (
        False,
        "profession",
    )


def test_document_is_told_by_its_own_confidentiality():
    code, circle = with_grants(granted()), with_grants(granted(GrantKind.CIRCLE))
    assert first_access(code, LETTER) == (True, "presence_code")
    assert first_access(code, RESTRICTED) == (False, "restricted")
    assert first_access(circle, RESTRICTED) == (True, "circle")
    assert first_access(circle, HIDDEN) == (False, "hidden")


def test_grants_that_are_not_in_force_are_not_told():
    assert who_can_see(with_grants(granted(until=NOW)), HOLDERS, NOW) == ()


def test_those_who_read_come_first():
    other = granted(GrantKind.STAY, PRACTICE)
    accesses = who_can_see(with_grants(other, granted()), HOLDERS, NOW)
    assert [access.reads for access in accesses] == [True, False]


@given(consents, items)
def test_item_is_readable_by_grant_exactly_when_told(consent, item):
    item = replace(item, author_id=None, organization_id=None)
    readers = {
        access.grant.holder_id for access in who_can_see(consent, HOLDERS, NOW, item) if access.grant and access.reads
    }
    for requester in (AT_HOME, SOFTWARE):
        verdict = decide(consent, requester, Action.READ, item, Purpose.TREATMENT, NOW)
        own = readers & {requester.id}
        assert verdict.allowed is bool(own)


@given(consents, st.sampled_from([AT_HOME, DOC, SOFTWARE]), items)
def test_who_is_told_as_not_reading_reads_nothing(consent, requester, item):
    item = replace(item, author_id=None, organization_id=None)
    reading = {
        access.grant.holder_id for access in who_can_see(consent, HOLDERS, NOW) if access.grant and access.reads
    }
    if not reading & {requester.id, requester.organization_id}:
        assert not decide(consent, requester, Action.READ, item, Purpose.TREATMENT, NOW).allowed


@given(consents, items)
def test_representative_is_told_as_reading_exactly_when_they_read(consent, item):
    acting = {one.representative_id for one in consent.representations if one.is_in_force(NOW.date())}
    told = [one for one in who_can_see(consent, HOLDERS, NOW, item) if one.representation]
    assert {one.representation.representative_id for one in told} == acting
    for id_ in acting:
        requester = Requester(kind="patient", id=id_, name="x", patient=consent.person_id)
        verdict = decide(consent, requester, Action.READ, item, Purpose.PATIENT_REQUEST, NOW)
        assert verdict.allowed is any(one.reads for one in told if one.representation.representative_id == id_)

"""What another legal category would change, against the decision after the change."""

from datetime import date

from esante.identity.access import policy_set
from esante.identity.access.assignments.simulation import simulate
from esante.identity.access.regulation.assignment import Assignment

DAY = date(2027, 1, 1)


def test_simulation_tells_who_gains_and_loses():
    found = simulate(policy_set(), "letter", "summaries", DAY)
    assert (found.before, found.after, found.on) == ("care_reports", "summaries", DAY)
    changes = {one.column: (one.gains, one.loses) for one in found.changes}
    assert changes == {
        "pharmacist": ((), ("read",)),
        "nurse": ((), ("write",)),
        "expert": ((), ("write",)),
        "midwife": ((), ("write",)),
        "laboratory_technician": ((), ("read",)),
        "social": ((), ("write",)),
        "biologist": ((), ("read",)),
    }
    by_column = {one.column: one for one in found.changes}
    assert by_column["nurse"].professions == ("nurse", "surgical_assistant")
    assert by_column["pharmacist"].organizations == ("pharmacy",)


def test_category_in_which_the_person_writes_changes_what_they_may_do():
    taken = simulate(policy_set(), "patient_note", "summaries", DAY)
    assert (taken.holder_before, taken.holder_after, taken.is_without_effect) == (True, False, False)
    given = simulate(policy_set(), "letter", "own_space", DAY)
    assert (given.holder_before, given.holder_after) == (False, True)


def test_same_category_is_without_effect():
    assert simulate(policy_set(), "letter", "care_reports", DAY).is_without_effect


def test_before_the_first_period_nobody_has_or_gets_a_right():
    found = simulate(policy_set(), "letter", "summaries", date(1990, 1, 1))
    assert (found.before, found.changes) == ("", ())


def test_simulation_equals_the_decision_after_the_change():
    for class_ in ("letter", "dispensing", "patient_note"):
        for category in (one.key for one in policy_set().matrix.categories):
            found = simulate(policy_set(), class_, category, DAY)
            change = Assignment(document_class=class_, category=category, valid_from=DAY, legal_source="x")
            after, before = policy_set().with_assignments([change]).on(DAY), policy_set().on(DAY)
            for one in found.changes:
                for profession in (*one.professions, *(f"organization:{kind}" for kind in one.organizations)):
                    assert (before.rights[profession, class_], after.rights[profession, class_]) == (
                        one.before,
                        one.after,
                    )
            told = {p for one in found.changes for p in one.professions}
            for profession in {p for column in policy_set().matrix.columns for p in column.members} - told:
                old, new = before.rights[profession, class_], after.rights[profession, class_]
                assert (old.read, old.write) == (new.read, new.write)
            assert (class_ in before.holder_writes, class_ in after.holder_writes) == (
                found.holder_before,
                found.holder_after,
            )

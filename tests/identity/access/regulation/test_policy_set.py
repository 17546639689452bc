"""Policy sets: one per country, chosen by a setting; nothing of a country stands in the code."""

import ast
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from esante.core.time_zone import time_zone
from esante.identity.access import (
    Action,
    Confidentiality,
    Consent,
    Grant,
    GrantKind,
    Item,
    Purpose,
    RecordState,
    Requester,
    decide,
    explain,
    load_policy_set,
    policy_set,
    use_policy_set,
)
from esante.identity.access.regulation.assignment import Assignment
from tests.support.access_policy import changed_context, used_policy_set

ROOT = Path(__file__).resolve().parents[4]
SOURCE = ROOT / "src" / "esante"
EHDS = ROOT / "tests" / "support" / "policy_sets" / "ehds"
PERSON, NURSE = UUID(int=1), UUID(int=2)
AT = datetime(2030, 6, 15, 12, tzinfo=UTC)
GRANT = Grant(
    id=UUID(int=9),
    person_id=PERSON,
    kind=GrantKind.PRESENCE,
    holder_kind="practitioner",
    holder_id=NURSE,
    since=AT - timedelta(days=60),
)
NURSING = Requester(kind="practitioner", id=NURSE, name="N", profession="nurse")
CONSENT = Consent(person_id=PERSON, state=RecordState.OPEN, grants=(GRANT,))


def verdict(rules, action=Action.READ, item=None, at=AT, consent=CONSENT):
    consent = replace(consent, rules=rules)
    return decide(consent, NURSING, action, item or Item(category="patient_summary"), Purpose.TREATMENT, at)


def test_other_country_decides_by_its_own_rules():
    other, own = load_policy_set(EHDS), policy_set()
    assert verdict(other).context == "visit"
    assert verdict(own).rule == "context.ended"
    assert verdict(other, Action.WRITE).allowed
    assert not verdict(own, Action.WRITE).allowed
    assert verdict(other, at=datetime(2029, 3, 25, 12, tzinfo=UTC)).rule == "read.category"


def test_kind_of_grant_without_context_gives_nothing():
    circle = replace(GRANT, kind=GrantKind.CIRCLE)
    found = verdict(load_policy_set(EHDS), consent=replace(CONSENT, grants=(circle,)))
    assert (found.allowed, found.rule) == (False, "context.off")
    assert explain(found)


def test_context_that_is_turned_off_gives_nothing():
    circle = replace(CONSENT, grants=(replace(GRANT, kind=GrantKind.CIRCLE),))
    assert verdict(policy_set(), consent=circle).rule == "grant.circle"
    with changed_context("circle", allowed=False) as rules:
        assert verdict(rules, consent=circle).rule == "context.off"


def test_set_is_chosen_by_name_or_folder():
    before = policy_set()
    with used_policy_set(before):
        use_policy_set(str(EHDS))
        assert policy_set().name == "ehds"
        use_policy_set("lu-2026")
        assert policy_set().name == "lu-2026"


@pytest.mark.parametrize("name", ["xx-2026", "../lu-2026", "/nonexistent/set", ""])
def test_unknown_set_is_refused_by_the_name_of_the_setting(name):
    before = policy_set()
    with pytest.raises(ValueError, match="ESANTE_POLICY_SET"):
        use_policy_set(name)
    assert policy_set() is before


@pytest.mark.parametrize("missing", ["matrix.toml", "assignment.csv", "contexts.toml", "policy.toml"])
def test_incomplete_folder_is_refused(tmp_path, missing):
    for file in EHDS.iterdir():
        if file.name != missing:
            (tmp_path / file.name).write_text(file.read_text("utf-8"), "utf-8")
    with pytest.raises(OSError, match=missing.replace(".", r"\.")):
        load_policy_set(tmp_path)


def test_rules_are_those_of_the_calendar_day_of_the_country():
    begins = datetime(2027, 1, 1, tzinfo=time_zone())
    change = Assignment(document_class="letter", category="summaries", valid_from=date(2027, 1, 1), legal_source="x")
    rules = policy_set().with_assignments([change])
    item, consent = Item(category="letter"), replace(CONSENT, grants=())
    assert verdict(rules, Action.WRITE, item, begins - timedelta(microseconds=1), consent).allowed
    assert not verdict(rules, Action.WRITE, item, begins, consent).allowed
    assert verdict(policy_set(), Action.WRITE, item, begins, consent).allowed


def test_days_of_one_period_share_their_tables():
    rules = load_policy_set(EHDS)
    assert rules.on(date(2029, 4, 1)) is rules.on(date(2035, 4, 1))
    assert rules.on(date(2029, 3, 25)) is not rules.on(date(2029, 4, 1))


def test_reach_covers_every_kind_of_grant_but_no_hidden_document():
    terms = policy_set().on(date(2026, 1, 1)).policy
    assert set(terms.reach) == set(GrantKind)
    assert not any(Confidentiality.HIDDEN in levels for levels in terms.reach.values())


def code_strings(path):
    """Yield the text constants of a module without its docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts:
            yield node.value


def test_nothing_of_a_country_stands_in_the_code():
    rules = policy_set()
    keys = {one.key for one in rules.matrix.categories} | {one.key for one in rules.matrix.columns}
    keys |= {context.key for period in rules.contexts for context in period.contexts}
    shared = {
        "imaging",
        "laboratory",
        "doctor",
        "pharmacist",
        "nurse",
        "midwife",
        "circle",
        "institution",
        "prevention",
    }
    shared |= {"allergies", "devices", "education", "cover", "socio_educational", "social_environment"}
    shared |= {"legal_protection", "dispensing", "history"}  # words of FHIR, of kinds of grants, and document classes
    found = {
        f"{path.relative_to(SOURCE)}: {text}"
        for folder in ("identity", "services/record")
        for path in (SOURCE / folder).rglob("*.py")
        for text in code_strings(path)
        if text in keys - shared or re.search(r"lu-20|Luxembourg|Memorial|Mémorial|RGD", text)
    }
    assert found == {"identity/access/settings.py: lu-2026"}


def test_codes_of_presence_avoid_characters_that_look_alike():
    terms = policy_set().on(date(2026, 1, 1)).policy
    assert len(set(terms.code_alphabet)) == len(terms.code_alphabet)
    assert not set(terms.code_alphabet) & set("0O1IL5S8B2ZUV")


def test_six_hundred_guesses_and_two_hundred_admissions_pass_no_limit_in_force():
    terms = policy_set().on(date(2026, 11, 29)).policy
    assert max(terms.unknown_per_requester, terms.unknown_per_organization) <= 300
    largest_hospital = 350
    assert terms.admissions.most_per_hour(largest_hospital) < 189
    assert terms.admissions.most_per_hour(0) < terms.admissions.most_per_day(0)

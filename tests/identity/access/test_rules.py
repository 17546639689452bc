"""The access decision: each rule, and all of it against an oracle that is written from the list of laws."""

import csv
import re
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.identity.access import (
    Action,
    Against,
    Confidentiality,
    Consent,
    Delegate,
    Grant,
    GrantKind,
    Item,
    Opposition,
    Purpose,
    RecordState,
    Requester,
    decide,
    explain,
    opening_grant,
    policy_set,
    rules,
)
from esante.identity.access.reasons import REASONS
from esante.identity.access.representation.model import Capacity, CapacityKind, Representation, RepresentationKind
from esante.identity.directory import ReferringDoctor

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
PERSON, STRANGER, DOCTOR, COLLEAGUE, HOSPITAL, PRACTICE = (UUID(int=n) for n in range(1, 7))
DATA = files("esante.identity.access") / "data" / "lu-2026"


def granted(kind=GrantKind.PRESENCE, holder=DOCTOR, **changes):
    grant = Grant(
        id=UUID(int=99),
        person_id=PERSON,
        kind=kind,
        holder_kind="organization" if holder in (HOSPITAL, PRACTICE) else "practitioner",
        holder_id=holder,
        since=NOW - timedelta(hours=1),
        until=NOW + timedelta(hours=1),
    )
    return replace(grant, **changes)


OPEN = Consent(person_id=PERSON, state=RecordState.OPEN)
DOC = Requester(kind="practitioner", id=DOCTOR, name="Dr", profession="doctor", organization_id=HOSPITAL)
ADMIN = replace(DOC, profession="admin")
SOFTWARE = Requester(kind="organization", id=HOSPITAL, name="H", profession="hospital", organization_id=HOSPITAL)
ASSISTED = replace(DOC, delegate=Delegate(UUID(int=7), "Ada"))
SELF = Requester(kind="patient", id=PERSON, name="Anna")
LETTER = Item(category="letter", author_id=COLLEAGUE, organization_id=PRACTICE)
RESTRICTED = replace(LETTER, confidentiality=Confidentiality.RESTRICTED)
HIDDEN = replace(LETTER, confidentiality=Confidentiality.HIDDEN)
DEAD = replace(OPEN, deceased_at=NOW - timedelta(days=1))
READ, LIST, WRITE = Action.READ, Action.LIST, Action.WRITE
LONG = {"since": NOW - timedelta(days=60), "until": None}
"""Of a grant that began before every ceiling, without an end of its own."""
OWN_NOTE = Item(category="patient_note")
PHARMACIST = replace(DOC, profession="pharmacist")
DOSE, COVID19 = Item(category="vaccination_history"), "dose-given:covid19"
TREAT, EMERGENCY = Purpose.TREATMENT, Purpose.EMERGENCY


def with_grants(*grants, **changes):
    return replace(OPEN, grants=grants, **changes)


def opposed(against, depositor, document_class=""):
    """An opposition about care yesterday and today."""
    yesterday = NOW.date() - timedelta(days=1)
    return Opposition(
        id=UUID(int=98),
        against=against,
        depositor_id=depositor,
        document_class=document_class,
        care_from=yesterday,
        care_until=NOW.date(),
    )


def representing(kind, **changes):
    """An open record of a person for whom STRANGER acts since yesterday."""
    yesterday = NOW.date() - timedelta(days=1)
    one = Representation(id=UUID(int=97), kind=kind, representative_id=STRANGER, since=yesterday)
    return replace(OPEN, representations=(replace(one, **changes),))


def stated(kind, *classes):
    return Capacity(id=UUID(int=96), kind=kind, classes=classes, since=NOW.date())


CHILD = representing(RepresentationKind.PARENT)
ADMITTED = replace(CHILD, capacities=(stated(CapacityKind.DISCERNMENT, "letter"),))
UNABLE = replace(representing(RepresentationKind.TRUSTED_PERSON), capacities=(stated(CapacityKind.INCAPACITY),))
PARENT = Requester(kind="patient", id=STRANGER, name="Paul", patient=PERSON)

CASES = [
    (DEAD, SELF, READ, LETTER, TREAT, "patient.dead"),
    (OPEN, replace(SELF, id=STRANGER), READ, LETTER, TREAT, "patient.other"),
    (with_grants(granted()), replace(DOC, patient=STRANGER), READ, LETTER, TREAT, "launch.other"),
    (OPEN, replace(DOC, patient=STRANGER), READ, replace(LETTER, author_id=DOCTOR), TREAT, "launch.other"),
    (OPEN, replace(DOC, patient=STRANGER), WRITE, LETTER, TREAT, "launch.other"),
    (with_grants(granted()), replace(DOC, patient=PERSON), READ, LETTER, TREAT, "grant.presence_code"),
    (replace(OPEN, state=RecordState.NONE), SELF, READ, LETTER, TREAT, "patient.before-opening"),
    (replace(OPEN, state=RecordState.ANNOUNCED), SELF, READ, LETTER, TREAT, "patient.before-opening"),
    (OPEN, SELF, READ, HIDDEN, Purpose.PATIENT_REQUEST, "patient.read"),
    (replace(OPEN, sharing=False), SELF, READ, HIDDEN, TREAT, "patient.read"),
    (replace(OPEN, state=RecordState.CLOSED), SELF, READ, LETTER, TREAT, "patient.closed"),
    (replace(OPEN, state=RecordState.OBJECTED), SELF, READ, LETTER, TREAT, "patient.closed"),
    (replace(OPEN, state=RecordState.DELETED), SELF, READ, LETTER, TREAT, "patient.closed"),
    (replace(OPEN, state=RecordState.CLOSED), SELF, WRITE, Item(category="patient_note"), TREAT, "patient.closed"),
    (OPEN, SELF, WRITE, Item(category="patient_note"), TREAT, "patient.write"),
    (OPEN, SELF, LIST, HIDDEN, TREAT, "patient.read"),
    (OPEN, SELF, WRITE, LETTER, TREAT, "patient.category"),
    (CHILD, SELF, READ, LETTER, TREAT, "patient.represented"),
    (CHILD, SELF, WRITE, OWN_NOTE, TREAT, "patient.represented"),
    (ADMITTED, SELF, READ, LETTER, TREAT, "patient.read"),
    (ADMITTED, SELF, READ, replace(LETTER, category="laboratory_report"), TREAT, "patient.represented"),
    (CHILD, PARENT, READ, HIDDEN, Purpose.PATIENT_REQUEST, "representative.parent"),
    (CHILD, PARENT, WRITE, OWN_NOTE, TREAT, "patient.write"),
    (CHILD, PARENT, WRITE, LETTER, TREAT, "patient.category"),
    (CHILD, PARENT, WRITE, Item(category="organ_donation"), TREAT, "representative.personal"),
    (replace(CHILD, deceased_at=NOW), PARENT, READ, LETTER, TREAT, "patient.dead"),
    (replace(CHILD, state=RecordState.CLOSED), PARENT, READ, LETTER, TREAT, "patient.closed"),
    (OPEN, PARENT, READ, LETTER, TREAT, "patient.other"),
    (CHILD, replace(PARENT, id=COLLEAGUE), READ, LETTER, TREAT, "patient.other"),
    (CHILD, replace(PARENT, patient=None), READ, LETTER, TREAT, "patient.other"),
    (replace(CHILD, oppositions=(opposed(Against.REPRESENTATIVES, PRACTICE),)), PARENT, READ, LETTER, TREAT, "representative.opposed"),
    (replace(CHILD, oppositions=(opposed(Against.REPRESENTATIVES, HOSPITAL),)), PARENT, READ, LETTER, TREAT, "representative.parent"),
    (representing(RepresentationKind.GUARDIAN), PARENT, READ, LETTER, TREAT, "representative.guardian"),
    (representing(RepresentationKind.TRUSTED_PERSON), SELF, READ, LETTER, TREAT, "patient.read"),
    (representing(RepresentationKind.TRUSTED_PERSON), PARENT, READ, LETTER, TREAT, "representative.capable"),
    (UNABLE, PARENT, READ, LETTER, TREAT, "representative.trusted_person"),
    (UNABLE, PARENT, READ, HIDDEN, TREAT, "representative.hidden"),
    (UNABLE, PARENT, WRITE, OWN_NOTE, TREAT, "representative.reads"),
    (replace(OPEN, oppositions=(opposed(Against.DEPOSIT, HOSPITAL),)), DOC, WRITE, LETTER, TREAT, "write.opposed"),
    (replace(OPEN, oppositions=(opposed(Against.DEPOSIT, DOCTOR),)), DOC, WRITE, LETTER, TREAT, "write.opposed"),
    (replace(OPEN, oppositions=(opposed(Against.DEPOSIT, PRACTICE),)), SOFTWARE, WRITE, LETTER, TREAT, "write.opposed"),
    (replace(OPEN, oppositions=(opposed(Against.DEPOSIT, COLLEAGUE),)), DOC, WRITE, replace(LETTER, author_id=None), TREAT, "write.matrix"),
    (replace(OPEN, oppositions=(opposed(Against.DEPOSIT, HOSPITAL, "prescription"),)), DOC, WRITE, LETTER, TREAT, "write.matrix"),
    (replace(OPEN, oppositions=(opposed(Against.DEPOSIT, HOSPITAL),)), DOC, WRITE, replace(LETTER, care_on=NOW.date() + timedelta(days=2)), TREAT, "write.matrix"),
    (replace(OPEN, oppositions=(opposed(Against.REPRESENTATIVES, HOSPITAL),)), DOC, WRITE, LETTER, TREAT, "write.matrix"),
    (with_grants(granted()), ASSISTED, READ, LETTER, TREAT, "delegate.read"),
    (OPEN, ASSISTED, READ, replace(LETTER, author_id=DOCTOR), TREAT, "delegate.read"),
    (with_grants(granted()), ASSISTED, LIST, LETTER, TREAT, "grant.presence_code"),
    (with_grants(granted()), replace(ASSISTED, profession="pharmacist"), LIST, OWN_NOTE, TREAT, "grant.presence_code"),
    (with_grants(granted()), replace(ASSISTED, profession="admin"), LIST, OWN_NOTE, TREAT, "read.category"),
    (OPEN, ASSISTED, WRITE, LETTER, TREAT, "write.matrix"),
    (with_grants(granted()), replace(DOC, kind="operator"), READ, LETTER, TREAT, "requester.kind"),
    (with_grants(granted()), replace(DOC, kind=""), READ, LETTER, TREAT, "requester.kind"),
    (with_grants(granted()), DOC, READ, LETTER, Purpose.OPERATIONS, "purpose"),
    (with_grants(granted()), DOC, READ, LETTER, Purpose.PATIENT_REQUEST, "purpose"),
    (replace(OPEN, state=RecordState.NONE), DOC, WRITE, LETTER, TREAT, "record.none"),
    (replace(OPEN, state=RecordState.ANNOUNCED), DOC, WRITE, LETTER, TREAT, "record.announced"),
    (with_grants(granted(), state=RecordState.OBJECTED), DOC, READ, LETTER, TREAT, "record.objected"),
    (with_grants(granted(), state=RecordState.CLOSED), DOC, READ, LETTER, TREAT, "record.closed"),
    (with_grants(granted(), state=RecordState.DELETED), DOC, READ, LETTER, TREAT, "record.deleted"),
    (with_grants(granted(GrantKind.EMERGENCY)), DOC, WRITE, LETTER, EMERGENCY, "write.emergency"),
    (with_grants(granted(GrantKind.EMERGENCY)), DOC, WRITE, LETTER, TREAT, "write.emergency"),
    (with_grants(granted(GrantKind.EMERGENCY), granted()), DOC, WRITE, LETTER, TREAT, "write.matrix"),
    (with_grants(granted(GrantKind.EMERGENCY, until=NOW)), DOC, WRITE, LETTER, TREAT, "write.matrix"),
    (with_grants(granted(GrantKind.EMERGENCY)), SOFTWARE, WRITE, LETTER, TREAT, "write.matrix"),
    (DEAD, DOC, WRITE, LETTER, TREAT, "write.dead"),
    (replace(OPEN, deceased_at=NOW + timedelta(seconds=1)), DOC, WRITE, LETTER, TREAT, "write.matrix"),
    (OPEN, DOC, WRITE, LETTER, TREAT, "write.matrix"),
    (with_grants(blocked=frozenset({DOCTOR})), DOC, WRITE, LETTER, TREAT, "write.matrix"),
    (OPEN, ADMIN, WRITE, LETTER, TREAT, "write.category"),
    (OPEN, DOC, WRITE, Item(category="no such category"), TREAT, "write.category"),
    (OPEN, DOC, WRITE, Item(category="dispensing"), TREAT, "write.category"),
    (OPEN, DOC, WRITE, OWN_NOTE, TREAT, "write.category"),
    (OPEN, replace(DOC, profession="pharmacist"), WRITE, Item(category="dispensing"), TREAT, "write.matrix"),
    (OPEN, PHARMACIST, WRITE, DOSE, TREAT, "write.category"),
    (OPEN, PHARMACIST, WRITE, replace(DOSE, subjects=frozenset({COVID19})), TREAT, "write.exception"),
    (OPEN, PHARMACIST, WRITE, replace(DOSE, subjects=frozenset({COVID19, "dose-given:influenza"})), TREAT, "write.category"),
    (OPEN, PHARMACIST, WRITE, replace(DOSE, category="care_report", subjects=frozenset({COVID19})), TREAT, "write.category"),
    (OPEN, replace(DOC, profession="social_worker"), WRITE, DOSE, TREAT, "write.matrix"),
    (OPEN, replace(DOC, profession="laboratory_technician"), WRITE, replace(DOSE, subjects=frozenset({COVID19})), TREAT, "write.category"),
    (with_grants(granted(GrantKind.EMERGENCY)), PHARMACIST, WRITE, replace(DOSE, subjects=frozenset({COVID19})), TREAT, "write.emergency"),
    (OPEN, PHARMACIST, READ, replace(DOSE, subjects=frozenset({COVID19})), TREAT, "no-grant"),
    (with_grants(blocked=frozenset({DOCTOR})), DOC, READ, replace(HIDDEN, author_id=DOCTOR), TREAT, "author.self"),
    (OPEN, SOFTWARE, READ, replace(HIDDEN, organization_id=HOSPITAL), TREAT, "author.organization"),
    (OPEN, DOC, READ, replace(HIDDEN, organization_id=HOSPITAL), TREAT, "author.organization"),
    (with_grants(granted(), blocked=frozenset({DOCTOR})), DOC, READ, LETTER, TREAT, "blocked"),
    (with_grants(granted(), blocked=frozenset({HOSPITAL})), DOC, READ, LETTER, TREAT, "blocked"),
    (with_grants(granted(GrantKind.CIRCLE)), DOC, READ, HIDDEN, TREAT, "hidden"),
    (with_grants(granted(GrantKind.EMERGENCY)), DOC, READ, HIDDEN, EMERGENCY, "hidden"),
    (with_grants(granted(), sharing=False), DOC, READ, LETTER, TREAT, "opted-out"),
    (with_grants(granted(), deceased_at=NOW), DOC, READ, LETTER, TREAT, "read.dead"),
    (with_grants(granted()), ADMIN, READ, LETTER, TREAT, "read.category"),
    (with_grants(granted()), DOC, READ, LETTER, TREAT, "grant.presence_code"),
    (with_grants(granted(GrantKind.CIRCLE)), DOC, READ, RESTRICTED, TREAT, "grant.circle"),
    (with_grants(granted(), granted(GrantKind.CIRCLE)), DOC, READ, LETTER, TREAT, "grant.circle"),
    (with_grants(granted(GrantKind.STAY, HOSPITAL)), DOC, READ, LETTER, TREAT, "grant.institution_stay"),
    (with_grants(granted(GrantKind.STAY, HOSPITAL)), SOFTWARE, READ, LETTER, TREAT, "grant.institution_stay"),
    (with_grants(granted(GrantKind.EMERGENCY)), DOC, READ, RESTRICTED, EMERGENCY, "grant.emergency"),
    (with_grants(granted(GrantKind.COUNTRY, HOSPITAL)), DOC, READ, LETTER, TREAT, "grant.country"),
    (with_grants(granted(GrantKind.COUNTRY, HOSPITAL)), DOC, READ, RESTRICTED, TREAT, "restricted"),
    (with_grants(granted()), DOC, READ, RESTRICTED, TREAT, "restricted"),
    (with_grants(granted(GrantKind.STAY, HOSPITAL), refused=frozenset({HOSPITAL})), DOC, READ, LETTER, TREAT, "stay.refused"),
    (with_grants(granted(GrantKind.STAY, HOSPITAL), granted(), refused=frozenset({HOSPITAL})), DOC, READ, LETTER, TREAT, "grant.presence_code"),
    (with_grants(granted(GrantKind.STAY, HOSPITAL, proved=False)), DOC, READ, LETTER, TREAT, "grant.institution_stay"),
    (with_grants(granted(**LONG)), DOC, READ, LETTER, TREAT, "context.ended"),
    (with_grants(granted(GrantKind.STAY, HOSPITAL, **LONG)), DOC, READ, LETTER, TREAT, "context.ended"),
    (with_grants(granted(GrantKind.STAY, HOSPITAL, renewals=1, **LONG)), DOC, READ, LETTER, TREAT, "grant.institution_stay"),
    (with_grants(granted(GrantKind.EMERGENCY, **LONG)), DOC, READ, LETTER, TREAT, "context.ended"),
    (with_grants(granted(GrantKind.EMERGENCY, **LONG)), DOC, WRITE, LETTER, TREAT, "write.matrix"),
    (with_grants(granted(GrantKind.CIRCLE, **LONG)), DOC, READ, LETTER, TREAT, "grant.circle"),
    (with_grants(granted(context="of another country")), DOC, READ, LETTER, TREAT, "context.off"),
    (OPEN, DOC, READ, LETTER, TREAT, "no-grant"),
    (with_grants(granted(holder=COLLEAGUE)), DOC, READ, LETTER, TREAT, "no-grant"),
    (with_grants(granted(GrantKind.STAY, PRACTICE)), DOC, READ, LETTER, TREAT, "no-grant"),
    (with_grants(granted(until=NOW)), DOC, READ, LETTER, TREAT, "no-grant"),
    (with_grants(granted(revoked_at=NOW)), DOC, READ, LETTER, TREAT, "no-grant"),
    (with_grants(granted(since=NOW + timedelta(seconds=1))), DOC, READ, LETTER, TREAT, "no-grant"),
    (with_grants(granted()), replace(DOC, organization_id=None), READ, replace(LETTER, organization_id=None), TREAT, "grant.presence_code"),
]  # fmt: skip


@pytest.mark.parametrize(("consent", "requester", "action", "item", "purpose", "rule"), CASES)
def test_case_is_decided_by_its_rule(consent, requester, action, item, purpose, rule):
    assert decide(consent, requester, action, item, purpose, NOW).rule == rule


def test_exception_begins_on_its_day_and_ends_before_another():
    rules = policy_set()
    (exception,) = rules.matrix.exceptions
    ended = replace(rules.matrix, exceptions=(msgspec.structs.replace(exception, until=NOW.date()),))
    item = replace(DOSE, subjects=frozenset({COVID19}))

    def rule(at, matrix=rules.matrix):
        consent = replace(OPEN, rules=replace(rules, matrix=matrix, _rules={}, _days={}))
        return decide(consent, PHARMACIST, WRITE, item, TREAT, at).rule

    first = datetime.combine(exception.valid_from, NOW.timetz())
    assert [rule(first - timedelta(days=1)), rule(first)] == ["write.category", "write.exception"]
    assert [rule(NOW - timedelta(days=1), ended), rule(NOW, ended)] == ["write.exception", "write.category"]


def test_cases_cover_every_documented_rule():
    documented = set()
    for row in re.findall(r"^\| ([^|]+) \|", rules.__doc__, re.M)[1:]:
        documented |= _rule_ids(row)
    by_other_policy = {"stay.unproved"}
    assert {case[-1] for case in CASES} | by_other_policy == documented


def _rule_ids(cell):
    if cell == "grant.<kind>":
        return {f"grant.{kind}" for kind in GrantKind}
    if cell == "representative.<kind>":
        return {f"representative.{kind}" for kind in RepresentationKind}
    parts = [part.strip() for part in cell.split(",")]
    return {part if not part.startswith(".") else parts[0].partition(".")[0] + part for part in parts}


def test_verdicts_have_words_and_grant_verdicts_their_grant():
    for *question, _ in CASES:
        verdict = decide(*question, NOW)
        assert verdict.reason in REASONS
        assert explain(verdict) == REASONS[verdict.reason]
        assert (verdict.grant is not None) == verdict.rule.startswith("grant.")


# The oracle: default deny, and each law once, in plain code over the data files.

PERIOD = tomllib.loads((DATA / "matrix.toml").read_text(encoding="utf-8"))
LINES = [[cell.strip() for cell in line.split("|")] for line in PERIOD["period"][0]["cells"].strip("\n").splitlines()]
CELLS = {(LINES[0][n], row[0]): row[n] for row in LINES[1:] for n in range(1, len(row))}
COLUMNS = {member: one["key"] for one in PERIOD["column"] for member in one["members"]}
OF_ORGANIZATIONS = {one["kind"]: one["column"] for one in PERIOD["organization"]}
with (DATA / "assignment.csv").open(encoding="utf-8") as file:
    SORTED = {line["document_class"]: line["category"] for line in csv.DictReader(file)}
TERMS = tomllib.loads((DATA / "policy.toml").read_text(encoding="utf-8"))["period"][0]
CONTEXTS = tomllib.loads((DATA / "contexts.toml").read_text(encoding="utf-8"))["period"][0]["context"]
AFTER_DEATH = tomllib.loads((files("esante.identity.access") / "data" / "lifecycle.toml").read_text(encoding="utf-8"))[
    "period"
][0]["death"]


def is_referring(consent, requester):
    return requester.kind == "practitioner" and any(
        one.practitioner_id == requester.id and one.since <= NOW.date() < (one.until or NOW.date() + timedelta(days=1))
        for one in consent.referring
    )


def in_matrix(consent, requester, item, marks):
    column = (OF_ORGANIZATIONS if requester.kind == "organization" else COLUMNS).get(requester.profession)
    if column == "doctor" and is_referring(consent, requester):
        column = "referring_doctor"
    return CELLS.get((column, SORTED.get(item.category)), "-") in marks


def lasts(grant):
    """Whether a grant is in force, by its own end and by its ceiling; the clocks do not change before NOW."""
    found = [one for one in CONTEXTS if grant.context in (one["key"], "") and one["grant"] == grant.kind]
    if not found or not found[0]["allowed"]:
        return False
    terms = found[0]
    days = terms.get("days", 0) + min(grant.renewals, terms.get("renewals", 0)) * terms.get("renewal_days", 0)
    ceiling = timedelta(days=days, hours=terms.get("hours", 0))
    under = not ceiling or grant.since + ceiling > NOW
    return under and grant.since <= NOW and (grant.until is None or grant.until > NOW) and grant.revoked_at is None


def dead_longer_than(consent, days):
    return consent.deceased_at is not None and NOW - consent.deceased_at >= timedelta(days=days)


def opposes(consent, against, item, authors, day):
    for one in consent.oppositions:
        about = one.depositor_id in authors - {None} and one.document_class in ("", item.category)
        in_time = day is None or (one.care_from <= day and day <= one.care_until)
        if one.against == against and about and in_time:
            return True
    return False


def oracle_of_acting(consent, requester, action, item):
    """Articles 12 to 14: who acts, in an open record whose class may be written."""
    today = NOW.date()

    def holds(one):
        return one.since <= today and (one.until is None or one.until >= today)

    legal = {one.representative_id for one in consent.representations if holds(one) and one.kind != "trusted_person"}
    trusted = {one.representative_id for one in consent.representations if holds(one) and one.kind == "trusted_person"}
    if requester.id == consent.person_id:
        admitted = [one.classes for one in consent.capacities if holds(one) and one.kind == "discernment"]
        return not legal or any(not classes or item.category in ("", *classes) for classes in admitted)
    if opposes(consent, "representatives", item, {item.author_id, item.organization_id}, item.care_on):
        return False
    personal = item.category in ("organ_donation", "advance_directive", "end_of_life")
    if requester.id in legal:
        return not (action == "write" and personal)
    unable = any(holds(one) and one.kind == "incapacity" for one in consent.capacities)
    return requester.id in trusted and unable and action != "write" and item.confidentiality != "hidden"


def oracle(consent, requester, action, item, purpose):
    if requester.kind == "patient":
        if (requester.patient or requester.id) != consent.person_id:
            return False
        may_add = SORTED.get(item.category) in PERIOD["period"][0]["holder_writes"]
        shut = dead_longer_than(consent, 0) or consent.state != "open"
        return not shut and (action != "write" or may_add) and oracle_of_acting(consent, requester, action, item)
    if requester.patient not in (None, consent.person_id):
        return False
    if requester.kind not in ("practitioner", "organization") or purpose not in ("TREAT", "ETREAT"):
        return False
    if consent.state != "open":
        return False
    if action == "write":
        in_time = not dead_longer_than(consent, AFTER_DEATH["writing_days"])
        active = {
            grant.kind
            for grant in consent.grants
            if grant.holder_id in ({requester.id, requester.organization_id} - {None})
            and lasts(grant)
            and not (grant.kind == "institution_stay" and grant.holder_id in consent.refused)
        }
        reads_only = active == {"emergency"}
        may_write = purpose == "TREAT" and not reads_only and in_time and in_matrix(consent, requester, item, "W")
        authors = {requester.id, requester.organization_id, item.author_id, item.organization_id}
        return may_write and not opposes(consent, "deposit", item, authors, item.care_on or NOW.date())
    if requester.delegate and action == "read":
        return False
    me = {requester.id, requester.organization_id} - {None}
    if item.author_id == requester.id or item.organization_id in me:
        return True
    forbidden = (
        me & consent.blocked
        or item.confidentiality == "hidden"
        or not consent.sharing
        or dead_longer_than(consent, AFTER_DEATH["reading_days"])
        or not in_matrix(consent, requester, item, "Wr")
    )
    return not forbidden and any(
        grant.holder_id in me
        and lasts(grant)
        and not (grant.kind == "institution_stay" and grant.holder_id in consent.refused)
        and any(
            item.confidentiality in line["confidentiality"] for line in TERMS["grant"] if line["kind"] == grant.kind
        )
        for grant in consent.grants
    )


ids = st.sampled_from([PERSON, STRANGER, DOCTOR, COLLEAGUE, HOSPITAL, PRACTICE])
some_id = st.none() | ids
moments = st.sampled_from([NOW + timedelta(days=days) for days in (-400, -365, -60, -45, -16, -15, -1, 0, 1)])
days = moments.map(lambda moment: moment.date())
grants = st.builds(
    granted,
    kind=st.sampled_from(GrantKind),
    holder=ids,
    since=moments,
    until=st.none() | moments,
    revoked_at=st.none() | st.none() | moments,
    context=st.sampled_from(["", "", *(one["key"] for one in CONTEXTS), "elsewhere"]),
    renewals=st.sampled_from([0, 0, 1, 2]),
)
referring = st.builds(
    ReferringDoctor, person_id=st.just(PERSON), practitioner_id=ids, since=days, until=st.none() | days
)
oppositions = st.builds(
    Opposition,
    id=st.just(UUID(int=98)),
    against=st.sampled_from(Against),
    depositor_id=ids,
    document_class=st.sampled_from(["", "", *sorted(SORTED)]),
    care_from=days,
    care_until=days,
)
terms = {"id": st.just(UUID(int=97)), "since": days, "until": st.none() | days}
representations = st.builds(
    Representation,
    kind=st.sampled_from(RepresentationKind),
    representative_id=st.sampled_from([STRANGER, DOCTOR]),
    **terms,
)
capacities = st.builds(
    Capacity,
    kind=st.sampled_from(CapacityKind),
    classes=st.lists(st.sampled_from(sorted(SORTED)), max_size=3).map(tuple),
    **terms,
)
consents = st.builds(
    Consent,
    person_id=st.just(PERSON),
    state=st.sampled_from([RecordState.OPEN, RecordState.OPEN, *RecordState]),
    sharing=st.sampled_from([True, True, False]),
    grants=st.lists(grants, max_size=4).map(tuple),
    blocked=st.frozensets(ids, max_size=1),
    refused=st.frozensets(ids, max_size=1),
    referring=st.lists(referring, max_size=2).map(tuple),
    oppositions=st.lists(oppositions, max_size=2).map(tuple),
    representations=st.just(()) | st.lists(representations, max_size=3).map(tuple),
    capacities=st.lists(capacities, max_size=2).map(tuple),
    deceased_at=st.none() | st.none() | moments,
)
requesters = st.builds(
    Requester,
    kind=st.sampled_from(["patient", "practitioner", "practitioner", "organization", "operator", "system"]),
    id=ids,
    name=st.just("x"),
    profession=st.sampled_from(
        [*sorted(COLUMNS), *sorted(OF_ORGANIZATIONS), "doctor", "admin", "", "referring_doctor"]
    ),
    organization_id=some_id,
    patient=st.sampled_from([None, None, PERSON, STRANGER]),
    delegate=st.sampled_from([None, None, Delegate(STRANGER, "Ada")]),
)
items = st.builds(
    Item,
    category=st.sampled_from([*sorted(SORTED), "", "unknown"]),
    confidentiality=st.sampled_from(Confidentiality),
    author_id=some_id,
    organization_id=some_id,
    care_on=st.none() | days,
)


@pytest.mark.parametrize(
    ("since", "until", "requester", "allowed"),
    [
        (0, None, DOC, True),
        (-400, 1, DOC, True),
        (1, None, DOC, False),
        (-400, 0, DOC, False),
        (-400, None, replace(DOC, id=COLLEAGUE), False),
        (-400, None, replace(DOC, profession="nurse"), False),
        (-400, None, replace(SOFTWARE, id=DOCTOR), False),
    ],
)
def test_referring_doctor_has_their_column_on_the_days_of_the_function(since, until, requester, allowed):
    first, last = NOW.date() + timedelta(days=since), None if until is None else NOW.date() + timedelta(days=until)
    function = ReferringDoctor(person_id=PERSON, practitioner_id=DOCTOR, since=first, until=last)
    consent = with_grants(granted(holder=requester.id), referring=(function,))
    assert decide(consent, requester, READ, Item(category=rules.ACCESS_LOG), TREAT, NOW).allowed is allowed


@given(consents, requesters, st.sampled_from(Action), items, st.sampled_from(Purpose))
def test_decision_equals_oracle(consent, requester, action, item, purpose):
    verdict = decide(consent, requester, action, item, purpose, NOW)
    assert verdict.allowed is bool(oracle(consent, requester, action, item, purpose))


@given(consents, requesters, items)
def test_grant_verdict_implies_opening_grant(consent, requester, item):
    stranger_item = replace(item, author_id=None, organization_id=None)
    verdict = decide(consent, requester, READ, stranger_item, TREAT, NOW)
    if verdict.grant is not None:
        assert opening_grant(consent, requester, NOW) is not None


@given(consents, requesters)
def test_launched_software_has_no_opening_grant_for_other_patient(consent, requester):
    assert opening_grant(consent, replace(requester, patient=STRANGER), NOW) is None


@given(consents, requesters, items)
def test_without_grants_only_authors_and_patient_read(consent, requester, item):
    verdict = decide(replace(consent, grants=()), requester, READ, item, TREAT, NOW)
    assert not verdict.allowed or verdict.rule.startswith(("patient.read", "representative.", "author."))

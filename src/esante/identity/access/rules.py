"""The access decision: whether a requester may read or write an item of a record, and why.

The rules are tested in this order; the first that applies decides. When none applies, access is denied.

| rule | applies when | verdict |
|---|---|---|
| patient.other | the requester is a patient who does not act for the person of the record | no |
| launch.other | the requester is software that was launched for another patient | no |
| patient.dead | the requester is the account of a patient who has died | no |
| patient.before-opening | the patient's record was never opened | no |
| patient.closed | the patient's record is not open (closed records are archived, and inaccessible) | no |
| patient.represented | the patient has a parent or guardian, and is not admitted to act alone (for this class) | no |
| representative.capable | the requester is a trusted person, and nobody stated that the patient cannot act | no |
| representative.reads | the requester is a trusted person, and writes | no |
| representative.hidden | the requester is a trusted person, the document is hidden | no |
| representative.personal | the requester acts for the patient, and writes what only the patient states | no |
| representative.opposed | the patient does not want their representatives to be told of the item | no |
| representative.<kind> | a parent, guardian or trusted person reads | yes |
| patient.read | the patient reads | yes, hidden documents too |
| patient.write, patient.category | they add a category that patients may write by the matrix / another | yes / no |
| requester.kind | the requester is neither practitioner nor organisation (an operator, the system) | no |
| purpose | the purpose of a professional is neither treatment nor emergency | no |
| record.none, .announced, .objected, .closed, .deleted | the record is not open | no |
| delegate.read | somebody who acts for the requester would open a document | no |
| write.emergency | the purpose of a write is an emergency, or the requester's access is by emergencies only | no |
| write.dead | the person has died (`lifecycle_terms`) | no |
| write.category | the matrix does not let the profession write the category | no |
| write.opposed | the patient opposes that documents of this care are added | no |
| write.matrix | the matrix lets the profession write the category | yes |
| write.exception | the matrix does not, but exceptions by other laws cover all that the item is about | yes |
| author.self, author.organization | the document is of the requester, or of the same organisation | yes |
| blocked | the person blocked the requester or the organisation | no |
| hidden | the document is hidden | no |
| opted-out | the person opted out of sharing | no |
| read.dead | the person has died (`lifecycle_terms`) | no |
| read.category | the matrix does not let the profession read the category | no |
| grant.<kind> | an active grant of the requester covers the confidentiality of the document | yes |
| restricted | the requester has an active grant, none covers the confidentiality | no |
| stay.refused | the requester has only stays at an organisation whose stays the person refused | no |
| stay.unproved | the requester has only stays without proof of presence, which by the policy give nothing | no |
| context.ended | the requester has only grants that passed the ceiling of their context of care | no |
| context.off | the requester has only grants of a context that the policy set does not have, or has turned off | no |
| no-grant | anything else | no |

A deposit needs no grant: writing is not reading. An emergency grant is for reading only: while it lasts, its holder
writes nothing, unless they have another grant. It does not override a block, an opt-out or a hidden document.

A parent or guardian exercises the patient's rights; what they do is decided like what the patient does, but for what
the patient does not want them to be told. They, and a trusted person, ask as a requester whose `patient` is them.

The matrix, the assignment of document classes, the contexts and the terms are those of the day of the act. A
professional acts in the profession of the role in which they signed in; whoever is the person's referring doctor on
that day has that column of the matrix. A list is decided as a reading, and may also be seen by who acts for the
requester.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

from esante.core.time_zone import day_of
from esante.identity.access.choices import choice_terms
from esante.identity.access.lifecycle_terms import lifecycle_terms
from esante.identity.access.model import (
    Action,
    Against,
    Consent,
    Grant,
    GrantKind,
    Item,
    Purpose,
    RecordState,
    Requester,
    Verdict,
)
from esante.identity.access.reasons import AUTHOR, DEPOSIT, HOLDER, REASONS, REPRESENTATION
from esante.identity.access.regulation.contexts import ends_at
from esante.identity.access.regulation.policy_set import ORGANIZATION, RulesInForce, policy_set
from esante.identity.access.representation.model import LEGAL_REPRESENTATIVES, Representation
from esante.identity.access.representation.rules import (
    cannot_act,
    is_kept_from_representatives,
    may_act_alone,
    representation_of,
)

ACCESS_LOG = "access_log"
"""The document class of the access log."""
_CLOSED = {
    RecordState.NONE: Verdict(False, "record.none", "not-opened"),
    RecordState.ANNOUNCED: Verdict(False, "record.announced", "not-opened"),
    RecordState.OBJECTED: Verdict(False, "record.objected", "objected"),
    RecordState.CLOSED: Verdict(False, "record.closed", "closed"),
    RecordState.DELETED: Verdict(False, "record.deleted", "deleted"),
}
_NEVER_OPENED = (RecordState.NONE, RecordState.ANNOUNCED)
_PROFESSIONAL = ("practitioner", "organization")
_CARE = (Purpose.TREATMENT, Purpose.EMERGENCY)


def decide(
    consent: Consent,
    requester: Requester,
    action: Action,
    item: Item,
    purpose: Purpose,
    at: datetime,
) -> Verdict:
    """Decide whether `requester` may read, list or write `item` of the record of `consent` (see the table)."""
    if requester.only_person_id not in (None, consent.person_id, consent.holder_id):
        own = requester.kind == "patient"
        return (
            Verdict(False, "patient.other", "other-person") if own else Verdict(False, "launch.other", "other-launch")
        )
    day = day_of(at)
    rules = (consent.rules or policy_set()).on(day)
    if requester.kind == "patient":
        if requester.id == consent.holder_id:
            return _decide_for_patient(consent, action, item, rules, at)
        representation = representation_of(consent, requester.id, day)
        if representation is None:
            return Verdict(False, "patient.other", "other-person")
        return _decide_for_representative(consent, representation, action, item, rules, at)
    if requester.kind not in _PROFESSIONAL:
        return Verdict(False, "requester.kind", "not-treating")
    if purpose not in _CARE:
        return Verdict(False, "purpose", "purpose")
    if consent.state is not RecordState.OPEN:
        return _CLOSED[consent.state]
    if requester.delegate is not None and action is Action.READ:
        return Verdict(False, "delegate.read", "delegate")
    key = acting_profession(consent, requester, rules, day), item.category
    right = rules.rights.get(key)
    if action is Action.WRITE:
        rule = "write.matrix" if right is not None and right.write else ""
        if not rule and item.subjects and item.subjects <= rules.exceptions.get(key, frozenset()):
            rule = "write.exception"
        return _decide_write(consent, requester, item, rule, purpose, rules, at)
    may_read = right is not None and right.read
    return _decide_read(consent, requester, item, may_read, rules, at)


def decide_admission(state: RecordState | None) -> Verdict:
    """Decide whether a hospital may report a stay of a person by the state of their record (None: no record)."""
    if state is RecordState.OPEN:
        return Verdict(True, "stay.admission", "institution_stay")
    return _CLOSED[state or RecordState.NONE]


def explain(verdict: Verdict) -> str:
    """Return the reason of a verdict in plain words to the person (a msgid); the rule id is for operators."""
    return REASONS.get(verdict.reason, REASONS["refused"])


def acting_profession(consent: Consent, requester: Requester, rules: RulesInForce, day: date) -> str:
    """Return the key by which rights are looked up: of the profession, function or organisation of a requester."""
    if requester.kind == "organization":
        return ORGANIZATION + requester.profession
    if consent.referring:
        function = rules.functions.get(rules.columns.get(requester.profession, ""))
        if function and any(one.practitioner_id == requester.id and one.is_in_force(day) for one in consent.referring):
            return function
    return requester.profession


def opening_grant(consent: Consent, requester: Requester, at: datetime) -> Grant | None:
    """Return the grant by which a professional may open the record, or None: then it is absent for the professional.

    Each document in the record is decided by `decide`.
    """
    rules = (consent.rules or policy_set()).at(at)
    closed = (
        requester.kind not in _PROFESSIONAL
        or requester.only_person_id not in (None, consent.person_id, consent.holder_id)
        or consent.state is not RecordState.OPEN
        or not consent.sharing
        or requester.id in consent.blocked
        or requester.organization_id in consent.blocked
        or _is_dead(consent, at, lifecycle_terms(day_of(at)).reading_after_death)
    )
    return None if closed else _find_grant(consent, requester, rules, at)[0]


def decide_opening(consent: Consent, requester: Requester, at: datetime) -> Verdict:
    """Decide whether a professional may open the record at all, whatever it holds."""
    grant = opening_grant(consent, requester, at)
    if grant is None:
        return Verdict(False, "no-grant", "no-grant")
    return _by_grant(grant, (consent.rules or policy_set()).at(at))


def writable_classes(consent: Consent, requester: Requester, at: datetime) -> frozenset[str]:
    """Return the document classes that a professional may write into the record, as pages offer them.

    Oppositions count when a document is there: only then its day of care is known.
    """
    consent = replace(consent, oppositions=())
    return frozenset(
        class_
        for class_ in (consent.rules or policy_set()).at(at).categories
        if decide(consent, requester, Action.WRITE, Item(category=class_), Purpose.TREATMENT, at).allowed
    )


def opposes_deposit(consent: Consent, depositors: Iterable[UUID | None], item: Item, care_on: date) -> bool:
    """Return whether the person opposes that an item of care by some depositors on a day is added to their record."""
    known = {key for key in depositors if key is not None}
    return any(one.against is Against.DEPOSIT and one.covers(item, known, care_on) for one in consent.oppositions)


def withheld(consent: Consent, grant: Grant, rules: RulesInForce, at: datetime) -> str:
    """Return the reason (a key of `REASONS`) for which a grant gives nothing before its own end; "" for none."""
    context = rules.context_of(grant)
    if context is None or not context.allowed:
        return "context-off"
    end = ends_at(grant, context)
    if end is not None and end <= at:
        return "context-ended"
    if grant.kind is not GrantKind.STAY:
        return ""
    if grant.holder_id in consent.refused:
        return "stay-refused"
    return "" if grant.proved or rules.policy.unproved_stays_read else "stay-unproved"


def _shut_for_patient(consent: Consent, at: datetime) -> Verdict | None:
    """Return the refusal of everything to the patient and to who acts for them; None while the record is open."""
    if consent.deceased_at is not None and consent.deceased_at <= at:
        return Verdict(False, "patient.dead", "dead")
    if consent.state in _NEVER_OPENED:
        return Verdict(False, "patient.before-opening", "not-opened")
    if consent.state is not RecordState.OPEN:
        return Verdict(False, "patient.closed", _CLOSED[consent.state].reason)
    return None


def _decide_for_patient(consent: Consent, action: Action, item: Item, rules: RulesInForce, at: datetime) -> Verdict:
    if (refusal := _shut_for_patient(consent, at)) is not None:
        return refusal
    if consent.representations and not may_act_alone(consent, item.category, day_of(at)):
        return Verdict(False, "patient.represented", "represented")
    if action is not Action.WRITE:
        return Verdict(True, "patient.read", "own", context=HOLDER)
    if item.category in rules.holder_writes:
        return Verdict(True, "patient.write", "own", context=HOLDER)
    return Verdict(False, "patient.category", "own-category")


def _decide_for_representative(
    consent: Consent, by: Representation, action: Action, item: Item, rules: RulesInForce, at: datetime
) -> Verdict:
    if (refusal := _shut_for_patient(consent, at)) is not None:
        return refusal
    if by.kind not in LEGAL_REPRESENTATIVES:
        if not cannot_act(consent, day_of(at)):
            return Verdict(False, "representative.capable", "capable")
        if action is Action.WRITE:
            return Verdict(False, "representative.reads", "representative-reads")
        if item.confidentiality == "hidden":
            return Verdict(False, "representative.hidden", "hidden")
    if action is Action.WRITE and item.category not in rules.holder_writes:
        return Verdict(False, "patient.category", "own-category")
    if action is Action.WRITE and item.category in choice_terms(day_of(at)).personal:
        return Verdict(False, "representative.personal", "personal")
    if is_kept_from_representatives(consent, item):
        return Verdict(False, "representative.opposed", "opposed-representatives")
    rule = "patient.write" if action is Action.WRITE else f"representative.{by.kind}"
    return Verdict(True, rule, by.kind.value, context=REPRESENTATION)


def _decide_write(
    consent: Consent,
    requester: Requester,
    item: Item,
    allowing: str,
    purpose: Purpose,
    rules: RulesInForce,
    at: datetime,
) -> Verdict:
    """Decide on a write that the rule `allowing` lets the profession do ("": none does)."""
    active = list(_active_grants(consent, requester, rules, at))
    only_emergency = bool(active) and all(grant.kind is GrantKind.EMERGENCY for grant in active)
    if purpose is Purpose.EMERGENCY or only_emergency:
        return Verdict(False, "write.emergency", "write-emergency")
    if _is_dead(consent, at, lifecycle_terms(day_of(at)).writing_after_death):
        return Verdict(False, "write.dead", "dead")
    if not allowing:
        return Verdict(False, "write.category", "not-provides")
    depositors = (requester.id, requester.organization_id, item.author_id, item.organization_id)
    if consent.oppositions and opposes_deposit(consent, depositors, item, item.care_on or day_of(at)):
        return Verdict(False, "write.opposed", "opposed")
    grant = _preferred(active, rules)
    return Verdict(True, allowing, "provides", context=_context_key(rules, grant) if grant else DEPOSIT)


def _decide_read(
    consent: Consent, requester: Requester, item: Item, may_read: bool, rules: RulesInForce, at: datetime
) -> Verdict:
    organization = requester.organization_id
    if item.author_id is not None and item.author_id == requester.id:
        return Verdict(True, "author.self", "author", context=AUTHOR)
    if item.organization_id is not None and item.organization_id in (organization, requester.id):
        return Verdict(True, "author.organization", "author-organization", context=AUTHOR)
    if requester.id in consent.blocked or organization in consent.blocked:
        return Verdict(False, "blocked", "blocked")
    if item.confidentiality == "hidden":
        return Verdict(False, "hidden", "hidden")
    if not consent.sharing:
        return Verdict(False, "opted-out", "opted-out")
    if _is_dead(consent, at, lifecycle_terms(day_of(at)).reading_after_death):
        return Verdict(False, "read.dead", "dead")
    if not may_read:
        return Verdict(False, "read.category", "profession")
    return _decide_by_grant(consent, requester, item, rules, at)


def _is_dead(consent: Consent, at: datetime, after: timedelta) -> bool:
    """Return whether the person died, and a time after their death is over."""
    return consent.deceased_at is not None and at >= consent.deceased_at + after


def _decide_by_grant(consent: Consent, requester: Requester, item: Item, rules: RulesInForce, at: datetime) -> Verdict:
    grant, any_grant = _find_grant(consent, requester, rules, at, item)
    if grant is not None:
        return _by_grant(grant, rules)
    if any_grant:
        return Verdict(False, "restricted", "restricted")
    for grant in _held(consent, requester, at):
        if reason := withheld(consent, grant, rules, at):
            return Verdict(False, reason.replace("-", ".", 1), reason)
    return Verdict(False, "no-grant", "no-grant")


def _held(consent: Consent, requester: Requester, at: datetime) -> Iterator[Grant]:
    """Yield the grants of a requester, and of the organisation for which they act, before their own end."""
    holders = (requester.id, requester.organization_id)
    return (grant for grant in consent.grants if grant.holder_id in holders and grant.is_active(at))


def _active_grants(consent: Consent, requester: Requester, rules: RulesInForce, at: datetime) -> Iterator[Grant]:
    return (grant for grant in _held(consent, requester, at) if not withheld(consent, grant, rules, at))


def _find_grant(
    consent: Consent, requester: Requester, rules: RulesInForce, at: datetime, item: Item | None = None
) -> tuple[Grant | None, bool]:
    """Return the preferred grant of the requester that covers `item`, and whether there is any active grant."""
    active = list(_active_grants(consent, requester, rules, at))
    return _preferred(active, rules, item), bool(active)


def _preferred(active: list[Grant], rules: RulesInForce, item: Item | None = None) -> Grant | None:
    """Return the first grant that covers the confidentiality of an item, in the order of the policy."""
    for kind, levels in rules.policy.reach.items() if active else ():
        for grant in active:
            if grant.kind is kind and (item is None or item.confidentiality in levels):
                return grant
    return None


def _by_grant(grant: Grant, rules: RulesInForce) -> Verdict:
    return Verdict(True, f"grant.{grant.kind}", grant.kind.value, grant, _context_key(rules, grant))


def _context_key(rules: RulesInForce, grant: Grant) -> str:
    context = rules.context_of(grant)
    return context.key if context else ""
